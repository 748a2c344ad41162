//! Why a station could not run, with the next step.

use std::{net::SocketAddr, path::PathBuf};

use crate::files::FilesError;

/// Why a station does not run.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// A file or a folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Another process has the data folder.
    #[error(
        "another station already runs on {}: stop it first, or give this one a folder of its own with --data DIR",
        .0.display()
    )]
    AlreadyRunning(PathBuf),
    /// The port is taken, or not ours to take.
    #[error("cannot listen for {what} on {address}: {source}{hint}")]
    Listen {
        /// "MQTT over TLS", "the HTTPS API".
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
        /// The next step, with a leading " — ".
        hint: &'static str,
    },
    /// MQTT without TLS would leave this computer.
    #[error(
        "MQTT without TLS is for this computer only, and {0} can be reached from others: \
         use an address such as 127.0.0.1:1883, or MQTT over TLS; if the network between is safe, \
         --plain-anywhere permits it"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// A setting that cannot be used.
    #[error("{place}: {reason}")]
    Setting {
        /// Where it stands: the file and its line, or the argument.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Metrics without a token would leave this computer.
    #[error(
        "metrics without a token are for this computer only, and {0} can be reached from others: use an address such \
         as 127.0.0.1:9464, or let the scraper ask the HTTPS API with the token in keys/metrics.token"
    )]
    MetricsBeyondLoopback(SocketAddr),
    /// The file is no database any more.
    #[error(
        "the station's database {} is damaged ({reason}). It was left as it is. Put a copy from a backup in its \
         place, or move it away to begin with an empty station",
        path.display()
    )]
    DamagedDatabase {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program wrote it.
    #[error(
        "the station's database {} was written by a newer version of Sealwire (its layout is number {found}, this \
         program knows {known}): update this program",
        path.display()
    )]
    NewerDatabase {
        /// Which file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The newest layout that this program knows.
        known: i64,
    },
    /// `keys/station.key` is not the one that sealed the database.
    #[error(
        "the key in {} is not the one that sealed {}: put both files back from the same backup",
        key.display(), database.display()
    )]
    WrongKey {
        /// The key file.
        key: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// A key or certificate file cannot be used.
    #[error("{} cannot be used: {reason}. {next}", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// The next step.
        next: &'static str,
    },
    /// A role pack cannot be used.
    #[error("{}: {reason}", path.display())]
    RolePack {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
    /// `--anonymous` names no role.
    #[error("there is no role “{name}” for anonymous clients: the roles are {known}")]
    UnknownRole {
        /// The name given.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The database said no while starting.
    #[error("the station's database {} cannot be used: {reason}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system gives no randomness.
    #[error("this system gives no randomness ({0}), without which no key can be made")]
    Randomness(String),
    /// Certificates could not be made, or TLS not set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    /// The audit trail cannot be kept, so nothing may happen.
    #[error("the audit trail cannot be kept: {0}")]
    Audit(String),
    /// A listener ended by itself.
    #[error("the station stopped listening for {what}: {reason}")]
    Stopped {
        /// Which listener.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
