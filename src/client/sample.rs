//! The sample sensor: something to watch before there is anything.

use std::time::Duration;

use crate::topic::{TopicFilter, TopicName};

use super::Draft;

/// The name of its key.
pub(super) const LABEL: &str = "Sample";
/// The time between two readings.
pub(super) const EVERY: Duration = Duration::from_millis(500);
const TEMPERATURE: &str = "sample/temperature";
const PRESSURE: &str = "sample/pressure";

/// What its key is for.
pub(super) fn filter() -> Option<TopicFilter> {
    TopicFilter::new("sample/#").ok()
}

/// One of the topics that it publishes to, for asking whether it may.
pub(super) fn topic() -> Option<TopicName> {
    TopicName::new(TEMPERATURE).ok()
}

/// A press hall on a quiet day: temperature and pressure by turns, slowly swinging.
#[derive(Default)]
pub(super) struct Sample {
    seq: u32,
}

impl Sample {
    /// The next reading.
    pub(super) fn reading(&mut self) -> Draft {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let swing = (f64::from(seq % 240) * std::f64::consts::TAU / 240.0).sin();
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let (topic, body) = if seq.is_multiple_of(2) {
            (TEMPERATURE, serde_json::json!({ "celsius": tenths(21.5 + 2.5 * swing), "seq": seq }))
        } else {
            (PRESSURE, serde_json::json!({ "hectopascal": tenths(1013.2 + 4.0 * swing), "seq": seq }))
        };
        Draft {
            topic: fixed(topic),
            body: body.to_string().into_bytes(),
            content_type: Some("application/json".to_owned()),
            qos: 1,
            retain: false,
        }
    }
}

#[expect(clippy::expect_used, reason = "the two names above are valid; no input can reach it")]
fn fixed(topic: &'static str) -> TopicName {
    TopicName::new(topic).expect("a valid topic name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_come_by_turns_under_the_key_of_the_sample_and_count_up() {
        let mut sample = Sample::default();
        let drafts: Vec<Draft> = (0..4).map(|_| sample.reading()).collect();
        assert!(drafts.iter().all(|draft| filter().unwrap().matches(&draft.topic)));
        assert_eq!(drafts[0].topic, topic().unwrap());
        assert_ne!(drafts[0].topic, drafts[1].topic);
        let body: serde_json::Value = serde_json::from_slice(&drafts[2].body).unwrap();
        assert_eq!((body["seq"].as_u64(), body["celsius"].as_f64()), (Some(2), Some(21.6)));
    }
}
