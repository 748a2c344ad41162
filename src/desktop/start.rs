//! Finds or starts this computer's own station, in a thread, so that the window is there at once.
//!
//! The station runs as a process of its own and stays while a window holds a lease on it. Start at [`StationSource`].

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use eframe::egui::Context;

use crate::{
    client::{DataFolders, Password},
    station::host,
};

use super::widgets::Problem;

/// After this long the screen says that it takes longer than usual. A warm start needs a tenth of it.
const SLOW: Duration = Duration::from_secs(5);

/// This computer's own station, running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnStation {
    /// `host:port` of its API.
    pub address: String,
    /// SHA-256 of its CA's public key, 64 hex digits, from its owner-only file.
    pub fingerprint: String,
    /// What its first account must present; `None` once there is one.
    pub setup_code: Option<Password>,
}

type Ensure = dyn Fn() -> Result<OwnStation, Problem> + Send + Sync;

/// How this computer's own station is found or started. Cheap to clone.
#[derive(Clone)]
pub struct StationSource {
    ensure: Arc<Ensure>,
    folder: Option<PathBuf>,
}

impl StationSource {
    /// The station of a data folder: the one that runs, else this program started again as `station`. What is
    /// returned here holds a lease from the first call on, so that the station stays while the window is open.
    #[must_use]
    pub fn of(folders: DataFolders) -> Self {
        let folder = Some(folders.root().to_owned());
        let lease = Mutex::new(None);
        let ensure = move || {
            // Before looking: a station that is about to end sees it and stays.
            let mut lease = lease.lock().unwrap_or_else(PoisonError::into_inner);
            if lease.is_none() {
                *lease = Some(host::Lease::take(&folders).map_err(|error| problem(&error))?);
            }
            let program = host::program().map_err(|error| problem(&error))?;
            let found = host::ensure(&folders, &program).map_err(|error| problem(&error))?;
            Ok(OwnStation {
                address: found.api.to_string(),
                fingerprint: found.fingerprint,
                setup_code: found.setup_code.map(|code| Password::new(code.reveal())),
            })
        };
        Self { ensure: Arc::new(ensure), folder }
    }

    /// However a test wants it.
    pub fn from_fn(ensure: impl Fn() -> Result<OwnStation, Problem> + Send + Sync + 'static) -> Self {
        Self { ensure: Arc::new(ensure), folder: None }
    }

    /// The data folder, for people who look for it.
    #[must_use]
    pub fn folder(&self) -> Option<&PathBuf> {
        self.folder.as_ref()
    }
}

impl std::fmt::Debug for StationSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StationSource").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn problem(error: &dyn std::fmt::Display) -> Problem {
    Problem::new("Your station did not start.", format!("{error}"), "Try again, or use another station.")
}

/// One attempt after another, each in a thread.
#[derive(Debug)]
pub(super) struct Starter {
    source: StationSource,
    running: Option<(Instant, mpsc::Receiver<Result<OwnStation, Problem>>)>,
}

impl Starter {
    pub(super) fn new(source: StationSource) -> Self {
        Self { source, running: None }
    }

    pub(super) fn folder(&self) -> Option<&PathBuf> {
        self.source.folder()
    }

    /// Begins an attempt; one under way counts for it.
    pub(super) fn begin(&mut self, ctx: &Context) {
        if self.running.is_some() {
            return;
        }
        let (told, result) = mpsc::channel();
        let (ensure, waker) = (Arc::clone(&self.source.ensure), ctx.clone());
        let thread = std::thread::Builder::new().name("station-start".to_owned()).spawn(move || {
            // Nobody to tell: the window was closed in the meantime.
            let _ = told.send(ensure());
            waker.request_repaint();
        });
        if let Err(error) = thread {
            tracing::error!(%error, "no thread to start the station in");
        }
        self.running = Some((Instant::now(), result));
        ctx.request_repaint_after(SLOW);
    }

    /// What came of the attempt, once.
    pub(super) fn poll(&mut self) -> Option<Result<OwnStation, Problem>> {
        let (_, result) = self.running.as_ref()?;
        let outcome = match result.try_recv() {
            Ok(outcome) => outcome,
            Err(mpsc::TryRecvError::Empty) => return None,
            Err(mpsc::TryRecvError::Disconnected) => Err(Problem::new(
                "Your station did not start.",
                "The attempt ended without a result.",
                "Try again; if it stays so, the log says more.",
            )),
        };
        self.running = None;
        Some(outcome)
    }

    /// Whether an attempt is under way.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it takes longer than usual.
    pub(super) fn is_slow(&self) -> bool {
        self.running.as_ref().is_some_and(|(since, _)| since.elapsed() >= SLOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(starter: &mut Starter) -> Result<OwnStation, Problem> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(outcome) = starter.poll() {
                return outcome;
            }
            assert!(Instant::now() < until, "the attempt never ended");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_attempt_that_dies_is_told_and_another_can_follow() {
        let ctx = Context::default();
        let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let mut starter = Starter::new(StationSource::from_fn(move || {
            if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                std::panic::resume_unwind(Box::new("dies"));
            }
            Ok(OwnStation { address: "127.0.0.1:1".into(), fingerprint: "ab".repeat(32), setup_code: None })
        }));
        starter.begin(&ctx);
        assert!(wait(&mut starter).is_err());
        assert!(!starter.is_running());
        starter.begin(&ctx);
        starter.begin(&ctx);
        assert_eq!(wait(&mut starter).unwrap().address, "127.0.0.1:1");
        assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 2, "a second begin counts for the first");
    }
}
