//! What is read at the next start is what was committed, whatever happened to the disk in between.

use bytes::Bytes;

use super::*;
use crate::{
    broker::{KeptMessage, KeptParcel, KeptSession, SubscriptionOptions},
    topic::{TopicFilter, TopicName},
};

fn key() -> Arc<StationKey> {
    Arc::new(StationKey::from_bytes(&[7; 32]))
}

async fn open(path: &Path) -> SessionKeeper {
    SessionKeeper::open(path, key()).await.unwrap()
}

fn message(number: u64, topic: &str, payload: &str) -> Arc<KeptMessage> {
    Arc::new(KeptMessage {
        number,
        topic: TopicName::new(topic).unwrap(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        properties: [3, 0, 1, b'x'].into(),
        qos: 1,
        retain: true,
        expires_ms: Some(123),
    })
}

fn opened(session: u64, client_id: &str) -> Change {
    Change::Opened { session, account: "ann".into(), client_id: client_id.into(), expiry_secs: 60 }
}

fn parcel(number: u64, message: &Arc<KeptMessage>) -> KeptParcel {
    let (message, subscription_ids) = (Arc::clone(message), Arc::from([1, 268_435_455]));
    KeptParcel { number, message, qos: 1, retain: false, replay: true, subscription_ids }
}

fn queued(session: u64, number: u64, message: &Arc<KeptMessage>) -> Change {
    Change::Queued { session, parcel: parcel(number, message) }
}

async fn count(keeper: &SessionKeeper, table: &'static str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(sql).fetch_one(&keeper.pool).await.unwrap()
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_next_start_and_sealed_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let keeper = open(&path).await;
    let options = SubscriptionOptions { qos: 1, no_local: true, retain_as_published: false, id: Some(9) };
    let filter = TopicFilter::new("plant/#").unwrap();
    let (one, two) = (message(1, "plant/press", "secret one"), message(2, "plant/lamp", "secret two"));
    let changes = [
        opened(4, "here"),
        opened(5, "away"),
        Change::Subscribed {
            session: 4,
            filter: filter.clone(),
            options: SubscriptionOptions { qos: 0, ..options },
        },
        Change::Subscribed { session: 4, filter: filter.clone(), options },
        Change::Subscribed { session: 77, filter: filter.clone(), options },
        queued(4, 8, &two),
        queued(4, 7, &one),
        queued(5, 1, &one),
        queued(77, 1, &one),
        Change::Retained { message: two.clone() },
        Change::Retained { message: one.clone() },
        Change::Left { session: 5, expiry_secs: 30, at_ms: 1_000 },
    ];
    keeper.commit(&changes).await.unwrap();
    keeper.close().await;

    let on_disk = std::fs::read(&path).unwrap();
    assert!(!on_disk.windows(6).any(|bytes| bytes == b"secret"));

    let keeper = open(&path).await;
    let session = |session, client_id: &str, expiry_secs, left_ms| KeptSession {
        session,
        account: "ann".into(),
        client_id: client_id.into(),
        expiry_secs,
        left_ms,
        subscriptions: Vec::new(),
        queue: Vec::new(),
        released: Vec::new(),
        accepted: Vec::new(),
    };
    let here = KeptSession {
        subscriptions: vec![(filter.clone(), options)],
        queue: vec![parcel(7, &one), parcel(8, &two)],
        ..session(4, "here", 60, None)
    };
    let away = KeptSession { queue: vec![parcel(1, &one)], ..session(5, "away", 30, Some(1_000)) };
    let kept =
        Kept { sessions: vec![here, away], retained: vec![two.clone(), one.clone()], wills: Vec::new() };
    assert_eq!(keeper.restore().await, kept);

    let changes = [
        Change::Resumed { session: 5, expiry_secs: 99 },
        Change::Delivered { session: 4, numbers: vec![7, 1_000] },
        Change::Unsubscribed { session: 4, filter },
    ];
    keeper.commit(&changes).await.unwrap();
    keeper.close().await;
    let keeper = open(&path).await;
    let here = KeptSession { queue: vec![parcel(8, &two)], ..session(4, "here", 60, None) };
    let away = KeptSession { queue: vec![parcel(1, &one)], ..session(5, "away", 99, None) };
    assert_eq!(keeper.restore().await.sessions, [here, away]);
}

#[tokio::test]
async fn a_message_is_stored_once_and_as_long_as_somebody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = open(&dir.path().join("sessions.db")).await;
    let (one, two) = (message(1, "a", "x"), message(2, "a", "y"));
    let begin = [opened(1, "1"), opened(2, "2"), queued(1, 1, &one), queued(2, 1, &one)];
    keeper.commit(&begin).await.unwrap();
    keeper.commit(&[Change::Retained { message: one.clone() }]).await.unwrap();
    assert_eq!((count(&keeper, "message").await, count(&keeper, "queued").await), (1, 2));
    keeper.commit(&[Change::Delivered { session: 1, numbers: vec![1] }]).await.unwrap();
    keeper.commit(&[Change::Ended { session: 2 }]).await.unwrap();
    assert_eq!((count(&keeper, "message").await, count(&keeper, "queued").await), (1, 0));
    keeper.commit(&[Change::Retained { message: two.clone() }]).await.unwrap();
    assert_eq!(count(&keeper, "message").await, 1);
    keeper.commit(&[queued(1, 2, &two)]).await.unwrap();
    keeper.commit(&[Change::Cleared { topic: two.topic.clone() }]).await.unwrap();
    assert_eq!((count(&keeper, "message").await, count(&keeper, "retained").await), (1, 0));
    keeper.commit(&[Change::Delivered { session: 1, numbers: vec![2] }]).await.unwrap();
    keeper.commit(&[queued(2, 9, &one)]).await.unwrap();
    assert_eq!((count(&keeper, "message").await, count(&keeper, "session").await), (0, 1));
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_the_batch_and_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let keeper = open(&path).await;
    keeper.commit(&[opened(1, "1")]).await.unwrap();
    sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&keeper.pool).await.unwrap();
    let long = "x".repeat(2_000);
    let batch: Vec<_> = (1..=200).map(|n| queued(1, n, &message(n, "a", &long))).collect();
    let error = keeper.commit(&batch).await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!((count(&keeper, "message").await, count(&keeper, "queued").await), (0, 0));
    keeper.commit(&batch).await.unwrap();
    assert_eq!((count(&keeper, "message").await, count(&keeper, "queued").await), (200, 200));
    keeper.close().await;
    assert_eq!(open(&path).await.restore().await.sessions[0].queue.len(), 200);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_a_fresh_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    for damage in ["no database at all", "a torn page"] {
        let keeper = open(&path).await;
        let long = "x".repeat(50_000);
        let begin = [opened(1, "1"), queued(1, 1, &message(1, "a", &long))];
        keeper.commit(&begin).await.unwrap();
        keeper.close().await;
        let mut bytes = std::fs::read(&path).unwrap();
        let from = if damage == "a torn page" { 100 } else { 0 };
        bytes[from..from + 8_000].fill(0x5A);
        std::fs::write(&path, &bytes).unwrap();
        let keeper = open(&path).await;
        assert_eq!(keeper.restore().await, Kept::default(), "{damage}");
        keeper.commit(&[opened(1, "1")]).await.unwrap();
        keeper.close().await;
        std::fs::remove_file(&path).unwrap();
        let asides: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("sessions.db.damaged-"))
            .filter(|entry| !entry.file_name().to_string_lossy().ends_with(['l', 'm'])) // -wal, -shm
            .collect();
        assert_eq!(asides.len(), 1, "{damage}");
        assert_eq!(std::fs::read(asides[0].path()).unwrap(), bytes, "{damage}: as it was");
        std::fs::remove_file(asides[0].path()).unwrap();
    }
}

#[tokio::test]
async fn a_message_that_was_altered_is_left_out_and_the_rest_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.db");
    let keeper = open(&path).await;
    let (one, two) = (message(1, "a", "x"), message(2, "b", "y"));
    let retained = |message: &Arc<KeptMessage>| Change::Retained { message: Arc::clone(message) };
    let begin = [opened(1, "1"), queued(1, 1, &one), queued(1, 2, &two), retained(&one), retained(&two)];
    keeper.commit(&begin).await.unwrap();
    let swap = "UPDATE message SET body = (SELECT body FROM message WHERE id = 2) WHERE id = 1";
    sqlx::raw_sql(swap).execute(&keeper.pool).await.unwrap();
    keeper.close().await;
    let keeper = open(&path).await;
    let kept = keeper.restore().await;
    assert_eq!((kept.sessions[0].queue.clone(), kept.retained), (vec![parcel(2, &two)], vec![two]));
    assert_eq!((count(&keeper, "message").await, count(&keeper, "queued").await), (1, 1));
}
