//! Why a connection is gone, or never was.

use std::{error::Error, io};

use super::Version;

/// The end of a connection.
#[derive(Debug)]
pub(in crate::client) struct Lost {
    pub why: Why,
    /// Whether CONNACK had come.
    pub was_online: bool,
    pub version: Version,
}

/// What ended it.
#[derive(Debug)]
pub(in crate::client) enum Why {
    /// CONNACK said no.
    Refused(Refusal),
    /// DISCONNECT (MQTT 5.0 §3.14).
    Ended { reason: Ended, told: Option<String> },
    /// The other end closed it.
    Closed,
    /// A ping had no answer.
    NoAnswer,
    /// TCP, TLS and CONNECT together took too long.
    TimedOut,
    /// The certificate that was shown does not hold.
    Certificate(String),
    /// TLS failed otherwise.
    Tls(String),
    /// The network.
    Io(io::ErrorKind, String),
    /// The HTTP upgrade.
    WebSocket(String),
    /// What came is not what MQTT allows.
    Protocol(String),
    /// CONNACK announced limits under which nothing can be sent.
    TakesNothing,
    /// This side ended it.
    Stopped,
}

/// Why CONNACK said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::client) enum Refusal {
    Version,
    ClientId,
    Credentials,
    NotAuthorized,
    Banned,
    Busy,
    Unavailable,
    Rate,
    Quota,
    QosOfWill,
    RetainOfWill,
    TopicOfWill,
    SizeOfWill,
    PayloadOfWill,
    Other(String),
}

/// Why the broker said goodbye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::client) enum Ended {
    NotAuthorized,
    Administrator,
    TakenOver,
    ShuttingDown,
    Other(String),
}

impl Why {
    /// Of an error of rumqttc that neither version tells apart: looks for TLS and the network beneath it.
    pub(super) fn beneath(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::of_tls(tls));
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(Self::of_io(io));
            }
            next = error.source();
        }
        None
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => Self::Certificate(why.to_string()),
            other => Self::Tls(other.to_string()),
        }
    }

    /// TLS hides its errors in those of the network, and its source is not the error that it holds.
    fn of_io(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.map_or_else(|| Self::Io(error.kind(), error.to_string()), Self::of_tls)
    }
}

impl Lost {
    /// In words, where `who` ("the broker", "the station") is at the other end.
    pub(in crate::client) fn told(&self, who: &str) -> String {
        match &self.why {
            Why::Refused(refusal) => self.refused(refusal, who),
            Why::Ended { told: Some(told), .. } => super::super::failure::told(told),
            Why::Ended { reason, .. } => match reason {
                Ended::NotAuthorized | Ended::Administrator => format!("{who} ended this session"),
                Ended::TakenOver => "another program connected under this client id".to_owned(),
                Ended::ShuttingDown => format!("{who} is shutting down"),
                Ended::Other(code) => format!("{who} ended the connection ({code})"),
            },
            Why::Closed if !self.was_online => {
                format!("{who} closed the connection without an answer{}", self.hint())
            }
            Why::Closed => "the connection was closed at the other end".to_owned(),
            Why::NoAnswer => format!("{who} did not answer for a minute"),
            Why::TimedOut if !self.was_online => format!("{who} did not answer in time{}", self.hint()),
            Why::TimedOut => format!("{who} did not answer in time"),
            Why::Certificate(why) => format!("{who}'s certificate does not hold: {why}"),
            Why::Tls(why) => format!("TLS failed: {why}"),
            Why::Io(kind, why) => told_of_io(*kind, why, who),
            Why::WebSocket(why) => format!("the WebSocket was not opened: {why}"),
            // What a TLS server or a web server says to a CONNECT is no packet at all.
            Why::Protocol(_) if !self.was_online => format!(
                "what answers at {who}'s address speaks no MQTT: perhaps it wants TLS (mqtts://, wss://), or is another program{}",
                self.hint()
            ),
            Why::Protocol(why) => format!("{who} does not keep to MQTT: {why}"),
            Why::TakesNothing => format!("{who} says that it takes no messages at all"),
            Why::Stopped => "the connection was ended on this computer".to_owned(),
        }
    }

    /// A broker of MQTT 3.1.1 may answer a CONNECT of 5.0 with silence or in its own format.
    fn hint(&self) -> &'static str {
        match self.version {
            Version::V5 if !self.was_online => "; if it speaks MQTT 3.1.1 only, choose 3.1.1",
            _ => "",
        }
    }

    fn refused(&self, refusal: &Refusal, who: &str) -> String {
        match refusal {
            Refusal::Version => match self.version {
                Version::V5 => format!("{who} speaks MQTT 3.1.1 only: choose 3.1.1"),
                Version::V311 => format!("{who} does not speak MQTT 3.1.1: choose 5"),
            },
            Refusal::ClientId => format!("{who} does not take this client id"),
            Refusal::Credentials => format!("{who} does not take this username and password"),
            Refusal::NotAuthorized => format!("{who} does not let this user or certificate in"),
            Refusal::Banned => format!("{who} has banned this client"),
            Refusal::Busy => format!("{who} is busy"),
            Refusal::Unavailable => format!("{who} is not available"),
            Refusal::Rate => "too many connections were made in a short time".to_owned(),
            Refusal::Quota => format!("{who}'s limit of connections is reached"),
            Refusal::QosOfWill => format!("{who} takes no will at this quality of service"),
            Refusal::RetainOfWill => format!("{who} keeps no retained messages, and the will is one"),
            Refusal::TopicOfWill => format!("{who} takes the will's topic for invalid"),
            Refusal::SizeOfWill => format!("the will is too large for {who}"),
            Refusal::PayloadOfWill => format!("{who} takes the will's message for invalid"),
            Refusal::Other(code) => format!("{who} refused the connection ({code})"),
        }
    }
}

fn told_of_io(kind: io::ErrorKind, why: &str, who: &str) -> String {
    use io::ErrorKind as Kind;
    match kind {
        Kind::ConnectionRefused => format!("nobody answers at {who}'s address"),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::UnexpectedEof | Kind::BrokenPipe => {
            "the connection was closed at the other end".to_owned()
        }
        Kind::NetworkUnreachable | Kind::HostUnreachable => "there is no network".to_owned(),
        _ => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_from_a_broken_line_however_deep_it_lies() {
        let wrong = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, wrong);
        assert!(matches!(Why::beneath(&wrapped), Some(Why::Certificate(_))));
        let outer = rumqttc::v5::ConnectionError::Tls(rumqttc::TlsError::Io(wrapped));
        assert!(matches!(Why::beneath(&outer), Some(Why::Certificate(_))));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(Why::beneath(&reset), Some(Why::Io(io::ErrorKind::ConnectionReset, _))));
    }

    #[test]
    fn a_broker_of_the_other_version_is_named_with_the_next_step() {
        let refused = |version| Lost { why: Why::Refused(Refusal::Version), was_online: false, version };
        assert_eq!(
            refused(Version::V5).told("this broker"),
            "this broker speaks MQTT 3.1.1 only: choose 3.1.1"
        );
        assert_eq!(
            refused(Version::V311).told("this broker"),
            "this broker does not speak MQTT 3.1.1: choose 5"
        );
        let silent = Lost { why: Why::Closed, was_online: false, version: Version::V5 };
        assert!(silent.told("this broker").ends_with("choose 3.1.1"));
        let closed = Lost { why: Why::Closed, was_online: true, version: Version::V5 };
        assert!(!closed.told("this broker").contains("3.1.1"));
    }
}
