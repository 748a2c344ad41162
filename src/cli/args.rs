//! The arguments: one definition makes the parser and the help.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

/// End-to-end encrypted MQTT for people.
///
/// Without a command it opens the desktop app; where there is no display it plays the demo instead.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(super) struct Args {
    /// The data folder, instead of the platform's.
    #[arg(long, value_name = "DIR", env = "SEALWIRE_DATA", global = true)]
    pub data: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open the desktop app.
    Desktop,
    /// Show the whole story in the terminal: a station, accounts with one-time codes, sealed readings.
    ///
    /// Uses real parts on a temporary data folder and ends with 0 only if all that it claims was checked.
    Demo,
    /// Run a station: MQTT broker, accounts, store and HTTPS API, in the foreground.
    Station(StationOptions),
    /// Look at audit logs.
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// How a station runs.
#[derive(Debug, clap::Args)]
pub(super) struct StationOptions {
    /// Where MQTT over TLS listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8883")]
    pub listen: SocketAddr,
    /// Where the HTTPS API listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub api: SocketAddr,
    /// Also speak MQTT without TLS here; loopback only. Off by default.
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub plain: Option<SocketAddr>,
    /// Tell Prometheus metrics without a token here, at /metrics over plain HTTP; loopback only. Off by default.
    ///
    /// The HTTPS API tells them too, at /metrics, to who shows the token in the file keys/metrics.token.
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Let clients without a username in, with this role; loopback only. Off by default.
    #[arg(long, value_name = "ROLE")]
    pub anonymous: Option<String>,
    /// Whether accounts need one-time codes.
    #[arg(long, value_enum, default_value_t = Otp::Required)]
    pub otp: Otp,
    /// Who may make an account, after the first.
    #[arg(long, value_enum, default_value_t = SignUp::Open)]
    pub sign_up: SignUp,
    /// The station's name, for people; the computer's unless given.
    #[arg(long)]
    pub name: Option<String>,
    /// Started by a window: any free ports, codes offered, ends half a minute after the last window.
    #[arg(long, hide = true)]
    pub for_app: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Otp {
    /// Every account enrols at sign-up.
    Required,
    /// Each account decides.
    Offered,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SignUp {
    /// Anybody who reaches the station.
    Open,
    /// Nobody.
    Closed,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no line of a log was changed, removed, moved or cut off. Ends with 3 if it does not hold.
    ///
    /// A cut-off end shows only against an anchor: the one in the file FILE.anchor beside the log, unless --anchor
    /// gives one that was kept elsewhere.
    Verify {
        /// publisher_audit.log, subscriber_audit.log or station_audit.log.
        file: PathBuf,
        /// Where the log was seen to end: the number of lines and the hash of the last.
        #[arg(long, value_name = "COUNT:HASH")]
        anchor: Option<String>,
    },
    /// Print the newest lines of a log.
    Show {
        /// The log.
        file: PathBuf,
        /// How many lines.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
}
