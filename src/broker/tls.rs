//! TLS as a listener uses it: a configuration that can be exchanged while it listens, and what a client's certificate
//! says.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;
use rustls::{ServerConfig, pki_types::CertificateDer};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How a listener speaks TLS now. Clones share it: what one is told, all connections from then on have.
#[derive(Debug, Clone)]
pub struct SharedTls(Arc<RwLock<Arc<ServerConfig>>>);

impl SharedTls {
    /// Another configuration for the connections that come; those that are live go on with theirs.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write() = config;
    }

    /// The configuration of the moment.
    #[must_use]
    pub fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read())
    }
}

impl From<Arc<ServerConfig>> for SharedTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }
}

/// A client's certificate, which TLS has verified.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whom it names: the subject's alternative names that are text (email, DNS, URI), in their order, then the
    /// common name. Whether one of them is an account is for the [`super::Authority`] to say.
    pub names: Vec<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ClientCertificate {
    /// Reads the names of a certificate that TLS has verified. What cannot be read names nobody.
    pub(super) fn of(der: &CertificateDer<'_>) -> Self {
        let names = X509Certificate::from_der(der).map(|(_, certificate)| names(&certificate));
        Self { names: names.unwrap_or_default(), fingerprint: Sha256::digest(der).into() }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|names| &names.value.general_names);
    let alternative = alternative.filter_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::DNSName(name) | GeneralName::URI(name) => Some(*name),
        _ => None,
    });
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    alternative.chain(common).map(str::to_owned).collect()
}
