//! Every setting: where it stands in the file, what it is for, how it is read and written.

use std::num::NonZeroUsize;

use toml::de::DeValue;

use super::value::{address, number, quoted, seconds, size, text, texts, written_size, yes_or_no};
use crate::{
    api::{OtpPolicy, SignUpPolicy},
    station::Config,
};

/// One setting.
pub(super) struct Setting {
    /// The table in the file; empty for the top.
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// For people.
    pub(super) about: &'static str,
    /// A value as it could be, for where there is none.
    pub(super) example: &'static str,
    /// Its value as TOML; none where there is none.
    pub(super) read: fn(&Config) -> Option<String>,
    pub(super) write: fn(&mut Config, &DeValue<'_>) -> Result<(), String>,
}

/// `limits.max_connections`.
pub(super) fn full_name(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The sections, in order.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    SETTINGS.iter().map(|setting| setting.section).filter(move |section| {
        let new = *section != last;
        last = section;
        new
    })
}

/// An address that need not be there; an empty text takes it away.
macro_rules! maybe_address {
    ($name:ident, $example:literal, $about:literal) => {
        Setting {
            section: "listen",
            name: stringify!($name),
            about: $about,
            example: $example,
            read: |config| config.$name.map(|address| quoted(&address.to_string())),
            write: |config, value| {
                config.$name = if value.as_str() == Some("") { None } else { Some(address(value)?) };
                Ok(())
            },
        }
    };
}

macro_rules! flag {
    ($section:literal, $name:ident, $about:literal) => {
        Setting {
            section: $section,
            name: stringify!($name),
            about: $about,
            example: "true",
            read: |config| Some(config.$name.to_string()),
            write: |config, value| {
                config.$name = yes_or_no(value)?;
                Ok(())
            },
        }
    };
}

/// A file; a relative path is one in the data folder.
macro_rules! file {
    ($name:ident, $example:literal, $about:literal) => {
        Setting {
            section: "certificates",
            name: stringify!($name),
            about: $about,
            example: $example,
            read: |config| config.certificates.$name.as_ref().map(|path| quoted(&path.display().to_string())),
            write: |config, value| {
                let path = text(value)?;
                config.certificates.$name =
                    if path.is_empty() { None } else { Some(config.data.root().join(path)) };
                Ok(())
            },
        }
    };
}

macro_rules! count {
    ($name:ident, $least:literal, $most:expr, $about:literal) => {
        Setting {
            section: "limits",
            name: stringify!($name),
            about: $about,
            example: "",
            read: |config| Some(config.limits.$name.to_string()),
            write: |config, value| {
                let number = number(value, $least, $most)?;
                config.limits.$name = number.try_into().map_err(|_| "is too large".to_owned())?;
                Ok(())
            },
        }
    };
}

macro_rules! bytes {
    ($name:ident, $least:literal, $most:expr, $about:literal) => {
        Setting {
            section: "limits",
            name: stringify!($name),
            about: $about,
            example: "",
            read: |config| Some(written_size(config.limits.$name as u64)),
            write: |config, value| {
                let bytes = size(value, $least, $most)?;
                config.limits.$name = bytes.try_into().map_err(|_| "is too large".to_owned())?;
                Ok(())
            },
        }
    };
}

macro_rules! time {
    ($name:ident, $least:literal, $most:literal, $about:literal) => {
        Setting {
            section: "limits",
            name: stringify!($name),
            about: $about,
            example: "",
            read: |config| Some(config.limits.$name.as_secs_f64().to_string()),
            write: |config, value| {
                config.limits.$name = seconds(value, $least, $most)?;
                Ok(())
            },
        }
    };
}

const MANY: u64 = 10_000_000;
const BYTES: u64 = 1 << 50;

/// All of them, section by section; those without a section come first.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "",
        name: "name",
        about: "The station's name, for people.",
        example: "",
        read: |config| Some(quoted(&config.name)),
        write: |config, value| {
            config.name = text(value)?;
            Ok(())
        },
    },
    Setting {
        section: "",
        name: "threads",
        about: "How many threads carry the broker and the API. As many as the machine has processors, unless given. Fewer \
                cost less for a lone message and more where much comes at QoS 1 (benches/broker.md).",
        example: "1",
        read: |config| config.threads.map(|threads| threads.to_string()),
        write: |config, value| {
            let threads = usize::try_from(number(value, 1, 1024)?).ok().and_then(NonZeroUsize::new);
            config.threads = threads;
            Ok(())
        },
    },
    Setting {
        section: "listen",
        name: "mqtt",
        about: "MQTT over TLS. An address and a port: 127.0.0.1 is this computer only, 0.0.0.0 all its networks, [::] \
                those of IPv6 too; port 0 takes a free one.",
        example: "",
        read: |config| Some(quoted(&config.mqtt.to_string())),
        write: |config, value| {
            config.mqtt = address(value)?;
            Ok(())
        },
    },
    Setting {
        section: "listen",
        name: "api",
        about: "The HTTPS API, which the app uses beside MQTT.",
        example: "",
        read: |config| Some(quoted(&config.api.to_string())),
        write: |config, value| {
            config.api = address(value)?;
            Ok(())
        },
    },
    maybe_address!(
        websocket_tls,
        "\"0.0.0.0:8084\"",
        "MQTT over WebSocket and TLS (wss), at the path /mqtt."
    ),
    maybe_address!(plain, "\"127.0.0.1:1883\"", "MQTT without TLS, for programs on this computer."),
    maybe_address!(
        websocket,
        "\"127.0.0.1:8083\"",
        "MQTT over WebSocket without TLS (ws), for programs on this computer."
    ),
    maybe_address!(
        metrics,
        "\"127.0.0.1:9464\"",
        "The station's figures for Prometheus, at /metrics over plain HTTP and without a token; this computer only. The \
         HTTPS API tells them too, to who shows the token in keys/metrics.token."
    ),
    flag!(
        "listen",
        plain_beyond_loopback,
        "Whether what listens without TLS may be reached from other computers. Whoever is on the way then reads \
         credentials and topics."
    ),
    Setting {
        section: "listen",
        name: "websocket_origins",
        about: "Sites whose pages may connect over WebSocket, as browsers name them; \"*\" is any. Pages from the host \
                that they connect to always may, and programs that are no browsers.",
        example: "",
        read: |config| {
            let listed: Vec<_> = config.websocket_origins.iter().map(|origin| quoted(origin)).collect();
            Some(format!("[{}]", listed.join(", ")))
        },
        write: |config, value| {
            config.websocket_origins = texts(value)?;
            Ok(())
        },
    },
    file!(
        certificate,
        "\"/etc/letsencrypt/live/example.org/fullchain.pem\"",
        "A certificate of your own for MQTT over TLS and WebSocket, PEM, with its chain. It is shown to clients that \
         ask by a name it has; others, and the app, are shown the station's own. Read again on SIGHUP and when it changes."
    ),
    file!(key, "\"/etc/letsencrypt/live/example.org/privkey.pem\"", "The certificate's private key, PEM."),
    file!(
        client_ca,
        "\"client-ca.pem\"",
        "Authorities that sign client certificates, PEM. A client that shows one is the account that the certificate \
         names (its first alternative name, or else common name, that is a username) and needs no password."
    ),
    file!(
        client_crl,
        "\"client-crl.pem\"",
        "What those authorities have taken back: revocation lists, PEM, one of each authority. Read again as the others."
    ),
    Setting {
        section: "certificates",
        name: "require_client_certificate",
        about: "Whether clients without such a certificate are refused. The app has none: it could not connect then.",
        example: "",
        read: |config| Some(config.certificates.require_client_certificate.to_string()),
        write: |config, value| {
            config.certificates.require_client_certificate = yes_or_no(value)?;
            Ok(())
        },
    },
    Setting {
        section: "accounts",
        name: "otp",
        about: "One-time codes: \"required\" of every account, or \"offered\".",
        example: "",
        read: |config| Some(quoted(if config.otp == OtpPolicy::Required { "required" } else { "offered" })),
        write: |config, value| {
            config.otp = match value.as_str() {
                Some("required") => OtpPolicy::Required,
                Some("offered") => OtpPolicy::Offered,
                _ => return Err("is \"required\" or \"offered\"".to_owned()),
            };
            Ok(())
        },
    },
    Setting {
        section: "accounts",
        name: "sign_up",
        about: "Who may make an account after the first: \"open\" is anybody who reaches the station, \"closed\" nobody.",
        example: "",
        read: |config| Some(quoted(if config.sign_up == SignUpPolicy::Closed { "closed" } else { "open" })),
        write: |config, value| {
            config.sign_up = match value.as_str() {
                Some("open") => SignUpPolicy::Open,
                Some("closed") => SignUpPolicy::Closed,
                _ => return Err("is \"open\" or \"closed\"".to_owned()),
            };
            Ok(())
        },
    },
    Setting {
        section: "accounts",
        name: "anonymous",
        about: "The role of clients that give no username, from this computer. Not set: they are refused.",
        example: "\"subscriber\"",
        read: |config| config.anonymous.as_deref().map(quoted),
        write: |config, value| {
            let role = text(value)?;
            config.anonymous = if role.is_empty() { None } else { Some(role) };
            Ok(())
        },
    },
    flag!(
        "accounts",
        anonymous_beyond_loopback,
        "Whether clients without a username may come from other computers too."
    ),
    count!(max_connections, 1, MANY, "Connections at a time. The next one is told that the server is busy."),
    count!(
        max_connections_per_address,
        1,
        MANY,
        "Of these from one address; in IPv6 from one network of 64 bits."
    ),
    count!(connects_per_second, 0, MANY, "New connections per second in all; more wait. 0 is no bound."),
    count!(
        connects_per_second_per_address,
        0,
        MANY,
        "New connections per second from one address; more are closed. 0 is no bound."
    ),
    Setting {
        section: "limits",
        name: "spare_loopback",
        about: "Whether this computer's own address is free of the two bounds per address.",
        example: "",
        read: |config| Some(config.limits.spare_loopback.to_string()),
        write: |config, value| {
            config.limits.spare_loopback = yes_or_no(value)?;
            Ok(())
        },
    },
    count!(
        max_pending_handshakes,
        1,
        MANY,
        "Connections that have not said who they are yet. The next one is closed."
    ),
    time!(
        handshake_timeout,
        0.1,
        3600.0,
        "Seconds from connecting to a complete CONNECT, TLS and WebSocket included."
    ),
    time!(authority_timeout, 0.1, 3600.0, "Seconds to decide about a CONNECT."),
    time!(write_timeout, 0.1, 3600.0, "Seconds until a client that takes nothing is cut off."),
    time!(shutdown_timeout, 0.0, 3600.0, "Seconds to say good-bye to clients when the station ends."),
    count!(max_sessions, 1, MANY, "Sessions, of clients that are connected or away."),
    count!(
        max_session_expiry_secs,
        0,
        4_294_967_295,
        "Seconds that a session outlives its connection, at most."
    ),
    count!(
        max_keep_alive_secs,
        1,
        65_535,
        "The longest keep-alive, in seconds: an MQTT 5 client that promises a longer one is told to keep to this."
    ),
    bytes!(max_connect_bytes, 64, 1 << 20, "The largest CONNECT packet."),
    bytes!(max_packet_bytes, 128, 268_435_455, "The largest packet after that."),
    count!(max_client_id_bytes, 23, 65_535, "The longest client id, in bytes."),
    count!(max_topic_levels, 1, 65_535, "Levels of a topic."),
    count!(max_topic_aliases, 0, 65_535, "Topic aliases that an MQTT 5 client may set."),
    count!(max_subscriptions_per_session, 1, MANY, "Subscriptions of one session."),
    count!(
        max_inflight,
        1,
        65_535,
        "QoS 1 and 2 messages on their way to one client, or from it, at a time."
    ),
    count!(
        publishes_per_second,
        0,
        MANY,
        "Messages per second from one connection; who sends more is read more slowly. 0 is no bound."
    ),
    count!(queue_messages, 1, MANY, "Messages that wait for one session."),
    bytes!(queue_bytes, 1024, BYTES, "The same in bytes."),
    bytes!(
        queue_bytes_total,
        1024,
        BYTES,
        "The same of all sessions together; the last quarter is for clients that are connected."
    ),
    bytes!(
        send_buffer_bytes,
        1024,
        1 << 30,
        "Bytes that wait for one client's socket before it counts as slow."
    ),
    time!(
        reader_patience,
        0.0,
        60.0,
        "Seconds that a publisher waits for a slow client, which then loses QoS 0 messages."
    ),
    time!(
        slow_period,
        0.0,
        3600.0,
        "Seconds that nobody waits for it then, at most; a sixteenth the first time."
    ),
    time!(
        ack_patience,
        0.0,
        3600.0,
        "Seconds that a publisher waits for a client that acknowledges nothing."
    ),
    time!(
        will_grace,
        0.0,
        3600.0,
        "Seconds that wills of connections which ended with the station wait after its next start."
    ),
    count!(max_retained_messages, 0, MANY, "Retained messages."),
    bytes!(max_retained_bytes, 0, BYTES, "The same in bytes."),
    time!(
        sys_interval,
        0.0,
        86_400.0,
        "Seconds between two rounds of the broker's figures under $SYS; 0 turns them off."
    ),
    count!(route_cache_topics, 1, MANY, "Topics whose subscribers a connection remembers."),
];
