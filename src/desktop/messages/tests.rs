//! The ring as a whole: what it keeps, what it lets go, and what waits while somebody reads.

use super::*;
use crate::{client::SealedWith, client::Suite, topic::TopicName};

pub(in crate::desktop) fn message(serial: i64, topic: &str, body: &str) -> Message {
    Message {
        serial,
        arrived_ms: 1_000_000 + serial.max(0) as u64 * 10,
        topic: TopicName::new(topic).unwrap(),
        qos: 1,
        retained: false,
        wire: Bytes::from(vec![7; body.len() + 80]),
        opening: Opening::Opened {
            with: SealedWith {
                label: "Plant".into(),
                kid: "00".into(),
                suite: Suite::CoseA256Gcm,
                profile: None,
                signed: false,
            },
            body: Bytes::copy_from_slice(body.as_bytes()),
            content_type: None,
            sealed_at_ms: 1_000_000,
            will: false,
            signer: None,
            notes: Vec::new(),
        },
    }
}

pub(super) fn refused(serial: i64, topic: &str) -> Message {
    let opening = Opening::Refused { name: "No key".into(), why: "No key of yours fits.".into() };
    Message { opening, ..message(serial, topic, "") }
}

pub(super) fn store_of(messages: Vec<Message>) -> MessageStore {
    let mut store = MessageStore::new();
    store.push_batch(messages);
    store
}

fn serials(store: &MessageStore) -> Vec<i64> {
    store.numbers().map(|number| store.row(number).unwrap().message.serial).collect()
}

#[test]
fn the_ring_keeps_the_newest_rows_and_counts_what_it_left_out() {
    let mut store = MessageStore::with_budget(Budget { rows: 10, bytes: usize::MAX });
    store.push_batch((1..=25).map(|n| message(n, "a/b", "1")).collect());
    assert_eq!(serials(&store), (16..=25).collect::<Vec<_>>());
    assert_eq!((store.left_out(), store.len()), (15, 10));
    assert_eq!(store.tree().messages(ROOT), 25, "the tree counts all that came");
}

#[test]
fn the_budget_is_also_one_of_bytes_for_everything_that_is_kept() {
    let budget = Budget { rows: 1_000_000, bytes: 4 << 20 };
    let mut store = MessageStore::with_budget(budget);
    for round in 0..40 {
        let topic = |n: i64| format!("plant/{}/{}", round % 7, n % 50);
        store.push_batch(
            (0..500).map(|n| message(round * 500 + n, &topic(n), "{\"celsius\":21.5}")).collect(),
        );
        assert!(store.bytes() <= budget.bytes, "{} bytes after round {round}", store.bytes());
    }
    assert!(store.bytes() > budget.bytes * 8 / 10, "what the budget allows is used: {}", store.bytes());
    assert_eq!(store.len() as u64 + store.left_out(), 20_000, "each is here or counted");
    store.clear();
    assert_eq!((store.len(), store.budget()), (0, budget));
    assert!(store.bytes() < 10_000);
}

#[test]
fn large_payloads_push_many_small_ones_out_and_the_newest_is_always_kept() {
    let mut store = MessageStore::with_budget(Budget { rows: 1_000_000, bytes: 4 << 20 });
    store.push_batch((0..2_000).map(|n| message(n, "a", "1")).collect());
    let large = "x".repeat(1 << 20);
    store.push_batch((2_000..2_010).map(|n| message(n, "a", &large)).collect());
    assert!(store.bytes() <= 4 << 20);
    assert_eq!((store.len(), store.left_out()), (1, 2_009), "one of 2 MiB, opened and sealed, fits");
    store.push_batch(vec![message(3_000, "a", &"x".repeat(9 << 20))]);
    assert_eq!(serials(&store), [3_000], "what is larger than the budget is shown alone");
}

#[test]
fn while_held_the_budget_of_bytes_holds_as_well() {
    let budget = Budget { rows: 1_000_000, bytes: 4 << 20 };
    let mut store = MessageStore::with_budget(budget);
    store.push_batch((0..20_000).map(|n| message(n, "a", "1")).collect());
    store.hold(true);
    let shown = store.len();
    store.push_batch((20_000..40_000).map(|n| message(n, "a", "1")).collect());
    assert!(store.bytes() <= budget.bytes, "{}", store.bytes());
    assert_eq!((store.len(), store.waiting()), (shown, 20_000));
    store.hold(false);
    assert!(store.bytes() <= budget.bytes);
    assert_eq!(store.len() as u64 + store.left_out(), 40_000);
}

#[test]
fn a_row_keeps_its_number_while_others_go() {
    let mut store = MessageStore::with_budget(Budget { rows: 10, bytes: usize::MAX });
    store.push_batch((1..=10).map(|n| message(n, "a", "1")).collect());
    let last = store.numbers().end - 1;
    store.push_batch((11..=15).map(|n| message(n, "a", "1")).collect());
    assert_eq!(store.row(last).unwrap().message.serial, 10);
    store.push_batch((16..=30).map(|n| message(n, "a", "1")).collect());
    assert!(store.row(last).is_none());
}

#[test]
fn while_held_nothing_moves_and_what_came_waits_within_a_tenth_of_the_budget() {
    let mut store = MessageStore::with_budget(Budget { rows: 100, bytes: usize::MAX });
    store.push_batch((1..=100).map(|n| message(n, "a", "1")).collect());
    store.hold(true);
    let before = serials(&store);
    store.push_batch((101..=150).map(|n| message(n, "a", "1")).collect());
    assert_eq!(serials(&store), before);
    assert_eq!(store.waiting(), 50);
    assert_eq!(store.left_out(), 40);
    store.hold(false);
    assert_eq!(store.len(), 100);
    assert_eq!(serials(&store)[90..], (141..=150).collect::<Vec<_>>());
    assert_eq!(store.waiting(), 0);
    assert_eq!(store.left_out(), 50);
}

#[test]
fn history_from_the_disk_goes_before_what_is_live_and_repeats_nothing() {
    let mut store = MessageStore::with_budget(Budget { rows: 8, bytes: usize::MAX });
    store.push_batch((101..=103).map(|n| message(n, "a", "1")).collect());
    store.push_batch((91..=103).map(|n| message(n, "a", "1")).collect());
    assert_eq!(serials(&store), (96..=103).collect::<Vec<_>>());
    assert_eq!(store.left_out(), 5);
    store.push_batch((96..=103).map(|n| message(n, "a", "1")).collect());
    assert_eq!(store.tree().messages(ROOT), 8);
}

#[test]
fn problems_are_counted_as_they_come_and_go() {
    let mut store = MessageStore::with_budget(Budget { rows: 3, bytes: usize::MAX });
    store.push_batch(vec![refused(1, "a"), message(2, "a", "1"), refused(3, "b")]);
    assert_eq!(store.problems(), 2);
    store.hold(true);
    store.push_batch(vec![refused(4, "b")]);
    assert_eq!(store.problems(), 2);
    store.hold(false);
    assert_eq!(store.problems(), 2, "one went, one came");
}

#[test]
fn messages_of_one_topic_share_its_text() {
    let store = store_of(vec![message(1, "plant/press", "1"), message(2, "plant/press", "2")]);
    let [a, b] =
        [0, 1].map(|n| store.row(store.numbers().start + n).unwrap().message.topic.as_str().as_ptr());
    assert_eq!(a, b);
}

#[test]
fn a_topic_that_found_no_room_for_its_numbers_gets_them_when_looked_at() {
    let mut store = MessageStore::new();
    store.push_batch((0..1_100).map(|n| message(n, &format!("t/{n}"), "5")).collect());
    let late = store.tree().find(&TopicName::new("t/1099").unwrap()).unwrap();
    assert!(!store.series().has(late));
    store.want_series(late);
    assert_eq!(store.series().of(late)[0].last(), Some(5.0));
}

#[test]
fn a_budget_chosen_by_rows_stays_between_a_thousand_and_a_million() {
    assert_eq!(Budget::of_rows(5).rows, 1_000);
    assert_eq!(Budget::of_rows(usize::MAX).rows, MOST_ROWS);
    assert_eq!(Budget::of_rows(DEFAULT_ROWS), Budget::default());
    assert_eq!(Budget::of_rows(MOST_ROWS).bytes / 1_000_000, DEFAULT_BYTES * 10 / 1_000_000);
}

#[test]
fn a_topic_without_numbers_costs_no_other_its_own_however_often_it_is_looked_at() {
    let mut store = MessageStore::new();
    store.push_batch((0..600).map(|n| message(n, &format!("t/{n}"), "5")).collect());
    store.push_batch(vec![message(1_000, "words", "hello")]);
    let words = store.tree().find(&TopicName::new("words").unwrap()).unwrap();
    let with_numbers = |store: &MessageStore| {
        store.tree().names().filter(|name| store.series().has(store.tree().find(name).unwrap())).count()
    };
    let before = with_numbers(&store);
    for _ in 0..10 {
        store.want_series(words);
    }
    assert_eq!(with_numbers(&store), before);
}
