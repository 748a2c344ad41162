//! What a station is told before it runs, and what it tells once it does.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use crate::{
    api::{Confidential, OtpPolicy, SignUpPolicy},
    files::DataFolders,
};

use super::Clock;

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
    /// Where MQTT without TLS listens, if at all. Loopback only.
    pub plain: Option<SocketAddr>,
    /// Where the metrics are told without a token, over plain HTTP, if at all. Loopback only.
    pub metrics: Option<SocketAddr>,
    /// The role of clients that give no name, or `None` to refuse them.
    pub anonymous: Option<String>,
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
            metrics: None,
            anonymous: None,
            otp: OtpPolicy::Required,
            sign_up: SignUpPolicy::Open,
            lease: false,
            clock: Clock::default(),
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
    /// Where the metrics are told without a token, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// SHA-256 of the CA's SubjectPublicKeyInfo, 64 hex digits: what a client pins.
    pub fingerprint: String,
    /// What the first account must present; `None` once there is one.
    pub setup_code: Option<Confidential>,
    /// The CA's certificate in PEM, for other MQTT programs.
    pub ca_certificate: PathBuf,
}
