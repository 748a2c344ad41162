//! How a command ends: the exit codes, in one table for the help, the manual page and the program.

/// Anything that is none of the others.
pub(super) const FAILED: u8 = 1;
/// The arguments; clap ends with the same.
#[cfg(any(feature = "client", feature = "station"))]
pub(super) const MISUSED: u8 = 2;
/// Something that was to be verified does not hold.
pub(super) const DOES_NOT_HOLD: u8 = 3;
/// A login, a passphrase or a permission.
#[cfg(feature = "client")]
pub(super) const REFUSED: u8 = 4;
/// `--timeout` was over.
#[cfg(feature = "client")]
pub(super) const TIMED_OUT: u8 = 5;
/// Nobody was reached.
#[cfg(feature = "client")]
pub(super) const NO_CONNECTION: u8 = 6;
/// 128 and the number of SIGINT, as shells have it.
#[cfg(feature = "client")]
pub(super) const INTERRUPTED: u8 = 130;

/// For the end of `--help` and of each manual page.
pub(super) const TABLE: &str = "\
Exit codes:
  0    done; also where the reader of the output went away, and where sub was
       ended by Ctrl+C
  1    it failed; the reason is on standard error
  2    the arguments are wrong, or do not go together
  3    what was to be verified does not hold: a message under --strict, the
       identity of a station, a certificate, a log, a promise of the demo
  4    refused: a login, a passphrase or a permission
  5    --timeout was over before all was done
  6    nobody was reached, or the connection broke
  130  ended by Ctrl+C before all was done";

/// An end with a code of its own.
#[cfg(any(feature = "client", feature = "station"))]
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Ended {
    pub code: u8,
    pub message: String,
}

#[cfg(any(feature = "client", feature = "station"))]
impl Ended {
    pub(super) fn with(code: u8, message: impl Into<String>) -> anyhow::Error {
        Self { code, message: message.into() }.into()
    }

    /// Arguments that do not go together in a way that the parser cannot know.
    pub(super) fn misused(message: impl Into<String>) -> anyhow::Error {
        Self::with(MISUSED, message)
    }
}

/// The code for an error.
#[cfg_attr(
    not(any(feature = "client", feature = "station")),
    expect(unused_variables, reason = "without them no error has a code of its own")
)]
pub(super) fn code_of(error: &anyhow::Error) -> u8 {
    #[cfg(any(feature = "client", feature = "station"))]
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return ended.code;
    }
    #[cfg(feature = "client")]
    if let Some(error) = error.downcast_ref::<crate::client::direct::DirectError>() {
        use crate::client::direct::Reason;
        return match error.reason() {
            Reason::Failed => FAILED,
            Reason::Misused => MISUSED,
            Reason::DoesNotHold => DOES_NOT_HOLD,
            Reason::Refused => REFUSED,
            Reason::NoConnection => NO_CONNECTION,
        };
    }
    #[cfg(feature = "client")]
    if let Some(error) = error.downcast_ref::<crate::bench::BenchError>() {
        return of_bench(error);
    }
    FAILED
}

#[cfg(feature = "client")]
fn of_bench(error: &crate::bench::BenchError) -> u8 {
    use crate::bench::{BenchError, LossKind};
    match error {
        BenchError::Settings(_) | BenchError::Address(_) => MISUSED,
        BenchError::Resolve { .. } | BenchError::NotReady { .. } => NO_CONNECTION,
        BenchError::Connect(loss) => match loss.kind {
            LossKind::Broke => NO_CONNECTION,
            LossKind::Refused => REFUSED,
            LossKind::Untrusted => DOES_NOT_HOLD,
            LossKind::Unable => FAILED,
        },
        _ => FAILED,
    }
}
