//! Where a station listens: opens the ports, and the system's room for connections.

use std::{io, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use crate::broker::{Broker, Origins};

use super::{Config, Running, StationError, certificates::Certificates};

/// Connections that the system holds until they are accepted: a storm of them must not be refused.
const BACKLOG: u32 = 4096;

/// The ports of a station, open and not yet served.
pub(crate) struct Ports {
    pub(crate) api: TcpListener,
    /// Where metrics are told without a token.
    pub(crate) metrics: Option<TcpListener>,
    mqtt: TcpListener,
    plain: Option<TcpListener>,
    websocket: Option<TcpListener>,
    websocket_tls: Option<TcpListener>,
}

/// A listener that is served, by what it is for.
pub(crate) type Served = (&'static str, JoinHandle<io::Result<()>>);

impl Ports {
    /// Opens all that the configuration names.
    pub(crate) fn open(config: &Config) -> Result<Self, StationError> {
        let maybe =
            |what, address: Option<SocketAddr>| address.map(|address| listen(what, address)).transpose();
        Ok(Self {
            api: listen("the HTTPS API", config.api)?,
            metrics: maybe("metrics", config.metrics)?,
            mqtt: listen("MQTT over TLS", config.mqtt)?,
            plain: maybe("MQTT without TLS", config.plain)?,
            websocket: maybe("MQTT over WebSocket without TLS", config.websocket)?,
            websocket_tls: maybe("MQTT over WebSocket and TLS", config.websocket_tls)?,
        })
    }

    /// Where they are, told in `running`.
    pub(crate) fn tell(&self, running: &mut Running) -> Result<(), StationError> {
        let maybe = |listener: &Option<TcpListener>| listener.as_ref().map(address).transpose();
        running.api = address(&self.api)?;
        running.metrics = maybe(&self.metrics)?;
        running.mqtt_tls = address(&self.mqtt)?;
        running.plain = maybe(&self.plain)?;
        running.websocket = maybe(&self.websocket)?;
        running.websocket_tls = maybe(&self.websocket_tls)?;
        Ok(())
    }

    /// Serves MQTT on all that are for it, and gives the API's back.
    pub(crate) fn serve(
        self,
        broker: &Broker,
        certificates: &Certificates,
        origins: &[String],
    ) -> (TcpListener, Vec<Served>) {
        let origins = Origins::new(origins);
        let mut served: Vec<Served> = Vec::new();
        let (of, tls) = (broker.clone(), certificates.shared());
        served.push(("MQTT over TLS", tokio::spawn(async move { of.serve_tls(self.mqtt, tls).await })));
        if let Some(plain) = self.plain {
            let of = broker.clone();
            served.push(("MQTT without TLS", tokio::spawn(async move { of.serve_tcp(plain).await })));
        }
        let websockets = [
            ("MQTT over WebSocket without TLS", self.websocket, None),
            ("MQTT over WebSocket and TLS", self.websocket_tls, Some(certificates.shared())),
        ];
        for (what, listener, tls) in websockets {
            let Some(listener) = listener else { continue };
            let (of, origins) = (broker.clone(), origins.clone());
            let serving = async move { of.serve_websocket(listener, tls, origins).await };
            served.push((what, tokio::spawn(serving)));
        }
        (self.api, served)
    }
}

/// Listens, or says why not and what to do.
fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, StationError> {
    open(address).map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => {
                " — another program has this port: stop it, or choose another port (0 takes a free one)"
            }
            io::ErrorKind::PermissionDenied => {
                " — choose a port above 1023, or give the program the right to it"
            }
            io::ErrorKind::AddrNotAvailable => " — this computer has no such address: use one of its own",
            _ => "",
        };
        StationError::Listen { what, address, source, hint }
    })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port that was used a moment ago can be used again. On Windows this would mean that two programs can have one
    // port at a time.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StationError> {
    listener.local_addr().map_err(|e| StationError::Stopped { what: "a listener", reason: e.to_string() })
}

/// Raises how many files this process may have open as far as the system lets it, since each connection is one; says
/// so, and warns where the connections that it is to serve do not fit.
pub(crate) fn make_room(connections: usize) {
    /// Listeners, databases, logs, and whatever the API's connections take.
    const BESIDES: u64 = 1_000;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < connections as u64 + BESIDES => {
            tracing::warn!(
                files,
                connections,
                "the system lets this process open fewer files than connections are allowed: raise it with \
                 `ulimit -n`, or LimitNOFILE in a systemd unit"
            );
        }
        Ok(files) => tracing::info!(files, "open files that the system allows"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}
