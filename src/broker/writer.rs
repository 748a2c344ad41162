//! The loop that writes one connection: takes all that is ready in one swap and writes it in one go.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    task::yield_now,
    time::timeout,
};

use super::{
    Event, Limit,
    control::{Control, End},
    core::Core,
    session::Session,
    signals::Signal,
    stats::Counters,
};

/// Writes that follow each other within this come often: there is something to gather.
const OFTEN: Duration = Duration::from_micros(200);

/// A buffer that grew beyond this is given back before the connection waits.
const KEEP_CAPACITY: usize = 4 * 1024;

/// Writes until the session goes elsewhere, the connection ends or the socket fails.
pub(super) async fn write_loop(
    core: &Core,
    session: &Session,
    control: &Control,
    mut socket: impl AsyncWrite + Unpin + Send,
) {
    let mut chunk = BytesMut::new();
    let mut last = Instant::now();
    loop {
        let taken = session.take(control.id, &mut chunk);
        Counters::add(&core.counters.dropped, taken.dropped);
        let messages = taken.dropped + taken.lost;
        if messages > 0 {
            core.observer.observe(Event::Dropped { identity: &control.identity, messages });
        }
        let sent = taken.sent.total();
        Counters::add(&core.counters.messages_out, sent);
        Counters::add(&session.traces.sent, sent);
        core.tallies.went(&taken.sent);
        if chunk.is_empty() {
            if taken.gone || control.signals.is_raised(Signal::Finishing) {
                break;
            }
            if chunk.capacity() > KEEP_CAPACITY {
                chunk = BytesMut::new();
            }
            wait(control, last).await;
            continue;
        }
        last = Instant::now();
        if let Err(error) = write(core, &mut socket, &mut chunk).await {
            control.end(End::lost(format!("cannot write: {error}")));
            return;
        }
    }
    control.signals.raised(Signal::Finishing).await;
    let mut last = control.last_words();
    if !last.is_empty() && write(core, &mut socket, &mut last).await.is_err() {
        return;
    }
    // The peer may be gone already, which is what is wanted.
    let _ = timeout(core.limits.write_timeout, socket.shutdown()).await;
}

/// Waits for something to write, and lets others have their turn first where that is better.
///
/// - Where writes come often, what others send waits until all who are ready to send have had their turn, so that it
///   leaves in one piece; what answers the client itself does not.
/// - Where they come rarely, an acknowledgement waits until what it acknowledges has left for its subscribers: somebody
///   waits for the message, and a write here costs as much as the way there.
async fn wait(control: &Control, last: Instant) {
    let signals = &control.signals;
    signals.any_raised(&[Signal::Output, Signal::Answer, Signal::Finishing]).await;
    let often = last.elapsed() < OFTEN;
    if often != signals.is_raised(Signal::Answer) && !signals.is_raised(Signal::Finishing) {
        yield_now().await;
    }
    signals.lower(Signal::Output);
    signals.lower(Signal::Answer);
}

async fn write(core: &Core, socket: &mut (impl AsyncWrite + Unpin), chunk: &mut BytesMut) -> io::Result<()> {
    let total = chunk.len();
    let late = || {
        core.counters.hit(Limit::WriteTimeout, 1);
        io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")
    };
    while chunk.has_remaining() {
        let written =
            timeout(core.limits.write_timeout, socket.write_buf(chunk)).await.map_err(|_| late())??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    timeout(core.limits.write_timeout, socket.flush()).await.map_err(|_| late())??;
    chunk.clear();
    Counters::add(&core.counters.bytes_out, total as u64);
    Ok(())
}
