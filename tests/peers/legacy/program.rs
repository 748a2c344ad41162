//! One of the older programs as it runs: what it prints, and what somebody types.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command as Process, Stdio},
    sync::mpsc,
    time::Instant,
};

use crate::support::PATIENCE;

/// A running program, its lines as they come.
pub(crate) struct Program {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Program {
    /// One of the files beside this one, at this broker.
    pub(crate) fn start(name: &str, verb: Option<&str>, host: &str, port: &str, more: &[&str]) -> Self {
        let python = std::env::var("SEALWIRE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/legacy").join(name);
        let mut process = Process::new(python);
        process.args(["-W", "ignore"]).arg(file).args(verb).args([host, port]).args(more);
        let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (told, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Self { stdin: child.stdin.take().unwrap(), child, lines }
    }

    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
        self.stdin.flush().unwrap();
    }

    /// Its next line that begins so, without that beginning.
    #[track_caller]
    pub(crate) fn prints(&self, beginning: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.strip_prefix(beginning) {
                    Some(rest) => return rest.to_owned(),
                    None => seen.push(line),
                },
                Err(why) => panic!("“{beginning}…” was not printed ({why}); but {seen:?}"),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
