//! One connection from its first byte to its last: reads, waits where it must, and cleans up.
//!
//! Reading and writing are two loops of one task: what a packet is answered leaves in the turn that read it, and an
//! idle connection costs one task and no buffer. Start at [`serve`].

use std::{
    borrow::Cow,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::MutexGuard,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    ClientCertificate, Event, Limit, Transport,
    admission::Place,
    control::{Control, End},
    core::Core,
    handshake::{self, Admitted},
    inbound::{Inbound, Step},
    input::Input,
    listener::Held,
    live::Facts,
    pace::Bucket,
    router::Route,
    session::Session,
    signals::Signal,
    stats::Counters,
    writer::write_loop,
};

/// How long the writer may take for its last words.
const LINGER: Duration = Duration::from_secs(2);

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) peer: SocketAddr,
    pub(super) transport: Transport,
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    /// When CONNECT must be complete.
    pub(super) deadline: Instant,
}

/// Serves one connection until it is over.
pub(super) async fn serve<R, W>(core: Arc<Core>, mut reader: R, mut writer: W, origin: Origin, held: Held)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Origin { peer, deadline, .. } = origin;
    let opening = tokio::select! {
        opening = timeout_at(deadline, handshake::read_connect(&mut reader, &core.limits)) => opening,
        () = core.stopping.cancelled() => return,
    };
    let admitted = match opening {
        Err(_) => {
            core.counters.hit(Limit::HandshakeTimeout, 1);
            let error = "no complete CONNECT in time";
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error });
            return;
        }
        Ok(Err(refusal)) => {
            if let Some(limit) = refusal.limit {
                core.counters.hit(limit, 1);
            }
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error: &refusal.text });
            Err(refusal)
        }
        Ok(Ok(opening)) => {
            Counters::add(&core.tallies.connects, 1);
            handshake::admit(&core, opening, origin).await
        }
    };
    let Held { permit, place } = held;
    drop(permit);
    match admitted {
        // A task of its own, because this one is as large as everything that a handshake may need.
        Ok(admitted) => {
            core.tallies.spoke();
            drop(core.tasks.spawn(live(&core, reader, writer, admitted, place)));
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

/// What a connection does once it is in. Not an `async fn`, whose arguments would lie in its state a second time: this
/// state is what an idle client costs.
fn live<R, W>(
    core: &Arc<Core>,
    reader: R,
    writer: W,
    admitted: Admitted,
    place: Place,
) -> impl Future<Output = ()> + Send + use<R, W>
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
    let mut inbound = Inbound::new(
        Arc::clone(core),
        Arc::clone(&session),
        Arc::clone(&control),
        codec,
        session_expiry_secs,
    );
    let mut input = Input::new(reader, rest);
    let core = Arc::clone(core);
    async move {
        // Reading has its turn first, so that what it answers is written in the same one.
        tokio::join!(
            biased;
            async {
                let found = {
                    let _turn = turn(&session, &control).await;
                    read_loop(&core, &session, &control, &mut input, keep_alive, &mut inbound).await
                };
                control.end(found);
                let end = control.why().unwrap_or_else(|| End::lost("the connection ended"));
                if end.code == Some(DisconnectReasonCode::ReceiveMaximumExceeded) {
                    core.counters.hit(Limit::MaxInflight, 1);
                }
                let will = will.filter(|_| end.will).map(|will| *will);
                let mut last_words = core.detach(&session, &control, inbound.session_expiry_secs, will);
                inbound.farewell(&end, &mut last_words);
                if end.code.is_some() && protocol.is_v5() {
                    core.tallies.spoke();
                }
                control.finish(last_words);
            },
            async {
                tokio::select! {
                    () = write_loop(&core, &session, &control, writer) => {}
                    () = out_of_time(&control) => {}
                }
            }
        );
        let reason = control.why().map_or(Cow::Borrowed("the connection ended"), |end| end.text);
        core.observer.observe(Event::Disconnected { identity: &control.identity, peer, reason: &reason });
        drop(place);
    }
}

/// Waits until no other connection handles packets of this session; none where this one ends before. Whoever has the turn
/// has been told to end by then, and stops after the packets that it is at.
async fn turn<'a>(session: &'a Session, control: &Control) -> Option<MutexGuard<'a, ()>> {
    if let Ok(turn) = session.turn.try_lock() {
        return Some(turn);
    }
    // Boxed: only a takeover ever waits here.
    Box::pin(async {
        tokio::select! {
            turn = session.turn.lock() => Some(turn),
            () = control.ending() => None,
        }
    })
    .await
}

/// When the writer has had its time for the last words.
async fn out_of_time(control: &Control) {
    control.signals.raised(Signal::Finishing).await;
    sleep(LINGER).await;
}

/// Reads and handles packets until the connection should end; says why.
async fn read_loop(
    core: &Core,
    session: &Session,
    control: &Control,
    input: &mut Input<impl AsyncRead + Unpin>,
    keep_alive: Option<Duration>,
    inbound: &mut Inbound,
) -> End {
    let mut ending = pin!(control.ending());
    let mut alarm = pin!(sleep(keep_alive.unwrap_or(Duration::MAX)));
    let mut last_packet = Instant::now();
    let mut pace = Bucket::new(core.limits.publishes_per_second, Instant::now().into_std());
    let mut buffer = input.begun();
    loop {
        let (packets, publishes) = (inbound.packets, inbound.publishes);
        let step = inbound.consume(&mut buffer);
        if let Some(end) = inbound.settle().await {
            return end;
        }
        if let Some(pace) = &mut pace
            && Box::pin(wait_for_pace(core, control, pace, inbound.publishes - publishes)).await
        {
            last_packet = Instant::now();
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
                Box::pin(wait_for_journal(core, control)).await;
                last_packet = Instant::now();
                if !control.has_ended() {
                    continue;
                }
            }
            Step::Congested(route) => {
                Box::pin(wait_for_targets(session, control, &route)).await;
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
        input.keep(buffer);
        while session.is_behind(control.id) && !control.has_ended() {
            Box::pin(wait_for_own_socket(session, control)).await;
            last_packet = Instant::now();
        }
        input.give_way().await;
        let read = loop {
            tokio::select! {
                biased;
                () = &mut ending => return control.why().unwrap_or_else(|| End::lost("the connection ended")),
                read = input.read() => break read,
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
            Ok((_, 0)) => return End::lost("the client closed the connection"),
            Ok((bytes, read)) => {
                Counters::add(&core.counters.bytes_in, read as u64);
                buffer = bytes;
            }
            Err(error) => return End::lost(format!("the connection was lost: {error}")),
        }
    }
}

/// Holds a publisher back that sends faster than it may; says whether it had to.
async fn wait_for_pace(core: &Core, control: &Control, pace: &mut Bucket, publishes: u64) -> bool {
    let wait = pace.spend(publishes, Instant::now().into_std());
    if publishes == 0 || wait.is_zero() {
        return false;
    }
    core.counters.hit(Limit::PublishesPerSecond, 1);
    tokio::select! {
        () = sleep(wait) => {}
        () = control.ending() => {}
    }
    true
}

/// Holds a publisher back while the keeper is behind.
async fn wait_for_journal(core: &Core, control: &Control) {
    let Some(journal) = &core.journal else { return };
    tokio::select! {
        () = journal.room() => {}
        () = control.ending() => {}
    }
}

/// Holds a publisher back while a subscriber that keeps up has no room. Bounded: see [`super::Limits`].
async fn wait_for_targets(session: &Session, control: &Control, route: &Route) {
    session.paused.store(true, SeqCst);
    let began = Instant::now();
    // Of a group one connected member is enough.
    let crowded = route.shared.iter().filter_map(|group| {
        let mut connected = group.members.iter().filter(|member| member.session.is_connected());
        let first = connected.clone().next();
        first.filter(|_| connected.all(|member| member.session.congestion().is_some()))
    });
    for target in route.targets.iter().chain(crowded) {
        let target = &target.session;
        if target.id == session.id {
            continue;
        }
        // From one moment on for all, so that many who are slow cost no more than one; afresh for one that answers.
        let mut since = began;
        loop {
            let mut room = pin!(target.room.notified());
            room.as_mut().enable();
            let Some(congestion) = target.congestion() else { break };
            tokio::select! {
                () = &mut room => {}
                () = sleep_until(since + congestion.patience) => {
                    target.give_up();
                    since = Instant::now();
                }
                () = control.ending() => break,
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
        () = control.ending() => {}
        () = sleep_until(Instant::now() + Duration::from_secs(1)) => {}
    }
}
