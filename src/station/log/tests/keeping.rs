//! What a start finds after a run, through the keeper itself.

use super::*;
use crate::broker::KeptSession;

fn session(session: u64, expiry_secs: u32, left_ms: Option<u64>) -> KeptSession {
    KeptSession {
        session,
        account: "ann".into(),
        client_id: format!("client {session}").into(),
        expiry_secs,
        left_ms,
        subscriptions: Vec::new(),
        queue: Vec::new(),
        released: Vec::new(),
        accepted: Vec::new(),
    }
}

fn subscription(change: Change) -> (TopicFilter, SubscriptionOptions) {
    match change {
        Change::Subscribed { filter, options, .. } => (filter, options),
        other => panic!("no subscription but {other:?}"),
    }
}

fn left_will(change: Change) -> (u64, Arc<KeptWill>) {
    match change {
        Change::WillLeft { session, will } => (session, will),
        other => panic!("no will but {other:?}"),
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_next_start_and_sealed_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("sessions");
    let log = SessionLog::open(&folder, key()).await.unwrap();
    assert_eq!(log.restore().await, Kept::default());
    let (one, two) = (message(1), message(2));
    let changes = [
        opened(4),
        opened(5),
        subscribed(4, "plant/#", None),
        subscribed(4, "plant/#", Some(9)),
        subscribed(77, "plant/#", None),
        queued(4, 8, &two),
        queued(4, 7, &one),
        queued(5, 1, &one),
        queued(77, 1, &one),
        Change::Released { session: 5, numbers: vec![3, 2] },
        Change::Accepted { session: 5, packet_id: 65_535 },
        Change::Retained { message: two.clone() },
        Change::Retained { message: one.clone() },
        Change::Left { session: 5, expiry_secs: 30, at_ms: 1_000 },
        will(99, Some(5)),
        will(98, None),
    ];
    log.commit(&changes).await.unwrap();
    log.close().await;
    for file in segments(&folder) {
        let on_disk = fs::read(&file).unwrap();
        assert!(!on_disk.windows(7).any(|bytes| bytes == b"payload" || bytes == b"plant/#"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    let log = SessionLog::open(&folder, key()).await.unwrap();
    let here = KeptSession {
        subscriptions: vec![subscription(subscribed(4, "plant/#", Some(9)))],
        queue: vec![parcel(7, &one), parcel(8, &two)],
        ..session(4, 60, None)
    };
    let away = KeptSession {
        queue: vec![parcel(1, &one)],
        released: vec![2, 3],
        accepted: vec![65_535],
        ..session(5, 30, Some(1_000))
    };
    let wills = vec![left_will(will(98, None)), left_will(will(99, Some(5)))];
    let kept = Kept { sessions: vec![here, away], retained: vec![one.clone(), two.clone()], wills };
    assert_eq!(log.restore().await, kept);

    let changes = [
        Change::Resumed { session: 5, expiry_secs: 99 },
        delivered(4, [7, 1_000]),
        delivered(5, [2]),
        Change::Completed { session: 5, packet_ids: vec![65_535, 1] },
        Change::Unsubscribed { session: 4, filter: TopicFilter::new("plant/#").unwrap() },
        Change::WillGone { session: 99 },
        Change::Cleared { topic: one.topic.clone() },
    ];
    log.commit(&changes).await.unwrap();
    log.close().await;
    let kept = SessionLog::open(&folder, key()).await.unwrap().restore().await;
    let here = KeptSession { queue: vec![parcel(8, &two)], ..session(4, 60, None) };
    let away = KeptSession { queue: vec![parcel(1, &one)], released: vec![3], ..session(5, 99, None) };
    assert_eq!(kept.sessions, [here, away]);
    assert_eq!((kept.retained, kept.wills), (vec![two], vec![left_will(will(98, None))]));
}

#[tokio::test]
async fn after_its_thread_has_ended_a_keeper_refuses_instead_of_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let log = SessionLog::open(dir.path(), key()).await.unwrap();
    log.close().await;
    assert!(log.commit(&[opened(1)]).await.is_err());
}

#[test]
fn a_message_stands_in_the_log_once_however_many_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Thrift::default());
    let long = Arc::new(KeptMessage { payload: vec![b'x'; 10_000].into(), ..(*message(1)).clone() });
    let file = segments(dir.path()).pop().unwrap();
    let length = || fs::metadata(&file).unwrap().len();
    let mut batch: Vec<_> = (1..=50).map(opened).collect();
    batch.extend((1..=50).map(|session| queued(session, 1, &long)));
    log.commit(batch).unwrap();
    assert!(length() < 13_000, "{}", length());
    // In later batches too, also one that takes the last place away and gives another.
    log.commit(vec![Change::Retained { message: long.clone() }]).unwrap();
    let ended = (1..=50).map(|session| Change::Ended { session, handed_on: false });
    let clear = Change::Cleared { topic: long.topic.clone() };
    log.commit(ended.chain([clear, opened(51), queued(51, 1, &long)]).collect()).unwrap();
    assert!(length() < 14_000, "{}", length());
    // Once nobody waits it is written again.
    log.commit(vec![delivered(51, [1])]).unwrap();
    log.commit(vec![queued(51, 2, &long)]).unwrap();
    assert!(length() > 20_000, "{}", length());
    let kept = log.kept();
    log.close();
    assert_eq!(kept.sessions[0].queue, [parcel(2, &long)]);
    assert_eq!(reopened(dir.path()), kept);
}

#[test]
fn a_number_given_again_after_a_start_leads_to_the_new_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Thrift::default());
    log.commit(vec![opened(1), queued(1, 1, &message(1)), delivered(1, [1])]).unwrap();
    log.close();
    let mut log = open(dir.path(), Thrift::default());
    let other = Arc::new(KeptMessage { payload: "another".into(), ..(*message(1)).clone() });
    log.commit(vec![queued(1, 1, &other)]).unwrap();
    log.commit(vec![queued(1, 2, &other)]).unwrap();
    log.close();
    assert_eq!(reopened(dir.path()).sessions[0].queue, [parcel(1, &other), parcel(2, &other)]);
}

#[test]
fn old_segments_go_when_what_is_live_is_little_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Thrift { floor: 20_000, times: 0 });
    commit(&mut log, &[opened(1)]);
    for number in 1..=2_000 {
        commit(&mut log, &[queued(1, number, &message(number)), delivered(1, [number.saturating_sub(3)])]);
    }
    let bytes: u64 = segments(dir.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 22_000, "{bytes}");
    let kept = log.kept();
    log.close();
    assert_eq!(reopened(dir.path()), kept);
}

#[test]
fn many_runs_leave_few_files() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..50 {
        open(dir.path(), Thrift::default()).close();
    }
    assert!(segments(dir.path()).len() <= 2, "{:?}", names(dir.path()));
    for number in 1..=50 {
        let mut log = open(dir.path(), Thrift::default());
        commit(&mut log, &[opened(number)]);
        log.close();
    }
    assert!(segments(dir.path()).len() < 20, "{:?}", names(dir.path()));
    assert_eq!(reopened(dir.path()).sessions.len(), 50);
}
