//! The program with its environment under control, what a test asks of a mosquitto, and a subscriber that is known to listen.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command as Process, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
};

use serde_json::Value;

#[path = "../support/mosquitto.rs"]
mod mosquitto;

pub use mosquitto::Mosquitto;

use crate::support::PATIENCE;

/// Strong enough for every meter.
pub const PASSPHRASE: &str = "lantern gravel otter mosaic";

/// A folder with whatever a test needs in it.
pub struct Desk(pub tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file for its owner alone.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        path
    }

    /// The program, in this folder, with none of our variables but those a test sets.
    pub fn sealwire(&self, args: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_sealwire"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALWIRE_") {
                process.env_remove(name);
            }
        }
        process
            .args(args)
            .current_dir(self.0.path())
            .env("SEALWIRE_DATA", self.path("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(self.sealwire(args).output().unwrap())
    }

    /// With this on standard input.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Done {
        let mut child = self.sealwire(args).stdin(Stdio::piped()).spawn().unwrap();
        // A program that refuses its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(input);
        Done::of(child.wait_with_output().unwrap())
    }

    /// A key line for a filter, in a file.
    pub fn key_line(&self, name: &str, filter: &str, suite: &str) -> PathBuf {
        let path = self.path(name);
        let text = path.to_str().unwrap();
        self.run(&["key", "new", name, "-t", filter, "--suite", suite, "--out", text]).ok();
        path
    }
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), out: output.stdout, err }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.ends(0)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.text(), self.err);
        self
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Ends with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `sealwire sub`, once it is subscribed.
pub struct Listener {
    child: Running,
    out: BufReader<ChildStdout>,
    err: Receiver<String>,
    told: Vec<String>,
}

impl Listener {
    /// With these arguments and variables. `-v` is added, so that it says when it is subscribed.
    pub fn start(desk: &Desk, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let all: Vec<&str> = ["sub", "-v"].iter().chain(args).copied().collect();
        let mut child = desk.sealwire(&all).envs(variables.iter().copied()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, err) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let Ok(line) = line else { return };
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let mut listener = Self { child: Running(child), out, err, told: Vec::new() };
        listener.hear("subscribed");
        listener
    }

    /// Waits for a line on standard error that holds this.
    #[track_caller]
    pub fn hear(&mut self, what: &str) -> String {
        loop {
            match self.err.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return line,
                Ok(line) => self.told.push(line),
                Err(_) => panic!("{what:?} was not heard: {:?}", self.told),
            }
        }
    }

    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    #[track_caller]
    pub fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Ctrl+C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        assert!(Process::new("kill").args(["-INT", &self.pid().to_string()]).status().unwrap().success());
    }

    /// Gives up reading.
    pub fn hang_up(self) -> ExitStatus {
        let Self { mut child, out, .. } = self;
        drop(out);
        child.0.wait().unwrap()
    }

    /// Everything else it says, and how it ends.
    pub fn rest(mut self) -> Done {
        let mut out = Vec::new();
        self.out.read_to_end(&mut out).unwrap();
        let status = self.child.0.wait().unwrap();
        self.told.extend(self.err.iter());
        Done { code: status.code(), out, err: self.told.join("\n") }
    }
}

/// Its own clients ask it what ours left there.
impl Mosquitto {
    /// One that anybody on this computer may use.
    pub fn start() -> Self {
        Self::open()
    }

    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address())
    }

    /// Gone, and back at the same port.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// `mosquitto_pub`.
    pub fn publish(&self, args: &[&str]) {
        let port = self.port.to_string();
        let status =
            Process::new("mosquitto_pub").args(["-h", "127.0.0.1", "-p", &port]).args(args).status().unwrap();
        assert!(status.success());
    }

    /// The next message that `mosquitto_sub` gets; there has to be a retained one.
    pub fn retained(&self, topic: &str) -> Vec<u8> {
        let output = Process::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-t", topic, "-C", "1", "-N", "-W", "30"])
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    }
}

/// Python with `cryptography`.
pub fn python(script: &str, args: &[&str]) -> Vec<u8> {
    let python = std::env::var("SEALWIRE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Process::new(python).arg("-c").arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
