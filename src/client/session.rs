//! The face: a handle to the background thread.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tokio::sync::{mpsc, watch};

use crate::files::{DataFolders, FilesError};

use super::{Command, Event, desk::Desk, teller::Teller};

/// How many batches the queue to the window has room for; the session leaves far fewer there ([`super::teller`]).
const BATCHES: usize = 1024;
/// How long dropping a session waits for its thread.
const GOODBYE: Duration = Duration::from_secs(8);

/// A handle to a person's side. Dropping it ends the thread, after what is under way was kept.
pub struct Session {
    commands: mpsc::UnboundedSender<Command>,
    events: Receiver<Vec<Event>>,
    thread: Option<Thread>,
}

/// The other end of a [`Session`]: what the background thread holds, or a test.
pub struct FarEnd {
    /// What was asked.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// What is told, in batches.
    pub events: Sender<Vec<Event>>,
    /// Called after each batch, so that an idle window wakes.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// Why a person's side could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The data folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The system gave no thread.
    #[error("the background thread could not be started: {0}; close some programs and try again")]
    Thread(#[from] std::io::Error),
}

struct Thread {
    handle: JoinHandle<()>,
    closing: watch::Sender<bool>,
    done: Receiver<()>,
}

impl Session {
    /// Begins a person's side on the data in `folders`. `wake` is called after each batch of events, from another
    /// thread.
    ///
    /// # Errors
    /// Where the data folder cannot be used or no thread can be had.
    #[expect(clippy::needless_pass_by_value, reason = "the data folder belongs to the session from here on")]
    pub fn start(folders: DataFolders, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Self, ClientError> {
        let clients = folders.clients()?;
        let logs = folders.logs()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sealwire-client")
            .enable_all()
            .build()?;
        let (mut session, far) = Self::pair(wake);
        let (closing, closed) = watch::channel(false);
        let (done, finished) = crossbeam_channel::bounded(1);
        let handle = std::thread::Builder::new().name("sealwire-session".into()).spawn(move || {
            let teller = Teller::new(far.events, far.wake);
            runtime.block_on(async {
                let telling = tokio::spawn(teller.clone().run());
                Desk::new(clients, logs, teller.clone(), closed).run(far.commands).await;
                telling.abort();
                teller.flush();
            });
            runtime.shutdown_timeout(Duration::from_millis(500));
            let _ = done.send(());
        })?;
        session.thread = Some(Thread { handle, closing, done: finished });
        Ok(session)
    }

    /// A session and its other end, joined by channels and nothing else.
    #[must_use]
    pub fn pair(wake: Arc<dyn Fn() + Send + Sync>) -> (Self, FarEnd) {
        let (commands, asked) = mpsc::unbounded_channel();
        let (told, events) = crossbeam_channel::bounded(BATCHES);
        (Self { commands, events, thread: None }, FarEnd { commands: asked, events: told, wake })
    }

    /// Asks. Where the thread has ended there is nobody to answer, which the window shows by its link.
    pub fn send(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::warn!("the session's thread has ended");
        }
    }

    /// What was told since the last call, for at most `budget`; the rest stays for the next call.
    pub fn drain(&self, budget: Duration) -> Vec<Event> {
        let until = Instant::now() + budget;
        let mut events = Vec::new();
        while let Ok(batch) = self.events.try_recv() {
            events.extend(batch);
            if Instant::now() >= until {
                break;
            }
        }
        events
    }

    /// The next batch, where one is there.
    #[must_use]
    pub fn next_batch(&self) -> Option<Vec<Event>> {
        self.events.try_recv().ok()
    }

    /// Whether more waits.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.events.is_empty()
    }

    /// Waits for the next batch; `None` when the time is over or the thread has ended.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> Option<Vec<Event>> {
        self.events.recv_timeout(at_most).ok()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // Requests under way are cut short; the desk then says goodbye and ends.
        let _ = thread.closing.send(true);
        match thread.done.recv_timeout(GOODBYE) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                if thread.handle.join().is_err() {
                    tracing::error!("the session's thread panicked");
                }
            }
            Err(RecvTimeoutError::Timeout) => tracing::warn!("the session's thread is left behind"),
        }
    }
}
