//! Opening. An [`Opener`] holds one epoch of one key; which one to try, the kid says (`keys` looks it up).

use fernet::Fernet;
use ring::aead::Aad;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    EpochSecret, Found, Kid, Kind, OpenError, Peek, SenderKey, Suite, cbc_hmac,
    header::{self, Parsed},
    inside, peek,
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
    Native(Box<Schedule>, Cose),
    Fernet(Box<Fernet>),
    CbcHmac(Box<cbc_hmac::Machine>),
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
    pub body: Zeroizing<Vec<u8>>,
    /// How many bytes it had on the wire.
    pub sealed_len: usize,
}

impl Opener {
    /// Gets ready to open what was sealed under this secret and suite.
    #[must_use]
    pub fn new(secret: &EpochSecret, suite: Suite) -> Self {
        let machine = match (suite, suite.cose()) {
            (_, Some(cose)) => Machine::Native(Box::new(Schedule::new(secret)), cose),
            (Suite::AesCbcHmac, _) => return Self::with_cbc_hmac(&secret.into()),
            _ => Machine::Fernet(Box::new(token::cipher(secret))),
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

    /// Opens one message that was delivered on `topic`: the steps of `docs/envelope.md` §6 that need no more than one key.
    /// Tags, MACs and topic ids are compared in constant time.
    ///
    /// # Errors
    /// Each cause has its own name; in every case nothing of the message is given out.
    pub fn open(&self, topic: &TopicName, wire: &[u8]) -> Result<Opened, OpenError> {
        let required = self.suite;
        match &self.machine {
            Machine::Native(schedule, cose) => match peek(wire) {
                Peek::Native { .. } => self.open_native(schedule, *cose, topic, wire),
                Peek::FernetToken => {
                    Err(OpenError::NotSealedAsRequired { required, found: Found::Suite(Suite::Fernet) })
                }
                Peek::NotAnEnvelope(reason) => Err(self.required_but(reason)),
            },
            Machine::Fernet(cipher) => match peek(wire) {
                Peek::FernetToken => self.open_token(cipher, wire),
                Peek::Native { suite, .. } => {
                    Err(OpenError::NotSealedAsRequired { required, found: Found::Suite(suite) })
                }
                Peek::NotAnEnvelope(reason) => Err(self.required_but(reason)),
            },
            Machine::CbcHmac(machine) => match peek(wire) {
                Peek::Native { suite, .. } => {
                    Err(OpenError::NotSealedAsRequired { required, found: Found::Suite(suite) })
                }
                Peek::FernetToken => {
                    Err(OpenError::NotSealedAsRequired { required, found: Found::Suite(Suite::Fernet) })
                }
                // A message of ours may begin as a Fernet token does, once in 2^32, and has never the length of one.
                Peek::NotAnEnvelope(_) if cbc_hmac::looks_like_one(wire) => self.open_cbc_hmac(machine, wire),
                Peek::NotAnEnvelope(reason) => Err(self.required_but(reason)),
            },
        }
    }

    fn required_but(&self, reason: OpenError) -> OpenError {
        match reason {
            OpenError::NotAnEnvelope => {
                OpenError::NotSealedAsRequired { required: self.suite, found: Found::Plaintext }
            }
            damaged => damaged,
        }
    }

    fn open_native(
        &self,
        schedule: &Schedule,
        cose: Cose,
        topic: &TopicName,
        wire: &[u8],
    ) -> Result<Opened, OpenError> {
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
        let session_key = schedule.session_key(cose, &header.session);
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(header::associated_data(protected));
        let plaintext = session_key
            .key
            .open_in_place(session_key.nonce(header.sequence), aad, &mut buffer)
            .map_err(|_| OpenError::Altered)?;
        // Only now is the header proven, so only now does a wrong topic mean “moved”.
        if !bool::from(schedule.topic_id(topic.as_str()).ct_eq(&header.topic_id)) {
            return Err(OpenError::MovedTopic { topic: topic.as_str().to_owned() });
        }
        let contents = inside::read(plaintext)?;
        if let Some(signed) = &contents.signed {
            let place = Place {
                commitment: &schedule.commitment,
                algorithm: cose.number,
                topic: topic.as_str(),
                session: &header.session,
                sequence: header.sequence,
            };
            if !signed.holds(&place) {
                return Err(OpenError::BadSignature { signer: signed.signer });
            }
        }
        Ok(Opened {
            suite: self.suite,
            kid: self.kid,
            signer: contents.signed.map(|signed| signed.signer),
            session: header.session,
            sequence: header.sequence,
            sealed_at_ms: Some(contents.sealed_at_ms),
            kind: contents.kind,
            content_type: contents.content_type.map(str::to_owned),
            body: Zeroizing::new(contents.body.to_vec()),
            sealed_len: wire.len(),
        })
    }

    fn open_token(&self, cipher: &Fernet, wire: &[u8]) -> Result<Opened, OpenError> {
        let token = Token::parse(wire)?;
        let body = token.open(cipher)?;
        Ok(Opened {
            suite: Suite::Fernet,
            kid: self.kid,
            signer: None,
            session: token.mark,
            sequence: 0,
            sealed_at_ms: Some(token.seconds.saturating_mul(1000)),
            kind: Kind::default(),
            content_type: None,
            body,
            sealed_len: wire.len(),
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
