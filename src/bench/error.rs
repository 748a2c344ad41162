//! Why a measurement could not be made.

use std::{io, path::PathBuf};

use super::board::Loss;

/// Why there is no measurement. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Options that do not go together, or make no sense.
    #[error("{0}")]
    Settings(String),
    /// The address has no host, or no number for a port.
    #[error("“{0}” is no broker's address: write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS")]
    Address(String),
    /// The name does not resolve.
    #[error("the host {host} was not found ({source}): check the name, or give an IP address")]
    Resolve {
        /// As it was given.
        host: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// A file of certificates or keys is of no use.
    #[error("{path}: {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and what it should hold.
        what: String,
    },
    /// TLS could not be set up from what was given.
    #[error("TLS could not be set up: {0}: check --ca, --fingerprint, --cert and --key")]
    Tls(rustls::Error),
    /// Sockets or threads are not to be had.
    #[error("this system refused {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// A connection failed before the measurement began.
    #[error("{}", .0.what)]
    Connect(Loss),
    /// Not everybody was connected and subscribed in time.
    #[error(
        "only {ready} of {wanted} connections were ready after {seconds} s: is the broker able to hold that many? \
         Ask for fewer, or give it longer with --connect-seconds"
    )]
    NotReady {
        /// Connected, and subscribed where they should be.
        ready: usize,
        /// How many there should be.
        wanted: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// The process that `--pid` names cannot be looked at.
    #[error(
        "the process {pid} cannot be looked at ({source}): is that the broker's process id, and may you see it?"
    )]
    Process {
        /// As it was given.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A key for the sealed scenario could not be made.
    #[error("no key could be made for the sealed messages: {0}")]
    Key(String),
    /// A thread of the load generator died, which is a bug.
    #[error("a thread of the load generator ended early: please report this with the command that you ran")]
    Thread,
}
