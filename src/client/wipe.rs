//! Secrets leave copies on the stack wherever a value is moved, which no type can wipe. What is below the present frame
//! is overwritten here: after work with secrets, and on every thread of the runtime when nobody is logged in any more.
//!
//! The first matters as much as the second: a value that is moved from the stack to the heap takes along what lay in those
//! of its bytes that it does not use.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// More than any work with secrets goes down, and a fraction of a thread's 2 MiB.
const DEPTH: usize = 512 << 10;
/// More than sealing or opening one message goes down; overwritten in less than a microsecond.
const SHALLOW: usize = 32 << 10;
/// How long the threads wait for one another: one that is busy has no time to be wiped, and is about to be used again.
const PATIENCE: Duration = Duration::from_millis(250);

/// Threads of the runtime, besides that of the desk.
pub(super) const WORKERS: usize = 2;

/// Overwrites what earlier calls left on this thread's stack, so far below the caller.
#[inline(never)]
fn below<const BYTES: usize>() {
    let zeros = [0_u8; BYTES];
    black_box(&zeros);
}

fn stack() {
    below::<DEPTH>();
}

/// As [`clean`], for what is done for each message.
#[inline(never)]
pub(super) fn clean_message<T>(work: impl FnOnce() -> T) -> T {
    let done = run(work);
    below::<SHALLOW>();
    done
}

/// Does work with secrets and then overwrites what it left on the stack. What the work gives back should hold its secrets
/// in places of their own.
#[inline(never)]
pub(super) fn clean<T>(work: impl FnOnce() -> T) -> T {
    let done = run(work);
    stack();
    done
}

#[inline(never)]
fn run<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Overwrites the stacks of the desk's thread and of the runtime's.
pub(super) async fn stacks() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let each: Vec<_> = (0..WORKERS)
        .map(|_| {
            let arrived = Arc::clone(&arrived);
            tokio::spawn(async move {
                stack();
                arrived.fetch_add(1, Ordering::AcqRel);
                // Held until the others have theirs, so that no thread takes two.
                let until = Instant::now() + PATIENCE;
                while arrived.load(Ordering::Acquire) < WORKERS && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(1));
                }
            })
        })
        .collect();
    for task in each {
        let _ = task.await;
    }
    stack();
}
