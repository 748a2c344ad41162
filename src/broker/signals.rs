//! What wakes a connection's task. Reading and writing are two halves of one task, so one waker does for all there is to
//! be told, and each turn of the task asks with one load instead of walking a list under a lock.
//!
//! Raised by anybody, waited for by that task only.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicU8, Ordering::SeqCst},
    task::Poll,
};

use atomic_waker::AtomicWaker;

/// One thing to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Signal {
    /// There is something to write.
    Output = 1,
    /// It answers what this client sent, and is in a hurry.
    Answer = 2,
    /// The reader should stop.
    Ending = 4,
    /// The writer should write what is left, then the last words, and stop.
    Finishing = 8,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Signals {
    raised: AtomicU8,
    task: AtomicWaker,
}

impl Signals {
    /// Raises it, and wakes the task if it was not raised.
    pub(super) fn raise(&self, signal: Signal) {
        if self.raised.fetch_or(signal as u8, SeqCst) & signal as u8 == 0 {
            self.task.wake();
        }
    }

    /// Raises it from within the task, for a half of it that has its turn later in the same poll.
    pub(super) fn raise_within(&self, signal: Signal) {
        self.raised.fetch_or(signal as u8, SeqCst);
    }

    pub(super) fn is_raised(&self, signal: Signal) -> bool {
        self.raised.load(SeqCst) & signal as u8 != 0
    }

    /// Takes it down; true if it was raised.
    pub(super) fn lower(&self, signal: Signal) -> bool {
        self.raised.fetch_and(!(signal as u8), SeqCst) & signal as u8 != 0
    }

    /// Resolves when it is raised, and at once if it is.
    pub(super) async fn raised(&self, signal: Signal) {
        self.any_raised(&[signal]).await;
    }

    /// Resolves when one of them is raised.
    pub(super) async fn any_raised(&self, signals: &[Signal]) {
        let wanted = signals.iter().fold(0, |wanted, signal| wanted | *signal as u8);
        let raised = || self.raised.load(SeqCst) & wanted != 0;
        poll_fn(|context| {
            if raised() {
                return Poll::Ready(());
            }
            self.task.register(context.waker());
            // Between the look and the registration somebody may have raised it, and woken nobody.
            if raised() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_raised_by_others_is_never_missed() {
        let signals = Arc::new(Signals::default());
        let (rounds, raiser) = (10_000, Arc::clone(&signals));
        let (tell, told) = std::sync::mpsc::channel();
        let raising = std::thread::spawn(move || {
            for _ in 0..rounds {
                told.recv().unwrap();
                raiser.raise(Signal::Output);
            }
            raiser.raise(Signal::Ending);
        });
        for _ in 0..rounds {
            tell.send(()).unwrap();
            signals.raised(Signal::Output).await;
            assert!(signals.lower(Signal::Output));
        }
        signals.any_raised(&[Signal::Ending, Signal::Finishing]).await;
        assert!(!signals.is_raised(Signal::Finishing) && !signals.lower(Signal::Output));
        raising.join().unwrap();
    }

    #[tokio::test]
    async fn what_one_half_of_a_task_raises_the_other_half_hears_in_the_same_turn() {
        let signals = Signals::default();
        let reading = async { signals.raise_within(Signal::Answer) };
        let writing = async { signals.raised(Signal::Answer).await };
        tokio::join!(biased; reading, writing);
    }
}
