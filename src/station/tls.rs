//! The station's own certificate authority, and the certificate that its listeners show.
//!
//! Clients pin the SHA-256 of the CA's SubjectPublicKeyInfo. The leaf is made anew before it ends, also while the
//! station runs, without anybody having to pin again.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{
    api,
    files::{FilesError, read_bounded, write_atomic, write_secret},
};

use super::{Clock, StationError};

/// A key or certificate file is never larger.
const MAX_PEM_BYTES: u64 = 64 * 1024;
/// How long a leaf is good for, in days.
const LEAF_DAYS: u64 = 365;
/// How long before its end it is replaced, in days.
const RENEW_DAYS: u64 = 30;

/// The CA, and the leaf that is shown now.
#[derive(Clone)]
pub(crate) struct Authority {
    keys: PathBuf,
    ca: CertificateDer<'static>,
    leaf: Arc<Shown>,
    clock: Clock,
}

/// The certificate that listeners show: replaced while they listen.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the station's certificate")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Authority {
    /// Reads CA and leaf from `keys`; makes what is not there or soon ends.
    pub(crate) fn open(keys: &Path, clock: &Clock) -> Result<Self, StationError> {
        let ca = open_ca(keys)?;
        let leaf = open_leaf(keys, &ca, clock)?;
        let leaf = Arc::new(Shown(RwLock::new(leaf)));
        Ok(Self { keys: keys.to_owned(), ca, leaf, clock: clock.clone() })
    }

    /// Replaces the leaf where it soon ends. Cheap where it does not.
    pub(crate) fn renew(&self) -> Result<(), StationError> {
        *self.leaf.0.write() = open_leaf(&self.keys, &self.ca, &self.clock)?;
        Ok(())
    }

    /// Where the CA's certificate is.
    pub(crate) fn ca_path(&self) -> PathBuf {
        self.keys.join("station-ca.pem")
    }

    /// SHA-256 of the CA's SubjectPublicKeyInfo, 64 hex digits.
    pub(crate) fn fingerprint(&self) -> Result<String, StationError> {
        use fmt::Write as _;
        let certificate = EndEntityCert::try_from(&self.ca).map_err(|e| StationError::Tls(e.to_string()))?;
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(certificate.subject_public_key_info()) {
            let _ = write!(hex, "{byte:02x}"); // Writing to a String cannot fail.
        }
        Ok(hex)
    }

    /// Chooses the leaf of the moment.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::clone(&self.leaf) as Arc<dyn ResolvesServerCert>
    }

    /// What the API's listener needs. TLS 1.2 and 1.3.
    pub(crate) fn server_config(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, StationError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| StationError::Tls(e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(self.resolver());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// The CA's certificate. Made with its key on the first run, good for some decades: clients pin the key.
fn open_ca(keys: &Path) -> Result<CertificateDer<'static>, StationError> {
    let (key_path, path) = (keys.join("station-ca.key"), keys.join("station-ca.pem"));
    if let Some(pem) = read_pem(&path)? {
        return CertificateDer::from_pem_slice(&pem).map_err(|e| unusable(&path, &e));
    }
    let key = open_key(&key_path)?;
    let certificate = ca_params(&key).and_then(|params| params.self_signed(&key)).map_err(tls)?;
    write_atomic(&path, certificate.pem().as_bytes())?;
    Ok(certificate.der().clone())
}

/// The leaf with its chain: that of the last run, where it still holds, else a new one.
fn open_leaf(
    keys: &Path,
    ca: &CertificateDer<'static>,
    clock: &Clock,
) -> Result<Arc<CertifiedKey>, StationError> {
    let (key_path, path) = (keys.join("station-tls.key"), keys.join("station-tls.pem"));
    let names = names();
    let leaf = match read_pem(&path)? {
        Some(pem) if key_path.is_file() => CertificateDer::from_pem_slice(&pem).ok(),
        _ => None,
    };
    if let Some(leaf) = leaf
        && holds(&leaf, ca, &names, clock)
        && let Ok(shown) = certified(&key_path, leaf, ca)
    {
        return Ok(shown);
    }
    let ca_key_path = keys.join("station-ca.key");
    if !ca_key_path.is_file() {
        return Err(StationError::KeyFile {
            path: ca_key_path,
            reason: "it is not there, but its certificate is".into(),
            next: "Put it back from a backup, or remove station-ca.pem too: then everybody must pin the station anew",
        });
    }
    let ca_key = open_key(&ca_key_path)?;
    let issuer = Issuer::new(ca_params(&ca_key).map_err(tls)?, ca_key);
    let key = KeyPair::generate().map_err(tls)?;
    let certificate =
        leaf_params(&names, clock).and_then(|params| params.signed_by(&key, &issuer)).map_err(tls)?;
    write_secret(&key_path, zeroize::Zeroizing::new(key.serialize_pem()).as_bytes())?;
    write_atomic(&path, certificate.pem().as_bytes())?;
    let leaf = certificate.der().clone();
    if !holds(&leaf, ca, &names, clock) {
        return Err(StationError::KeyFile {
            path: ca_key_path,
            reason: "it does not belong to station-ca.pem".into(),
            next: "Put both back from the same backup, or remove both: then everybody must pin the station anew",
        });
    }
    certified(&key_path, leaf, ca)
}

/// Whether a leaf is the CA's, has all names, and does not end within the next month.
fn holds(leaf: &CertificateDer<'_>, ca: &CertificateDer<'_>, names: &[SanType], clock: &Clock) -> bool {
    let (Ok(certificate), Ok(anchor)) = (EndEntityCert::try_from(leaf), anchor_from_trusted_cert(ca)) else {
        return false;
    };
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let valid_at = |time: Duration| {
        certificate
            .verify_for_usage(
                algorithms,
                std::slice::from_ref(&anchor),
                &[],
                UnixTime::since_unix_epoch(time),
                KeyUsage::server_auth(),
                None,
                None,
            )
            .is_ok()
    };
    let now = Duration::from_millis(clock.now_ms());
    let has = |name: &SanType| match name {
        SanType::DnsName(name) => ServerName::try_from(name.as_ref())
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok()),
        SanType::IpAddress(ip) => {
            certificate.verify_is_valid_for_subject_name(&ServerName::IpAddress((*ip).into())).is_ok()
        }
        _ => true,
    };
    valid_at(now) && valid_at(now + days(RENEW_DAYS)) && names.iter().all(has)
}

fn certified(
    key_path: &Path,
    leaf: CertificateDer<'static>,
    ca: &CertificateDer<'static>,
) -> Result<Arc<CertifiedKey>, StationError> {
    let pem = read_bounded(key_path, MAX_PEM_BYTES)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| unusable(key_path, &e))?;
    // Leaf and CA: a client that pins the CA's key must be shown it.
    CertifiedKey::from_der(vec![leaf, ca.clone()], key, &ring::default_provider())
        .map(Arc::new)
        .map_err(|e| unusable(key_path, &e))
}

/// The CA's parameters follow from its key, so that a later run names the same issuer.
fn ca_params(key: &KeyPair) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let digest = Sha256::digest(key.subject_public_key_info());
    // Two stations in one list of authorities differ by name too.
    let name =
        format!("Sealwire station {:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2070, 1, 1);
    Ok(params)
}

fn leaf_params(names: &[SanType], clock: &Clock) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.subject_alt_names = names.to_vec();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, api::TLS_NAME);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = Duration::from_millis(clock.now_ms());
    let epoch = date_time_ymd(1970, 1, 1);
    // A day of grace for clocks that are behind.
    params.not_before = epoch + now.saturating_sub(days(1));
    params.not_after = epoch + now + days(LEAF_DAYS);
    Ok(params)
}

/// What the leaf is good for: this computer by each of its usual names, and [`api::TLS_NAME`] for clients that
/// pinned the CA and come by any address.
fn names() -> Vec<SanType> {
    let host = host_name();
    let dns = ["localhost", api::TLS_NAME].into_iter().chain(host.as_deref());
    let dns = dns.filter_map(|name| name.try_into().ok().map(SanType::DnsName));
    let ips = ["127.0.0.1", "::1"].into_iter().filter_map(|ip| IpAddr::from_str(ip).ok());
    dns.chain(ips.map(SanType::IpAddress)).collect()
}

/// This computer's name, where the system says it without a call that Rust does not have.
fn host_name() -> Option<String> {
    let named = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = named.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())?;
    let name = name.trim().to_ascii_lowercase();
    // A name that is no DNS name cannot stand in a certificate.
    matches!(ServerName::try_from(name.clone()), Ok(ServerName::DnsName(_))).then_some(name)
}

fn open_key(path: &Path) -> Result<KeyPair, StationError> {
    if let Some(pem) = read_pem(path)? {
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|e| unusable(path, &e))?;
        return KeyPair::try_from(&key).map_err(|e| unusable(path, &e));
    }
    let key = KeyPair::generate().map_err(tls)?;
    write_secret(path, zeroize::Zeroizing::new(key.serialize_pem()).as_bytes())?;
    Ok(key)
}

fn read_pem(path: &Path) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StationError> {
    match read_bounded(path, MAX_PEM_BYTES) {
        Ok(pem) => Ok(Some(pem)),
        Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn tls(error: rcgen::Error) -> StationError {
    StationError::Tls(error.to_string())
}

fn unusable(path: &Path, reason: &dyn fmt::Display) -> StationError {
    StationError::KeyFile {
        path: path.to_owned(),
        reason: reason.to_string(),
        next: "Put it back from a backup, or remove it to have a new one made",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_2026: u64 = 1_780_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn shown(authority: &Authority) -> Vec<u8> {
        authority.leaf.0.read().cert[0].to_vec()
    }

    #[test]
    fn the_ca_stays_and_the_leaf_is_replaced_in_its_last_month_also_while_running() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::by_hand(YEAR_2026);
        let first = Authority::open(dir.path(), &clock).unwrap();
        clock.set(YEAR_2026 + 300 * DAY);
        let again = Authority::open(dir.path(), &clock).unwrap();
        assert_eq!(shown(&first), shown(&again));
        clock.set(YEAR_2026 + 340 * DAY);
        again.renew().unwrap();
        assert_ne!(shown(&first), shown(&again));
        assert_eq!(first.fingerprint().unwrap(), again.fingerprint().unwrap());
        assert!(holds(&shown(&again).into(), &again.ca, &names(), &clock));
    }

    #[test]
    fn keys_are_for_their_owner_only_and_one_ca_is_not_signed_for_by_anothers_key() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::by_hand(YEAR_2026);
        Authority::open(dir.path(), &clock).unwrap();
        #[cfg(unix)]
        for name in ["station-ca.key", "station-tls.key"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        std::fs::remove_file(dir.path().join("station-ca.key")).unwrap();
        std::fs::remove_file(dir.path().join("station-tls.pem")).unwrap();
        assert!(matches!(Authority::open(dir.path(), &clock), Err(StationError::KeyFile { .. })));
        write_secret(
            &dir.path().join("station-ca.key"),
            KeyPair::generate().unwrap().serialize_pem().as_bytes(),
        )
        .unwrap();
        let error = Authority::open(dir.path(), &clock).err().unwrap().to_string();
        assert!(error.contains("does not belong"), "{error}");
    }
}
