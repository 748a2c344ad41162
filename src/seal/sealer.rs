//! Sealing. One [`Sealer`] per program start and key: it owns the session id and counts the sequence.

use ring::aead::Aad;
use zeroize::Zeroizing;

use super::{
    EpochSecret, Kid, Plain, SealError, Sealed, SigningKey, Suite, cbc_hmac,
    header::{self, Header, TAG_LEN},
    inside,
    secret::{Schedule, SessionKey},
    sign1::{self, Place},
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
    CbcHmac(Box<CbcHmac>),
}

struct CbcHmac {
    machine: cbc_hmac::Machine,
    session: [u8; 16],
    sealed_messages: u64,
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
        let machine = match (suite, suite.cose()) {
            (_, Some(cose)) => Machine::Native(Box::new(Native::new(secret, cose, session))),
            (Suite::AesCbcHmac, _) => return Self::with_cbc_hmac(&secret.into(), session),
            _ => Machine::Fernet(Box::new(token::Writer::new(secret, &session))),
        };
        Self { suite, kid: secret.kid(suite), machine }
    }

    /// As [`Self::new`] under the suite `aes-cbc-hmac`, with two keys that are no epoch secret. Its key id is derived from them.
    #[must_use]
    pub fn with_cbc_hmac(keys: &cbc_hmac::Keys, session: [u8; 16]) -> Self {
        let machine = cbc_hmac::Machine::new(keys);
        let kid = machine.kid();
        let machine = Machine::CbcHmac(Box::new(CbcHmac { machine, session, sealed_messages: 0 }));
        Self { suite: Suite::AesCbcHmac, kid, machine }
    }

    /// The same sealer under this key id, for a key whose id is derived from something else.
    #[must_use]
    pub const fn named(mut self, kid: Kid) -> Self {
        self.kid = kid;
        self
    }

    /// Goes on under a new session id, the sequence at its beginning: what to do once it [is spent](Self::is_spent)
    /// or [`Self::seal`] says so.
    ///
    /// # Errors
    /// [`SealError::SessionReused`] if the id is the present one.
    pub fn start_session(&mut self, session: [u8; 16]) -> Result<(), SealError> {
        match &mut self.machine {
            Machine::Native(native) if native.session == session => Err(SealError::SessionReused),
            Machine::Native(native) => {
                native.session = session;
                native.session_key = native.schedule.session_key(native.cose, &session);
                native.sealed_messages = 0;
                native.sealed_bytes = 0;
                Ok(())
            }
            Machine::CbcHmac(legacy) if legacy.session == session => Err(SealError::SessionReused),
            Machine::CbcHmac(legacy) => {
                (legacy.session, legacy.sealed_messages) = (session, 0);
                Ok(())
            }
            Machine::Fernet(_) => Ok(()),
        }
    }

    /// Whether another session must be started before the next message.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        match &self.machine {
            Machine::Native(native) => {
                native.sealed_messages >= MAX_SESSION_MESSAGES || native.sealed_bytes >= MAX_SESSION_BYTES
            }
            Machine::CbcHmac(legacy) => legacy.sealed_messages >= MAX_SESSION_MESSAGES,
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
    /// Under `fernet` only the body and the whole seconds are sent: a token has no place for kind and content type. Under
    /// `aes-cbc-hmac` only the body is.
    ///
    /// # Errors
    /// The session is spent, or the message is longer than an MQTT packet. Neither uses up a sequence number.
    pub fn seal(&mut self, topic: &TopicName, plain: &Plain<'_>, now_ms: u64) -> Result<Sealed, SealError> {
        match &mut self.machine {
            Machine::Native(native) => native.seal(self.suite, self.kid, topic, plain, now_ms, None),
            Machine::CbcHmac(legacy) => legacy.seal(plain.body),
            Machine::Fernet(writer) => match token::length_for(plain.body.len() as u64) {
                length if length > MAX_WIRE_BYTES => Err(SealError::TooLong(length)),
                _ => Ok(Sealed(writer.seal(plain.body, now_ms / 1000))),
            },
        }
    }

    /// As [`Self::seal`], and signed by its sender inside the seal: a COSE_Sign1 (RFC 9052 §4.2) by Ed25519 (RFC 8032) that
    /// holds for this key, topic, session and sequence number only.
    ///
    /// # Errors
    /// As [`Self::seal`]; and [`SealError::NoRoomForSignature`] under a suite that is not native.
    pub fn seal_signed(
        &mut self,
        topic: &TopicName,
        plain: &Plain<'_>,
        now_ms: u64,
        key: &SigningKey,
    ) -> Result<Sealed, SealError> {
        match &mut self.machine {
            Machine::Native(native) => native.seal(self.suite, self.kid, topic, plain, now_ms, Some(key)),
            Machine::CbcHmac(_) | Machine::Fernet(_) => Err(SealError::NoRoomForSignature(self.suite)),
        }
    }

    /// As if so much had been sealed already.
    #[cfg(test)]
    pub(super) fn pretend_sealed(&mut self, messages: u64, bytes: u64) {
        match &mut self.machine {
            Machine::Native(native) => (native.sealed_messages, native.sealed_bytes) = (messages, bytes),
            Machine::CbcHmac(legacy) => legacy.sealed_messages = messages,
            Machine::Fernet(_) => {}
        }
    }
}

impl CbcHmac {
    fn seal(&mut self, body: &[u8]) -> Result<Sealed, SealError> {
        if self.sealed_messages >= MAX_SESSION_MESSAGES {
            return Err(SealError::Spent);
        }
        let length = cbc_hmac::length_for(body.len() as u64);
        if length > MAX_WIRE_BYTES {
            return Err(SealError::TooLong(length));
        }
        self.sealed_messages += 1;
        let iv = self.machine.iv(&self.session, self.sealed_messages);
        Ok(Sealed(self.machine.seal(body, &iv)))
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
        signing_key: Option<&SigningKey>,
    ) -> Result<Sealed, SealError> {
        let contents_len = inside::len_of(plain, now_ms)?;
        let inside_len = if signing_key.is_some() { sign1::len_of(contents_len) } else { contents_len };
        let plaintext_len = inside::padded_len(inside_len);
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
        if let Some(signing_key) = signing_key {
            let place = Place {
                commitment: &self.schedule.commitment,
                algorithm: self.cose.number,
                topic: topic.as_str(),
                session: &self.session,
                sequence,
            };
            let mut contents = Zeroizing::new(Vec::with_capacity(usize::try_from(contents_len).unwrap_or(0)));
            inside::write(&mut contents, plain, now_ms);
            sign1::write(&mut wire, &contents, signing_key, &place);
        } else {
            inside::write(&mut wire, plain, now_ms);
        }
        // `wire_len` is under 2^28, so this fits.
        wire.resize(start + usize::try_from(plaintext_len).unwrap_or(0), 0);
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
