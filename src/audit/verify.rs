//! Reads a log from its first line and says where it stops being what was written.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::files::{read_bounded, write_atomic};

use super::{
    AuditError, Hash, Record, chain,
    record::{Header, Numbered},
};

/// No line is longer: a topic has 64 KiB at most, JSON may write a byte as six, and [`Record::shorten`] bounds the rest.
pub(super) const MAX_LINE_BYTES: u64 = 512 * 1024;

/// Where a log was seen to end, kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Records so far.
    pub count: u64,
    /// The hash of the last.
    pub head: Hash,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The content does not give the hash.
    #[error("line {0} was changed, or a line before it was removed, added or moved")]
    Changed(u64),
    /// The numbers do not count up by one.
    #[error("line {line} says it is number {says}: a line was removed, repeated or moved")]
    Order {
        /// Where, from 1.
        line: u64,
        /// The number it carries.
        says: u64,
    },
    /// Not a line of a log.
    #[error("line {0} is damaged: it is no line of an audit log")]
    Damaged(u64),
    /// The last line is incomplete, as a power cut or a cut-off file leaves it.
    #[error("the file ends in the middle of line {0}: it was cut off there")]
    CutInLine(u64),
    /// Shorter than an anchor says.
    #[error("the log ends after {have} lines, but it had {had}: its end was cut off")]
    CutOff {
        /// Lines here.
        have: u64,
        /// Lines that the anchor saw.
        had: u64,
    },
    /// As long as the anchor says, with another hash there.
    #[error("line {0} is not the one that the anchor saw: the log was rewritten")]
    Rewritten(u64),
}

/// What reading a log told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log's id; empty where not even the first line holds.
    pub log_id: String,
    /// Records that hold.
    pub records: u64,
    /// The hash of the last that holds.
    pub head: Hash,
    /// Up to which record an anchor confirms it.
    pub anchored: Option<u64>,
    /// The first thing that is wrong; `None` when all holds.
    pub broken: Option<Broken>,
}

/// Verifies the log at `path`. `anchor_of` is asked for the anchor of the log id found.
///
/// # Errors
/// Where the file cannot be read. What is wrong inside it is in the report.
pub fn verify(path: &Path, anchor_of: impl FnOnce(&str) -> Option<Anchor>) -> Result<Report, AuditError> {
    let (mut report, mut lines) = begin(path)?;
    if report.broken.is_some() {
        return Ok(report);
    }
    let anchor = anchor_of(&report.log_id);
    // An anchor of an empty log says nothing that the header does not say.
    let mut at_anchor =
        anchor.filter(|anchor| anchor.count == 0).map(|anchor| (0, anchor.head == report.head));
    let stopped = walk(&mut report, &mut lines, |number, hash, _| {
        if let Some(anchor) = anchor
            && anchor.count == number
        {
            at_anchor = Some((number, anchor.head == hash));
        }
    })?;
    report.broken = stopped;
    match (anchor, at_anchor) {
        (_, Some((number, true))) => report.anchored = Some(number),
        (_, Some((number, false))) if report.broken.is_none() => {
            report.broken = Some(Broken::Rewritten(number));
        }
        (Some(anchor), None) if report.broken.is_none() => {
            report.broken = Some(Broken::CutOff { have: report.records, had: anchor.count });
        }
        _ => {}
    }
    Ok(report)
}

/// The lines of a log, read one at a time.
pub(super) struct Lines<'p> {
    path: &'p Path,
    reader: BufReader<File>,
    at: u64,
    line: Vec<u8>,
}

impl Lines<'_> {
    /// The next line without its line break; `None` at the end; the inner error where it is not whole.
    fn next(&mut self) -> Result<Option<Result<&str, Broken>>, AuditError> {
        self.line.clear();
        let io = |source| AuditError::Io { action: "read", path: self.path.display().to_string(), source };
        let got = self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line).map_err(io)?;
        if got == 0 {
            return Ok(None);
        }
        self.at += 1;
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            let too_long = got as u64 == MAX_LINE_BYTES;
            return Ok(Some(Err(if too_long {
                Broken::Damaged(self.at)
            } else {
                Broken::CutInLine(self.at)
            })));
        }
        Ok(Some(std::str::from_utf8(&self.line).map_err(|_| Broken::Damaged(self.at))))
    }
}

/// Opens a log and checks its first line.
pub(super) fn begin(path: &Path) -> Result<(Report, Lines<'_>), AuditError> {
    let file = File::open(path).map_err(|source| AuditError::Io {
        action: "open",
        path: path.display().to_string(),
        source,
    })?;
    let mut lines = Lines { path, reader: BufReader::new(file), at: 0, line: Vec::new() };
    let mut report =
        Report { log_id: String::new(), records: 0, head: Hash::START, anchored: None, broken: None };
    let header = match lines.next()? {
        None => Err(Broken::Damaged(1)),
        Some(line) => line.and_then(|line| {
            let (content, claimed) = chain::split(line).ok_or(Broken::Damaged(1))?;
            let header: Header =
                serde_json::from_str(&format!("{content}}}")).map_err(|_| Broken::Damaged(1))?;
            let hash = Hash::START.next(content);
            if hash != claimed || header.n != 0 { Err(Broken::Changed(1)) } else { Ok((header.log, hash)) }
        }),
    };
    match header {
        Ok((log_id, hash)) => (report.log_id, report.head) = (log_id, hash),
        Err(broken) => report.broken = Some(broken),
    }
    Ok((report, lines))
}

/// Walks the records after the first line, counting those that hold into `report`; returns what stopped it.
pub(super) fn walk(
    report: &mut Report,
    lines: &mut Lines<'_>,
    mut each: impl FnMut(u64, Hash, Record),
) -> Result<Option<Broken>, AuditError> {
    while let Some(line) = lines.next()? {
        let checked = line.map(str::to_owned).and_then(|line| check(&line, report.records + 2, &report.head));
        match checked {
            Ok((hash, record)) => {
                report.records += 1;
                report.head = hash;
                each(report.records, hash, record);
            }
            Err(broken) => return Ok(Some(broken)),
        }
    }
    Ok(None)
}

/// One record against the hash before it; `at` is its line, from 1.
fn check(line: &str, at: u64, before: &Hash) -> Result<(Hash, Record), Broken> {
    let (content, claimed) = chain::split(line).ok_or(Broken::Damaged(at))?;
    let numbered: Numbered<Record> =
        serde_json::from_str(&format!("{content}}}")).map_err(|_| Broken::Damaged(at))?;
    if numbered.n != at - 1 {
        return Err(Broken::Order { line: at, says: numbered.n });
    }
    let hash = before.next(content);
    if hash != claimed {
        return Err(Broken::Changed(at));
    }
    Ok((hash, numbered.record))
}

/// An anchor as a file beside its log, for the terminal.
#[derive(Debug, Serialize, Deserialize)]
struct AnchorFile {
    log: String,
    count: u64,
    head: String,
}

fn anchor_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".anchor");
    name.into()
}

/// Keeps the anchor of the log `log_id` in a file beside it. It catches an accident; against somebody who can write
/// the folder the one at the station counts.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_anchor_beside(log: &Path, log_id: &str, anchor: &Anchor) -> Result<(), AuditError> {
    let file = AnchorFile { log: log_id.to_owned(), count: anchor.count, head: anchor.head.to_string() };
    let text = serde_json::to_vec(&file).map_err(|e| AuditError::Io {
        action: "anchor",
        path: log.display().to_string(),
        source: e.into(),
    })?;
    Ok(write_atomic(&anchor_path(log), &text)?)
}

/// The anchor kept beside a log, with the log id it is of; `None` where there is none.
///
/// # Errors
/// Where there is one that cannot be read.
pub fn read_anchor_beside(log: &Path) -> Result<Option<(String, Anchor)>, AuditError> {
    let path = anchor_path(log);
    if !path.exists() {
        return Ok(None);
    }
    let damaged = || AuditError::NotALog { path: path.display().to_string(), line: 1 };
    let file: AnchorFile = serde_json::from_slice(&read_bounded(&path, 4096)?).map_err(|_| damaged())?;
    let head = file.head.parse().map_err(|()| damaged())?;
    Ok(Some((file.log, Anchor { count: file.count, head })))
}
