//! An endpoint made ready: its certificates read, its TLS settings made.
//!
//! A certificate is checked against the CA file that was given, and against the system's authorities only where none
//! was; never against both, and never not at all.

use std::{sync::Arc, time::Duration};

use rumqttc::TlsConfiguration;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use crate::client::Password;

use super::{ClientIdentity, Endpoint, EndpointError, Transport, Version};

/// rumqttc panics below.
const LEAST_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Two bytes of CONNECT (MQTT 5.0 §3.1.2.10).
const MOST_KEEP_ALIVE: Duration = Duration::from_secs(65_535);

/// See the module.
#[derive(Clone)]
pub(in crate::client) struct Server {
    pub(super) version: Version,
    transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
    path: String,
    /// For the encrypted transports.
    tls: Option<Arc<ClientConfig>>,
    pub(super) login: Option<(String, Password)>,
    pub(super) keep_alive: Duration,
}

impl Server {
    /// Reads what the endpoint names.
    ///
    /// # Errors
    /// Choices that do not go together, and certificates or keys that are none.
    pub(in crate::client) fn of(endpoint: &Endpoint) -> Result<Self, EndpointError> {
        endpoint.check()?;
        let tls = if endpoint.transport.is_encrypted() {
            if ServerName::try_from(endpoint.host.as_str()).is_err() {
                return Err(EndpointError::ServerName(endpoint.host.clone()));
            }
            Some(tls(endpoint.ca.as_deref(), endpoint.identity.as_ref())?)
        } else {
            None
        };
        let password = endpoint.password.clone().unwrap_or_default();
        Ok(Self {
            version: endpoint.version,
            transport: endpoint.transport,
            host: endpoint.host.clone(),
            port: endpoint.port,
            path: endpoint.path.clone(),
            tls,
            login: endpoint.username.clone().map(|username| (username, password)),
            keep_alive: endpoint.keep_alive.clamp(LEAST_KEEP_ALIVE, MOST_KEEP_ALIVE),
        })
    }

    /// A broker of MQTT 5 over TLS whose settings are made already: a station's, with its pinned CA.
    pub(in crate::client) fn pinned(
        host: &str,
        port: u16,
        tls: Arc<ClientConfig>,
        username: &str,
        token: &str,
    ) -> Self {
        let Endpoint { version, transport, path, keep_alive, .. } = Endpoint::new(Transport::Tls, host, port);
        let login = Some((username.to_owned(), Password::new(token)));
        Self { version, transport, host: host.to_owned(), port, path, tls: Some(tls), login, keep_alive }
    }

    /// What rumqttc takes for the host: for WebSocket the whole URL.
    pub(super) fn rumqttc_host(&self) -> String {
        if !self.transport.is_web_socket() {
            return self.host.clone();
        }
        let scheme = self.transport.scheme();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}{}", self.port, self.path)
    }

    pub(super) fn rumqttc_transport(&self) -> rumqttc::Transport {
        let tls = self.tls.as_ref().map(|tls| TlsConfiguration::Rustls(Arc::clone(tls)));
        match (self.transport.is_web_socket(), tls) {
            (false, None) => rumqttc::Transport::Tcp,
            (false, Some(tls)) => rumqttc::Transport::tls_with_config(tls),
            (true, None) => rumqttc::Transport::Ws,
            (true, Some(tls)) => rumqttc::Transport::wss_with_config(tls),
        }
    }
}

fn tls(ca: Option<&str>, identity: Option<&ClientIdentity>) -> Result<Arc<ClientConfig>, EndpointError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in certificates(pem).ok_or(EndpointError::Ca)? {
                roots.add(certificate).map_err(|_| EndpointError::Ca)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(EndpointError::NoSystemRoots);
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| EndpointError::Tls(error.to_string()))?
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates(&identity.certificate).ok_or(EndpointError::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(identity.key.reveal().as_bytes())
                .map_err(|_| EndpointError::Key)?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|error| EndpointError::Identity(error.to_string()))?
        }
    };
    Ok(Arc::new(config))
}

/// All of a PEM text; `None` where there is none or one of them is damaged.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ca(ca: &str) -> Endpoint {
        Endpoint { ca: Some(ca.to_owned()), ..Endpoint::new(Transport::Tls, "h", 8883) }
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named_before_anything_is_sent() {
        let refused = |endpoint: &Endpoint| Server::of(endpoint).err();
        assert_eq!(refused(&with_ca("hello")), Some(EndpointError::Ca));
        let damaged = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert_eq!(refused(&with_ca(damaged)), Some(EndpointError::Ca));
        let identity = |certificate: &str, key: &str| Endpoint {
            identity: Some(ClientIdentity { certificate: certificate.into(), key: Password::new(key) }),
            ..Endpoint::new(Transport::Tls, "h", 8883)
        };
        assert_eq!(refused(&identity("", "")), Some(EndpointError::Certificate));
        assert_eq!(refused(&identity(damaged, "none")), Some(EndpointError::Key));
    }

    #[test]
    fn web_socket_is_reached_by_its_url_and_all_else_by_its_host() {
        let server = |url: &str| Server::of(&Endpoint::parse(url).unwrap()).unwrap().rumqttc_host();
        assert_eq!(server("mqtt://[::1]"), "::1");
        assert_eq!(server("ws://[::1]:9001/a"), "ws://[::1]:9001/a");
    }
}
