//! What a person writes down about a broker.
//!
//! As a URL: `mqtt://` (TCP), `mqtts://` (TLS), `ws://` and `wss://` (WebSocket), with a user, a host and a port, and for
//! WebSocket a path. Never with a password: URLs end up in histories, logs and screenshots.

use std::{fmt, net::Ipv6Addr, time::Duration};

use crate::client::Password;

/// The version of MQTT. None is negotiated: a broker that speaks only the other one is told, not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 5.0.
    #[default]
    V5,
    /// 3.1.1.
    V311,
}

impl Version {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V5 => "MQTT 5",
            Self::V311 => "MQTT 3.1.1",
        }
    }
}

/// What carries MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// TCP in the clear.
    Tcp,
    /// TLS over TCP.
    #[default]
    Tls,
    /// WebSocket in the clear.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tls, Self::Tcp, Self::Wss, Self::Ws];

    /// The scheme of its URL.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "mqtt",
            Self::Tls => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The port where none is named.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tcp => 1883,
            Self::Tls => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Whether it is encrypted on the way to the broker.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether it is WebSocket, which has a path.
    #[must_use]
    pub const fn is_web_socket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// A client certificate and its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those between it and its authority.
    pub certificate: String,
    /// Its key, not encrypted: PKCS #8, PKCS #1 or SEC 1.
    pub key: Password,
}

/// Where a broker is and how it wants to be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The version of MQTT.
    pub version: Version,
    /// What carries it.
    pub transport: Transport,
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// WebSocket's path, from `/`.
    pub path: String,
    /// The certificate authority to trust instead of the system's, PEM.
    pub ca: Option<String>,
    /// Who we are, where the broker asks for a certificate.
    pub identity: Option<ClientIdentity>,
    /// Who we are, by name.
    pub username: Option<String>,
    /// The password of that name.
    pub password: Option<Password>,
    /// `None`: a random one.
    pub client_id: Option<String>,
    /// How long the line may be silent; 5 seconds at least.
    pub keep_alive: Duration,
    /// Whether the broker keeps the session, and what comes in it, while we are away.
    pub keep_session: bool,
}

/// Why a text or a set of choices is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum EndpointError {
    #[error("there is no host in it: write mqtts://host, or mqtts://host:port")]
    NoHost,
    #[error("“{0}” is no kind of connection: begin with mqtt://, mqtts://, ws:// or wss://")]
    Scheme(String),
    #[error("“{0}” is no port: it is a number from 1 to 65535")]
    Port(String),
    #[error("the host holds “{0}”, which no host name can: names with other letters are written xn--…")]
    Host(char),
    #[error("“{0}” is no IPv6 address: write it as [2001:db8::1]")]
    Ipv6(String),
    #[error("a password does not belong in an address, where histories and logs keep it: give it by itself")]
    PasswordInUrl,
    #[error("the user in the address is not well written: “%” stands before two hexadecimal digits")]
    User,
    #[error("only ws:// and wss:// have a path: leave out “{0}”")]
    PathWithoutWebSocket(String),
    #[error("the path holds “{0}”, which no path can")]
    Path(char),
    #[error("a password needs a username beside it")]
    PasswordWithoutUser,
    #[error("the {0} is too long or holds a zero character: MQTT takes 65,535 bytes of text")]
    Text(&'static str),
    #[error("the CA file holds no certificate: choose a PEM file (-----BEGIN CERTIFICATE-----)")]
    Ca,
    #[error(
        "the system has no list of authorities that can be read: give the file of the broker's certificate authority"
    )]
    NoSystemRoots,
    #[error("the client certificate's file holds no certificate: choose a PEM file")]
    Certificate,
    #[error(
        "the client key's file holds no private key that can be read: choose a PEM file that is not encrypted"
    )]
    Key,
    #[error("the client certificate and its key do not go together: {0}")]
    Identity(String),
    #[error("a certificate belongs to an encrypted connection: choose mqtts:// or wss://, or leave it out")]
    CertificateWithoutTls,
    #[error("“{0}” is no name that a certificate could be for")]
    ServerName(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("the system gave no random numbers: {0}")]
    Randomness(String),
}

/// WebSocket's path where none is named: what EMQX, HiveMQ and the clients for browsers take.
const DEFAULT_PATH: &str = "/mqtt";
const KEEP_ALIVE: Duration = Duration::from_secs(30);

impl Endpoint {
    /// With nothing but where it is.
    #[must_use]
    pub fn new(transport: Transport, host: impl Into<String>, port: u16) -> Self {
        Self {
            version: Version::default(),
            transport,
            host: host.into(),
            port,
            path: if transport.is_web_socket() { DEFAULT_PATH.to_owned() } else { String::new() },
            ca: None,
            identity: None,
            username: None,
            password: None,
            client_id: None,
            keep_alive: KEEP_ALIVE,
            keep_session: true,
        }
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What it is not, or a password in it.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(EndpointError::Scheme(text.split([':', '/']).next().unwrap_or_default().to_owned()));
        };
        let transport = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" | "tcp" => Transport::Tcp,
            "mqtts" | "ssl" | "tls" => Transport::Tls,
            "ws" => Transport::Ws,
            "wss" => Transport::Wss,
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(EndpointError::PasswordInUrl),
            Some((user, place)) => (Some(unescape(user)?), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let mut endpoint = Self::new(transport, host, port.unwrap_or(transport.default_port()));
        endpoint.username = user.filter(|user| !user.is_empty());
        match (path, transport.is_web_socket()) {
            ("", _) | ("/", false) => {}
            (path, true) => path.clone_into(&mut endpoint.path),
            (path, false) => return Err(EndpointError::PathWithoutWebSocket(path.to_owned())),
        }
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Whether the choices go together; PEM is read only by [`Self::check_files`].
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), EndpointError> {
        check_host(&self.host)?;
        if self.port == 0 {
            return Err(EndpointError::Port("0".to_owned()));
        }
        if self.transport.is_web_socket() {
            if !self.path.starts_with('/') {
                return Err(EndpointError::Path(self.path.chars().next().unwrap_or(' ')));
            }
            let in_path = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%?".contains(c);
            if let Some(bad) = self.path.chars().find(|c| !in_path(*c)) {
                return Err(EndpointError::Path(bad));
            }
        }
        if self.password.is_some() && self.username.as_deref().unwrap_or_default().is_empty() {
            return Err(EndpointError::PasswordWithoutUser);
        }
        // MQTT 5.0 §1.5.4, 3.1.1 §1.5.3.
        let is_text = |text: &str| text.len() <= usize::from(u16::MAX) && !text.contains('\0');
        for (name, text) in [
            ("username", self.username.as_deref()),
            ("password", self.password.as_ref().map(Password::reveal)),
            ("client id", self.client_id.as_deref()),
        ] {
            if !text.is_none_or(is_text) {
                return Err(EndpointError::Text(name));
            }
        }
        if !self.transport.is_encrypted() && (self.ca.is_some() || self.identity.is_some()) {
            return Err(EndpointError::CertificateWithoutTls);
        }
        Ok(())
    }

    /// Whether the certificates and the key that it names can be read, and go together.
    ///
    /// # Errors
    /// As [`Self::check`], and the first file that is not what it should be.
    pub fn check_files(&self) -> Result<(), EndpointError> {
        super::Server::of(self).map(drop)
    }

    /// The client id: the one that is set, or a random one of 17 characters, which every broker takes (MQTT-3.1.3-5).
    ///
    /// # Errors
    /// No randomness.
    pub fn client_id(&self) -> Result<String, EndpointError> {
        if let Some(id) = self.client_id.as_ref().filter(|id| !id.is_empty()) {
            return Ok(id.clone());
        }
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| EndpointError::Randomness(error.to_string()))?;
        Ok(format!("sealwire-{:08x}", u32::from_be_bytes(random)))
    }

    /// `host:port`, IPv6 in brackets.
    #[must_use]
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL without the user.
    #[must_use]
    pub fn address(&self) -> String {
        let path = if self.transport.is_web_socket() { self.path.as_str() } else { "" };
        format!("{}://{}{path}", self.transport.scheme(), self.place())
    }
}

/// The URL, without any secret.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(user) = &self.username else { return f.write_str(&self.address()) };
        let address = self.address();
        let place = address.split_once("://").map_or(address.as_str(), |(_, place)| place);
        write!(f, "{}://{}@{place}", self.transport.scheme(), escape(user))
    }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), EndpointError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(|| EndpointError::Ipv6(place.to_owned()))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(EndpointError::Ipv6(host.to_owned()));
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(EndpointError::Port(rest.to_owned())),
            }
        }
        None if place.matches(':').count() > 1 => return Err(EndpointError::Ipv6(place.to_owned())),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(EndpointError::Port(port.to_owned())),
            Ok(port) => Some(port),
        },
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn check_host(host: &str) -> Result<(), EndpointError> {
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if host.contains(':') {
        return match host.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(EndpointError::Ipv6(host.to_owned())),
        };
    }
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.chars().find(|c| !in_host(*c)).map_or(Ok(()), |bad| Err(EndpointError::Host(bad)))
}

/// RFC 3986 §2.1.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unescape(text: &str) -> Result<String, EndpointError> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(EndpointError::User) };
        out.push(u8::try_from(high * 16 + low).map_err(|_| EndpointError::User)?);
    }
    String::from_utf8(out).map_err(|_| EndpointError::User)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (Transport, String, u16, String) {
        let Endpoint { transport, host, port, path, .. } = Endpoint::parse(url).unwrap();
        (transport, host, port, path)
    }

    #[test]
    fn a_url_names_transport_host_port_and_path_and_each_has_its_default_port() {
        assert_eq!(parsed("mqtt://h"), (Transport::Tcp, "h".into(), 1883, String::new()));
        assert_eq!(parsed("mqtts://H.example/"), (Transport::Tls, "h.example".into(), 8883, String::new()));
        assert_eq!(parsed("ws://h"), (Transport::Ws, "h".into(), 80, "/mqtt".into()));
        assert_eq!(parsed("wss://h/"), (Transport::Wss, "h".into(), 443, "/".into()));
        assert_eq!(parsed("wss://h:9001/a/b?c=d"), (Transport::Wss, "h".into(), 9001, "/a/b?c=d".into()));
        assert_eq!(parsed("mqtt://[::1]:1884"), (Transport::Tcp, "::1".into(), 1884, String::new()));
        assert_eq!(
            parsed("mqtts://[2001:db8::1]"),
            (Transport::Tls, "2001:db8::1".into(), 8883, String::new())
        );
    }

    #[test]
    fn what_is_printed_is_read_back_the_same_and_holds_no_password() {
        for url in ["mqtt://h:1883", "mqtts://a%40b%20c@[::1]:8883", "wss://u@h:443/x", "ws://h:80/mqtt"] {
            let mut endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.to_string(), url);
            endpoint.password = Some(Password::new("hush"));
            assert!(!format!("{endpoint} {endpoint:?}").contains("hush"));
        }
        assert_eq!(Endpoint::parse("mqtts://a%40b@h").unwrap().username.as_deref(), Some("a@b"));
    }

    #[test]
    fn a_password_in_a_url_is_refused_with_the_reason() {
        let refused = Endpoint::parse("mqtt://anna:hush@h").unwrap_err();
        assert_eq!(refused, EndpointError::PasswordInUrl);
        assert!(refused.to_string().contains("logs") && !refused.to_string().contains("hush"));
    }

    #[test]
    fn what_is_no_address_is_named() {
        let refused = |url: &str| Endpoint::parse(url).unwrap_err();
        assert_eq!(refused("h:1883"), EndpointError::Scheme("h".into()));
        assert_eq!(refused("http://h"), EndpointError::Scheme("http".into()));
        assert_eq!(refused("mqtt://"), EndpointError::NoHost);
        assert_eq!(refused("mqtt://h:0"), EndpointError::Port("0".into()));
        assert_eq!(refused("mqtt://h:99999"), EndpointError::Port("99999".into()));
        assert_eq!(refused("mqtt://::1"), EndpointError::Ipv6("::1".into()));
        assert_eq!(refused("mqtt://[::g]"), EndpointError::Ipv6("::g".into()));
        assert_eq!(refused("mqtt://[::1]x"), EndpointError::Port("x".into()));
        assert_eq!(refused("mqtt://a b"), EndpointError::Host(' '));
        assert_eq!(refused("mqtt://h/path"), EndpointError::PathWithoutWebSocket("/path".into()));
        assert_eq!(refused("ws://h/a b"), EndpointError::Path(' '));
        assert_eq!(refused("ws://h/a#b"), EndpointError::Path('#'));
        assert_eq!(refused("mqtt://%zz@h"), EndpointError::User);
    }

    #[test]
    fn choices_that_do_not_go_together_are_refused() {
        let endpoint = Endpoint::parse("mqtt://h").unwrap();
        let with_ca = Endpoint { ca: Some("x".into()), ..endpoint.clone() };
        assert_eq!(with_ca.check(), Err(EndpointError::CertificateWithoutTls));
        let nobody = Endpoint { password: Some(Password::new("x")), ..endpoint.clone() };
        assert_eq!(nobody.check(), Err(EndpointError::PasswordWithoutUser));
        for username in ["x".repeat(65_536), "a\0b".to_owned()] {
            let odd = Endpoint { username: Some(username), ..endpoint.clone() };
            assert_eq!(odd.check(), Err(EndpointError::Text("username")));
        }
    }

    #[test]
    fn a_random_client_id_is_new_each_time_and_short_enough_for_every_broker() {
        let endpoint = Endpoint::parse("mqtt://h").unwrap();
        let ids = [endpoint.client_id().unwrap(), endpoint.client_id().unwrap()];
        assert_ne!(ids[0], ids[1]);
        assert!(ids[0].len() + "-qos2".len() <= 23);
        let named = Endpoint { client_id: Some("press-1".into()), ..endpoint };
        assert_eq!(named.client_id().unwrap(), "press-1");
    }
}
