//! Sealwire: end-to-end encrypted MQTT for people.
//!
//! This is the map of the house; `ARCHITECTURE.md` draws it. A test (`tests/house.rs`) holds who may use whom.
//!
//! | room | what it is for | may use |
//! |---|---|---|
//! | [`topic`] | topic names and filters: validate, match, cover | nothing |
//! | [`acl`] | roles, rules and the decision, explained | topic |
//! | [`seal`] | payload protection: envelope, suites, replay. Pure | topic |
//! | [`keys`] | topic keys, keyring, vault, passwords | seal, topic |
//! | [`api`] | what client and station say over HTTPS. No I/O | acl, topic |
//! | [`files`] | data folders, locks, owner-only atomic writes | nothing |
//! | [`audit`] | one hash chain: append, read, verify | files |
//! | [`broker`] | the MQTT server core | topic |
//! | [`station`] | accounts, OTP, store, API handlers, around a broker; [`station::host`] finds or starts one | broker, api, acl, audit, topic, files |
//! | [`client`] | a person's side with no screen: session, link, outbox, history | keys, seal, api, acl, audit, topic, files |
//! | [`desktop`] | egui: theme, widgets, screens, panels | client, topic, acl, `station::host` |
//! | [`mod@bench`] | load on any MQTT broker, and what becomes of it | keys, seal, topic |
//! | [`cli`] | the terminal commands | client, station, topic, acl, audit, bench |
//!
//! Start reading at [`client::Session`] for a person's side, at [`station`] for the server's, and at [`seal`]
//! for what neither the network nor the broker can read.
//!
//! The server is built without any code that can open an envelope:
//! `cargo build --no-default-features --features station` leaves out `seal`, `keys` and `client`.

pub mod acl;
pub mod api;
pub mod audit;
pub mod cli;
pub mod files;
pub mod topic;

#[cfg(feature = "client")]
pub mod bench;
#[cfg(feature = "station")]
pub mod broker;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "desktop")]
pub mod desktop;
#[cfg(feature = "client")]
pub mod keys;
#[cfg(feature = "client")]
pub mod seal;
pub mod station;

use std::process::ExitCode;

/// Runs what the arguments ask for: the window, or one terminal command. Both binaries are this call.
#[must_use]
pub fn run() -> ExitCode {
    cli::finish(match cli::plan() {
        cli::Plan::Desktop(folders) => open_window(folders),
        cli::Plan::Terminal(command) => command.run(),
        cli::Plan::Refuse(error) => Err(error),
    })
}

#[cfg(feature = "desktop")]
fn open_window(folders: station::host::DataFolders) -> anyhow::Result<ExitCode> {
    desktop::run(folders)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "desktop"))]
fn open_window(_folders: station::host::DataFolders) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build has no window: `sealwire --help` lists what it can do")
}
