//! Why a message could not be sealed or opened. Every cause has its own name, because people are shown it.

use super::{Kid, SenderKey, Suite};

/// Why a message could not be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The nonce space or the data limit of this session is used up.
    #[error("this session has sealed as much as one key safely can: start a new session and seal again")]
    Spent,
    /// A session id must be fresh: a repeated one would repeat nonces.
    #[error("this session id was just used: draw 16 fresh random bytes")]
    SessionReused,
    /// More than one MQTT packet can carry.
    #[error(
        "the sealed message would have {0} bytes and an MQTT packet carries at most 268,435,455: send it in parts"
    )]
    TooLong(u64),
    /// An MQTT string ends at 65,535 bytes.
    #[error("the content type has {0} bytes, at most 65,535 are possible: shorten it")]
    ContentTypeTooLong(usize),
    /// Only the native envelope has room for a signature.
    #[error(
        "a message under {0} has no room for a signature: turn signing off for this key, or use a native suite"
    )]
    NoRoomForSignature(Suite),
}

/// What was found where sealed bytes were required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A message under another suite.
    Suite(Suite),
    /// Bytes that are no envelope.
    Plaintext,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Suite(suite) => write!(f, "sealed with {suite}"),
            Self::Plaintext => f.write_str("not sealed at all"),
        }
    }
}

/// Why bytes could not be opened. Nothing of a message that fails may be shown as if it were its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Zero bytes: in MQTT, how a retained message is cleared. Nobody can seal that.
    #[error("the message is empty: it clears the retained message, and nothing proves who sent it")]
    Empty,
    /// Neither a native envelope nor a Fernet token.
    #[error(
        "this is not a sealed message: whoever sent it sent it in the clear, or with a program of another kind"
    )]
    NotAnEnvelope,
    /// The envelope ends too early.
    #[error("cut short: at least {missing} bytes are missing at the end; ask for it to be sent again")]
    CutShort {
        /// How many bytes are missing at least.
        missing: u64,
    },
    /// Bytes follow the envelope's end.
    #[error("over-long: {extra} bytes follow the end of the envelope; something on the way added them")]
    TrailingBytes {
        /// How many.
        extra: u64,
    },
    /// The header is not exactly as the specification says.
    #[error("bad header ({0}): made by a faulty or newer program, or altered on its way")]
    BadHeader(&'static str),
    /// A COSE algorithm that is not ours.
    #[error(
        "sealed with COSE algorithm {0}, which this version does not know: update Sealwire or ask the sender"
    )]
    UnknownAlgorithm(u64),
    /// No key with this id.
    #[error("sealed with a key that you do not have (key id {}): ask the sender for it", .kid.fingerprint())]
    UnknownKey {
        /// The key id that the envelope names.
        kid: Kid,
    },
    /// The key is there, but it is not meant for this topic.
    #[error(
        "sealed with a key that is not meant for “{topic}”: do not trust it; ask the sender which key is for this topic"
    )]
    KeyNotForTopic {
        /// The topic on which it came.
        topic: String,
    },
    /// Sealed in a way that names no key, and none of ours is for this topic.
    #[error("sealed, but you have no key for “{topic}”: ask the sender for it")]
    NoKeyForTopic {
        /// The topic on which it came.
        topic: String,
    },
    /// The topic's key demands another suite, or any sealing at all.
    #[error(
        "not sealed as required: this topic wants {required} and the message is {found}; it may be forged, ask the sender"
    )]
    NotSealedAsRequired {
        /// The suite of the topic's key.
        required: Suite,
        /// What came instead.
        found: Found,
    },
    /// The tag does not verify.
    #[error(
        "altered: its seal does not hold, so something on the way changed it; ask for it to be sent again"
    )]
    Altered,
    /// A whole and genuine message, on a topic that it was not sealed for.
    #[error(
        "moved: a genuine message, but sealed for another topic than “{topic}”, where it was delivered; do not trust it here"
    )]
    MovedTopic {
        /// The topic on which it came.
        topic: String,
    },
    /// The padding holds something.
    #[error("bad padding: bytes stand where only zeros may; the sender's program is faulty")]
    Padding,
    /// The plaintext is not as the specification says.
    #[error("bad contents ({0}): the sender's program is faulty or newer than this one; update Sealwire")]
    BadContents(&'static str),
    /// A Fernet token names no key, so alteration and another key look the same.
    #[error(
        "this Fernet token does not open: it was altered, or sealed with another key; compare keys with the sender"
    )]
    FernetRefused,
    /// As [`Self::FernetRefused`], under the suite `aes-cbc-hmac`.
    #[error(
        "this aes-cbc-hmac message does not open with {}: it was altered, or sealed with another key; compare keys with the sender",
        Tried(.tried)
    )]
    CbcHmacRefused {
        /// The keys that were tried.
        tried: Vec<Kid>,
    },
    /// A signature that does not hold for this message, key, topic, session and place in it.
    #[error(
        "bad signature: a member of this topic sealed it in the name of {signer:.8}…, who did not sign it; do not trust it"
    )]
    BadSignature {
        /// Who is said to have signed.
        signer: SenderKey,
    },
    /// The topic asks for a signature and there is none. Whether it does, `keys` knows.
    #[error("not signed: this topic asks for a signature; ask the sender to turn signing on for this key")]
    NotSigned,
    /// The topic asks for a signature of somebody known, and this one, which holds, is not. Whether it does, `keys` knows.
    #[error(
        "signed by somebody that you do not know (identity {signer:.8}…): compare digits with the sender, then add them to your people"
    )]
    UnknownSigner {
        /// Who signed.
        signer: SenderKey,
    },
}

impl OpenError {
    /// The cause's name in the specification and its test vectors (`docs/envelope.md` §6).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAnEnvelope => "not-an-envelope",
            Self::CutShort { .. } => "cut-short",
            Self::TrailingBytes { .. } => "over-long",
            Self::BadHeader(_) => "bad-header",
            Self::UnknownAlgorithm(_) => "unknown-algorithm",
            Self::UnknownKey { .. } => "unknown-key",
            Self::KeyNotForTopic { .. } => "key-not-for-topic",
            Self::NoKeyForTopic { .. } => "no-key-for-topic",
            Self::NotSealedAsRequired { .. } => "not-sealed-as-required",
            Self::Altered => "altered",
            Self::MovedTopic { .. } => "moved-topic",
            Self::Padding => "bad-padding",
            Self::BadContents(_) => "bad-contents",
            Self::FernetRefused | Self::CbcHmacRefused { .. } => "altered-or-other-key",
            Self::BadSignature { .. } => "bad-signature",
            Self::NotSigned => "not-signed",
            Self::UnknownSigner { .. } => "unknown-signer",
        }
    }
}

/// “key 1234 …” or “any of the keys 1234 …, 5678 …”.
struct Tried<'a>(&'a [Kid]);

impl std::fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.len() == 1 { "the key " } else { "any of the keys " })?;
        let names: Vec<_> = self.0.iter().map(Kid::fingerprint).collect();
        f.write_str(&names.join(", "))
    }
}
