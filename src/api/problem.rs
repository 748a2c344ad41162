//! How the station says no.

use serde::{Deserialize, Serialize};

use super::Enrolment;

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The request is not what this path expects.
    Malformed,
    /// The request is larger than [`super::MAX_BODY_BYTES`].
    TooLarge,
    /// No such path or thing.
    NotFound,
    /// The session is over: log in again.
    SessionOver,
    /// Logged in, but not permitted.
    Forbidden,
    /// Wrong username, password or code: alike for all three.
    WrongCredentials,
    /// A one-time code or an enrolment is wrong, used or too old.
    WrongCode,
    /// Too many failures: wait `retry_after_s`.
    TryLater,
    /// Somebody has the name.
    NameTaken,
    /// Sign-up is closed.
    SignUpClosed,
    /// The role cannot be chosen at sign-up.
    RoleNotOffered,
    /// The first account needs the station's setup code.
    SetupCode,
    /// The password is right, but this station needs one-time codes and the account has none yet: the problem
    /// carries the enrolment, and the first code logs in.
    EnrolOtp,
    /// The vault has been changed elsewhere: fetch it and merge.
    VersionConflict,
    /// The station itself is in trouble: disk full, database damaged.
    Internal,
}

/// A failure, with words for the person in front of the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What went wrong, for programs.
    pub code: ProblemCode,
    /// What went wrong, why, and the next step.
    pub message: String,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// With [`ProblemCode::EnrolOtp`]: what the authenticator app needs, for [`super::ConfirmOtp`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Box<Enrolment>>,
}

impl Problem {
    /// A problem without a waiting time.
    #[must_use]
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_s: None, enrolment: None }
    }

    /// Its HTTP status (RFC 9110 §15).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code {
            ProblemCode::Malformed | ProblemCode::SetupCode | ProblemCode::RoleNotOffered => 400,
            ProblemCode::SessionOver | ProblemCode::WrongCredentials | ProblemCode::WrongCode => 401,
            ProblemCode::Forbidden | ProblemCode::SignUpClosed | ProblemCode::EnrolOtp => 403,
            ProblemCode::NotFound => 404,
            ProblemCode::NameTaken | ProblemCode::VersionConflict => 409,
            ProblemCode::TooLarge => 413,
            ProblemCode::TryLater => 429,
            ProblemCode::Internal => 500,
        }
    }
}
