//! `sealwire bench`: puts load on any MQTT broker, and measures what becomes of it.
//!
//! It has a client of its own, because a general one would be the bottleneck: packets are encoded once and only have
//! their stamp patched (`packet`), many leave with one write (`publisher`), and what comes is counted in place
//! (`stream`, `subscriber`, `tally`). A `worker` is a thread with a poll and its connections; `run` conducts the
//! workers; the `board` is what they share. Every payload carries its publisher, number and time, so that loss, gaps,
//! duplicates and latency are known and not guessed. Start at [`measure`].
//!
//! It knows nothing of stations, accounts or windows: any broker is a broker.

mod board;
mod connection;
mod error;
pub mod html;
mod packet;
mod plot;
mod process;
mod publisher;
pub mod relay;
pub mod report;
mod run;
mod sealing;
pub mod settings;
mod stream;
mod subscriber;
pub mod table;
mod tally;
mod target;
mod tls;
mod transport;
mod worker;

use std::sync::Arc;

pub use board::{Loss, LossKind};
pub use error::BenchError;
pub use report::Report;
pub use run::{Doing, Progress};
pub use settings::Settings;

use settings::Scenario;
use target::Target;

/// Measures, as often as asked for.
///
/// # Errors
/// The settings make no sense, the broker cannot be reached or refuses, or this system has not enough to give. What
/// goes wrong once messages flow is no error: the report tells it.
pub fn measure(settings: Settings, tell: &mut dyn FnMut(Progress)) -> Result<Report, BenchError> {
    settings.check()?;
    let mut settings = settings;
    let relay = if settings.scenario == Scenario::Loopback {
        let relay = relay::Relay::start()?;
        settings.broker = relay.address();
        Some(relay)
    } else {
        None
    };
    process::allow_sockets(settings.all_connections() * if relay.is_some() { 2 } else { 1 })?;
    let target = Arc::new(Target::find(&settings)?);
    let settings = Arc::new(settings);
    let began = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut runs = Vec::new();
    for number in 1..=settings.runs {
        runs.push(run::run(&settings, &target, number, tell)?);
    }
    Ok(Report {
        format: report::FORMAT,
        program_version: env!("CARGO_PKG_VERSION"),
        began,
        machine: process::Machine::this(),
        settings: report::Asked::of(&settings, run::threads(&settings)),
        median: report::Median::of(&runs),
        runs,
    })
}
