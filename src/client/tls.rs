//! TLS by pin: a station is known by its CA's public key, not by a name or an authority of the web.
//!
//! The chain that a station presents must hold a CA certificate whose public key has the pinned SHA-256, and the
//! leaf must verify against exactly that CA (webpki: signature, validity, usage) for the name
//! [`crate::api::TLS_NAME`], whatever address it was reached at. Start at [`client_config`].

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use crate::api::TLS_NAME;

/// SHA-256 of a CA's public key (its DER SubjectPublicKeyInfo), as 64 hex digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(String);

impl Fingerprint {
    /// Reads 64 hex digits; colons and spaces between them, as people copy them, are passed over.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let whole = digits.len() == 64 && digits.bytes().all(|c| c.is_ascii_hexdigit());
        whole.then(|| Self(digits.to_ascii_lowercase()))
    }

    /// Of a certificate; `None` where it is not one.
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let digest = Sha256::digest(parsed.subject_public_key_info().as_ref());
        Some(Self(digest.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a handshake showed of a station's identity.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub fingerprint: Fingerprint,
    /// The CA's certificate.
    pub ca: CertificateDer<'static>,
}

impl Identity {
    /// The CA's certificate as PEM, for programs of others.
    pub(super) fn pem(&self) -> String {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text = STANDARD.encode(&self.ca);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

/// Where the verifier leaves what it saw, also of a station that it refused.
pub(super) type Seen = Arc<Mutex<Option<Identity>>>;

/// A TLS configuration for one station. With a pin, only that station passes; without, any station whose chain holds
/// together does, for looking at its fingerprint and nothing more.
pub(super) fn client_config(pin: Option<Fingerprint>) -> Result<(Arc<ClientConfig>, Seen), Error> {
    let provider = Arc::new(ring::default_provider());
    let seen = Seen::default();
    let verifier = PinVerifier { pin, seen: Arc::clone(&seen), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // A station that was given a certificate shows it to whoever asks by its name, and its own, which is pinned, to
    // others.
    config.enable_sni = false;
    Ok((Arc::new(config), seen))
}

/// What is told in the handshake and shown in the window: the configuration takes nothing else.
pub(super) const PROTOCOL: &str = "TLS 1.3";

#[derive(Debug)]
struct PinVerifier {
    pin: Option<Fingerprint>,
    seen: Seen,
    provider: Arc<CryptoProvider>,
}

impl PinVerifier {
    /// Verifies the leaf against `ca` alone, for the name that every station's certificate carries.
    fn verify_against(
        &self,
        ca: &CertificateDer<'_>,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        let name = ServerName::try_from(TLS_NAME).map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(leaf, between, &name, &[], now)
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut refused = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for ca in chain {
            let Some(fingerprint) = Fingerprint::of(ca) else { continue };
            match self.verify_against(ca, leaf, chain, now) {
                Ok(verified) => {
                    let fits = self.pin.as_ref().is_none_or(|pin| *pin == fingerprint);
                    let identity = Identity { fingerprint, ca: ca.clone().into_owned() };
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
                    if fits {
                        return Ok(verified);
                    }
                    refused = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
                }
                Err(error) if self.pin.as_ref().is_some_and(|pin| *pin == fingerprint) => return Err(error),
                Err(_) => {}
            }
        }
        Err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
