//! The station: accounts, one-time codes, their store and the HTTPS API, around a broker, in one process.
//!
//! It keeps vaults that it cannot open and routes payloads that it cannot read: it may not use `seal` or `keys`.
//!
//! | file | what it is for |
//! |---|---|
//! | [`host`] | finds the station of a data folder, or starts one; the only part that an app needs |
//! | `config`, `error` | what a station is told, and why it could not run |
//! | `run` | one life of a station, from the lock to the last good-bye: **start here** |
//! | [`settings`] | the file and the arguments that change what a station is told |
//! | `tls`, `certificates` | its own certificate authority; certificates that it is given |
//! | `listen`, `hangup` | its ports; the signal that has it read its certificates again |
//! | `key`, `token` | the key that seals columns; random tokens and what of them is kept |
//! | `store/` | the database: one file per table |
//! | `log/` | what the broker keeps: sessions, queued and retained messages |
//! | `accounts/` | sign-up, login, one-time codes, ways back in |
//! | `http/` | the API over TLS: extractors, handlers, problems |
//! | `authority`, `trail`, `mqtt` | what the broker asks, what it tells, and the broker itself |
//! | `metrics`, `process` | what a scraper is told |
//! | `roles` | the role pack and who has which role now |

pub mod host;

#[cfg(feature = "station")]
mod accounts;
#[cfg(feature = "station")]
mod authority;
#[cfg(feature = "station")]
mod certificates;
#[cfg(feature = "station")]
mod clock;
#[cfg(feature = "station")]
mod config;
#[cfg(feature = "station")]
mod error;
#[cfg(feature = "station")]
mod hangup;
#[cfg(feature = "station")]
mod http;
#[cfg(feature = "station")]
mod key;
#[cfg(feature = "station")]
mod listen;
#[cfg(feature = "station")]
mod log;
#[cfg(feature = "station")]
mod metrics;
#[cfg(feature = "station")]
mod mqtt;
#[cfg(feature = "station")]
mod process;
#[cfg(feature = "station")]
mod roles;
#[cfg(feature = "station")]
mod run;
#[cfg(feature = "station")]
pub mod settings;
#[cfg(feature = "station")]
mod store;
#[cfg(feature = "station")]
mod tls;
#[cfg(feature = "station")]
mod token;
#[cfg(feature = "station")]
mod trail;

#[cfg(feature = "station")]
pub use crate::api::{OtpPolicy, SignUpPolicy};
#[cfg(feature = "station")]
pub use {
    certificates::CertificateFiles,
    clock::Clock,
    config::{Config, Running},
    error::StationError,
    run::{check, run},
};
