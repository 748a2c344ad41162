//! What rests, and what becomes of it when the disk is full or the file damaged.

use super::*;
use crate::{
    client::{SealedWith, Suite},
    seal::replay::Replay,
    topic::{TopicFilter, TopicName},
};

fn waiting(id: i64, wire: &'static [u8]) -> OutboxRow {
    OutboxRow {
        id,
        queued_ms: 5,
        topic: TopicName::new("a/b").unwrap(),
        qos: 1,
        retain: true,
        wire: wire.into(),
        plain_len: 3,
        sealed_with: Some(SealedWith {
            label: "Plant".into(),
            kid: "00ff".into(),
            suite: Suite::CoseChaCha20,
            profile: None,
            signed: true,
        }),
        content_type: Some("application/cose".into()),
    }
}

fn arrived(id: i64, bytes: usize) -> HistoryRow {
    HistoryRow {
        id,
        arrived_ms: 9,
        topic: TopicName::new("t").unwrap(),
        qos: 0,
        retained: false,
        wire: vec![7; bytes].into(),
        verdict: Some(Replay::RolledBack),
    }
}

async fn open(folder: &Path) -> Store {
    Store::open(folder, 1).await.unwrap().0
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening_byte_for_byte_and_ids_are_not_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let (first, second) = (store.take_outbox_id(), store.take_outbox_id());
    let history = store.take_history_id();
    let changes = Changes {
        queued: vec![waiting(first, b"one"), waiting(second, b"two")],
        arrived: vec![arrived(history, 4)],
        replay: vec![(vec![1], Some(vec![2])), (vec![3], None)],
        ..Changes::default()
    };
    store.commit(&changes).await.unwrap();
    store.commit(&Changes { done: vec![first, second], ..Changes::default() }).await.unwrap();
    store.commit(&Changes { queued: vec![waiting(3, b"three")], ..Changes::default() }).await.unwrap();
    store.close().await;

    let mut store = open(dir.path()).await;
    let outbox = store.outbox().await.unwrap();
    assert_eq!(outbox.len(), 1);
    assert_eq!((outbox[0].id, &outbox[0].wire[..]), (3, &b"three"[..]));
    assert_eq!(outbox[0].sealed_with, waiting(3, b"").sealed_with);
    assert_eq!(store.take_outbox_id(), 4);
    assert_eq!(store.take_history_id(), history + 1);
    assert_eq!(store.history(10).await.unwrap()[0].verdict, Some(Replay::RolledBack));
    assert_eq!(store.replay_rows().await.unwrap(), [(vec![1], vec![2])]);
}

#[tokio::test]
async fn every_verdict_comes_back_as_it_was_kept_also_from_a_burst() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let verdicts = [
        None,
        Some(Replay::Fresh),
        Some(Replay::Repeated),
        Some(Replay::TooOldToJudge),
        Some(Replay::ReplayedAsRetained),
        Some(Replay::RolledBack),
    ];
    let of = |id: i64| verdicts[id as usize % verdicts.len()];
    let burst = |from: i64| -> Vec<_> {
        (from..from + 1_200).map(|id| HistoryRow { verdict: of(id), ..arrived(id, 9) }).collect()
    };
    for from in [1, 1_201] {
        store.commit(&Changes { arrived: burst(from), ..Changes::default() }).await.unwrap();
    }
    let kept = store.history(5_000).await.unwrap();
    assert_eq!(kept.len(), 2_400);
    assert!(kept.iter().all(|row| row.verdict == of(row.id)));
}

#[tokio::test]
async fn the_history_is_bounded_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let rows: Vec<_> = (1..=3000).map(|id| arrived(id, 99)).collect();
    store.commit(&Changes { arrived: rows, ..Changes::default() }).await.unwrap();
    let mut fill = store.history;
    history::trim(&mut store.db, &mut fill, 500, u64::MAX / 2).await.unwrap();
    let left = store.history(5000).await.unwrap();
    assert_eq!((left.len(), left[0].id, left[489].id), (490, 2511, 3000));
    history::trim(&mut store.db, &mut fill, 500, 10_000).await.unwrap();
    assert_eq!(store.history(5000).await.unwrap().len(), 98);
}

#[tokio::test]
async fn a_history_that_was_forgotten_is_not_left_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let row = |id| HistoryRow { wire: b"meet me at the mill. ".repeat(200).into(), ..arrived(id, 0) };
    store.commit(&Changes { arrived: (1..=50).map(row).collect(), ..Changes::default() }).await.unwrap();
    let rests = || {
        let files = ["state.db", "state.db-wal"].map(|name| std::fs::read(dir.path().join(name)));
        files.into_iter().flatten().any(|bytes| bytes.windows(11).any(|part| part == b"at the mill"))
    };
    assert!(rests());
    store.clear_history().await.unwrap();
    assert!(!rests());
    store.commit(&Changes { arrived: vec![row(51)], ..Changes::default() }).await.unwrap();
    assert_eq!(store.history(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_a_new_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    store.set_setting("client_id", "x").await.unwrap();
    let filter = TopicFilter::new("a/#").unwrap();
    store.set_subscription(&filter, Some(1)).await.unwrap();
    store.close().await;
    std::fs::write(dir.path().join("state.db"), b"this is not a database at all, but it is long enough")
        .unwrap();
    let (mut store, aside) = Store::open(dir.path(), 77).await.unwrap();
    assert!(aside.unwrap().ends_with("state.db.damaged-77"));
    assert_eq!(store.setting("client_id").await.unwrap(), None);
}

#[tokio::test]
async fn a_second_window_on_the_same_account_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).await;
    assert!(matches!(Store::open(dir.path(), 1).await, Err(StoreError::InUse)));
    first.close().await;
    open(dir.path()).await;
}

#[tokio::test]
async fn an_unsubscribed_filter_is_remembered_until_the_broker_confirms() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let filter = TopicFilter::new("a/#").unwrap();
    store.set_subscription(&filter, Some(2)).await.unwrap();
    assert_eq!(store.subscriptions().await.unwrap(), (vec![(filter.clone(), 2)], vec![]));
    store.set_subscription(&filter, None).await.unwrap();
    assert_eq!(store.subscriptions().await.unwrap(), (vec![], vec![filter.clone()]));
    store.forget_subscription(&filter).await.unwrap();
    assert_eq!(store.subscriptions().await.unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn on_a_full_disk_nothing_of_a_turn_is_kept_and_nothing_that_was_there_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    store.commit(&Changes { queued: vec![waiting(1, b"kept")], ..Changes::default() }).await.unwrap();
    sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&mut store.db).await.unwrap();
    let too_much = Changes {
        queued: vec![waiting(2, b"small")],
        done: vec![1],
        arrived: vec![arrived(1, 1 << 20)],
        ..Changes::default()
    };
    let error = store.commit(&too_much).await.unwrap_err();
    assert!(error.to_string().contains("disk is full"), "{error}");
    let outbox = store.outbox().await.unwrap();
    assert_eq!((outbox.len(), &outbox[0].wire[..]), (1, &b"kept"[..]));
    assert!(store.history(10).await.unwrap().is_empty());
    sqlx::raw_sql("PRAGMA max_page_count = 100000").execute(&mut store.db).await.unwrap();
    store.commit(&too_much).await.unwrap();
    assert_eq!(store.outbox().await.unwrap()[0].id, 2);
}

#[tokio::test]
async fn packet_ids_of_qos_2_rest_until_they_are_released() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).await;
    let came = Changes { unreleased: vec![7, 65_535], arrived: vec![arrived(1, 4)], ..Changes::default() };
    store.commit(&came).await.unwrap();
    store.commit(&Changes { released: vec![7], ..Changes::default() }).await.unwrap();
    store.close().await;
    assert_eq!(open(dir.path()).await.unreleased().await.unwrap(), [65_535]);
}

#[tokio::test]
async fn a_file_of_the_first_layout_keeps_its_subscriptions_at_qos_1() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = SqliteConnectOptions::new()
        .filename(dir.path().join("state.db"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    let first = "CREATE TABLE subscriptions (filter TEXT PRIMARY KEY, gone INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO subscriptions VALUES ('a/#', 0), ('b/#', 1); PRAGMA user_version = 1";
    sqlx::raw_sql(first).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let filter = |text| TopicFilter::new(text).unwrap();
    for _ in 0..2 {
        let mut store = open(dir.path()).await;
        let expected = (vec![(filter("a/#"), 1)], vec![filter("b/#")]);
        assert_eq!(store.subscriptions().await.unwrap(), expected);
        store.close().await;
    }
}
