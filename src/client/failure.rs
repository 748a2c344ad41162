//! Failures as people read them: what went wrong, why, and the next step.

use std::time::Duration;

use crate::{
    api::{Problem, ProblemCode},
    files::FilesError,
};

use super::Failure;

impl Failure {
    /// What, why and the next step. Errors tell why in half a sentence; people are told in a whole one.
    pub(super) fn new(what: impl Into<String>, why: impl AsRef<str>, next: impl Into<String>) -> Self {
        Self { what: what.into(), why: sentence(why.as_ref()), next: next.into(), retry_after: None }
    }

    /// As the station told it. Many of its messages name the next step already.
    pub(super) fn of_problem(what: &str, problem: &Problem) -> Self {
        let next = match problem.code {
            ProblemCode::SessionOver => "Log in again.",
            ProblemCode::WrongCredentials => "Check username, password and code, and try again.",
            ProblemCode::WrongCode => "If it stays so, check this computer's clock.",
            ProblemCode::Internal => "Ask whoever looks after the station to read its log.",
            ProblemCode::VersionConflict => "Try again.",
            _ => "",
        };
        Self {
            retry_after: problem.retry_after_s.map(Duration::from_secs),
            ..Self::new(what, told(&problem.message), next)
        }
    }

    /// A file or folder on this computer.
    pub(super) fn of_files(what: &str, error: &FilesError) -> Self {
        Self::new(what, error.to_string(), "")
    }
}

/// The longest text of a stranger that people are shown, in characters.
const MAX_TOLD: usize = 500;

/// What a station or broker says, for people and logs: no control characters, and no longer than anybody reads.
pub(super) fn told(text: &str) -> String {
    let mut told: String = text.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect();
    if text.chars().nth(MAX_TOLD).is_some() {
        told.push('…');
    }
    told
}

/// An error's text as a whole sentence.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut sentence: String = first.to_uppercase().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// What did not happen, for a command without a login.
pub(super) fn not_logged_in(what: &str) -> Failure {
    Failure::new(what, "Nobody is logged in.", "Log in first.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_station_says_is_shown_short_and_without_control_characters() {
        assert_eq!(told("no\u{1b}[2J\nright “°C”"), "no[2Jright “°C”");
        assert_eq!(told(&"a".repeat(1 << 20)).chars().count(), MAX_TOLD + 1);
    }
}
