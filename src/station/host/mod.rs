//! Finds the station of a data folder, or starts one. Standard library and files only: the app has no runtime here.
//!
//! A running station holds `station.lock` for life, so a stale [`StationFile`] after a power cut deceives nobody.
//! An app takes its [`Lease`] first and then calls [`ensure`]: a station that is about to end sees the lease and
//! stays, or has ended before the app looks.

mod lease;
mod record;
mod start;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use crate::{
    api::Confidential,
    files::{FileLock, FilesError},
};

pub use crate::files::DataFolders;

pub use lease::Lease;
pub use record::StationFile;
pub use start::{ensure, program};

#[cfg(feature = "station")]
pub(crate) use lease::Gate;

/// How long a station on this computer may take to accept a connection.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// A station that runs on this computer.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where its HTTPS API is.
    pub api: SocketAddr,
    /// SHA-256 of its CA's public key, 64 hex digits, to be pinned.
    pub fingerprint: String,
    /// What the first account must present; `None` once there is one. Wiped when dropped.
    pub setup_code: Option<Confidential>,
    /// The version of the program that runs it.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// Why no station was found or started.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file or a folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The program is not there, or may not be run.
    #[error("cannot start the station with {}: {source}. Is Sealwire installed whole?", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It ended at once.
    #[error("the station ended as it started: {reason}. Its log is {}", log.display())]
    Ended {
        /// Its last words.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// It did not answer in time.
    #[error(
        "the station did not answer within {seconds} seconds{reason}. Try again; if it stays so, look into {}",
        log.display()
    )]
    TooSlow {
        /// How long was waited.
        seconds: u64,
        /// Its last words with a leading ": ", or empty.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
}

/// The lock that a running station holds.
pub(crate) fn lock_path(data: &DataFolders) -> PathBuf {
    data.root().join("station.lock")
}

/// Where the setup code waits until the first account is there.
pub(crate) fn setup_code_path(keys: &std::path::Path) -> PathBuf {
    keys.join("setup-code")
}

/// Whether a process holds the station's lock. Taking it for a moment to see does no harm: a station that starts
/// just then tries more than once.
pub(crate) fn is_held(data: &DataFolders) -> Result<bool, FilesError> {
    if !data.root().is_dir() {
        return Ok(false);
    }
    Ok(FileLock::try_take(&lock_path(data))?.is_none())
}

/// The station that runs on this data folder and answers, or `None`.
///
/// # Errors
/// Where the folder cannot be read.
pub fn find(data: &DataFolders) -> Result<Option<Found>, HostError> {
    if !is_held(data)? {
        return Ok(None);
    }
    let Some(record) = StationFile::read(data)? else { return Ok(None) };
    let api = reachable(record.api);
    if TcpStream::connect_timeout(&api, ANSWERS_WITHIN).is_err() {
        return Ok(None);
    }
    // Its own place and no other that the record may name: what is read there is sent to that station.
    let file = record.setup_code.map(|_| setup_code_path(&data.root().join("keys")));
    let setup_code = record::read_setup_code(file.as_deref());
    Ok(Some(Found {
        api,
        fingerprint: record.fingerprint,
        setup_code,
        version: record.version,
        pid: record.pid,
    }))
}

/// Where a listener on `0.0.0.0` or `::` is reached from this computer.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolders) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolders::find(Some(dir.path())).unwrap();
        (dir, data)
    }

    fn record(api: SocketAddr) -> StationFile {
        StationFile {
            api,
            mqtt_tls_port: 8883,
            fingerprint: "ab".repeat(32),
            pid: 1,
            version: "0".into(),
            setup_code: None,
        }
    }

    #[test]
    fn a_record_left_by_a_killed_station_deceives_nobody() {
        let (_dir, data) = folder();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let record = record(listener.local_addr().unwrap());
        record.write(&data).unwrap();
        assert!(find(&data).unwrap().is_none(), "nobody holds the lock");
        let lock = FileLock::try_take(&lock_path(&data)).unwrap().unwrap();
        let found = find(&data).unwrap().expect("lock held, port answers");
        assert_eq!(found.fingerprint, record.fingerprint);
        drop(listener);
        assert!(find(&data).unwrap().is_none(), "lock held, but nobody answers there");
        drop(lock);
    }

    #[test]
    fn a_record_cannot_make_an_app_read_another_file_as_the_setup_code() {
        let (dir, data) = folder();
        let _lock = FileLock::try_take(&lock_path(&data)).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let private = dir.path().join("private");
        std::fs::write(&private, "a key of mine").unwrap();
        let record = StationFile { setup_code: Some(private), ..record(listener.local_addr().unwrap()) };
        record.write(&data).unwrap();
        assert!(find(&data).unwrap().unwrap().setup_code.is_none());
        crate::files::write_secret(&setup_code_path(&data.keys().unwrap()), b"ABCDE").unwrap();
        assert_eq!(find(&data).unwrap().unwrap().setup_code.unwrap().reveal(), "ABCDE");
    }

    #[test]
    fn a_station_on_every_address_is_found_on_loopback() {
        let (_dir, data) = folder();
        let _lock = FileLock::try_take(&lock_path(&data)).unwrap().unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        record(listener.local_addr().unwrap()).write(&data).unwrap();
        assert!(find(&data).unwrap().unwrap().api.ip().is_loopback());
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_station_and_is_not_made() {
        let (dir, _) = folder();
        let data = DataFolders::find(Some(&dir.path().join("none"))).unwrap();
        assert!(find(&data).unwrap().is_none());
        assert!(!data.root().exists());
    }
}
