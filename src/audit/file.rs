//! The sink that is a file: appended to by one process at a time, a line cut off by a crash cleared away.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::files::{FileLock, create_private_dir, write_atomic};

use super::{
    Anchor, AuditError, Hash, Line, Record, chain,
    record::{Header, MAX_TOPIC_BYTES, Numbered},
    verify::{Broken, begin, walk},
};

/// A log that is open for appending.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    file: File,
    _lock: FileLock,
    log_id: String,
    count: u64,
    head: Hash,
}

impl AuditFile {
    /// Opens the log at `path`, or begins one. A last line that a crash cut short is cleared away.
    ///
    /// # Errors
    /// Where the file cannot be used, another process has it, or a line in it does not hold: the file is left as it
    /// is, as evidence.
    pub fn open(path: &Path, now_ms: u64) -> Result<Self, AuditError> {
        let shown = path.display().to_string();
        let io = |action| {
            let path = shown.clone();
            move |source| AuditError::Io { action, path, source }
        };
        create_private_dir(path.parent().unwrap_or(Path::new(".")))?;
        let lock = FileLock::try_take(&path.with_extension("lock"))?
            .ok_or_else(|| AuditError::InUse(shown.clone()))?;
        if std::fs::metadata(path).map_or(0, |m| m.len()) == 0 {
            let mut id = [0; 8];
            getrandom::fill(&mut id).map_err(|e| io("begin")(std::io::Error::other(e.to_string())))?;
            let log = id.iter().map(|byte| format!("{byte:02x}")).collect();
            let header = serde_json::to_string(&Header { n: 0, log, begun_ms: now_ms })
                .map_err(|e| io("begin")(e.into()))?;
            let (line, _) = chain::close(&header, &Hash::START);
            write_atomic(path, format!("{line}\n").as_bytes())?;
        }
        let (mut report, mut lines) = begin(path)?;
        let stopped = match report.broken.take() {
            Some(broken) => Some(broken),
            None => walk(&mut report, &mut lines, |_, _, _| {})?,
        };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(io("open"))?;
        match stopped {
            None => {}
            Some(Broken::CutInLine(_)) if !report.log_id.is_empty() => {
                let whole = length_of_whole_lines(path).map_err(io("mend"))?;
                file.set_len(whole).map_err(io("mend"))?;
                tracing::warn!(path = %shown, "the last line of the audit log was cut off by a crash and was removed");
            }
            Some(_) => return Err(AuditError::NotALog { path: shown, line: report.records + 2 }),
        }
        file.seek(SeekFrom::End(0)).map_err(io("open"))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            _lock: lock,
            log_id: report.log_id,
            count: report.records,
            head: report.head,
        })
    }

    /// Appends one record. It is handed to the system at once, and to the disk by [`AuditFile::sync`].
    ///
    /// # Errors
    /// Where the disk is full or gone; the log then still ends with a whole line.
    pub fn append(&mut self, record: &Record) -> Result<Line, AuditError> {
        self.append_all(std::slice::from_ref(record)).map(|_| Line {
            number: self.count,
            record: record.clone(),
            hash: self.head,
        })
    }

    /// Appends several in one write.
    ///
    /// # Errors
    /// As [`AuditFile::append`]; then none of them is in the log.
    pub fn append_all(&mut self, records: &[Record]) -> Result<(), AuditError> {
        let path = || self.path.display().to_string();
        let io = |source| AuditError::Io { action: "write", path: path(), source };
        let (mut text, mut head, mut count) = (String::new(), self.head, self.count);
        for record in records {
            count += 1;
            let mut record = Cow::Borrowed(record);
            if !record.fits(MAX_TOPIC_BYTES) {
                record.to_mut().shorten(MAX_TOPIC_BYTES);
            }
            let object = serde_json::to_string(&Numbered { n: count, record }).map_err(|e| io(e.into()))?;
            let (line, hash) = chain::close(&object, &head);
            text.push_str(&line);
            text.push('\n');
            head = hash;
        }
        let before = self.file.stream_position().map_err(io)?;
        if let Err(source) = self.file.write_all(text.as_bytes()) {
            // Half a line would break the chain for whatever comes next.
            let undone =
                self.file.set_len(before).and_then(|()| self.file.seek(SeekFrom::Start(before)).map(drop));
            return Err(io(undone.err().unwrap_or(source)));
        }
        (self.head, self.count) = (head, count);
        Ok(())
    }

    /// Forces what was appended to the disk.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn sync(&self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|source| AuditError::Io {
            action: "flush",
            path: self.path.display().to_string(),
            source,
        })
    }

    /// The log's random id.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it ends now.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        Anchor { count: self.count, head: self.head }
    }
}

/// The newest `limit` lines that hold, newest first, and how many there are in all.
///
/// # Errors
/// Where the file cannot be read.
pub fn tail(path: &Path, limit: usize) -> Result<(Vec<Line>, u64), AuditError> {
    let (mut report, mut lines) = begin(path)?;
    let mut newest = VecDeque::new();
    if report.broken.is_none() {
        walk(&mut report, &mut lines, |number, hash, record| {
            newest.push_front(Line { number, record, hash });
            newest.truncate(limit);
        })?;
    }
    Ok((newest.into(), report.records))
}

/// The file's length up to and with its last line break.
fn length_of_whole_lines(path: &Path) -> std::io::Result<u64> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audit::verify;

    fn record(topic: &str) -> Record {
        Record {
            account: "anna".into(),
            action: "publish".into(),
            topic: Some(topic.into()),
            outcome: "ok".into(),
            ..Record::default()
        }
    }

    fn log_of(lines: usize) -> (tempfile::TempDir, PathBuf, Anchor) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("publisher_audit.log");
        let mut log = AuditFile::open(&path, 1).unwrap();
        for n in 0..lines {
            log.append(&record(&format!("t/{n}"))).unwrap();
        }
        let anchor = log.anchor();
        (dir, path, anchor)
    }

    /// Rewrites the file line by line, then verifies it.
    fn after(path: &Path, anchor: Option<Anchor>, edit: impl FnOnce(&mut Vec<String>)) -> Option<Broken> {
        let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        edit(&mut lines);
        fs::write(path, lines.join("\n") + "\n").unwrap();
        verify(path, |_| anchor).unwrap().broken
    }

    #[test]
    fn an_untouched_log_holds_and_goes_on_after_reopening() {
        let (_dir, path, anchor) = log_of(3);
        let mut log = AuditFile::open(&path, 2).unwrap();
        assert_eq!(log.anchor(), anchor);
        log.append(&record("more")).unwrap();
        drop(log);
        let report = verify(&path, |_| Some(anchor)).unwrap();
        assert_eq!((report.records, report.anchored, report.broken), (4, Some(3), None));
        let (lines, total) = tail(&path, 2).unwrap();
        assert_eq!((lines[0].number, lines[1].number, total), (4, 3, 4));
    }

    #[test]
    fn the_longest_texts_that_a_stranger_can_send_make_a_line_that_reads_back() {
        let (_dir, path, _) = log_of(0);
        let nasty = "\u{1}".repeat(65_535);
        let peer = Some(nasty.clone());
        let denied = Record { outcome: nasty.clone(), peer, account: nasty.clone(), ..record(&nasty) };
        AuditFile::open(&path, 1).unwrap().append(&denied).unwrap();
        let log = AuditFile::open(&path, 1).unwrap();
        assert_eq!((log.anchor().count, verify(&path, |_| None).unwrap().broken), (1, None));
        let line = &tail(&path, 1).unwrap().0[0].record;
        assert_eq!(line.topic.as_deref(), Some(nasty.as_str()), "a topic is kept whole");
        assert!(line.outcome.ends_with("… (65535 bytes)"));
    }

    #[test]
    fn a_changed_a_removed_and_a_moved_line_each_show() {
        let (_dir, path, _) = log_of(5);
        let original = fs::read(&path).unwrap();
        assert_eq!(after(&path, None, |l| l[2] = l[2].replace("t/1", "t/9")), Some(Broken::Changed(3)));
        fs::write(&path, &original).unwrap();
        assert_eq!(after(&path, None, |l| drop(l.remove(2))), Some(Broken::Order { line: 3, says: 3 }));
        fs::write(&path, &original).unwrap();
        assert_eq!(after(&path, None, |l| l.swap(2, 3)), Some(Broken::Order { line: 3, says: 3 }));
        fs::write(&path, &original).unwrap();
        assert_eq!(after(&path, None, |l| l[4] = "not a line".into()), Some(Broken::Damaged(5)));
    }

    #[test]
    fn a_cut_off_or_rewritten_end_shows_by_its_anchor_only() {
        let (_dir, path, anchor) = log_of(5);
        assert_eq!(after(&path, None, |l| l.truncate(4)), None);
        assert_eq!(after(&path, Some(anchor), |_| {}), Some(Broken::CutOff { have: 3, had: 5 }));
        let mut log = AuditFile::open(&path, 2).unwrap();
        for _ in 0..3 {
            log.append(&record("forged")).unwrap();
        }
        drop(log);
        assert_eq!(after(&path, Some(anchor), |_| {}), Some(Broken::Rewritten(5)));
    }

    #[test]
    fn half_a_line_left_by_a_crash_is_cleared_away_and_an_earlier_fault_is_not() {
        let (_dir, path, anchor) = log_of(3);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"n\":4,\"time");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(verify(&path, |_| None).unwrap().broken, Some(Broken::CutInLine(5)));
        assert_eq!(AuditFile::open(&path, 2).unwrap().anchor(), anchor);
        assert_eq!(after(&path, None, |l| l[1] = l[1].replace("t/0", "t/9")), Some(Broken::Changed(2)));
        assert!(matches!(AuditFile::open(&path, 2), Err(AuditError::NotALog { line: 2, .. })));
    }

    #[test]
    fn two_writers_are_refused() {
        let (_dir, path, _) = log_of(1);
        let _first = AuditFile::open(&path, 2).unwrap();
        assert!(matches!(AuditFile::open(&path, 2), Err(AuditError::InUse(_))));
    }
}
