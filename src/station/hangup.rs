//! SIGHUP: the word by which a program that serves is told to read its files again, and by which a closed terminal ends
//! what ran in it. The one is told from the other by whether the terminal is still there.

#[cfg(unix)]
mod unix {
    use std::io::{IsTerminal, stdin};

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// See the module.
    pub(crate) struct Hangup {
        signal: Option<Signal>,
        had_terminal: bool,
    }

    impl Hangup {
        /// Hears it from now on, if `wanted`; else it ends the process, as it does by itself.
        pub(crate) fn listen(wanted: bool) -> Self {
            let signal = wanted.then(|| signal(SignalKind::hangup()));
            let signal = signal.and_then(|heard| {
                heard.inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be heard here")).ok()
            });
            Self { signal, had_terminal: stdin().is_terminal() }
        }

        /// Waits for one. True where files are to be read again, false where the terminal has gone.
        pub(crate) async fn next(&mut self) -> bool {
            match &mut self.signal {
                Some(signal) => {
                    signal.recv().await;
                    !self.had_terminal || stdin().is_terminal()
                }
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(unix)]
pub(crate) use unix::Hangup;

/// There is none here.
#[cfg(not(unix))]
pub(crate) struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    pub(crate) fn listen(_wanted: bool) -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) -> bool {
        std::future::pending().await
    }
}
