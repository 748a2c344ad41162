//! The accept loop: TLS, then HTTP/1.1, with a bound on everything a stranger can hold on to.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, Ipv6Addr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, header},
    response::IntoResponse,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    api::{Problem, ProblemCode},
    station::accounts::Caller,
};

/// From accept to the end of the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// From the first byte of a request to the last of its head; also how long a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// From the head of a request to its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long requests may take to end when the station does.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);
/// Connections at a time.
const MAX_CONNECTIONS: usize = 512;
/// Of these from one address (IPv6: from one /64, which one household has to itself), but for this computer's own.
const MAX_PER_ADDRESS: usize = 64;
/// Header lines of a request, and the bytes of its head.
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What the accept loop serves, and until when.
#[derive(Clone)]
pub(crate) struct Api {
    /// The table of paths.
    pub(crate) router: Router,
    /// How TLS is spoken.
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// Ends it.
    pub(crate) stop: CancellationToken,
}

/// Serves until it is stopped; then waits for requests that are under way.
pub(crate) async fn serve(listener: TcpListener, api: Api) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::clone(&api.tls));
    let guests = Arc::new(Guests::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = api.stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(guest) = guests.admit(peer.ip().to_canonical()) {
                    let (acceptor, api) = (acceptor.clone(), api.clone());
                    tasks.spawn(async move { attend(stream, &acceptor, api, guest).await });
                }
            }
            // The peer has gone already, or too many files are open: neither ends a station.
            Err(error) => {
                tracing::warn!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    tasks.close();
    if timeout(GOODBYE_WITHIN, tasks.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    Ok(())
}

/// One connection, from handshake to good-bye. What is wrong with it is its peer's affair.
async fn attend(stream: TcpStream, acceptor: &TlsAcceptor, api: Api, guest: Guest) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else { return };
    converse(stream, api.router, &api.stop, &guest).await;
}

/// Serves without TLS until it is stopped: for this computer alone.
pub(crate) async fn serve_plain(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let guests = Arc::new(Guests::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(guest) = guests.admit(peer.ip().to_canonical()) {
                    let (router, stop) = (router.clone(), stop.clone());
                    tasks.spawn(async move { converse(stream, router, &stop, &guest).await });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the metrics could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    tasks.close();
    let _ = timeout(GOODBYE_WITHIN, tasks.wait()).await;
    Ok(())
}

/// HTTP/1.1 over a stream that is open, until it ends.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: &CancellationToken,
    guest: &Guest,
) {
    let caller = Caller(guest.address);
    let service = service_fn(move |request: Request<Incoming>| answer(router.clone(), request, caller));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the API ended early");
    }
}

/// One request.
async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    caller: Caller,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(caller);
    let mut response = match timeout(ANSWER_WITHIN, router.oneshot(request.map(Body::new))).await {
        Ok(response) => response?,
        Err(_) => {
            let message = "this took longer than 30 seconds: check the connection and try again";
            Problem::new(ProblemCode::TryLater, message).into_response()
        }
    };
    // Answers hold tokens and vaults: no cache may keep them.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// How many connections there are, and from where.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// One of them; gone when dropped.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
    network: IpAddr,
}

/// What is counted as one guest.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl Guests {
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut guests = self.0.lock();
        if guests.values().sum::<usize>() >= MAX_CONNECTIONS {
            return None;
        }
        let network = network_of(address);
        let here = guests.entry(network).or_default();
        if *here >= MAX_PER_ADDRESS && !address.is_loopback() {
            return None;
        }
        *here += 1;
        Some(Guest { guests: Arc::clone(self), address, network })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock();
        if let Some(here) = guests.get_mut(&self.network) {
            *here -= 1;
            if *here == 0 {
                guests.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_connection_and_gives_back_what_it_had() {
        let guests = Arc::new(Guests::default());
        let from = |ip: &str| guests.admit(ip.parse().unwrap());
        let held: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| from("192.0.2.1").unwrap()).collect();
        assert!(from("192.0.2.1").is_none());
        assert!(from("192.0.2.2").is_some());
        drop(held);
        assert!(from("192.0.2.1").is_some());
        assert!(guests.0.lock().is_empty());
    }

    #[test]
    fn one_network_cannot_take_every_connection_whatever_addresses_it_comes_from() {
        let guests = Arc::new(Guests::default());
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let mut inside: Vec<_> = (0..100).filter_map(|last| guests.admit(address(last))).collect();
        assert_eq!(inside.len(), MAX_PER_ADDRESS);
        assert!(guests.admit(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).is_some(), "another network");
        inside.pop();
        assert!(guests.admit(address(7)).is_some(), "one has gone");
    }
}
