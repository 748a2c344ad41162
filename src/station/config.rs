//! What a station is told before it runs, and what it tells once it does.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
};

use crate::{
    api::{Confidential, OtpPolicy, SignUpPolicy},
    broker::Limits,
    files::DataFolders,
};

use super::{CertificateFiles, Clock, StationError};

/// How a station is to run. [`Config::for_app`] and [`Config::by_hand`] are the two ways it is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where its data rests.
    pub data: DataFolders,
    /// Its name, for people.
    pub name: String,
    /// Where MQTT over TLS listens; port 0 takes a free one.
    pub mqtt: SocketAddr,
    /// Where the HTTPS API listens; port 0 takes a free one.
    pub api: SocketAddr,
    /// Where MQTT without TLS listens, if at all. Loopback only, see [`Config::plain_beyond_loopback`].
    pub plain: Option<SocketAddr>,
    /// Where MQTT over WebSocket without TLS listens, if at all. Loopback only, as `plain`.
    pub websocket: Option<SocketAddr>,
    /// Where MQTT over WebSocket and TLS listens, if at all.
    pub websocket_tls: Option<SocketAddr>,
    /// Whose pages may connect over WebSocket besides those from the same host: `https://example.org`, or `*`.
    pub websocket_origins: Vec<String>,
    /// Whether what listens without TLS may be reached from other computers.
    pub plain_beyond_loopback: bool,
    /// Where the metrics are told without a token, over plain HTTP, if at all. Loopback only, always.
    pub metrics: Option<SocketAddr>,
    /// Certificates that the MQTT listeners use besides the station's own.
    pub certificates: CertificateFiles,
    /// The role of clients that give no name, or `None` to refuse them. From this computer only, see
    /// [`Config::anonymous_beyond_loopback`].
    pub anonymous: Option<String>,
    /// Whether clients without a name may come from other computers.
    pub anonymous_beyond_loopback: bool,
    /// The broker's bounds.
    pub limits: Limits,
    /// How many threads carry the broker and the API; none: see [`Config::worker_threads`].
    pub threads: Option<NonZeroUsize>,
    /// Whether accounts need one-time codes.
    pub otp: OtpPolicy,
    /// Who may make an account.
    pub sign_up: SignUpPolicy,
    /// Whether the station ends half a minute after the last window has gone ([`super::host::Lease`]).
    pub lease: bool,
    /// Where it takes its time from.
    pub clock: Clock,
}

impl Config {
    /// As the app starts it: on free ports of this computer, for as long as a window is open.
    #[must_use]
    pub fn for_app(data: DataFolders) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { mqtt: free, api: free, otp: OtpPolicy::Offered, lease: true, ..Self::by_hand(data) }
    }

    /// As `sealwire station` starts it: on known ports of this computer, until it is told to stop.
    #[must_use]
    pub fn by_hand(data: DataFolders) -> Self {
        Self {
            data,
            name: "Sealwire station".to_owned(),
            mqtt: SocketAddr::from((Ipv4Addr::LOCALHOST, 8883)),
            api: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            plain: None,
            websocket: None,
            websocket_tls: None,
            websocket_origins: Vec::new(),
            plain_beyond_loopback: false,
            certificates: CertificateFiles::default(),
            metrics: None,
            anonymous: None,
            anonymous_beyond_loopback: false,
            limits: Limits::default(),
            threads: None,
            otp: OtpPolicy::Required,
            sign_up: SignUpPolicy::Open,
            lease: false,
            clock: Clock::default(),
        }
    }
}

impl Config {
    /// How many threads to run it on: as many as there are processors, unless a person said otherwise.
    #[must_use]
    pub fn worker_threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(processors, NonZeroUsize::get)
    }

    /// What no station can be run with.
    pub(super) fn check(&self) -> Result<(), StationError> {
        if let Some(metrics) = self.metrics.filter(|metrics| !metrics.ip().is_loopback()) {
            return Err(StationError::MetricsBeyondLoopback(metrics));
        }
        let plain = [self.plain, self.websocket].into_iter().flatten().find(|at| !at.ip().is_loopback());
        match plain {
            Some(plain) if !self.plain_beyond_loopback => Err(StationError::PlainBeyondLoopback(plain)),
            Some(plain) => {
                tracing::warn!(%plain, "MQTT without TLS can be reached from other computers: whoever is on the way \
                    reads credentials, topics and what is not sealed");
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A station that answers: where, and how to know it.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where the HTTPS API is.
    pub api: SocketAddr,
    /// Where MQTT over TLS is.
    pub mqtt_tls: SocketAddr,
    /// Where MQTT without TLS is, if anywhere.
    pub plain: Option<SocketAddr>,
    /// Where MQTT over WebSocket without TLS is, if anywhere.
    pub websocket: Option<SocketAddr>,
    /// Where MQTT over WebSocket and TLS is, if anywhere.
    pub websocket_tls: Option<SocketAddr>,
    /// Where the metrics are told without a token, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// SHA-256 of the CA's SubjectPublicKeyInfo, 64 hex digits: what a client pins.
    pub fingerprint: String,
    /// What the first account must present; `None` once there is one.
    pub setup_code: Option<Confidential>,
    /// The CA's certificate in PEM, for other MQTT programs.
    pub ca_certificate: PathBuf,
}
