//! `sealwire bench`: the arguments, the progress line, and what is said at the end.

use std::{
    fs,
    io::{IsTerminal, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::ValueEnum;

use crate::bench::{
    self, BenchError, Doing, Progress, Report, Settings, html, relay,
    settings::{Address, Length, Pace, Password, Qos, Scenario, Suite, Version},
    table,
};

use super::{
    exit::{DOES_NOT_HOLD, Ended, FAILED, NO_CONNECTION, REFUSED},
    say,
    secrets::Secret,
};

/// The variable that a password may come in.
const PASSWORD_VARIABLE: &str = "SEALWIRE_BENCH_PASSWORD";

/// What `sealwire bench` may be asked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTERWARDS, args_override_self = true)]
pub(super) struct BenchOptions {
    /// What to measure.
    #[arg(value_enum, default_value_t = ScenarioName::OneToOne)]
    scenario: ScenarioName,
    /// The broker: mqtt://HOST[:PORT], or mqtts:// for TLS.
    #[arg(value_name = "BROKER", default_value = "mqtt://127.0.0.1:1883")]
    broker: String,

    /// Bytes in each payload, before sealing; at least 16.
    #[arg(long, value_name = "BYTES", default_value_t = 64, help_heading = "Load")]
    payload: usize,
    /// Quality of service of messages and subscriptions.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=2), default_value_t = 0, help_heading = "Load")]
    qos: u8,
    /// Publishers. Fan-in and many-to-many have 10, turn-based 200, the others 1.
    #[arg(long, value_name = "N", help_heading = "Load")]
    publishers: Option<usize>,
    /// Subscribers. Fan-out and many-to-many have 10, the others 1; in pairs as many as publishers.
    #[arg(long, value_name = "N", help_heading = "Load")]
    subscribers: Option<usize>,
    /// Topics of each publisher, used in turn.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    topics: usize,
    /// Unacknowledged messages of each publisher at QoS 1 and 2. A broker of MQTT 5 may allow less.
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Load")]
    window: u16,
    /// Messages a second of all publishers together, sent by the clock.
    #[arg(long, value_name = "N", conflicts_with = "in_flight", help_heading = "Load")]
    rate: Option<f64>,
    /// Messages of each publisher that may be on their way to the slowest of its subscribers: finds the rate without loss
    /// of a broker that drops at QoS 0.
    #[arg(long, value_name = "N", help_heading = "Load")]
    in_flight: Option<u64>,
    /// Other connections, each subscribed to a filter that nothing matches.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    bystanders: usize,
    /// Further subscriptions that nothing matches.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    filters: usize,
    /// Connections of idle and connect-storm.
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = "Load")]
    connections: usize,
    /// Connections being made at once.
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Load")]
    connecting: usize,
    /// Subscribers use a persistent session, which is ended at the end.
    #[arg(long, help_heading = "Load")]
    durable: bool,
    /// The suite of the sealed scenario: cose-a256gcm, cose-chacha20 or fernet.
    #[arg(long, value_name = "SUITE", default_value_t = Suite::default(), help_heading = "Load")]
    suite: Suite,

    /// How long to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, help_heading = "Time")]
    seconds: f64,
    /// How long to send before measuring.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, help_heading = "Time")]
    warm_up: f64,
    /// Send so many messages in all, and measure until they are there, instead of a time.
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "warm_up"], help_heading = "Time")]
    messages: Option<u64>,
    /// How long nothing may arrive at the end before what is missing counts as lost.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, help_heading = "Time")]
    patience: f64,
    /// How long connecting and subscribing may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Time")]
    connect_seconds: u64,
    /// How often to measure.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Time")]
    runs: usize,

    /// The version of MQTT.
    #[arg(long, value_enum, default_value_t = VersionName::V311, help_heading = "Connection")]
    mqtt: VersionName,
    /// What topics begin with; a part of this run's own follows.
    #[arg(long, value_name = "TOPIC", default_value = "bench", help_heading = "Connection")]
    topic: String,
    /// Log in with this name. The password comes from SEALWIRE_BENCH_PASSWORD, --password-file, or is asked for.
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    username: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", requires = "username", help_heading = "Connection")]
    password_file: Option<PathBuf>,
    /// TLS: the authorities that may have signed the broker's certificate (PEM). The name must fit.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    ca: Option<PathBuf>,
    /// TLS: SHA-256 of the public key of the broker's certificate or its authority, as a station prints it. The name need
    /// not fit.
    #[arg(long, value_name = "SHA256", conflicts_with = "ca", help_heading = "Connection")]
    fingerprint: Option<String>,
    /// TLS: a certificate to show to the broker (PEM).
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Connection")]
    cert: Option<PathBuf>,
    /// TLS: the key of that certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Connection")]
    key: Option<PathBuf>,

    /// The broker's process on this computer: its processor time and memory are told. Linux only.
    #[arg(long, help_heading = "Report")]
    pid: Option<u32>,
    /// Write the report as JSON; docs/bench.md says what the fields mean.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    json: Option<PathBuf>,
    /// Write the report as a page with plots, which needs nothing else.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    html: Option<PathBuf>,
    /// Threads of the load generator. 0: one where messages in flight are counted, else two.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Report")]
    threads: usize,

    /// Be the relay that loopback measures against, here, until killed.
    #[arg(long, value_name = "ADDR:PORT", hide = true)]
    relay: Option<SocketAddr>,
}

const AFTERWARDS: &str = "\
Messages are never retained, and topics are new with each run.

At QoS 0 a broker may drop what it cannot pass on. Without --rate and --in-flight, publishers send as fast as they can:
the rate that counts is what subscribers got, and the loss stands beside it. With --in-flight N the load keeps to what
comes through.

Examples:
  sealwire bench one-to-one mqtt://127.0.0.1:1883 --in-flight 10000
  sealwire bench many-to-many mqtts://broker.example --ca ca.pem --username ada --qos 1
  sealwire bench latency --rate 1000 --qos 1 --html latency.html
  sealwire bench idle --connections 5000 --pid $(pidof mosquitto)

Exit codes:
  0    measured
  1    it failed, or nothing of what was sent arrived; the reason is on
       standard error
  2    the arguments are wrong, or do not go together
  3    messages of QoS 1 or 2 were lost, or the broker's certificate does not
       hold
  4    the broker refused a login, a subscription or every message
  6    the broker was not reached, or connections broke
  130  ended by Ctrl+C";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScenarioName {
    /// Each publisher has a topic and one subscriber of its own.
    OneToOne,
    /// Many publishers, one subscriber.
    FanIn,
    /// One publisher, many subscribers.
    FanOut,
    /// Many publishers, many subscribers on one wildcard: each gets everything.
    ManyToMany,
    /// A fixed rate (1000 a second unless --rate says otherwise), and how long each message took.
    Latency,
    /// Many publishers, each with one message at a time: the next once the former came through, or was acknowledged.
    TurnBased,
    /// Sealed by publishers, opened by subscribers.
    Sealed,
    /// Connections that are held and do nothing; with --pid, their memory at the broker.
    Idle,
    /// Connections made as fast as they are taken.
    ConnectStorm,
    /// No broker: a relay of its own that copies bytes. What this machine and the load generator can do at most.
    Loopback,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VersionName {
    /// MQTT 3.1.1
    #[value(name = "3.1.1", alias = "4")]
    V311,
    /// MQTT 5.0
    #[value(name = "5", alias = "5.0")]
    V5,
}

impl From<ScenarioName> for Scenario {
    fn from(name: ScenarioName) -> Self {
        match name {
            ScenarioName::OneToOne => Self::OneToOne,
            ScenarioName::FanIn => Self::FanIn,
            ScenarioName::FanOut => Self::FanOut,
            ScenarioName::ManyToMany => Self::ManyToMany,
            ScenarioName::Latency => Self::Latency,
            ScenarioName::TurnBased => Self::TurnBased,
            ScenarioName::Sealed => Self::Sealed,
            ScenarioName::Idle => Self::Idle,
            ScenarioName::ConnectStorm => Self::ConnectStorm,
            ScenarioName::Loopback => Self::Loopback,
        }
    }
}

pub(super) fn run(options: BenchOptions) -> anyhow::Result<ExitCode> {
    if let Some(address) = options.relay {
        let listener =
            TcpListener::bind(address).with_context(|| format!("the relay cannot listen on {address}"))?;
        say(&format!("relay on {}", listener.local_addr()?))?;
        relay::serve(&listener);
        return Ok(ExitCode::SUCCESS);
    }
    let (json, html) = (options.json.clone(), options.html.clone());
    let settings = settings(options)?;
    let mut line = ProgressLine::new();
    let report = bench::measure(settings, &mut |progress| line.show(progress));
    line.clear();
    let report = report?;
    say(&table::table(&report))?;
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&report).context("the report could not be put into words")?;
        write(&path, &(text + "\n"))?;
    }
    if let Some(path) = html {
        write(&path, &html::page(&report))?;
    }
    judge(&report)
}

/// How it ends: what the figures are worth.
fn judge(report: &Report) -> anyhow::Result<ExitCode> {
    let end = |code, why: String| Err(Ended::with(code, why));
    let acknowledged = report.lost_acknowledged();
    if report.all_refused() {
        return end(
            REFUSED,
            "the broker refused every message: may this user publish there? --topic moves the topics elsewhere".into(),
        );
    }
    if report.nothing_arrived() {
        let why = "nothing of what was sent arrived at any subscriber, so nothing was measured: a broker need not say \
                   when it drops a message. May this user publish there, and read? --topic moves the topics elsewhere";
        return end(if acknowledged { DOES_NOT_HOLD } else { FAILED }, why.into());
    }
    if acknowledged {
        return end(DOES_NOT_HOLD, "messages of QoS 1 or 2 were lost, which a broker must not".into());
    }
    match report.trouble() {
        Some(trouble) => {
            end(NO_CONNECTION, format!("the figures are of a run in which connections were lost: {trouble}"))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("the report cannot be written to {}", path.display()))?;
    say(&format!("Written: {}", path.display()))
}

fn settings(options: BenchOptions) -> anyhow::Result<Settings> {
    let broker: Address = options.broker.parse()?;
    let mut settings = Settings::of(options.scenario.into(), broker);
    settings.payload = options.payload;
    settings.qos = match options.qos {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    };
    match (options.publishers, options.subscribers) {
        // Pairs: one number says both.
        (Some(pairs), None) | (None, Some(pairs)) if settings.in_pairs() => {
            (settings.publishers, settings.subscribers) = (pairs, pairs);
        }
        (publishers, subscribers) => {
            settings.publishers = publishers.unwrap_or(settings.publishers);
            settings.subscribers = subscribers.unwrap_or(settings.subscribers);
        }
    }
    if !settings.scenario.has_messages() {
        (settings.publishers, settings.subscribers) = (0, 0);
        settings.connections = options.connections;
    }
    if let Some(rate) = options.rate {
        settings.pace = Pace::Rate(rate);
    }
    if let Some(in_flight) = options.in_flight {
        settings.pace = Pace::InFlight(in_flight);
    }
    settings.length = match options.messages {
        Some(messages) => Length::Messages(messages),
        None => Length::Time {
            warm_up: span("--warm-up", options.warm_up)?,
            measured: span("--seconds", options.seconds)?,
        },
    };
    if settings.scenario == Scenario::Sealed {
        settings.sealed = Some(options.suite);
    }
    settings.patience = span("--patience", options.patience)?;
    settings.connect_time = Duration::from_secs(options.connect_seconds);
    settings.topics = options.topics;
    settings.window = options.window;
    settings.bystanders = options.bystanders;
    settings.filters = options.filters;
    settings.connecting = options.connecting;
    settings.durable = options.durable;
    settings.version = match options.mqtt {
        VersionName::V311 => Version::V311,
        VersionName::V5 => Version::V5,
    };
    settings.topic_prefix = options.topic;
    settings.tls = bench::settings::Tls {
        ca: options.ca,
        fingerprint: options.fingerprint,
        certificate: options.cert,
        key: options.key,
    };
    settings.pid = options.pid;
    settings.threads = options.threads;
    settings.runs = options.runs;
    // Before anybody is asked for a password.
    settings.check()?;
    if let Some(username) = options.username {
        settings.login.password = Some(password(&username, options.password_file.as_deref())?);
        settings.login.username = Some(username);
    }
    Ok(settings)
}

fn span(option: &str, seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| BenchError::Settings(format!("{option} is a number of seconds, not {seconds}")).into())
}

/// From the file, the variable, or whoever sits there.
fn password(username: &str, file: Option<&Path>) -> anyhow::Result<Password> {
    if let Some(path) = file {
        let text = zeroize::Zeroizing::new(
            fs::read_to_string(path)
                .with_context(|| format!("the password cannot be read from {}", path.display()))?,
        );
        return Ok(Password::new(text.lines().next().unwrap_or_default()));
    }
    let what = format!("the password of {username}");
    let secret =
        Secret { what: &what, option: "--password-file", file: None, variable: PASSWORD_VARIABLE }.read()?;
    Ok(Password::new(secret.reveal()))
}

/// One line on a terminal's standard error, written over and over.
struct ProgressLine {
    shown: bool,
    terminal: bool,
}

impl ProgressLine {
    fn new() -> Self {
        Self { shown: false, terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, progress: Progress) {
        if !self.terminal {
            return;
        }
        let run = if progress.runs > 1 {
            format!("run {} of {}: ", progress.run, progress.runs)
        } else {
            String::new()
        };
        let doing = match progress.doing {
            Doing::Connecting => format!("connecting {} of {}", progress.ready, progress.connections),
            Doing::WarmingUp => "warming up".to_owned(),
            Doing::Measuring => format!("{:.0} s", progress.seconds),
            Doing::Draining => "waiting for the rest".to_owned(),
        };
        let rates = if progress.doing == Doing::Connecting {
            String::new()
        } else {
            format!(
                "  {}/s received, {}/s sent, {} in all, {} on their way or lost",
                table::count(progress.delivered_per_second),
                table::count(progress.sent_per_second),
                table::count(progress.delivered as f64),
                table::count(progress.outstanding as f64),
            )
        };
        // A terminal that went away is no reason to stop measuring.
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{run}{doing}{rates}");
        self.shown = true;
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
            self.shown = false;
        }
    }
}
