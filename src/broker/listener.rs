//! Accepts connections until the broker stops, and leads them through TLS and WebSocket to MQTT.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use super::{
    ClientCertificate, Event, Limit, Origins, SharedTls, Transport,
    admission::Place,
    connection::{Origin, serve},
    core::Core,
    stats::Counters,
    websocket::upgrade,
};

/// How long accepting rests after the system refused a socket (too many open files, no memory).
const REST: Duration = Duration::from_millis(100);

/// A peer that vanished without a word is noticed by the system after about this, whatever its MQTT keep-alive.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// What lies between a listener's TCP and MQTT.
#[derive(Debug, Clone, Default)]
pub(super) struct Door {
    pub(super) tls: Option<SharedTls>,
    pub(super) websocket: Option<Origins>,
}

/// What a connection gives back when it is over or, the permit, when its CONNECT is answered.
pub(super) struct Held {
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) place: Place,
}

/// Accepts until the broker stops.
pub(super) async fn accept_loop(core: &Arc<Core>, listener: TcpListener, door: Door) -> io::Result<()> {
    core.sweep_in_background();
    loop {
        let accepted = tokio::select! {
            () = core.stopping.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_peers_fault(&error) => continue,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection now; trying again");
                sleep(REST).await;
                continue;
            }
        };
        Counters::add(&core.tallies.sockets, 1);
        let rest = core.admission.knock(Instant::now().into_std());
        if let Some(held) = let_in(core, peer) {
            let (core, door) = (Arc::clone(core), door.clone());
            core.clone().tasks.spawn(async move { greet(core, socket, peer, door, held).await });
        }
        if !rest.is_zero() {
            core.counters.hit(Limit::ConnectsPerSecond, 1);
            tokio::select! {
                () = core.stopping.cancelled() => return Ok(()),
                () = sleep(rest) => {}
            }
        }
    }
}

/// Serves one stream that already carries MQTT, until it ends.
pub(super) fn serve_stream<S>(core: &Arc<Core>, stream: S, peer: SocketAddr, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    core.sweep_in_background();
    let Some(held) = let_in(core, peer) else { return };
    let deadline = Instant::now() + core.limits.handshake_timeout;
    let origin = Origin { peer, transport, certificate: None, deadline };
    let (reader, writer) = tokio::io::split(stream);
    core.tasks.spawn(serve(Arc::clone(core), reader, writer, origin, held));
}

/// What a new connection holds until it is over, or none where a limit stands against it.
fn let_in(core: &Core, peer: SocketAddr) -> Option<Held> {
    let held = core.admission.admit(peer.ip(), Instant::now().into_std()).and_then(|place| {
        let permit = Arc::clone(&core.handshakes).try_acquire_owned();
        let permit = permit.map_err(|_| Limit::MaxPendingHandshakes)?;
        Ok(Held { permit, place })
    });
    let limit = match held {
        Ok(held) => return Some(held),
        Err(limit) => limit,
    };
    core.counters.hit(limit, 1);
    let error = match limit {
        Limit::MaxConnectionsPerAddress => "its address has as many connections as it may have",
        Limit::ConnectsPerSecondPerAddress => "its address connects more often than it may",
        _ => "too many connections are waiting for their CONNECT",
    };
    core.observer.observe(Event::ProtocolError { peer, client_id: None, error });
    None
}

/// The connection was gone before it was accepted.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted)
}

async fn greet(core: Arc<Core>, socket: TcpStream, peer: SocketAddr, door: Door, held: Held) {
    let deadline = Instant::now() + core.limits.handshake_timeout;
    // Neither is needed to serve it.
    let _ = socket.set_nodelay(true);
    let _ = SockRef::from(&socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE));
    let origin = Origin { peer, transport: Transport::Tcp, certificate: None, deadline };
    // What most connections do not need is in boxes of its own, so that a plain connection's task stays small.
    match (door.tls, door.websocket) {
        (None, None) => {
            let (reader, writer) = socket.into_split();
            serve(core, reader, writer, origin, held).await;
        }
        (None, Some(origins)) => Box::pin(through_websocket(core, socket, origins, origin, held)).await,
        (Some(tls), websocket) => {
            Box::pin(through_tls(core, socket, &tls, websocket, origin, held)).await;
        }
    }
}

async fn through_tls(
    core: Arc<Core>,
    socket: TcpStream,
    tls: &SharedTls,
    websocket: Option<Origins>,
    origin: Origin,
    held: Held,
) {
    let accept = TlsAcceptor::from(tls.now()).accept(socket);
    let Some(stream) = in_time(&core, &origin, "TLS handshake", accept).await else { return };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.map(|shown| Arc::new(ClientCertificate::of(shown)));
    let transport = if certificate.is_some() { Transport::MutualTls } else { Transport::Tls };
    let origin = Origin { transport, certificate, ..origin };
    match websocket {
        Some(origins) => through_websocket(core, stream, origins, origin, held).await,
        None => {
            let (reader, writer) = tokio::io::split(stream);
            serve(core, reader, writer, origin, held).await;
        }
    }
}

async fn through_websocket<S>(core: Arc<Core>, socket: S, origins: Origins, origin: Origin, held: Held)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let encrypted = origin.transport.is_encrypted();
    let upgrade = upgrade(socket, &origins, encrypted);
    let Some(framed) = in_time(&core, &origin, "WebSocket handshake", upgrade).await else { return };
    let transport = if encrypted { Transport::WebSocketTls } else { Transport::WebSocket };
    let (reader, writer) = tokio::io::split(framed);
    serve(core, reader, writer, Origin { transport, ..origin }, held).await;
}

/// What a handshake gives before the connection's deadline; what goes wrong is told to the observer.
async fn in_time<T>(
    core: &Core,
    origin: &Origin,
    what: &str,
    handshake: impl Future<Output = io::Result<T>>,
) -> Option<T> {
    let done = tokio::select! {
        done = timeout_at(origin.deadline, handshake) => done,
        () = core.stopping.cancelled() => return None,
    };
    let error = match done {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) => format!("the {what} failed: {error}"),
        Err(_) => {
            core.counters.hit(Limit::HandshakeTimeout, 1);
            format!("no {what} in time")
        }
    };
    core.observer.observe(Event::ProtocolError { peer: origin.peer, client_id: None, error: &error });
    None
}
