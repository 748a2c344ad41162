//! When to try again, and why the last try failed, in words.

use std::time::Duration;

use rumqttc::v5::{
    ConnectionError, StateError, TlsError,
    mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode},
};

use super::super::failure::told as safe;

/// The longest wait.
const MOST: Duration = Duration::from_secs(60);

/// How long to wait after the nth failed attempt, from 1: exponential with full jitter, 1 s to 60 s at most, so that
/// a thousand windows do not come back to a restarted station in the same instant.
pub(super) fn wait(attempt: u32) -> Duration {
    let most = Duration::from_secs(1 << attempt.saturating_sub(1).min(6)).min(MOST);
    let mut random = [0; 4];
    // Without randomness the longest wait is the safe one.
    if getrandom::fill(&mut random).is_err() {
        return most;
    }
    most.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

/// What a lost connection means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Worth another try.
    Transient(String),
    /// The broker does not know the token any more, or will not have us.
    Credentials(String),
    /// Another station than the pinned one answered.
    Identity,
}

impl Cause {
    pub(super) fn of(error: &ConnectionError) -> Self {
        use ConnectReturnCode as Code;
        let transient = |text: &str| Self::Transient(text.to_owned());
        match error {
            ConnectionError::ConnectionRefused(code) => match code {
                Code::BadUserNamePassword | Code::NotAuthorized | Code::Banned => {
                    Self::Credentials("the station does not accept this session any more".to_owned())
                }
                Code::ServerBusy => transient("the station is busy"),
                Code::ServerUnavailable | Code::ServiceUnavailable => {
                    transient("the station is not available")
                }
                Code::ConnectionRateExceeded => transient("too many connections were made in a short time"),
                Code::QuotaExceeded => transient("the station's limit of connections is reached"),
                other => Self::Transient(format!("the station refused the connection ({other:?})")),
            },
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                let told = reason_string.as_deref().map(safe);
                let told = told.as_deref();
                match reason_code {
                    DisconnectReasonCode::NotAuthorized | DisconnectReasonCode::AdministrativeAction => {
                        Self::Credentials(told.unwrap_or("the station ended this session").to_owned())
                    }
                    DisconnectReasonCode::SessionTakenOver => {
                        transient("another program connected under this client id")
                    }
                    DisconnectReasonCode::ServerShuttingDown => transient("the station is shutting down"),
                    other => Self::Transient(told.map_or_else(
                        || format!("the station ended the connection ({other:?})"),
                        str::to_owned,
                    )),
                }
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                transient("the connection was closed at the other end")
            }
            ConnectionError::MqttState(StateError::AwaitPingResp) => {
                transient("the station did not answer for a minute")
            }
            ConnectionError::MqttState(other) => Self::Transient(other.to_string()),
            ConnectionError::Timeout(_) => transient("the station did not answer in time"),
            ConnectionError::Tls(TlsError::TLS(error)) => Self::of_tls(error),
            ConnectionError::Tls(TlsError::Io(error)) | ConnectionError::Io(error) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                inner.map_or_else(|| Self::of_io(error), Self::of_tls)
            }
            other => Self::Transient(other.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) => Self::Identity,
            other => Self::Transient(format!("TLS failed: {other}")),
        }
    }

    fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        Self::Transient(match error.kind() {
            ErrorKind::ConnectionRefused => "nobody answers at the station's address".to_owned(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof => {
                "the connection was closed at the other end".to_owned()
            }
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => "there is no network".to_owned(),
            _ => error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_no_further() {
        for attempt in 1..=40 {
            let most = Duration::from_secs(1 << (attempt - 1).min(6)).min(MOST);
            for _ in 0..20 {
                assert!(wait(attempt) <= most, "{attempt}");
            }
        }
        let spread: std::collections::HashSet<_> = (0..20).map(|_| wait(10)).collect();
        assert!(spread.len() > 10, "the jitter spreads");
    }

    #[test]
    fn a_refused_token_is_told_from_a_broken_line_and_from_another_identity() {
        let refused = ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword);
        assert!(matches!(Cause::of(&refused), Cause::Credentials(_)));
        let reset = ConnectionError::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(Cause::of(&reset), Cause::Transient(_)));
        let wrong = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = ConnectionError::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, wrong));
        assert_eq!(Cause::of(&wrapped), Cause::Identity);
    }
}
