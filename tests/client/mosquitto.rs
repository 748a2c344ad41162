//! What a Mosquitto with passwords or certificates needs, and a listener that only writes down what a client says first.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;

#[path = "../support/mosquitto.rs"]
mod program;

pub(crate) use program::Mosquitto;

impl Mosquitto {
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address())
    }
}

/// A file of passwords for one user.
pub(crate) fn password_file(dir: &Path, user: &str, password: &str) -> PathBuf {
    let file = dir.join("passwords");
    let made =
        Command::new("mosquitto_passwd").arg("-c").arg("-b").arg(&file).args([user, password]).output();
    let made = made.expect("mosquitto_passwd is installed (Debian: apt-get install mosquitto)");
    assert!(made.status.success(), "{made:?}");
    file
}

/// Certificates of one authority, as files: `ca.pem`, `server.pem`, `server.key`.
pub(crate) struct Pki {
    pub(crate) dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) ca: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        let pki = Self { dir: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key), ca };
        let (certificate, key) = pki.sign("broker", ExtendedKeyUsagePurpose::ServerAuth);
        std::fs::write(pki.dir.path().join("ca.pem"), &pki.ca).unwrap();
        std::fs::write(pki.dir.path().join("server.pem"), certificate).unwrap();
        std::fs::write(pki.dir.path().join("server.key"), key).unwrap();
        pki
    }

    /// A certificate and its key, PEM.
    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn client(&self, name: &str) -> (String, String) {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The lines of a configuration that use them.
    pub(crate) fn lines(&self) -> String {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
        format!("cafile {ca}\ncertfile {certificate}\nkeyfile {key}")
    }
}

/// Takes one connection, hands out its first packet whole, answers with `answer` and closes.
pub(crate) fn first_packet(answer: &'static [u8]) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut packet = vec![0; 2];
            // A CONNECT of less than 128 bytes: one byte tells its length.
            if stream.read_exact(&mut packet).is_err() {
                continue;
            }
            assert!(packet[1] < 128, "a longer CONNECT than anything here needs");
            let mut rest = vec![0; usize::from(packet[1])];
            stream.read_exact(&mut rest).unwrap();
            packet.extend(rest);
            let _ = stream.write_all(answer);
            if told.send(packet).is_err() {
                return;
            }
        }
    });
    (address, heard)
}
