//! The face: a handle to the background thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tokio::sync::mpsc;

use super::{Command, Event};

/// How many batches wait for the window before the thread waits in turn.
const BATCHES: usize = 1024;

/// A handle to a person's side. Dropping it ends the thread, after what is under way was kept.
pub struct Session {
    commands: mpsc::UnboundedSender<Command>,
    events: Receiver<Vec<Event>>,
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

impl Session {
    /// A session and its other end, joined by channels and nothing else.
    #[must_use]
    pub fn pair(wake: Arc<dyn Fn() + Send + Sync>) -> (Self, FarEnd) {
        let (commands, asked) = mpsc::unbounded_channel();
        let (told, events) = crossbeam_channel::bounded(BATCHES);
        (Self { commands, events }, FarEnd { commands: asked, events: told, wake })
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

    /// Whether more waits.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.events.is_empty()
    }

    /// Waits for the next batch; `None` when the time is over or the thread has ended.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> Option<Vec<Event>> {
        match self.events.recv_timeout(at_most) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }
}
