//! A real Mosquitto, as somebody else would run it, and a listener that only writes down what a client says first.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker of another make, ended when dropped.
pub(crate) struct Mosquitto {
    pub(crate) port: u16,
    process: Child,
    config: PathBuf,
    _dir: Option<TempDir>,
}

/// A port that nothing listens on now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Mosquitto {
    /// With these lines of configuration for its one listener, which may name files of `pki`.
    pub(crate) fn with(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = dir.path().join("mosquitto.conf");
        // As root it would become another user, who cannot read the certificates.
        // Version 2.0.11 starts no WebSocket listener where there is no other.
        let other = if lines.contains("websockets") {
            format!("listener {} 127.0.0.1\n", free_port())
        } else {
            String::new()
        };
        let text = format!("user root\nlog_type all\n{other}listener {port} 127.0.0.1\n{lines}\n");
        std::fs::write(&config, text).unwrap();
        let process = start(&config);
        Self { port, process, config, _dir: Some(dir) }
    }

    /// That lets everybody in.
    pub(crate) fn open() -> Self {
        Self::with("allow_anonymous true")
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Kills it; what it kept in memory is gone.
    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// Starts it again at the same port.
    pub(crate) fn start_again(&mut self) {
        self.process = start(&self.config);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts it and waits until it says that it runs.
fn start(config: &Path) -> Child {
    let mut process = program("mosquitto")
        .arg("-c")
        .arg(config)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("mosquitto is installed (Debian: apt-get install mosquitto)");
    let (line, lines) = mpsc::channel();
    let stderr = process.stderr.take().unwrap();
    // Read to the end, or it would block.
    std::thread::spawn(move || {
        BufReader::new(stderr).lines().map_while(Result::ok).for_each(|text| drop(line.send(text)));
    });
    let mut told = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(text) if text.ends_with(" running") => return process,
            Ok(text) => told.push(text),
            Err(_) => panic!("mosquitto did not start:\n{}", told.join("\n")),
        }
    }
}

/// Debian puts it where the PATH of a user does not look.
fn program(name: &str) -> Command {
    let sbin = Path::new("/usr/sbin").join(name);
    Command::new(if sbin.exists() { sbin } else { PathBuf::from(name) })
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
