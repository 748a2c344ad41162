//! TLS for the load generator: authorities from a file or one pinned key, and a client certificate where one is given.
//! There is no way to trust anybody.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

use super::{
    BenchError,
    settings::{Address, Tls},
    transport::TlsSetup,
};

/// What the connections need, or `None` for a broker without TLS.
pub(super) fn setup(address: &Address, given: &Tls) -> Result<Option<TlsSetup>, BenchError> {
    if !address.tls {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(BenchError::Tls)?;
    let builder = if let Some(text) = &given.fingerprint {
        let pin = fingerprint(text).ok_or_else(|| {
            BenchError::Settings(format!("“{text}” is no SHA-256: --fingerprint wants 64 hex digits"))
        })?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { pin, provider }))
    } else {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &given.ca {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(BenchError::Tls)?;
            }
        }
        builder.with_root_certificates(roots)
    };
    let config = match (&given.certificate, &given.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| file(key, format!("no private key in PEM was found ({error})")))?;
            builder.with_client_auth_cert(chain, key).map_err(BenchError::Tls)?
        }
        _ => builder.with_no_client_auth(),
    };
    let name =
        ServerName::try_from(address.host.clone()).map_err(|_| BenchError::Address(address.to_string()))?;
    Ok(Some(TlsSetup { config: Arc::new(config), name }))
}

fn file(path: &Path, what: String) -> BenchError {
    BenchError::File { path: path.to_owned(), what }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BenchError> {
    let wrong = |error| file(path, format!("no certificates in PEM were found ({error})"));
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(wrong)?;
    if found.is_empty() {
        return Err(file(path, "it holds no certificate in PEM (“-----BEGIN CERTIFICATE-----”)".into()));
    }
    Ok(found)
}

/// 64 hex digits; colons and spaces between them, as people copy them, are passed over.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |value, d| value << 4 | d)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

/// Trusts the one public key whose SHA-256 it knows: the broker's own, or that of the authority in its chain.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        webpki::EndEntityCert::try_from(certificate)
            .is_ok_and(|parsed| *Sha256::digest(parsed.subject_public_key_info().as_ref()) == self.pin)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.fits(leaf) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(authority) = chain.iter().find(|certificate| self.fits(certificate)) else {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(leaf)?,
            &roots,
            chain,
            now,
            algorithms,
        )?;
        Ok(ServerCertVerified::assertion())
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
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let plain = "00ff".repeat(16);
        let read = fingerprint(&plain).unwrap();
        assert_eq!(read[..2], [0, 0xff]);
        assert_eq!(fingerprint(&format!("00:FF {}", &plain[4..])), Some(read));
        assert_eq!(fingerprint(&plain[2..]), None);
        assert_eq!(fingerprint(&plain.replace('f', "g")), None);
    }
}
