//! Watch's memory budget, held against an allocator that counts: what it says it has is what was taken, and that is never
//! more than it may have.

#![cfg(feature = "desktop")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking, and tells its figures"
)]

use std::alloc::System;

use bytes::Bytes;
use cap::Cap;
use sealwire::{
    client::{Message, Opening, SealedWith, Suite},
    desktop::messages::{Budget, MessageStore},
    topic::TopicName,
};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1 << 20;

/// As the session tells it: sealed bytes and payload each on their own.
fn message(serial: i64, topic: &str, body: &[u8]) -> Message {
    Message {
        serial,
        arrived_ms: 1_795_000_000_000 + serial as u64,
        topic: TopicName::new(topic).unwrap(),
        qos: 0,
        retained: false,
        wire: Bytes::from(vec![7; body.len() + 120]),
        opening: Opening::Opened {
            with: SealedWith {
                label: "Plant".to_owned(),
                kid: "a14f09c2b7e1a85d3360f1d27c9be4a8".to_owned(),
                suite: Suite::CoseA256Gcm,
                profile: None,
                signed: false,
            },
            body: Bytes::copy_from_slice(body),
            content_type: Some("application/json".to_owned()),
            sealed_at_ms: 1_795_000_000_000,
            will: false,
            signer: None,
            notes: Vec::new(),
        },
    }
}

fn reading(n: i64) -> Vec<u8> {
    format!("{{\"celsius\":{:.3},\"seq\":{n:08},\"state\":\"RUNNING\",\"line\":7}}", (n as f64).sin())
        .into_bytes()
}

/// Pours `count` messages in, and looks all along the way.
fn pour(name: &str, budget: Budget, count: i64, make: impl Fn(i64) -> Message) {
    let before = MEMORY.allocated();
    let mut store = MessageStore::with_budget(budget);
    let mut most = 0;
    for from in (0..count).step_by(250) {
        store.push_batch((from..(from + 250).min(count)).map(&make).collect());
        assert!(store.bytes() <= budget.bytes, "{name}: says {} of {}", store.bytes(), budget.bytes);
        most = most.max(MEMORY.allocated() - before);
    }
    let (taken, told) = (MEMORY.allocated() - before, store.bytes());
    println!(
        "{name}: {} rows, {} topics, {:.1} of {} MiB told, {:.1} MiB taken, at most {:.1} MiB",
        store.len(),
        store.tree().topics(),
        told as f64 / MIB as f64,
        budget.bytes / MIB,
        taken as f64 / MIB as f64,
        most as f64 / MIB as f64
    );
    assert!(most <= budget.bytes, "{name}: {most} bytes were taken of {}", budget.bytes);
    assert!(taken <= told, "{name}: {taken} bytes are taken and {told} told");
    assert!(taken * 10 >= told * 7, "{name}: {taken} bytes are taken, and {told} told is too much of a fear");
    assert_eq!(store.len() as u64 + store.left_out(), count as u64, "{name}: each is here or counted");
    drop(store);
    assert!(MEMORY.allocated() - before < MIB, "{name}: what is forgotten is given back");
}

/// One test alone in its process: the allocator counts everything that goes on in it.
#[test]
fn what_watch_keeps_stays_within_its_budget_and_is_told_as_it_is() {
    let topic = |n: i64| format!("plant/line-{}/sensor-{}", n % 5, n % 50);
    let full = Budget::default();
    pour("readings", full, 130_000, |n| message(n, &topic(n), &reading(n)));
    let tight = Budget { rows: 100_000, bytes: 40 * MIB };
    pour("readings in a tight budget", tight, 130_000, |n| message(n, &topic(n), &reading(n)));
    pour("large payloads", tight, 2_000, |n| {
        message(n, &topic(n), &vec![b'x'; 40_000 + (n as usize % 7) * 9_000])
    });
    pour("many topics", tight, 60_000, |n| message(n, &format!("fleet/{}/{n}/gps", n % 300), &reading(n)));
    let long = "x".repeat(8_000);
    pour("long topics", tight, 12_000, |n| message(n, &format!("fleet/{n}/{long}"), &reading(n)));
    let fields = |n: i64| (0..8).map(|at| format!("\"field-{at}\":{n}")).collect::<Vec<_>>().join(",");
    pour("many fields", tight, 100_000, |n| {
        message(n, &format!("a/{}", n % 60), format!("{{{}}}", fields(n)).as_bytes())
    });
}
