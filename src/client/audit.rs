//! The account's two audit logs on this computer: written in batches by a thread of their own, so that no message
//! waits for them.
//!
//! What the account does as publisher goes to `publisher_audit.log`, as subscriber to `subscriber_audit.log`. Where a
//! log ends is kept at the station and beside the log, so that a cut-off end shows. Start at [`Auditor::open`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{
    api,
    audit::{Anchor, AuditError, AuditFile, Record, tail, verify, write_anchor_beside},
};

use super::{Asked, AuditLine, AuditLog, AuditVerdict, Failure, clock::now_ms, teller::Teller};

/// What stands between a log's name and the time when it was moved aside.
const DAMAGED: &str = ".damaged-";

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// How long written lines may wait for the disk's confirmation.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How many lines may come after an anchor before the next.
const ANCHOR_EVERY: u64 = 1_000;
/// Lines that are kept for the next try while the disk does not take them.
const MAX_KEPT: usize = 100_000;

/// Who acts, for every line.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub account: String,
    pub role: String,
    pub client_id: String,
}

/// Writes to the logs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Auditor {
    jobs: mpsc::Sender<Job>,
    actor: Actor,
    folder: PathBuf,
}

enum Job {
    /// Lines in their order.
    Append(Vec<(AuditLog, Record)>),
    /// Everything on disk; where the logs end now.
    Flush(oneshot::Sender<api::Anchors>),
    Close(oneshot::Sender<api::Anchors>),
}

impl AuditLog {
    fn file_name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher_audit.log",
            Self::Subscriber => "subscriber_audit.log",
        }
    }
}

impl Auditor {
    /// Opens the logs in `folder`, those of `logs` at once and others when a line comes. Each is verified against its
    /// anchor in `anchors`; one that does not hold is moved aside, told, and a new one begun. Where the logs end is
    /// sent to `due` whenever an anchor is due.
    pub(super) fn open(
        folder: PathBuf,
        actor: Actor,
        logs: &[AuditLog],
        anchors: api::Anchors,
        due: UnboundedSender<api::Anchors>,
        teller: Teller,
    ) -> Result<(Self, JoinHandle<()>), std::io::Error> {
        let (jobs, inbox) = mpsc::channel();
        let mut scribe = Scribe { folder: folder.clone(), anchors, due, teller, logs: BTreeMap::new() };
        let logs = logs.to_vec();
        let thread = std::thread::Builder::new().name("sealwire-audit".into()).spawn(move || {
            for log in logs {
                scribe.log(log);
            }
            scribe.run(&inbox);
        })?;
        Ok((Self { jobs, actor, folder }, thread))
    }

    /// One line: what was done, on which topic or filter, and `Ok` or why not.
    pub(super) fn note(&self, log: AuditLog, action: &str, topic: Option<&str>, outcome: Result<(), &str>) {
        self.note_record(log, Record { topic: topic.map(str::to_owned), ..self.record(action, outcome) });
    }

    /// A line to fill in further.
    pub(super) fn record(&self, action: &str, outcome: Result<(), &str>) -> Record {
        Record {
            time_ms: now_ms(),
            account: self.actor.account.clone(),
            role: self.actor.role.clone(),
            action: action.to_owned(),
            outcome: outcome.err().unwrap_or("ok").to_owned(),
            peer: Some(self.actor.client_id.clone()),
            ..Record::default()
        }
    }

    /// A whole line.
    pub(super) fn note_record(&self, log: AuditLog, record: Record) {
        self.note_all(vec![(log, record)]);
    }

    /// Whole lines, handed over together.
    pub(super) fn note_all(&self, lines: Vec<(AuditLog, Record)>) {
        if !lines.is_empty() {
            // The thread ends only after Close.
            let _ = self.jobs.send(Job::Append(lines));
        }
    }

    /// Waits until every line so far is on disk; where the logs end.
    pub(super) async fn flush(&self) -> api::Anchors {
        self.ask(Job::Flush).await
    }

    /// Ends the thread; where the logs end.
    pub(super) async fn close(&self) -> api::Anchors {
        self.ask(Job::Close).await
    }

    async fn ask(&self, job: fn(oneshot::Sender<api::Anchors>) -> Job) -> api::Anchors {
        let (answer, asked) = oneshot::channel();
        if self.jobs.send(job(answer)).is_err() {
            return api::Anchors::default();
        }
        asked.await.unwrap_or_default()
    }

    /// The newest lines and how many there are.
    pub(super) async fn read(&self, log: AuditLog, limit: u32) -> Result<(Vec<AuditLine>, u64), AuditError> {
        self.flush().await;
        let path = self.folder.join(log.file_name());
        let read = move || {
            if !path.exists() {
                return Ok((Vec::new(), 0));
            }
            tail(&path, usize::try_from(limit).unwrap_or(usize::MAX))
        };
        let (lines, total) = blocking(read).await?;
        Ok((lines.into_iter().map(AuditLine::from).collect(), total))
    }

    /// Verifies a log against its own chain and the station's anchors.
    pub(super) async fn verify(
        &self,
        log: AuditLog,
        anchors: api::Anchors,
    ) -> Result<AuditVerdict, AuditError> {
        self.flush().await;
        let path = self.folder.join(log.file_name());
        let shown = path.display().to_string();
        let set_aside = set_aside(&self.folder, log.file_name());
        if !path.exists() {
            return Ok(AuditVerdict { lines: 0, anchored: None, broken: None, path: shown, set_aside });
        }
        let report = blocking(move || verify(&path, |log_id| anchor_of(&anchors, log_id))).await?;
        Ok(AuditVerdict {
            lines: report.records,
            anchored: report.anchored,
            broken: report.broken.map(|broken| broken.to_string()),
            path: shown,
            set_aside,
        })
    }
}

/// What [`open`] moved aside, oldest first.
fn set_aside(folder: &Path, name: &str) -> Vec<String> {
    let prefix = format!("{name}{DAMAGED}");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path().display().to_string())
        .collect();
    found.sort();
    found
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(AuditError::Io { action: "read", path: String::new(), source: std::io::Error::other(error) })
    })
}

fn anchor_of(anchors: &api::Anchors, log_id: &str) -> Option<Anchor> {
    let anchor = anchors.logs.get(log_id)?;
    Some(Anchor { count: anchor.count, head: anchor.head.parse().ok()? })
}

impl From<crate::audit::Line> for AuditLine {
    fn from(line: crate::audit::Line) -> Self {
        let record = line.record;
        Self {
            number: line.number,
            time_ms: record.time_ms,
            action: record.action,
            topic: record.topic,
            ok: record.outcome == "ok",
            outcome: record.outcome,
            kid: record.kid,
            suite: record.suite,
            plain_len: record.plain_len,
            wire_len: record.wire_len,
            hash: line.hash.to_string(),
        }
    }
}

/// The thread's side.
struct Scribe {
    folder: PathBuf,
    anchors: api::Anchors,
    due: UnboundedSender<api::Anchors>,
    teller: Teller,
    logs: BTreeMap<&'static str, Open>,
}

struct Open {
    file: AuditFile,
    waiting: Vec<Record>,
    anchored: u64,
    unsynced: bool,
    failed: bool,
}

impl Scribe {
    fn run(&mut self, inbox: &mpsc::Receiver<Job>) {
        let mut synced = Instant::now();
        loop {
            let idle = self.logs.values().all(|log| log.waiting.is_empty() && !log.unsynced);
            let job = if idle {
                inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                inbox.recv_timeout(GATHER)
            };
            match job {
                Ok(Job::Append(lines)) => {
                    self.take(lines);
                    // What else is there already goes along, as long as nothing else was asked.
                    let until = Instant::now() + GATHER;
                    while Instant::now() < until {
                        match inbox.try_recv() {
                            Ok(Job::Append(lines)) => self.take(lines),
                            Ok(Job::Flush(answer)) => {
                                let _ = answer.send(self.settle());
                            }
                            Ok(Job::Close(answer)) => {
                                let _ = answer.send(self.settle());
                                return;
                            }
                            Err(_) => break,
                        }
                    }
                }
                Ok(Job::Flush(answer)) => {
                    let _ = answer.send(self.settle());
                }
                Ok(Job::Close(answer)) => {
                    let _ = answer.send(self.settle());
                    return;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.write();
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    self.settle();
                    return;
                }
            }
            if synced.elapsed() >= SYNC_EVERY {
                self.write();
                self.sync();
                synced = Instant::now();
            }
        }
    }

    fn take(&mut self, lines: Vec<(AuditLog, Record)>) {
        for (log, record) in lines {
            if let Some(open) = self.log(log)
                && open.waiting.len() < MAX_KEPT
            {
                open.waiting.push(record);
            }
        }
    }

    /// The open log; opened now if it was not.
    fn log(&mut self, log: AuditLog) -> Option<&mut Open> {
        let name = log.file_name();
        if !self.logs.contains_key(name) {
            match open(&self.folder.join(name), &self.anchors) {
                Ok((file, damage)) => {
                    if let Some((why, aside)) = damage {
                        let failure = Failure::new(
                            format!("{name} of this account did not hold, and a new log was begun."),
                            why,
                            format!("The old one is kept as evidence: {}.", aside.display()),
                        );
                        self.teller.fail(Asked::Audit, failure);
                    }
                    let anchored = file.anchor().count;
                    let open = Open { file, waiting: Vec::new(), anchored, unsynced: false, failed: false };
                    self.logs.insert(name, open);
                }
                Err(error) => {
                    let what = format!("{name} of this account cannot be written.");
                    let next = "Free some space or give yourself the right to the folder, then log in again.";
                    self.teller.fail(Asked::Audit, Failure::new(what, error.to_string(), next));
                    return None;
                }
            }
        }
        self.logs.get_mut(name)
    }

    fn write(&mut self) {
        let mut due = false;
        for open in self.logs.values_mut().filter(|open| !open.waiting.is_empty()) {
            match open.file.append_all(&open.waiting) {
                Ok(()) => {
                    open.waiting.clear();
                    (open.unsynced, open.failed) = (true, false);
                    due |= open.file.anchor().count - open.anchored >= ANCHOR_EVERY;
                }
                Err(error) if !open.failed => {
                    open.failed = true;
                    let next = "Free some space; the lines are kept in memory and tried again.";
                    let failure = Failure::new("The audit log was not written.", error.to_string(), next);
                    self.teller.fail(Asked::Audit, failure);
                }
                Err(_) => {}
            }
        }
        if due {
            let anchors = self.settle();
            // Nobody may listen any more at the very end.
            let _ = self.due.send(anchors);
        }
    }

    fn sync(&mut self) {
        for open in self.logs.values_mut().filter(|open| open.unsynced) {
            match open.file.sync() {
                Ok(()) => open.unsynced = false,
                Err(error) => tracing::warn!(%error, "the audit log was not flushed"),
            }
        }
    }

    /// Everything on disk, the anchors beside the logs; where they end. On disk first: an anchor of lines that a power
    /// cut takes away would look like a cut-off log.
    fn settle(&mut self) -> api::Anchors {
        for open in self.logs.values_mut().filter(|open| !open.waiting.is_empty()) {
            match open.file.append_all(&open.waiting) {
                Ok(()) => {
                    open.waiting.clear();
                    open.unsynced = true;
                }
                Err(error) => tracing::warn!(%error, "the audit log was not written"),
            }
        }
        self.sync();
        let mut anchors = api::Anchors::default();
        for open in self.logs.values_mut() {
            let anchor = open.file.anchor();
            open.anchored = anchor.count;
            let log_id = open.file.log_id().to_owned();
            if let Err(error) = write_anchor_beside(open.file.path(), &log_id, &anchor) {
                tracing::warn!(%error, "the anchor beside the audit log was not written");
            }
            anchors.logs.insert(log_id, api::Anchor { count: anchor.count, head: anchor.head.to_string() });
        }
        anchors
    }
}

/// Opens and verifies a log. One that does not hold is moved aside: why, and where it is now.
fn open(path: &Path, anchors: &api::Anchors) -> Result<(AuditFile, Option<(String, PathBuf)>), AuditError> {
    let why = match AuditFile::open(path, now_ms()) {
        Ok(file) => {
            let verified = verify(path, |log_id| anchor_of(anchors, log_id))?;
            match verified.broken {
                None => return Ok((file, None)),
                Some(broken) => broken.to_string(),
            }
        }
        Err(AuditError::NotALog { line, .. }) => format!("line {line} is not what was written"),
        Err(error) => return Err(error),
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!("{DAMAGED}{}", now_ms()));
    let aside = PathBuf::from(aside);
    std::fs::rename(path, &aside).map_err(|source| AuditError::Io {
        action: "move aside",
        path: path.display().to_string(),
        source,
    })?;
    Ok((AuditFile::open(path, now_ms())?, Some((why, aside))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auditor(
        folder: &Path,
        anchors: api::Anchors,
    ) -> (Auditor, JoinHandle<()>, crossbeam_channel::Receiver<Vec<crate::client::Event>>, Teller) {
        let (sender, events) = crossbeam_channel::unbounded();
        let teller = Teller::new(sender, std::sync::Arc::new(|| {}));
        let actor = Actor { account: "anna".into(), role: "admin".into(), client_id: "c".into() };
        let (due, _) = tokio::sync::mpsc::unbounded_channel();
        let logs = [AuditLog::Publisher];
        let (auditor, thread) =
            Auditor::open(folder.to_owned(), actor, &logs, anchors, due, teller.clone()).unwrap();
        (auditor, thread, events, teller)
    }

    #[tokio::test]
    async fn lines_are_read_back_newest_first_and_their_end_is_anchored_beside_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let (auditor, thread, _events, _) = auditor(dir.path(), api::Anchors::default());
        for n in 0..2500 {
            auditor.note(AuditLog::Publisher, "publish", Some(&format!("t/{n}")), Ok(()));
        }
        auditor.note(AuditLog::Publisher, "publish", Some("x"), Err("refused: no"));
        let (lines, total) = auditor.read(AuditLog::Publisher, 2).await.unwrap();
        assert_eq!((total, lines.len()), (2501, 2));
        assert_eq!((lines[0].ok, lines[0].outcome.as_str()), (false, "refused: no"));
        assert_eq!((lines[1].ok, lines[1].topic.as_deref()), (true, Some("t/2499")));
        let anchors = auditor.close().await;
        thread.join().unwrap();
        let beside = std::fs::read(dir.path().join("publisher_audit.log.anchor")).unwrap();
        let beside: serde_json::Value = serde_json::from_slice(&beside).unwrap();
        let (log_id, anchor) = anchors.logs.iter().next().unwrap();
        assert_eq!(beside, serde_json::json!({ "log": log_id, "count": 2501, "head": anchor.head }));
    }

    #[tokio::test]
    async fn a_log_whose_end_was_cut_off_is_kept_as_evidence_told_and_a_new_one_begun() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("publisher_audit.log");
        let (first, thread, _, _) = auditor(dir.path(), api::Anchors::default());
        for _ in 0..3 {
            first.note(AuditLog::Publisher, "publish", None, Ok(()));
        }
        let anchors = first.close().await;
        thread.join().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let cut: Vec<_> = text.lines().take(3).collect();
        std::fs::write(&path, cut.join("\n") + "\n").unwrap();

        let (second, thread, events, teller) = auditor(dir.path(), anchors);
        second.note(AuditLog::Publisher, "login", None, Ok(()));
        let (_, total) = second.read(AuditLog::Publisher, 10).await.unwrap();
        assert_eq!(total, 1);
        assert!(teller.flush());
        let told = events.recv().unwrap();
        let crate::client::Event::Failed(Asked::Audit, failure) = &told[0] else { panic!("{told:?}") };
        assert!(failure.why.contains("cut off"), "{failure:?}");
        let aside = std::fs::read_dir(dir.path()).unwrap().filter_map(Result::ok);
        assert_eq!(aside.filter(|f| f.file_name().to_string_lossy().contains(".log.damaged-")).count(), 1);
        second.close().await;
        thread.join().unwrap();
    }
}
