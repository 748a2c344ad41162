//! Accepts connections, over TCP or TLS, until the broker stops.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Event, Transport,
    connection::{Origin, serve},
    core::Core,
    stats::Counters,
};

/// How long accepting rests after the system refused a socket (too many open files, no memory).
const REST: Duration = Duration::from_millis(100);

/// A peer that vanished without a word is noticed by the system after about this, whatever its MQTT keep-alive.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Accepts until the broker stops.
pub(super) async fn accept_loop(
    core: &Arc<Core>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
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
        let Ok(permit) = Arc::clone(&core.handshakes).try_acquire_owned() else {
            let error = "too many connections are waiting for their CONNECT";
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error });
            continue;
        };
        let (core, tls) = (Arc::clone(core), tls.clone());
        core.clone().tasks.spawn(async move { greet(core, socket, peer, tls, permit).await });
    }
}

/// The connection was gone before it was accepted.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted)
}

async fn greet(
    core: Arc<Core>,
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    permit: OwnedSemaphorePermit,
) {
    let deadline = Instant::now() + core.limits.handshake_timeout;
    // Neither is needed to serve it.
    let _ = socket.set_nodelay(true);
    let _ = SockRef::from(&socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE));
    let Some(tls) = tls else {
        let (reader, writer) = socket.into_split();
        return serve(core, reader, writer, Origin { peer, transport: Transport::Tcp, deadline }, permit)
            .await;
    };
    let accepted = tokio::select! {
        accepted = timeout_at(deadline, tls.accept(socket)) => accepted,
        () = core.stopping.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let (reader, writer) = tokio::io::split(stream);
            serve(core, reader, writer, Origin { peer, transport: Transport::Tls, deadline }, permit).await;
        }
        Ok(Err(error)) => {
            let error = format!("the TLS handshake failed: {error}");
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error: &error });
        }
        Err(_) => {
            let error = "no TLS handshake in time";
            core.observer.observe(Event::ProtocolError { peer, client_id: None, error });
        }
    }
}
