//! The broker's address, resolved once, with TLS ready.

use std::net::{SocketAddr, ToSocketAddrs};

use super::{BenchError, settings::Settings, tls, transport::TlsSetup};

/// What connections connect to.
pub struct Target {
    /// Resolved.
    pub address: SocketAddr,
    /// For `mqtts`.
    pub tls: Option<TlsSetup>,
}

impl Target {
    /// Resolves the name and reads the files.
    pub fn find(settings: &Settings) -> Result<Self, BenchError> {
        let host = &settings.broker.host;
        let failed = |source| BenchError::Resolve { host: host.clone(), source };
        let address = (host.as_str(), settings.broker.port)
            .to_socket_addrs()
            .map_err(failed)?
            // Loopback brokers mostly listen on IPv4 alone.
            .min_by_key(|address| !address.is_ipv4())
            .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self { address, tls: tls::setup(&settings.broker, &settings.tls)? })
    }
}
