//! What to measure: a scenario gives the defaults, and [`Settings::check`] says what cannot be.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use serde::Serialize;

use super::{BenchError, packet::STAMP_LEN};
pub use crate::{keys::Password, seal::Suite};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Each publisher has a topic and one subscriber of its own.
    OneToOne,
    /// Many publishers, one subscriber on a wildcard.
    FanIn,
    /// One publisher, many subscribers, each of which gets everything.
    FanOut,
    /// Many publishers, many subscribers on one wildcard, each of which gets everything.
    ManyToMany,
    /// A fixed rate, and how long each message took.
    Latency,
    /// Many publishers to one subscriber, each with one message at a time: the next is sent once the former came
    /// through.
    TurnBased,
    /// Sealed by the publisher, opened by the subscriber.
    Sealed,
    /// Connections that are held and do nothing.
    Idle,
    /// Connections opened as fast as they are taken.
    ConnectStorm,
    /// No broker: the load generator against a relay of its own that copies bytes. The yardstick.
    Loopback,
}

impl Scenario {
    /// Whether messages flow in it.
    #[must_use]
    pub const fn has_messages(self) -> bool {
        !matches!(self, Self::Idle | Self::ConnectStorm)
    }
}

/// Quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "u8")]
pub enum Qos {
    /// 0
    AtMostOnce,
    /// 1
    AtLeastOnce,
    /// 2
    ExactlyOnce,
}

impl Qos {
    /// As it stands in packets.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }
}

impl From<Qos> for u8 {
    fn from(qos: Qos) -> Self {
        qos.bits()
    }
}

/// Version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Version {
    /// 3.1.1
    #[serde(rename = "3.1.1")]
    V311,
    /// 5.0
    #[serde(rename = "5.0")]
    V5,
}

/// Where the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// 1883 and 8883 unless given.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
}

impl FromStr for Address {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let wrong = || BenchError::Address(text.to_owned());
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl" | "tls", rest)) => (true, rest),
            Some(_) => return Err(wrong()),
            None => (false, text),
        };
        let rest = rest.trim_end_matches('/');
        let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        // User information belongs in --username and a file, where `ps` does not show it; nor does an error repeat it.
        if rest.contains('@') {
            let reason = "a broker's address holds no name and no password here, where everybody on this computer can \
                          read it: give --username NAME, and --password-file FILE or SEALWIRE_BENCH_PASSWORD";
            return Err(BenchError::Settings(reason.to_owned()));
        }
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(wrong());
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None if tls => 8883,
            None => 1883,
        };
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// How a broker's certificate is judged, and what certificate is shown to it.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM: the authorities that may have signed it. The name must fit.
    pub ca: Option<PathBuf>,
    /// SHA-256 of the public key of the broker's certificate or of its authority, 64 hex digits. The name need not fit.
    pub fingerprint: Option<String>,
    /// PEM: the certificate to show, with its chain.
    pub certificate: Option<PathBuf>,
    /// PEM: that certificate's private key.
    pub key: Option<PathBuf>,
}

/// Who logs in.
#[derive(Debug, Default)]
pub struct Login {
    /// The username.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Password>,
}

/// How publishers are held back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// By nothing but the socket, and at QoS 1 and 2 the window.
    Open,
    /// At most so many messages of each publisher are on their way to the slowest of its subscribers.
    InFlight(u64),
    /// So many messages a second, all publishers together.
    Rate(f64),
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// After a warm-up, so long.
    Time {
        /// Not counted.
        warm_up: Duration,
        /// Counted.
        measured: Duration,
    },
    /// When so many messages were sent, all publishers together, and received.
    Messages(u64),
}

/// Everything that a run needs to know.
#[derive(Debug)]
pub struct Settings {
    /// What is measured.
    pub scenario: Scenario,
    /// Where.
    pub broker: Address,
    /// For `mqtts`.
    pub tls: Tls,
    /// For brokers that ask.
    pub login: Login,
    /// Of MQTT.
    pub version: Version,
    /// Of messages and subscriptions alike.
    pub qos: Qos,
    /// Bytes, before sealing.
    pub payload: usize,
    /// How many.
    pub publishers: usize,
    /// How many.
    pub subscribers: usize,
    /// Topics for each publisher, used in turn.
    pub topics: usize,
    /// Other connections, each subscribed to a filter that nothing matches.
    pub bystanders: usize,
    /// Further subscriptions that nothing matches, on the bystanders or a connection of their own.
    pub filters: usize,
    /// Connections of [`Scenario::Idle`] and [`Scenario::ConnectStorm`].
    pub connections: usize,
    /// How many may be connecting at once.
    pub connecting: usize,
    /// Unacknowledged messages of each publisher at QoS 1 and 2.
    pub window: u16,
    /// How publishers are held back.
    pub pace: Pace,
    /// When a run ends.
    pub length: Length,
    /// How long nothing may arrive at the end before what is missing counts as lost.
    pub patience: Duration,
    /// How long connecting and subscribing may take.
    pub connect_time: Duration,
    /// Subscribers use a persistent session.
    pub durable: bool,
    /// Seal with this.
    pub sealed: Option<Suite>,
    /// What topics begin with.
    pub topic_prefix: String,
    /// The broker's process, whose time and memory are told (Linux).
    pub pid: Option<u32>,
    /// Threads of the load generator; 0 lets it choose.
    pub threads: usize,
    /// How often to measure.
    pub runs: usize,
}

impl Settings {
    /// The scenario with its defaults.
    #[must_use]
    pub fn of(scenario: Scenario, broker: Address) -> Self {
        let (publishers, subscribers) = match scenario {
            Scenario::FanIn => (10, 1),
            Scenario::FanOut => (1, 10),
            Scenario::ManyToMany => (10, 10),
            Scenario::TurnBased => (200, 1),
            Scenario::Idle | Scenario::ConnectStorm => (0, 0),
            _ => (1, 1),
        };
        let pace = match scenario {
            Scenario::Latency => Pace::Rate(1000.0),
            Scenario::TurnBased => Pace::InFlight(1),
            _ => Pace::Open,
        };
        Self {
            scenario,
            broker,
            tls: Tls::default(),
            login: Login::default(),
            version: Version::V311,
            qos: Qos::AtMostOnce,
            payload: 64,
            publishers,
            subscribers,
            topics: 1,
            bystanders: 0,
            filters: 0,
            connections: if scenario.has_messages() { 0 } else { 1000 },
            connecting: 100,
            window: 100,
            pace,
            length: Length::Time { warm_up: Duration::from_secs(1), measured: Duration::from_secs(5) },
            patience: Duration::from_secs(5),
            connect_time: Duration::from_secs(60),
            durable: false,
            sealed: (scenario == Scenario::Sealed).then(Suite::default),
            topic_prefix: "bench".to_owned(),
            pid: None,
            threads: 0,
            runs: 1,
        }
    }

    /// Whether subscriber `i` hears publisher `i` alone.
    #[must_use]
    pub const fn in_pairs(&self) -> bool {
        matches!(
            self.scenario,
            Scenario::OneToOne | Scenario::Latency | Scenario::Sealed | Scenario::Loopback
        )
    }

    /// How many subscribers get each message.
    #[must_use]
    pub const fn copies(&self) -> u64 {
        if self.in_pairs() { 1 } else { self.subscribers as u64 }
    }

    /// All connections.
    #[must_use]
    pub const fn all_connections(&self) -> usize {
        self.publishers + self.subscribers + self.bystanders + self.connections + self.filter_holders()
    }

    /// A connection for the further subscriptions, where no bystander takes them.
    #[must_use]
    pub const fn filter_holders(&self) -> usize {
        if self.filters > 0 && self.bystanders == 0 { 1 } else { 0 }
    }

    /// Refuses what cannot be measured, and says what to change.
    ///
    /// # Errors
    /// [`BenchError::Settings`].
    pub fn check(&self) -> Result<(), BenchError> {
        let no = |why: String| Err(BenchError::Settings(why));
        let messages = self.scenario.has_messages();
        if messages && (self.publishers == 0 || self.subscribers == 0) {
            return no(
                "a scenario with messages needs a publisher and a subscriber: give at least 1 of each".into(),
            );
        }
        if self.in_pairs() && self.publishers != self.subscribers {
            return no(format!(
                "this scenario has pairs, but there are {} publishers and {} subscribers: give one number for both, or \
                 take fan-in, fan-out or many-to-many",
                self.publishers, self.subscribers
            ));
        }
        if messages && self.payload < STAMP_LEN {
            return no(format!(
                "a payload of {} bytes has no room for the sequence number and the time: give --payload {STAMP_LEN} or more",
                self.payload
            ));
        }
        if self.payload > MAX_PAYLOAD {
            return no(format!("--payload is at most {MAX_PAYLOAD} bytes (16 MiB)"));
        }
        if !messages && self.connections == 0 {
            return no("this scenario holds connections: give --connections 1 or more".into());
        }
        if self.window == 0 || self.topics == 0 || self.runs == 0 || self.connecting == 0 {
            return no("--window, --topics, --connecting and --runs are at least 1".into());
        }
        match self.pace {
            Pace::Rate(rate) if !(rate.is_finite() && rate > 0.0) => {
                return no("--rate is a number of messages a second, above 0".into());
            }
            Pace::InFlight(0) => return no("--in-flight is at least 1".into()),
            _ => {}
        }
        if let Length::Time { measured, .. } = self.length
            && measured < Duration::from_millis(100)
        {
            return no("--seconds is at least 0.1".into());
        }
        if self.scenario == Scenario::Loopback
            && (self.qos != Qos::AtMostOnce || self.broker.tls || self.durable || self.sealed.is_some())
        {
            return no(
                "loopback is a relay that only copies bytes: take QoS 0, no TLS, no sealing, no --durable"
                    .into(),
            );
        }
        let prefix = &self.topic_prefix;
        let good =
            crate::topic::TopicName::new(prefix).is_ok() && prefix.len() <= 1000 && !prefix.ends_with('/');
        if !good {
            return no(format!(
                "“{}” cannot begin topics: give --topic a topic name without wildcards or a slash at its end",
                prefix.escape_debug()
            ));
        }
        if self.login.password.is_some() && self.login.username.is_none() {
            return no("a password without a username: give --username too".into());
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return no("a client certificate needs both --cert and --key".into());
        }
        if self.broker.tls && self.tls.ca.is_none() && self.tls.fingerprint.is_none() {
            return no("TLS without a way to know the broker: give --ca FILE, or --fingerprint with the SHA-256 of its \
                 (or its authority's) public key"
                .into());
        }
        Ok(())
    }
}

/// The largest payload. Every publisher holds a few.
pub const MAX_PAYLOAD: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<Address>().map(|a| a.to_string()).ok();
        assert_eq!(read("localhost").as_deref(), Some("mqtt://localhost:1883"));
        assert_eq!(read("mqtts://b.example").as_deref(), Some("mqtts://b.example:8883"));
        assert_eq!(read("tcp://10.0.0.1:99/").as_deref(), Some("mqtt://10.0.0.1:99"));
        assert_eq!(read("mqtt://[::1]:5").as_deref(), Some("mqtt://[::1]:5"));
        for wrong in ["", "http://x", "mqtt://", "mqtt://user:pw@host", "host:port", "host:70000", "a/b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_way_out() {
        let refused = |scenario, change: fn(&mut Settings)| {
            let mut settings = Settings::of(scenario, "localhost".parse().unwrap());
            assert!(settings.check().is_ok());
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(refused(Scenario::OneToOne, |s| s.payload = 15).contains("--payload 16"));
        assert!(refused(Scenario::OneToOne, |s| s.publishers = 2).contains("fan-in"));
        assert!(refused(Scenario::FanOut, |s| s.subscribers = 0).contains("at least 1"));
        assert!(refused(Scenario::Latency, |s| s.pace = Pace::Rate(0.0)).contains("--rate"));
        assert!(refused(Scenario::Idle, |s| s.connections = 0).contains("--connections"));
        assert!(refused(Scenario::FanIn, |s| s.topic_prefix = "a/#".into()).contains("wildcards"));
        assert!(refused(Scenario::FanIn, |s| s.broker.tls = true).contains("--ca"));
        assert!(refused(Scenario::Loopback, |s| s.qos = Qos::AtLeastOnce).contains("QoS 0"));
    }
}
