//! The arguments: one definition makes the parser and the help.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

/// End-to-end encrypted MQTT for people.
///
/// Without a command it opens the desktop app; where there is no display it plays the demo instead.
#[derive(Debug, Parser)]
#[command(name = "sealwire", version, propagate_version = true, max_term_width = 100, after_long_help = super::exit::TABLE)]
pub(super) struct Args {
    /// The data folder, instead of the platform's.
    #[arg(long, value_name = "DIR", env = "SEALWIRE_DATA", hide_env_values = true, global = true)]
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
    #[command(after_long_help = super::exit::TABLE)]
    Demo,
    /// Run a station: MQTT broker, accounts, store and HTTPS API, in the foreground.
    #[command(after_long_help = super::exit::TABLE)]
    Station(Box<StationOptions>),
    /// Publish sealed messages, through a station or any MQTT broker.
    #[cfg(feature = "client")]
    Pub(Box<super::publish::PublishOptions>),
    /// Subscribe, and open what comes.
    #[cfg(feature = "client")]
    Sub(Box<super::subscribe::SubscribeOptions>),
    /// Make, list, hand over, rotate and retire keys: in a file under a passphrase, or in an account's vault.
    #[cfg(feature = "client")]
    #[command(subcommand, after_long_help = super::exit::TABLE)]
    Key(Box<super::key::KeyCommand>),
    /// Put load on an MQTT broker, this one or another, and measure: rate, latency, loss.
    #[cfg(feature = "client")]
    Bench(Box<super::bench::BenchOptions>),
    /// Look at audit logs.
    #[command(subcommand, after_long_help = super::exit::TABLE)]
    Audit(AuditCommand),
    /// Print completions for a shell.
    ///
    /// For bash, for example: sealwire completions bash > ~/.local/share/bash-completion/completions/sealwire
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual: every command's page into a folder, or the main page to standard output.
    ///
    /// To read at once: sealwire man > sealwire.1 && man ./sealwire.1
    Man {
        /// The folder, such as ~/.local/share/man/man1.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// How a station runs. What is given here goes before station.toml in the data folder.
#[derive(Debug, clap::Args)]
pub(super) struct StationOptions {
    /// Where MQTT over TLS listens; 127.0.0.1:8883 unless given.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where the HTTPS API listens; 127.0.0.1:8443 unless given.
    #[arg(long, value_name = "ADDR:PORT")]
    pub api: Option<SocketAddr>,
    /// Also speak MQTT over WebSocket and TLS here, at /mqtt. Off by default.
    #[arg(long, value_name = "ADDR:PORT")]
    pub websocket_tls: Option<SocketAddr>,
    /// Also speak MQTT without TLS here; loopback only. Off by default.
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub plain: Option<SocketAddr>,
    /// Also speak MQTT over WebSocket without TLS here; loopback only. Off by default.
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub websocket: Option<SocketAddr>,
    /// Let what listens without TLS be reached from other computers.
    #[arg(long)]
    pub plain_anywhere: bool,
    /// Show this certificate (PEM, with its chain) on the MQTT listeners to clients that ask by a name it has.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The private key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Take client certificates that these authorities (PEM) signed: the name in one is the account.
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Refuse those certificates that their authority has taken back: a revocation list (CRL, PEM) of each authority.
    #[arg(long, value_name = "FILE")]
    pub client_crl: Option<PathBuf>,
    /// Refuse clients without such a certificate.
    #[arg(long)]
    pub require_client_certificate: bool,
    /// Tell Prometheus metrics without a token here, at /metrics over plain HTTP; loopback only. Off by default.
    ///
    /// The HTTPS API tells them too, at /metrics, to who shows the token in the file keys/metrics.token.
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Let clients without a username in, with this role; loopback only. Off by default.
    #[arg(long, value_name = "ROLE")]
    pub anonymous: Option<String>,
    /// Let clients without a username come from other computers too.
    #[arg(long)]
    pub anonymous_anywhere: bool,
    /// Whether accounts need one-time codes; required unless given.
    #[arg(long, value_enum)]
    pub otp: Option<Otp>,
    /// Who may make an account, after the first; open unless given.
    #[arg(long, value_enum)]
    pub sign_up: Option<SignUp>,
    /// The station's name, for people.
    #[arg(long)]
    pub name: Option<String>,
    /// Change any setting, such as limits.max_connections=100. May be given several times.
    #[arg(long, value_name = "SECTION.NAME=VALUE")]
    pub set: Vec<String>,
    /// Print all settings as they are now, as a file to save and edit, and end.
    #[arg(long)]
    pub print_settings: bool,
    /// Say whether a station could start now, with these settings, this data folder and these addresses, and end.
    #[arg(long, conflicts_with = "print_settings")]
    pub check: bool,
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
