//! What the broker has kept: an append-only log in `users/sessions/`, encrypted under the station's key, apart from
//! the accounts. Each batch is one record, one write and one flush, whatever it holds.
//!
//! | file | what |
//! |---|---|
//! | `keep` | batches, snapshots and what becomes of old segments: **start here** |
//! | `restore` | reading it all at the start, whatever happened to it |
//! | `index` | what is live |
//! | `snapshot` | writing that down, so that old segments can go |
//! | `encode`, `decode` | a batch as bytes, and back: the layout |
//! | `segment`, `seal` | one file of records; how each is encrypted and authenticated |
//! | `disk` | what is asked of the disk |
//!
//! It protects what a copied folder would tell, and from bytes that change on disk; not from somebody who can write
//! to the folder and puts older files back.

mod decode;
mod disk;
mod encode;
mod index;
mod keep;
mod restore;
mod seal;
mod segment;
mod snapshot;

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, task::spawn_blocking};

use self::{
    disk::SystemDisk,
    keep::{Log, Thrift},
};
use super::{StationError, key::StationKey};
use crate::broker::{BoxFuture, Change, KeepError, Keeper, Kept};

/// Keeps what the broker tells it. A thread of its own does the work, because a flush blocks.
pub(crate) struct SessionLog {
    orders: mpsc::Sender<Order>,
    /// What was there at the start, until the broker asks for it.
    kept: Mutex<Kept>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Order {
    Commit(Vec<Change>, oneshot::Sender<Result<(), KeepError>>),
    Close,
}

impl SessionLog {
    /// Opens the folder and reads it; makes it where there is none, and puts aside what is damaged.
    pub(crate) async fn open(folder: &Path, key: Arc<StationKey>) -> Result<Self, StationError> {
        let folder = folder.to_owned();
        let opened = spawn_blocking(move || {
            let log = Log::open(Arc::new(SystemDisk), &folder, key, Thrift::default())?;
            Self::run(log)
        });
        opened.await.unwrap_or_else(|error| Err(stopped(error.to_string())))
    }

    fn run(log: Log) -> Result<Self, StationError> {
        let kept = Mutex::new(log.kept());
        let (orders, work) = mpsc::channel();
        let thread = thread::Builder::new().name("sessions".to_owned()).spawn(move || serve(log, &work));
        let thread = Mutex::new(Some(thread.map_err(|error| stopped(error.to_string()))?));
        Ok(Self { orders, kept, thread })
    }

    /// Waits for what is under way and closes the files.
    pub(crate) async fn close(&self) {
        let _ = self.orders.send(Order::Close);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && spawn_blocking(|| thread.join()).await.is_err()
        {
            tracing::warn!("the thread that keeps the sessions did not end well");
        }
    }
}

impl Keeper for SessionLog {
    fn restore(&self) -> BoxFuture<'_, Kept> {
        let kept = std::mem::take(&mut *self.kept.lock());
        Box::pin(std::future::ready(kept))
    }

    fn commit<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let gone =
                |_| KeepError("the thread that keeps the sessions has ended: start the station again".into());
            let (answer, answered) = oneshot::channel();
            // Copies of counted references: the thread finishes a batch also where nobody waits for it any more.
            let order = Order::Commit(changes.to_vec(), answer);
            self.orders.send(order).map_err(|_| gone(()))?;
            answered.await.map_err(|_| gone(()))?
        })
    }
}

/// The thread.
fn serve(mut log: Log, work: &mpsc::Receiver<Order>) {
    log.tidy();
    while let Ok(Order::Commit(changes, answer)) = work.recv() {
        let kept = log.commit(changes).map_err(|error| KeepError(error.to_string()));
        let _ = answer.send(kept);
        log.tidy();
    }
    log.close();
}

fn stopped(reason: String) -> StationError {
    StationError::Stopped { what: "changes of sessions", reason }
}
