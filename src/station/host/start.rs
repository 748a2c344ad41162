//! Starts a station as a process of its own and waits until it answers.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::files::{DataFolders, FileLock, FilesError, create_private_dir};

use super::{Found, HostError, find, is_held};

/// How long a station may take to answer. A slow disk needs two seconds.
const START_WITHIN: Duration = Duration::from_secs(15);
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// When a log is put aside for a new one.
const LOG_BYTES: u64 = 1024 * 1024;
/// How much of a log a failure shows.
const TAIL_BYTES: u64 = 2048;

/// The program that knows `station`: `sealwire` beside this one, else this one itself.
///
/// # Errors
/// Where the system does not say which program this is.
pub fn program() -> std::io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let sibling = own.with_file_name(format!("sealwire{}", std::env::consts::EXE_SUFFIX));
    Ok(if sibling.is_file() { sibling } else { own })
}

/// The station of this data folder: the one that runs, else one that is started as
/// `program station --data DIR --for-app`. Two apps that start at once get the same one.
///
/// # Errors
/// Where none can be started: with its last words.
pub fn ensure(data: &DataFolders, program: &Path) -> Result<Found, HostError> {
    create_private_dir(data.root())?;
    let log = data.logs()?.join("station.log");
    let until = Instant::now() + START_WITHIN;
    let mut starter = None;
    let mut started: Option<(Child, u64)> = None;
    loop {
        if let Some(found) = find(data)? {
            if let Some((child, _)) = started {
                reap(child);
            }
            return Ok(found);
        }
        let since = started.as_ref().map_or(u64::MAX, |(_, since)| *since);
        if Instant::now() > until {
            let reason = last_words(&log, since).map_or(String::new(), |words| format!(": {words}"));
            return Err(HostError::TooSlow { seconds: START_WITHIN.as_secs(), reason, log });
        }
        if starter.is_none() {
            starter = FileLock::try_take(&data.root().join("starting.lock"))?;
        }
        match &mut started {
            // Who waits here while the lock is held waits for a station that starts or ends by itself.
            None if starter.is_some() && !is_held(data)? => started = Some(spawn(data, program, &log)?),
            Some((child, since)) => {
                let ended = child.try_wait().ok().flatten();
                // It may have ended because another station was quicker: then that one is found.
                if let Some(status) = ended
                    && !is_held(data)?
                {
                    let reason = last_words(&log, *since).unwrap_or_else(|| status.to_string());
                    return Err(HostError::Ended { reason, log });
                }
            }
            None => {}
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Starts the process, detached from this one's terminal. Answers with where its log begins.
fn spawn(data: &DataFolders, program: &Path, log: &Path) -> Result<(Child, u64), HostError> {
    let file = open_log(log)?;
    let since = file.metadata().map_or(0, |meta| meta.len());
    let mut command = Command::new(program);
    command.arg("station").arg("--data").arg(data.root()).arg("--for-app");
    // The log is its standard error, so that also what goes wrong before it can log is kept.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(file));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0); // Ctrl-C in the app's terminal is not for the station.
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
    }
    let start = |source| HostError::Start { program: program.to_owned(), source };
    Ok((command.spawn().map_err(start)?, since))
}

/// Opens the log at its end; one that has grown large becomes `station.log.1`.
fn open_log(log: &Path) -> Result<File, FilesError> {
    if fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_BYTES) {
        let _ = fs::rename(log, log.with_extension("log.1"));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(log).map_err(|source| FilesError::Io {
        action: "open the log",
        path: log.display().to_string(),
        source,
        hint: "",
    })
}

/// The end of what was logged since `since`, on one line.
fn last_words(log: &Path, since: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES).max(since))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(3);
    (!lines.is_empty()).then(|| lines[last..].join(" · "))
}

/// Waits for the end of a process that outlives our interest, so that it does not stay as a zombie.
fn reap(mut child: Child) {
    let _ = thread::Builder::new().name("station-reaper".into()).spawn(move || child.wait());
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that does `script` when started as a station.
    fn script(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_station_that_ends_at_once_is_reported_with_its_last_words_and_not_those_of_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolders::find(Some(&dir.path().join("data"))).unwrap();
        fs::write(data.logs().unwrap().join("station.log"), "old trouble\n").unwrap();
        let program =
            script(dir.path(), "echo \"asked: $1 $2 $4\" >&2; echo 'port 8883 is taken' >&2; exit 3");
        let error = ensure(&data, &program).unwrap_err().to_string();
        assert!(error.contains("port 8883 is taken") && error.contains("station.log"), "{error}");
        assert!(error.contains("asked: station --data --for-app"), "{error}");
        assert!(!error.contains("old trouble"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolders::find(Some(dir.path())).unwrap();
        let error = ensure(&data, &dir.path().join("nothing")).unwrap_err();
        assert!(
            matches!(&error, HostError::Start { .. }) && error.to_string().contains("nothing"),
            "{error}"
        );
    }
}
