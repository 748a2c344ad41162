//! Opening. An [`Opener`] holds one epoch of one key; which one to try, the kid says (`keys` looks it up).

use fernet::Fernet;
use ring::aead::Aad;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    EpochSecret, Found, Kid, Kind, OpenError, Peek, Suite,
    header::{self, Parsed},
    inside, peek,
    secret::Schedule,
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
}

/// A message that was opened: its seal held, and it was sealed for this topic (except under `fernet`, which binds none).
///
/// Whether it was here before is for [`super::replay`] to say.
pub struct Opened {
    /// How it was sealed.
    pub suite: Suite,
    /// The key that opened it.
    pub kid: Kid,
    /// The sender's session. Under `fernet` 16 bytes that stand for this very token.
    pub session: [u8; 16],
    /// The sequence number in that session, from 1. Under `fernet` 0.
    pub sequence: u64,
    /// When the sender sealed it by its own clock, in milliseconds since 1970. Under `fernet` whole seconds.
    pub sealed_at_ms: u64,
    /// What it was meant to be. Under `fernet` unknown, hence neither.
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
        let machine = match suite.cose() {
            Some(cose) => Machine::Native(Box::new(Schedule::new(secret)), cose),
            None => Machine::Fernet(Box::new(token::cipher(secret))),
        };
        Self { suite, kid: secret.kid(suite), machine }
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
        Ok(Opened {
            suite: self.suite,
            kid: self.kid,
            session: header.session,
            sequence: header.sequence,
            sealed_at_ms: contents.sealed_at_ms,
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
            session: token.mark,
            sequence: 0,
            sealed_at_ms: token.seconds.saturating_mul(1000),
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
            .field("sequence", &self.sequence)
            .field("sealed_at_ms", &self.sealed_at_ms)
            .field("kind", &self.kind)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}
