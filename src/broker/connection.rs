//! One connection from its first byte to its last: reads, waits where it must, and cleans up.
//!
//! Start at [`serve`].

use std::{net::SocketAddr, pin::pin, sync::Arc, sync::atomic::Ordering::SeqCst, time::Duration};

use bytes::BytesMut;
use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    Event, Transport,
    control::{Control, End},
    core::Core,
    handshake::{self, Admitted},
    inbound::{Inbound, Step},
    live::Facts,
    router::Target,
    session::Session,
    stats::Counters,
    writer::write_loop,
};

/// What an idle connection keeps for reading, and what a busy one grows to.
const READ_BUFFER: (usize, usize) = (4 * 1024, 256 * 1024);

/// How long the writer may take for its last words.
const LINGER: Duration = Duration::from_secs(2);

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) peer: SocketAddr,
    pub(super) transport: Transport,
    /// When CONNECT must be complete.
    pub(super) deadline: Instant,
}

/// Serves one connection until it is over.
pub(super) async fn serve<R, W>(
    core: Arc<Core>,
    mut reader: R,
    mut writer: W,
    origin: Origin,
    permit: OwnedSemaphorePermit,
) where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Origin { peer, transport, deadline } = origin;
    let opening = tokio::select! {
        opening = timeout_at(deadline, handshake::read_connect(&mut reader, &core.limits)) => opening,
        () = core.stopping.cancelled() => return,
    };
    let admitted = match opening {
        Err(_) => {
            let error = "no complete CONNECT in time";
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error });
            return;
        }
        Ok(Err(refusal)) => {
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error: &refusal.text });
            Err(refusal)
        }
        Ok(Ok(opening)) => {
            Counters::add(&core.tallies.connects, 1);
            handshake::admit(&core, opening, peer, transport).await
        }
    };
    drop(permit);
    match admitted {
        Ok(admitted) => {
            core.tallies.spoke();
            live(core, reader, writer, admitted).await;
        }
        Err(refusal) => {
            tracing::debug!(%peer, reason = refusal.text, "connection refused");
            if !refusal.answer.is_empty() {
                core.tallies.spoke();
            }
            // The peer may be gone, or not listening: that is its own affair.
            let _ = timeout(LINGER, async {
                writer.write_all(&refusal.answer).await?;
                writer.shutdown().await
            })
            .await;
        }
    }
}

async fn live<R, W>(core: Arc<Core>, reader: R, writer: W, admitted: Admitted)
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Admitted { attached, codec, keep_alive, session_expiry_secs, will, rest } = admitted;
    let (session, control) = (attached.session, attached.control);
    let (identity, peer) = (&control.identity, control.peer);
    let (protocol, transport) = (control.protocol, control.transport);
    let topic = will.as_ref().map(|will| &will.topic);
    let _ = control.facts.set(Facts::new(keep_alive, session_expiry_secs, topic));
    core.observer.observe(Event::Connected { identity, peer, protocol, transport });
    let write = write_loop(Arc::clone(&core), Arc::clone(&session), Arc::clone(&control), writer);
    let mut write = core.tasks.spawn(write);

    let mut inbound = Inbound::new(
        Arc::clone(&core),
        Arc::clone(&session),
        Arc::clone(&control),
        codec,
        session_expiry_secs,
    );
    let found = read_loop(&core, &session, &control, reader, rest, keep_alive, &mut inbound).await;
    control.end(found);
    let end = control.why().unwrap_or_else(|| End::lost("the connection ended"));

    let will = will.filter(|_| end.will);
    let mut last_words = core.detach(&session, &control, inbound.session_expiry_secs, will);
    inbound.farewell(&end, &mut last_words);
    if end.code.is_some() && protocol.is_v5() {
        core.tallies.spoke();
    }
    control.finish(last_words);
    if timeout(LINGER, &mut write).await.is_err() {
        write.abort();
    }
    core.observer.observe(Event::Disconnected { identity, peer, reason: &end.text });
}

/// Reads and handles packets until the connection should end; says why.
async fn read_loop(
    core: &Core,
    session: &Session,
    control: &Control,
    mut reader: impl AsyncRead + Unpin,
    mut buffer: BytesMut,
    keep_alive: Option<Duration>,
    inbound: &mut Inbound,
) -> End {
    let mut ending = pin!(control.ending.cancelled());
    let mut alarm = pin!(sleep(keep_alive.unwrap_or(Duration::MAX)));
    let mut last_packet = Instant::now();
    let mut capacity = READ_BUFFER.0;
    loop {
        let packets = inbound.packets;
        let step = inbound.consume(&mut buffer);
        if let Some(end) = inbound.settle().await {
            return end;
        }
        match step {
            Step::Ended(end) => return end,
            Step::Settle => {
                last_packet = Instant::now();
                if !control.has_ended() {
                    continue;
                }
            }
            Step::Full => {
                wait_for_journal(core, control).await;
                last_packet = Instant::now();
                if !control.has_ended() {
                    continue;
                }
            }
            Step::Congested(targets) => {
                wait_for_targets(session, control, &targets).await;
                last_packet = Instant::now();
                if !control.has_ended() {
                    continue;
                }
            }
            Step::Starved => {}
        }
        if inbound.packets > packets {
            last_packet = Instant::now();
        }
        while session.is_behind(control.id) && !control.has_ended() {
            wait_for_own_socket(session, control).await;
            last_packet = Instant::now();
        }

        buffer.reserve(capacity);
        let read = loop {
            tokio::select! {
                biased;
                () = &mut ending => return control.why().unwrap_or_else(|| End::lost("the connection ended")),
                read = reader.read_buf(&mut buffer) => break read,
                () = &mut alarm, if keep_alive.is_some() => {
                    let due = last_packet + keep_alive.unwrap_or(Duration::MAX);
                    if Instant::now() >= due {
                        let text = "no packet within one and a half times the keep-alive";
                        return End::by_server(DisconnectReasonCode::KeepAliveTimeout, text);
                    }
                    alarm.as_mut().reset(due);
                }
            }
        };
        match read {
            Ok(0) => return End::lost("the client closed the connection"),
            Ok(read) => {
                Counters::add(&core.counters.bytes_in, read as u64);
                // Grows while reads fill it, and shrinks as soon as they do not.
                capacity = if read >= capacity { capacity * 2 } else { read.next_power_of_two() };
                capacity = capacity.clamp(READ_BUFFER.0, READ_BUFFER.1);
            }
            Err(error) => return End::lost(format!("the connection was lost: {error}")),
        }
    }
}

/// Holds a publisher back while the keeper is behind.
async fn wait_for_journal(core: &Core, control: &Control) {
    let Some(journal) = &core.journal else { return };
    tokio::select! {
        () = journal.room() => {}
        () = control.ending.cancelled() => {}
    }
}

/// Holds a publisher back while a subscriber that keeps up has no room. Bounded: see [`super::Limits`].
async fn wait_for_targets(session: &Session, control: &Control, targets: &[Target]) {
    session.paused.store(true, SeqCst);
    for target in targets {
        let target = &target.session;
        if target.id == session.id {
            continue;
        }
        loop {
            let mut room = pin!(target.room.notified());
            room.as_mut().enable();
            let Some(congestion) = target.congestion() else { break };
            tokio::select! {
                () = &mut room => {}
                () = sleep(congestion.patience) => target.give_up(),
                () = control.ending.cancelled() => break,
            }
        }
    }
    session.paused.store(false, SeqCst);
}

/// Holds a client back that does not read what it is answered.
async fn wait_for_own_socket(session: &Session, control: &Control) {
    let mut room = pin!(session.room.notified());
    room.as_mut().enable();
    if !session.is_behind(control.id) {
        return;
    }
    tokio::select! {
        () = room => {}
        () = control.ending.cancelled() => {}
        () = sleep_until(Instant::now() + Duration::from_secs(1)) => {}
    }
}
