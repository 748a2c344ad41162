//! Sealing. One [`Sealer`] per program start and key: it owns the session id and counts the sequence.

use ring::aead::Aad;

use super::{
    EpochSecret, Kid, Plain, SealError, Sealed, Suite,
    header::{self, Header, TAG_LEN},
    inside,
    secret::{Schedule, SessionKey},
    suite::Cose,
    token,
};
use crate::topic::TopicName;

/// How many messages one session may seal. Far under what AES-GCM allows, and it keeps the Partial IV short.
pub const MAX_SESSION_MESSAGES: u64 = 1 << 24;
/// How many plaintext bytes, padding included, one session may seal: a limit per AEAD key, as RFC 9053 §4.1.1 wants.
pub const MAX_SESSION_BYTES: u64 = 64 << 30;
/// The longest envelope: an MQTT packet's 268,435,455 bytes, less the longest topic name, properties and packet header.
pub const MAX_WIRE_BYTES: u64 = 268_435_455 - (128 << 10);

/// Seals messages under one epoch of one key.
///
/// Two sealers with the same secret and session id would repeat nonces, which breaks AES-GCM: the session id
/// must be 16 fresh random bytes at every program start, and a sealer is neither cloned nor saved.
pub struct Sealer {
    suite: Suite,
    kid: Kid,
    machine: Machine,
}

enum Machine {
    Native(Box<Native>),
    Fernet(Box<token::Writer>),
}

struct Native {
    cose: Cose,
    schedule: Schedule,
    session: [u8; 16],
    session_key: SessionKey,
    /// Most sealers have one topic.
    last_topic: Option<(TopicName, [u8; 16])>,
    sealed_messages: u64,
    sealed_bytes: u64,
}

impl Sealer {
    /// Begins a session. `session` must be fresh randomness: nonces and initialization vectors come from it.
    #[must_use]
    pub fn new(secret: &EpochSecret, suite: Suite, session: [u8; 16]) -> Self {
        let machine = match suite.cose() {
            Some(cose) => Machine::Native(Box::new(Native::new(secret, cose, session))),
            None => Machine::Fernet(Box::new(token::Writer::new(secret, &session))),
        };
        Self { suite, kid: secret.kid(suite), machine }
    }

    /// Goes on under a new session id, the sequence at its beginning: what to do once it [is spent](Self::is_spent)
    /// or [`Self::seal`] says so.
    ///
    /// # Errors
    /// [`SealError::SessionReused`] if the id is the present one.
    pub fn start_session(&mut self, session: [u8; 16]) -> Result<(), SealError> {
        if let Machine::Native(native) = &mut self.machine {
            if native.session == session {
                return Err(SealError::SessionReused);
            }
            native.session = session;
            native.session_key = native.schedule.session_key(native.cose, &session);
            native.sealed_messages = 0;
            native.sealed_bytes = 0;
        }
        Ok(())
    }

    /// Whether another session must be started before the next message.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        match &self.machine {
            Machine::Native(native) => {
                native.sealed_messages >= MAX_SESSION_MESSAGES || native.sealed_bytes >= MAX_SESSION_BYTES
            }
            Machine::Fernet(_) => false,
        }
    }

    /// The key's suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The key's id.
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// Seals one message for one topic, stamped `now_ms` (milliseconds since 1970).
    ///
    /// Under `fernet` only the body and the whole seconds are sent: a token has no place for kind and content type.
    ///
    /// # Errors
    /// The session is spent, or the message is longer than an MQTT packet. Neither uses up a sequence number.
    pub fn seal(&mut self, topic: &TopicName, plain: &Plain<'_>, now_ms: u64) -> Result<Sealed, SealError> {
        match &mut self.machine {
            Machine::Native(native) => native.seal(self.suite, self.kid, topic, plain, now_ms),
            Machine::Fernet(writer) => match token::length_for(plain.body.len() as u64) {
                length if length > MAX_WIRE_BYTES => Err(SealError::TooLong(length)),
                _ => Ok(Sealed(writer.seal(plain.body, now_ms / 1000))),
            },
        }
    }

    /// As if so much had been sealed already.
    #[cfg(test)]
    pub(super) fn pretend_sealed(&mut self, messages: u64, bytes: u64) {
        if let Machine::Native(native) = &mut self.machine {
            (native.sealed_messages, native.sealed_bytes) = (messages, bytes);
        }
    }
}

impl Native {
    fn new(secret: &EpochSecret, cose: Cose, session: [u8; 16]) -> Self {
        let schedule = Schedule::new(secret);
        let session_key = schedule.session_key(cose, &session);
        Self { cose, schedule, session, session_key, last_topic: None, sealed_messages: 0, sealed_bytes: 0 }
    }

    fn topic_id(&mut self, topic: &TopicName) -> [u8; 16] {
        match &self.last_topic {
            Some((name, id)) if name == topic => *id,
            _ => {
                let id = self.schedule.topic_id(topic.as_str());
                self.last_topic = Some((topic.clone(), id));
                id
            }
        }
    }

    fn seal(
        &mut self,
        suite: Suite,
        kid: Kid,
        topic: &TopicName,
        plain: &Plain<'_>,
        now_ms: u64,
    ) -> Result<Sealed, SealError> {
        let plaintext_len = inside::padded_len_of(plain, now_ms)?;
        let sealed_bytes = self.sealed_bytes.saturating_add(plaintext_len);
        if self.sealed_messages >= MAX_SESSION_MESSAGES || sealed_bytes > MAX_SESSION_BYTES {
            return Err(SealError::Spent);
        }
        let sequence = self.sealed_messages + 1;
        let topic_id = self.topic_id(topic);
        let header = Header { suite, kid, sequence, session: self.session, topic_id };
        let protected = header.encode(self.cose.number);
        let ciphertext_len = plaintext_len + TAG_LEN as u64;
        let start = header::start_len(&protected, ciphertext_len);
        let wire_len = start as u64 + ciphertext_len;
        if wire_len > MAX_WIRE_BYTES {
            return Err(SealError::TooLong(wire_len));
        }
        let mut wire = Vec::with_capacity(usize::try_from(wire_len).unwrap_or(0));
        header::write_start(&mut wire, &protected, ciphertext_len);
        inside::write(&mut wire, plain, now_ms);
        let nonce = self.session_key.nonce(sequence);
        let aad = Aad::from(header::associated_data(&protected));
        // The AEAD refuses only lengths that MAX_WIRE_BYTES has ruled out. The counters move first: whatever
        // happens, no nonce is used twice.
        (self.sealed_messages, self.sealed_bytes) = (sequence, sealed_bytes);
        let tag = self
            .session_key
            .key
            .seal_in_place_separate_tag(nonce, aad, &mut wire[start..])
            .map_err(|_| SealError::TooLong(wire_len))?;
        wire.extend_from_slice(tag.as_ref());
        Ok(Sealed(wire))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({}, {})", self.suite, self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Kind, Opener};

    #[test]
    fn a_sealer_that_goes_from_topic_to_topic_binds_each_message_to_its_own() {
        let secret = EpochSecret::from_bytes([1; 32]);
        let topics = ["a", "b", "b", "a", "a/b"].map(|name| TopicName::new(name).unwrap());
        let mut sealer = Sealer::new(&secret, Suite::CoseA256Gcm, [2; 16]);
        let opener = Opener::new(&secret, Suite::CoseA256Gcm);
        for topic in &topics {
            let plain = Plain { kind: Kind::default(), content_type: None, body: topic.as_str().as_bytes() };
            let wire = sealer.seal(topic, &plain, 5).unwrap();
            assert_eq!(&opener.open(topic, wire.as_bytes()).unwrap().body[..], topic.as_str().as_bytes());
        }
    }
}
