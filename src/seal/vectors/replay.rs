//! The verdicts of `docs/vectors/replay.json`, which is written by hand.

use serde_json::Value;

use super::{super::*, unhex};
use crate::topic::TopicName;

#[test]
fn the_guard_judges_each_sequence_of_messages_as_the_file_says_also_across_a_restart() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/vectors/replay.json")).unwrap();
    let sequences = file["sequences"].as_array().unwrap();
    assert!(sequences.len() > 10);
    for sequence in sequences {
        let mut guard = replay::ReplayGuard::new();
        for (at, message) in sequence["messages"].as_array().unwrap().iter().enumerate() {
            let flag = |name: &str| message[name].as_bool().unwrap();
            let suite: Suite = message["suite"].as_str().unwrap().parse().unwrap();
            let opened = Opened {
                suite,
                kid: Kid::from_bytes([1; 16]),
                signer: None,
                session: unhex(message["session"].as_str().unwrap()).try_into().unwrap(),
                sequence: message["sequence"].as_u64().unwrap(),
                sealed_at_ms: message["sealed_at_ms"].as_u64(),
                kind: Kind { retained: flag("retained"), will: flag("will") },
                content_type: None,
                body: crate::seal::Body::default(),
                sealed_len: 100,
            };
            let topic = TopicName::new(message["topic"].as_str().unwrap()).unwrap();
            let verdict = guard.judge(&opened, &topic, flag("delivered_retained"), u64::MAX);
            assert_eq!(verdict.to_string(), message["verdict"], "{}, message {at}", sequence["name"]);
            let rows = guard.all_rows().into_iter().filter_map(|row| Some((row.key, row.value?)));
            guard = replay::ReplayGuard::load(rows).unwrap();
        }
    }
}
