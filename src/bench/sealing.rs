//! The sealed scenario: envelopes of `seal` on the publishing side, opened on the receiving side.

use super::{
    BenchError,
    packet::PublishShape,
    settings::{Qos, Settings, Version},
};
use crate::{
    keys::TopicKey,
    seal::{Kind, Plain, Sealer},
    topic::{TopicFilter, TopicName},
};

/// A key for the topics of one run. It dies with the run.
pub fn key(settings: &Settings, prefix: &str) -> Result<Option<TopicKey>, BenchError> {
    let Some(suite) = settings.sealed else { return Ok(None) };
    let filter =
        TopicFilter::new(format!("{prefix}/#")).map_err(|error| BenchError::Key(error.to_string()))?;
    TopicKey::generate("bench", vec![filter], suite, now_ms())
        .map(Some)
        .map_err(|error| BenchError::Key(error.to_string()))
}

/// A publisher's end.
pub struct SealingEnd {
    sealer: Sealer,
    version: Version,
}

impl SealingEnd {
    /// With a session of its own.
    pub fn new(key: &TopicKey, version: Version) -> Result<Self, BenchError> {
        Ok(Self { sealer: key.sealer(session()?), version })
    }

    /// Appends a PUBLISH that carries `plain` sealed.
    pub fn publish(
        &mut self,
        out: &mut Vec<u8>,
        topic: &TopicName,
        qos: Qos,
        packet_id: u16,
        plain: &[u8],
    ) -> Result<(), BenchError> {
        let wrong = |error: crate::seal::SealError| BenchError::Key(error.to_string());
        if self.sealer.is_spent() {
            self.sealer.start_session(session()?).map_err(wrong)?;
        }
        let plain = Plain { kind: Kind::default(), content_type: None, body: plain };
        let sealed = self.sealer.seal(topic, &plain, now_ms()).map_err(wrong)?;
        PublishShape::encode(out, self.version, qos, topic.as_str(), packet_id, sealed.as_bytes());
        Ok(())
    }
}

fn session() -> Result<[u8; 16], BenchError> {
    let mut session = [0; 16];
    getrandom::fill(&mut session).map_err(|error| BenchError::Key(error.to_string()))?;
    Ok(session)
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}
