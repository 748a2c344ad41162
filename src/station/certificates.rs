//! The certificates of the MQTT listeners that speak TLS: the station's own or one that it was given, and which
//! authorities sign for clients. Read again while the station runs.
//!
//! The API always shows the station's own certificate, because that is what apps pin; and so do the MQTT listeners to
//! whoever does not ask by a name that the given certificate has. Start at [`Certificates::open`].

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::Mutex;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::{broker::SharedTls, files::read_bounded};

use super::{Clock, StationError, tls};

/// A file of certificates is never larger: room for some hundred authorities.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Which files to use. All may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// A server certificate with its chain, PEM, the server's own first.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// The authorities that sign clients' certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// What those authorities have taken back: a revocation list of each, PEM. Where there are any, a certificate whose
    /// authority has none here is refused.
    pub client_crl: Option<PathBuf>,
    /// Whether a client without a certificate is refused in the TLS handshake.
    pub require_client_certificate: bool,
}

impl CertificateFiles {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key, &self.client_ca, &self.client_crl].into_iter().flatten()
    }

    /// The certificate that the server was given, if it was.
    fn given(&self, clock: &Clock) -> Result<Option<Arc<CertifiedKey>>, StationError> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => read_given(certificate, key, clock).map(Some),
            (None, None) => Ok(None),
            (Some(path), None) => Err(alone(path, "its key is not named: give --key too")),
            (None, Some(path)) => Err(alone(path, "its certificate is not named: give --cert too")),
        }
    }

    /// Which clients' certificates are taken, if any are.
    fn clients(&self) -> Result<Option<Clients>, StationError> {
        let Some(client_ca) = &self.client_ca else {
            return match &self.client_crl {
                Some(path) => {
                    Err(alone(path, "the authority whose list it is is not named: give --client-ca too"))
                }
                None if self.require_client_certificate => Err(StationError::Tls(
                    "client certificates are required, and no authority that signs them is named: \
                     give one with --client-ca FILE"
                        .to_owned(),
                )),
                None => Ok(None),
            };
        };
        let roots = Arc::new(read_authorities(client_ca)?);
        let provider = Arc::new(ring::default_provider());
        let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let mut due = Vec::new();
        if let Some(path) = &self.client_crl {
            let lists = read_revocations(path)?;
            due = lists.due;
            // Only the client's own: authorities between it and the named ones seldom have lists.
            verifier = verifier.with_crls(lists.newest_first).only_check_end_entity_revocation();
        }
        let verifier =
            if self.require_client_certificate { verifier } else { verifier.allow_unauthenticated() };
        let verifier = verifier.build().map_err(|e| unusable(client_ca, &e))?;
        Ok(Some(Clients { verifier, due }))
    }

    /// Whether they can be used.
    pub(super) fn check(&self, clock: &Clock) -> Result<(), StationError> {
        self.given(clock)?;
        self.clients().map(|_| ())
    }

    /// What shows that a file was exchanged.
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.paths().map(stamp).collect()
    }
}

/// Whose certificates are taken of clients.
#[derive(Clone)]
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// When each list should be followed by another, in seconds since 1970, and whose it is.
    due: Vec<(i64, String)>,
}

/// What was read last and can be used.
struct Read {
    stamps: Vec<Option<(SystemTime, u64)>>,
    given: Option<Arc<CertifiedKey>>,
    clients: Option<Clients>,
}

impl Read {
    /// How TLS is spoken by it.
    fn server_config(&self, own: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, StationError> {
        let resolver = Arc::new(ByName { own, given: self.given.clone() });
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| StationError::Tls(e.to_string()))?;
        let Some(clients) = &self.clients else {
            return Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(resolver)));
        };
        let verifier = Arc::clone(&clients.verifier);
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
        // A resumed session would not be asked for its certificate again, which may have ended meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// See the module.
pub(crate) struct Certificates {
    files: CertificateFiles,
    own: tls::Authority,
    clock: Clock,
    shared: SharedTls,
    read: Mutex<Read>,
}

impl Certificates {
    /// Reads the files; what cannot be used keeps the station from starting.
    pub(crate) fn open(
        files: &CertificateFiles,
        own: &tls::Authority,
        clock: &Clock,
    ) -> Result<Self, StationError> {
        let read = Read { stamps: files.stamps(), given: files.given(clock)?, clients: files.clients()? };
        let shared = read.server_config(own.resolver())?.into();
        let opened =
            Self { files: files.clone(), own: own.clone(), clock: clock.clone(), shared, read: read.into() };
        opened.tell_overdue();
        Ok(opened)
    }

    /// What the MQTT listeners use, and go on using through every reload.
    pub(crate) fn shared(&self) -> SharedTls {
        self.shared.clone()
    }

    /// Reads everything again: new connections have it, live ones go on. What cannot be used changes nothing, and keeps
    /// nothing else from being taken: a certificate that has ended must not keep another from being taken back.
    pub(crate) fn reload(&self) {
        let mut read = self.read.lock();
        read.stamps = self.files.stamps();
        let mut refused = false;
        match self.files.given(&self.clock) {
            Ok(given) => read.given = given,
            Err(error) => {
                refused = true;
                tracing::error!(%error, "the new certificate cannot be used: the one from before stays in use");
            }
        }
        match self.files.clients() {
            Ok(clients) => read.clients = clients,
            Err(error) => {
                refused = true;
                let what = "the new authorities of clients, or their lists, cannot be used: those from before stay in use";
                tracing::error!(%error, "{what}");
            }
        }
        match read.server_config(self.own.resolver()) {
            Ok(config) => {
                self.shared.replace(config);
                if !refused {
                    tracing::info!("the certificates were read again: new connections have them");
                }
            }
            Err(error) => tracing::error!(%error, "the certificates from before stay in use"),
        }
        drop(read);
        self.tell_overdue();
    }

    /// The same, where a file is not what it was.
    pub(crate) fn reload_if_changed(&self) {
        let changed = self.read.lock().stamps != self.files.stamps();
        if changed {
            self.reload();
        }
    }

    /// Says in the log which revocation list should have been followed by another. It is used all the same: one that was not
    /// renewed in time must not shut everybody out.
    pub(crate) fn tell_overdue(&self) {
        let due = self.read.lock().clients.as_ref().map(|clients| clients.due.clone()).unwrap_or_default();
        for (_, authority) in due.iter().filter(|(due, _)| *due < now_s(&self.clock)) {
            tracing::warn!(authority, "a revocation list is overdue: fetch a newer one");
        }
    }
}

/// The given certificate to whoever asks by a name that it has; the station's own to everybody else.
struct ByName {
    own: Arc<dyn ResolvesServerCert>,
    given: Option<Arc<CertifiedKey>>,
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the MQTT listeners' certificates")
    }
}

impl ByName {
    /// The given one, where it has the name.
    fn given_for(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let given = self.given.as_ref()?;
        let leaf = EndEntityCert::try_from(given.cert.first()?).ok()?;
        let name = ServerName::try_from(name).ok()?;
        leaf.verify_is_valid_for_subject_name(&name).is_ok().then(|| Arc::clone(given))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let given = hello.server_name().and_then(|name| self.given_for(name));
        given.or_else(|| self.own.resolve(hello))
    }
}

fn read_given(path: &Path, key_path: &Path, clock: &Clock) -> Result<Arc<CertifiedKey>, StationError> {
    let pem = read_bounded(path, MAX_PEM_BYTES)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|e| unusable(path, &e))?;
    let leaf = chain.first().ok_or_else(|| unusable(path, &"it holds no certificate"))?;
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|e| unusable(path, &e))?;
    if parsed.validity().not_after.timestamp() < now_s(clock) {
        return Err(unusable(path, &format!("it ended on {}", parsed.validity().not_after)));
    }
    let pem = read_bounded(key_path, MAX_PEM_BYTES)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| unusable(key_path, &e))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    certified.map(Arc::new).map_err(|e| unusable(key_path, &e))
}

fn read_authorities(path: &Path) -> Result<RootCertStore, StationError> {
    let pem = read_bounded(path, MAX_PEM_BYTES)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| unusable(path, &e))?;
        roots.add(certificate).map_err(|e| unusable(path, &e))?;
    }
    if roots.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(roots)
}

/// The lists of a file.
struct Revocations {
    /// Of several of one authority the first is looked at.
    newest_first: Vec<CertificateRevocationListDer<'static>>,
    /// See [`Clients::due`]: of each authority's newest.
    due: Vec<(i64, String)>,
}

fn read_revocations(path: &Path) -> Result<Revocations, StationError> {
    let pem = read_bounded(path, MAX_PEM_BYTES)?;
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(&pem) {
        let list = list.map_err(|e| unusable(path, &e))?;
        let (_, parsed) = CertificateRevocationList::from_der(&list).map_err(|e| unusable(path, &e))?;
        let authority = parsed.issuer().to_string();
        let due = parsed.next_update().map(|due| due.timestamp());
        lists.push((parsed.last_update().timestamp(), authority, due, list));
    }
    if lists.is_empty() {
        return Err(unusable(path, &"it holds no revocation list"));
    }
    lists.sort_by_key(|(made, ..)| std::cmp::Reverse(*made));
    let (mut seen, mut due) = (Vec::new(), Vec::new());
    for (_, authority, next, _) in &lists {
        if !seen.contains(&authority) {
            seen.push(authority);
            due.extend(next.map(|next| (next, authority.clone())));
        }
    }
    Ok(Revocations { newest_first: lists.into_iter().map(|(.., list)| list).collect(), due })
}

fn now_s(clock: &Clock) -> i64 {
    i64::try_from(clock.now_ms() / 1000).unwrap_or(i64::MAX)
}

fn unusable(path: &Path, reason: &dyn fmt::Display) -> StationError {
    StationError::KeyFile {
        path: path.to_owned(),
        reason: reason.to_string(),
        next: "Certificates, keys and revocation lists are PEM files; of certificates the server's own first, then those \
               that lead to its authority",
    }
}

fn alone(path: &Path, reason: &str) -> StationError {
    StationError::KeyFile {
        path: path.to_owned(),
        reason: reason.to_owned(),
        next: "A certificate and its key are used together",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["plant.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn files_that_cannot_be_used_change_nothing_and_a_changed_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::default();
        let own = tls::Authority::open(dir.path(), &clock).unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let put = |pair: &(String, String)| {
            std::fs::write(&certificate, &pair.0).unwrap();
            std::fs::write(&key, &pair.1).unwrap();
        };
        let (first, second) = (signed(), signed());
        put(&first);
        let files = CertificateFiles {
            certificate: Some(certificate.clone()),
            key: Some(key.clone()),
            ..CertificateFiles::default()
        };
        let certificates = Certificates::open(&files, &own, &clock).unwrap();
        let shared = certificates.shared();
        let (before, given) = (shared.now(), certificates.read.lock().given.clone().unwrap());
        let stays = || Arc::ptr_eq(&given, certificates.read.lock().given.as_ref().unwrap());
        certificates.reload_if_changed();
        assert!(Arc::ptr_eq(&before, &shared.now()), "nothing changed");

        for broken in [(second.0.clone(), first.1.clone()), ("cut off".to_owned(), first.1.clone())] {
            put(&broken);
            certificates.reload();
            assert!(stays(), "it cannot be used");
        }
        std::fs::remove_file(&key).unwrap();
        certificates.reload_if_changed();
        assert!(stays(), "it is not there");
        put(&second);
        certificates.reload_if_changed();
        assert!(!stays() && !Arc::ptr_eq(&before, &shared.now()));
    }
}
