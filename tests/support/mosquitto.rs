//! A real Mosquitto in a process of its own, as somebody else would run it: the one place of the tests that starts it.
//!
//! A file of its own, so that a binary can take it without the rest of this folder (`#[path = …]`).
#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tempfile::TempDir;

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker of another make, ended when dropped.
pub struct Mosquitto {
    pub port: u16,
    process: Child,
    config: PathBuf,
    _folder: TempDir,
}

/// A port that nothing listens on now.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Mosquitto {
    /// With these lines of configuration for its one listener, which may name files.
    pub fn with(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = folder.path().join("mosquitto.conf");
        // Version 2.0.11 starts no WebSocket listener where there is no other.
        let other = if lines.contains("websockets") {
            format!("listener {} 127.0.0.1\n", free_port())
        } else {
            String::new()
        };
        // As root it would become another user, who cannot read the certificates.
        let text = format!("user root\nlog_type all\n{other}listener {port} 127.0.0.1\n{lines}\n");
        std::fs::write(&config, text).unwrap();
        let process = start(&config);
        Self { port, process, config, _folder: folder }
    }

    /// That lets everybody in.
    pub fn open() -> Self {
        Self::with("allow_anonymous true")
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Kills it; what it kept in memory is gone.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// Starts it again at the same port.
    pub fn start_again(&mut self) {
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
    let mut process = program()
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
fn program() -> Command {
    let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].map(Path::new);
    Command::new(places.into_iter().find(|place| place.exists()).unwrap_or(Path::new("mosquitto")))
}
