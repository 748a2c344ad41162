//! Where a station is: `host:port`, or an invite link `sealwire://host:port/#fingerprint`.

use std::fmt;

use super::tls::Fingerprint;

/// The port of a station's API where none is named.
const DEFAULT_PORT: u16 = 8443;

/// `host:port` of a station's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("there is no host in it")]
    NoHost,
    #[error("“{0}” is no port: it is a number from 1 to 65535")]
    Port(String),
    #[error("the host holds “{0}”, which no host name can")]
    Character(char),
    #[error("the fingerprint in the link is not 64 hexadecimal digits")]
    Fingerprint,
}

impl Address {
    /// Reads either form; the link's fingerprint is the second part.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<Fingerprint>), AddressError> {
        let text = text.trim();
        let (text, fingerprint) = match text.split_once('#') {
            Some((rest, digits)) => {
                (rest, Some(Fingerprint::parse(digits).ok_or(AddressError::Fingerprint)?))
            }
            None => (text, None),
        };
        let text = text.strip_prefix("sealwire://").or(text.strip_prefix("https://")).unwrap_or(text);
        let text = text.trim_end_matches('/');
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            // Two colons and no brackets: an IPv6 address alone.
            None if text.matches(':').count() > 1 => (text, None),
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if let Some(bad) = host.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')))
        {
            return Err(AddressError::Character(bad));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(AddressError::Port(port.to_owned())),
                Ok(port) => port,
            },
        };
        Ok((Self { host: host.to_lowercase(), port }, fingerprint))
    }

    /// The same host at another port.
    pub(super) fn at(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_and_port(text: &str) -> (String, u16) {
        let (address, _) = Address::parse(text).unwrap();
        (address.host, address.port)
    }

    #[test]
    fn an_address_is_read_in_every_form_that_people_write() {
        assert_eq!(host_and_port("127.0.0.1:9000"), ("127.0.0.1".into(), 9000));
        assert_eq!(host_and_port(" Station.Example "), ("station.example".into(), DEFAULT_PORT));
        assert_eq!(host_and_port("[::1]:9000"), ("::1".into(), 9000));
        assert_eq!(host_and_port("::1"), ("::1".into(), DEFAULT_PORT));
        assert_eq!(Address::parse("[::1]:9000").unwrap().0.to_string(), "[::1]:9000");
    }

    #[test]
    fn an_invite_link_carries_the_fingerprint() {
        let digits = "0f".repeat(32);
        let (address, fingerprint) = Address::parse(&format!("sealwire://h:1/#{digits}")).unwrap();
        assert_eq!((address.to_string().as_str(), fingerprint.unwrap().as_str()), ("h:1", digits.as_str()));
        assert_eq!(Address::parse("sealwire://h:1/#12"), Err(AddressError::Fingerprint));
    }

    #[test]
    fn what_is_no_address_is_named() {
        assert_eq!(Address::parse(""), Err(AddressError::NoHost));
        assert_eq!(Address::parse("h:0"), Err(AddressError::Port("0".into())));
        assert_eq!(Address::parse("h:70000"), Err(AddressError::Port("70000".into())));
        assert_eq!(Address::parse("a b"), Err(AddressError::Character(' ')));
        assert_eq!(Address::parse("user@host"), Err(AddressError::Character('@')));
    }
}
