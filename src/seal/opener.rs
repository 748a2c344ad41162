//! Opening. An [`Opener`] holds one epoch of one key; which one to try, the kid says (`keys` looks it up).

use std::sync::Arc;

use ring::aead::Aad;
use subtle::ConstantTimeEq;

use super::{
    Body, EpochSecret, Found, Kid, Kind, OpenError, Peek, SenderKey, Suite, cbc_hmac,
    header::{self, Parsed},
    inside, peek,
    recent::{Recent, Remembered},
    secret::Schedule,
    sign1::Place,
    suite::Cose,
    token::{self, Token},
};
use crate::topic::TopicName;

/// Opens messages under one epoch of one key.
pub struct Opener {
    suite: Suite,
    kid: Kid,
    machine: Machine,
}

enum Machine {
    Native(Box<Native>),
    Fernet(Box<token::Cipher>),
    CbcHmac(Box<cbc_hmac::Machine>),
}

struct Native {
    schedule: Schedule,
    cose: Cose,
    recent: Recent,
}

/// A message that was opened: its seal held, and it was sealed for this topic (except under `fernet` and `aes-cbc-hmac`,
/// which bind none).
///
/// Whether it was here before is for [`super::replay`] to say.
pub struct Opened {
    /// How it was sealed.
    pub suite: Suite,
    /// The key that opened it.
    pub kid: Kid,
    /// Who signed it; the signature was verified. `None` if nobody did: whether that will do is for the caller to say.
    pub signer: Option<SenderKey>,
    /// The sender's session. Under a suite that is not native 16 bytes that stand for this very message.
    pub session: [u8; 16],
    /// The sequence number in that session, from 1. Under a suite that is not native 0.
    pub sequence: u64,
    /// When the sender sealed it by its own clock, in milliseconds since 1970. Under `fernet` whole seconds; under
    /// `aes-cbc-hmac` nobody tells.
    pub sealed_at_ms: Option<u64>,
    /// What it was meant to be. Under a suite that is not native unknown, hence neither.
    pub kind: Kind,
    /// The MIME type of the body, if it was given.
    pub content_type: Option<String>,
    /// The payload. Wiped when dropped.
    pub body: Body,
    /// How many bytes it had on the wire.
    pub sealed_len: usize,
}

impl Opener {
    /// Gets ready to open what was sealed under this secret and suite.
    #[must_use]
    pub fn new(secret: &EpochSecret, suite: Suite) -> Self {
        let machine = match (suite, suite.cose()) {
            (_, Some(cose)) => {
                let (schedule, recent) = (Schedule::new(secret), Recent::default());
                Machine::Native(Box::new(Native { schedule, cose, recent }))
            }
            (Suite::AesCbcHmac, _) => return Self::with_cbc_hmac(&secret.into()),
            _ => Machine::Fernet(Box::new(token::Cipher::new(secret))),
        };
        Self { suite, kid: secret.kid(suite), machine }
    }

    /// As [`Self::new`] under the suite `aes-cbc-hmac`, with two keys that are no epoch secret. Its key id is derived from them.
    #[must_use]
    pub fn with_cbc_hmac(keys: &cbc_hmac::Keys) -> Self {
        let machine = cbc_hmac::Machine::new(keys);
        Self { suite: Suite::AesCbcHmac, kid: machine.kid(), machine: Machine::CbcHmac(Box::new(machine)) }
    }

    /// The same opener under this key id, for a key whose id is derived from something else.
    #[must_use]
    pub const fn named(mut self, kid: Kid) -> Self {
        self.kid = kid;
        self
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

    /// Opens one message that was delivered on `topic`.
    ///
    /// # Errors
    /// Each cause has its own name; in every case nothing of the message is given out.
    pub fn open(&self, topic: &TopicName, wire: &[u8]) -> Result<Opened, OpenError> {
        match &self.machine {
            Machine::Native(native) if header::looks_like_one(wire) => self.open_native(native, topic, wire),
            Machine::Fernet(cipher) if token::begins_like_one(wire) => match Token::parse(wire) {
                Ok(token) => self.open_token(cipher, token, wire.len()),
                // Perhaps no token at all, but a text that begins like one.
                Err(_) => Err(self.refused(peek(wire))),
            },
            Machine::CbcHmac(machine) => match peek(wire) {
                // A message of ours may begin as a Fernet token does, once in 2^32, and has never the length of one.
                Peek::NotAnEnvelope(_) if cbc_hmac::looks_like_one(wire) => self.open_cbc_hmac(machine, wire),
                seen => Err(self.refused(seen)),
            },
            _ => Err(self.refused(peek(wire))),
        }
    }

    /// Why what is not of our suite, or damaged, cannot be opened.
    fn refused(&self, seen: Peek) -> OpenError {
        let found = match seen {
            Peek::Native { suite, .. } => Found::Suite(suite),
            Peek::FernetToken => Found::Suite(Suite::Fernet),
            Peek::NotAnEnvelope(OpenError::NotAnEnvelope) => Found::Plaintext,
            Peek::NotAnEnvelope(damaged) => return damaged,
        };
        OpenError::NotSealedAsRequired { required: self.suite, found }
    }

    fn open_native(&self, native: &Native, topic: &TopicName, wire: &[u8]) -> Result<Opened, OpenError> {
        let Parsed { header, protected, ciphertext } = header::parse(wire)?;
        if header.kid != self.kid {
            return Err(OpenError::UnknownKey { kid: header.kid });
        }
        if header.suite != self.suite {
            return Err(OpenError::NotSealedAsRequired {
                required: self.suite,
                found: Found::Suite(header.suite),
            });
        }
        let Remembered { session_key: known, topic_id } = native.recent.recall(&header.session, topic);
        let is_known = known.is_some();
        let session_key =
            known.unwrap_or_else(|| Arc::new(native.schedule.session_key(native.cose, &header.session)));
        let mut buffer = Body::from(ciphertext.to_vec());
        let aad = Aad::from(header::associated_data(protected));
        let plaintext = session_key
            .key
            .open_in_place(session_key.nonce(header.sequence), aad, &mut buffer)
            .map_err(|_| OpenError::Altered)?;
        if !is_known {
            native.recent.keep_session(header.session, Arc::clone(&session_key));
        }
        let topic_id = topic_id.unwrap_or_else(|| {
            let id = native.schedule.topic_id(topic.as_str());
            native.recent.keep_topic(topic, id);
            id
        });
        // Only now is the header proven, so only now does a wrong topic mean “moved”.
        if !bool::from(topic_id.ct_eq(&header.topic_id)) {
            return Err(OpenError::MovedTopic { topic: topic.as_str().to_owned() });
        }
        let contents = inside::read(plaintext)?;
        if let Some(signed) = &contents.signed {
            let place = Place {
                commitment: &native.schedule.commitment,
                algorithm: native.cose.number,
                topic: topic.as_str(),
                session: &header.session,
                sequence: header.sequence,
            };
            if !signed.holds(&place) {
                return Err(OpenError::BadSignature { signer: signed.signer });
            }
        }
        let body_start = contents.body.as_ptr().addr() - plaintext.as_ptr().addr();
        let body_len = contents.body.len();
        Ok(Opened {
            suite: self.suite,
            kid: self.kid,
            signer: contents.signed.map(|signed| signed.signer),
            session: header.session,
            sequence: header.sequence,
            sealed_at_ms: Some(contents.sealed_at_ms),
            kind: contents.kind,
            content_type: contents.content_type.map(str::to_owned),
            body: buffer.keep_only(body_start..body_start + body_len),
            sealed_len: wire.len(),
        })
    }

    fn open_token(
        &self,
        cipher: &token::Cipher,
        token: Token,
        sealed_len: usize,
    ) -> Result<Opened, OpenError> {
        let (mark, seconds) = (token.mark(), token.seconds());
        let body = token.open(cipher)?;
        Ok(Opened {
            suite: Suite::Fernet,
            kid: self.kid,
            signer: None,
            session: mark,
            sequence: 0,
            sealed_at_ms: Some(seconds.saturating_mul(1000)),
            kind: Kind::default(),
            content_type: None,
            body,
            sealed_len,
        })
    }

    fn open_cbc_hmac(&self, machine: &cbc_hmac::Machine, wire: &[u8]) -> Result<Opened, OpenError> {
        let cbc_hmac::Opened { body, mark } = machine.open(wire, self.kid)?;
        Ok(Opened {
            suite: Suite::AesCbcHmac,
            kid: self.kid,
            signer: None,
            session: mark,
            sequence: 0,
            sealed_at_ms: None,
            kind: Kind::default(),
            content_type: None,
            body,
            sealed_len: wire.len(),
        })
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opener({}, {})", self.suite, self.kid)
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("suite", &self.suite)
            .field("kid", &self.kid)
            .field("signer", &self.signer)
            .field("sequence", &self.sequence)
            .field("sealed_at_ms", &self.sealed_at_ms)
            .field("kind", &self.kind)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Plain, Sealer};

    #[test]
    fn only_sessions_of_genuine_messages_are_remembered() {
        let (secret, topic) = (EpochSecret::from_bytes([1; 32]), TopicName::new("a").unwrap());
        let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
        let mut sealer = Sealer::new(&secret, Suite::CoseA256Gcm, [2; 16]);
        let genuine = sealer.seal(&topic, &plain, 5).unwrap().into_bytes();
        let opener = Opener::new(&secret, Suite::CoseA256Gcm);
        let Machine::Native(native) = &opener.machine else { panic!("a native suite") };
        let remembered = |session: [u8; 16]| native.recent.recall(&session, &topic).session_key.is_some();
        for forged_session in 3..100 {
            let at = genuine.windows(16).position(|window| window == [2; 16]).unwrap();
            let mut forged = genuine.clone();
            forged[at..at + 16].fill(forged_session);
            assert_eq!(opener.open(&topic, &forged).unwrap_err(), OpenError::Altered);
            assert!(!remembered([forged_session; 16]));
        }
        for _ in 0..2 {
            assert_eq!(&opener.open(&topic, &genuine).unwrap().body[..], b"21.5");
            assert!(remembered([2; 16]));
        }
    }

    #[test]
    fn what_is_remembered_of_one_topic_does_not_let_a_message_pass_on_another() {
        let (secret, topic) = (EpochSecret::from_bytes([1; 32]), TopicName::new("a").unwrap());
        let plain = Plain { kind: Kind::default(), content_type: None, body: b"21.5" };
        let wire = Sealer::new(&secret, Suite::CoseA256Gcm, [2; 16]).seal(&topic, &plain, 5).unwrap();
        let opener = Opener::new(&secret, Suite::CoseA256Gcm);
        let other = TopicName::new("b").unwrap();
        for _ in 0..2 {
            assert!(opener.open(&topic, wire.as_bytes()).is_ok());
            assert!(matches!(opener.open(&other, wire.as_bytes()), Err(OpenError::MovedTopic { .. })));
        }
    }
}
