//! Why a command was not done: in words for a person, and as one of a few reasons for a program.

use std::io;

use crate::{
    api::ProblemCode,
    files::FilesError,
    keys::{KdfError, KeyError, KeyringError, NoRandomness, VaultError, key_file::KeyFileError},
    seal::{SealError, legacy::ShapeError},
    topic::TopicName,
};

use super::super::{
    http::CallError,
    mqtt::{EndpointError, Lost, Refusal, Why},
};

/// What kind of trouble it is: the terminal makes exit codes of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Anything that is none of the others.
    Failed,
    /// What was asked for cannot be meant.
    Misused,
    /// Something that was to be verified does not hold: another station, a certificate, a rolled back vault.
    DoesNotHold,
    /// A login, a passphrase or a permission was refused.
    Refused,
    /// Nobody was reached, or the connection broke.
    NoConnection,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum DirectError {
    #[error("“{text}” is no station: {why}; write it as host:port, or give the whole invite link")]
    Address { text: String, why: String },
    #[error(
        "this computer does not know the station at {address}, which shows the fingerprint {fingerprint}: compare it with what the station prints, then give --fingerprint, or the invite link"
    )]
    UnknownStation { address: String, fingerprint: String },
    #[error(
        "the station at {address} is not the one that was known there: it shows {seen} and {pinned} was expected; somebody may be in between, so nothing was sent"
    )]
    OtherStation { address: String, pinned: String, seen: String },
    #[error(
        "for the station at {address}, {one} and {other} differ ({first} and {second}): find out which one holds; nobody was asked"
    )]
    Fingerprints { address: String, one: &'static str, first: String, other: &'static str, second: String },
    #[error("{0}")]
    Station(#[from] CallErrorText),
    #[error(
        "this account has to finish signing up before it can be used here: log in with the app once, and turn on one-time codes"
    )]
    Unfinished,
    #[error("{0}")]
    NotPermitted(String),
    #[error("{0}")]
    Lost(String, Reason),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(
        "another program or computer kept changing the keys at the same time: nothing was changed; try again"
    )]
    Busy,
    #[error(
        "the station gave version {got} of the vault, and this computer has seen version {known}: the station was restored from an old backup, or somebody tampers with it; ask whoever looks after it"
    )]
    RolledBack { known: u64, got: u64 },
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("{0}")]
    BadKey(String),
    #[error(transparent)]
    Kdf(#[from] KdfError),
    #[error("the passphrase is {label}: {hint}")]
    WeakPassphrase { label: &'static str, hint: String },
    #[error(
        "no key is for {topic}{others}: make or import one (sealwire key new, sealwire key import), name one with --key-line, or say --in-the-clear to send it for all to read"
    )]
    NoKey { topic: TopicName, others: String },
    #[error(
        "the key for {0} may only open, not seal: take it back into use (sealwire key retire --undo) or import it again with --take-over"
    )]
    OpensOnly(TopicName),
    #[error("there is nothing to sign with: only an account of a station signs; give --station and --user")]
    NoIdentity,
    #[error(
        "the account's vault is of before there were signatures, and something to sign with could not be stored in it: try again, or log in with the app once"
    )]
    NoIdentityYet,
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the programs of the key for {topic} could not read it: {error}")]
    Shape { topic: TopicName, error: ShapeError },
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("{0}")]
    TooMuch(String),
    #[error("the keyring {0} is being changed by another program: try again when that is done")]
    FileInUse(String),
    #[error("the memory {0} is in use by another command: give each its own")]
    MemoryInUse(String),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("{0}")]
    Other(String),
}

/// A station's answer, or the lack of one, with the next step.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct CallErrorText {
    text: String,
    reason: Reason,
}

impl From<CallError> for DirectError {
    fn from(error: CallError) -> Self {
        let reason = match &error {
            CallError::Problem(problem) => match problem.code {
                ProblemCode::EnrolOtp => return Self::Unfinished,
                ProblemCode::WrongCredentials
                | ProblemCode::WrongCode
                | ProblemCode::Forbidden
                | ProblemCode::SessionOver
                | ProblemCode::TryLater => Reason::Refused,
                _ => Reason::Failed,
            },
            CallError::Unreachable { .. } | CallError::Silent(_) => Reason::NoConnection,
            CallError::Garbled { .. } | CallError::NoStation | CallError::Closing => Reason::Failed,
        };
        let failure = error.failure("");
        let words = [failure.why.as_str(), failure.next.as_str()];
        let text = words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        Self::Station(CallErrorText { text: text.trim_end_matches('.').to_owned(), reason })
    }
}

impl DirectError {
    /// Of a connection that is gone. `who` was at the other end.
    pub(super) fn lost(lost: &Lost, who: &str) -> Self {
        let reason = match &lost.why {
            Why::Refused(Refusal::Credentials | Refusal::NotAuthorized | Refusal::Banned) => Reason::Refused,
            Why::Certificate(_) => Reason::DoesNotHold,
            Why::Refused(_) => Reason::Failed,
            _ => Reason::NoConnection,
        };
        Self::Lost(lost.told(who), reason)
    }

    /// Which kind of trouble it is.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Station(answer) => answer.reason,
            Self::Lost(_, reason) => *reason,
            Self::UnknownStation { .. }
            | Self::OtherStation { .. }
            | Self::Fingerprints { .. }
            | Self::RolledBack { .. }
            | Self::Vault(VaultError::Refused { .. }) => Reason::DoesNotHold,
            Self::NotPermitted(_)
            | Self::Unfinished
            | Self::Vault(VaultError::WrongPassword)
            | Self::KeyFile(KeyFileError::WrongPassphrase) => Reason::Refused,
            Self::Address { .. } | Self::Endpoint(_) => Reason::Misused,
            _ => Reason::Failed,
        }
    }

    /// A thread that did not come back.
    pub(super) fn thread(error: &tokio::task::JoinError) -> Self {
        Self::Other(format!("a thread of this program ended early: {error}"))
    }
}

impl From<io::Error> for DirectError {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}
