//! The file and the arguments, right and wrong.

use super::*;
use crate::broker::Limits;

fn base() -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::by_hand(DataFolders::find(Some(dir.path())).unwrap());
    (dir, config)
}

fn fault(text: &str) -> String {
    from_text(base().1, text, "station.toml").unwrap_err().to_string()
}

#[test]
fn the_file_changes_what_it_names_and_arguments_go_before_it() {
    let (dir, config) = base();
    std::fs::write(
        dir.path().join(FILE),
        "name = 'Plant'\n[listen]\nmqtt = '0.0.0.0:8883'\nplain = '127.0.0.1:1883'\n\
         [certificates]\nclient_ca = 'ca.pem'\n[accounts]\nsign_up = 'closed'\nanonymous = 'subscriber'\n\
         [limits]\nmax_connections = 50\nqueue_bytes = '2 MiB'\nhandshake_timeout = 2.5\n",
    )
    .unwrap();
    let config = from_file(config).unwrap();
    assert_eq!((config.name.as_str(), config.mqtt.to_string().as_str()), ("Plant", "0.0.0.0:8883"));
    assert_eq!(config.certificates.client_ca, Some(dir.path().join("ca.pem")), "relative to the data folder");
    assert_eq!(config.limits.max_connections, 50);
    assert_eq!(config.limits.queue_bytes, 2 << 20);
    assert_eq!(config.limits.handshake_timeout.as_millis(), 2_500);
    assert_eq!(config.limits.max_inflight, Limits::default().max_inflight, "what is not named stays");
    let config = with(config, "limits.max_connections = 7").unwrap();
    let config = with(config, "listen.plain=").unwrap();
    let config = with(config, "accounts.anonymous=publisher").unwrap();
    assert_eq!((config.limits.max_connections, config.plain), (7, None));
    assert_eq!(config.anonymous.as_deref(), Some("publisher"), "bare text needs no quotes");
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_next_step() {
    let cases = [
        ("[limits]\n\nmax_conections = 5\n", "line 3", "did you mean limits.max_connections?"),
        ("[limits]\nfrobnicate = 5\n", "line 2", "--print-settings"),
        ("max_connections = 5\n", "line 1", "did you mean limits.max_connections?"),
        ("[limit]\nmax_connections = 5\n", "line 1", "[limits]"),
        ("[limits]\nmax_connections = 0\n", "line 2", "at least 1"),
        ("[limits]\nmax_connections = -3\n", "line 2", "whole number"),
        ("[limits]\nmax_inflight = 70000\n", "line 2", "at most 65535"),
        ("[limits]\nhandshake_timeout = '10 s'\n", "line 2", "number of seconds"),
        ("[limits]\nqueue_bytes = '5 miles'\n", "line 2", "16 MiB"),
        ("[listen]\nplain = 'localhost'\n", "line 2", "127.0.0.1:1883"),
        ("[accounts]\notp = 'never'\n", "line 2", "\"offered\""),
        ("[listen]\nplain_beyond_loopback = 'yes'\n", "line 2", "true or false"),
        ("[listen]\nplain = \n", "line 2", ""),
        ("[limits]\nmax_sessions = 1\nmax_sessions = 2\n", "line 3", "duplicate"),
    ];
    for (text, line, step) in cases {
        let fault = fault(text);
        assert!(fault.contains(&format!("station.toml, {line}:")) && fault.contains(step), "{text}: {fault}");
    }
    assert!(with(base().1, "limits.max_connections").unwrap_err().to_string().contains("SECTION.NAME=VALUE"));
    assert!(with(base().1, "limits.max_connections=many").unwrap_err().to_string().contains("whole number"));
}

#[test]
fn what_is_printed_says_the_same_again_and_shows_every_setting() {
    let (_dir, config) = base();
    let mut config = with(config, "limits.max_connections=123").unwrap();
    for one in [
        "name=A \"name\"",
        "threads=3",
        "listen.websocket=127.0.0.1:0",
        "listen.metrics=127.0.0.1:9464",
        "limits.sys_interval=60",
        "listen.websocket_origins=[\"https://a.example\"]",
        "certificates.client_ca=/x/ca.pem",
        "certificates.client_crl=/x/crl.pem",
        "limits.queue_bytes_total=\"3 GiB\"",
        "limits.reader_patience=0.25",
        "limits.spare_loopback=false",
        "accounts.otp=offered",
    ] {
        config = with(config, one).unwrap();
    }
    let printed = print(&config);
    assert!(printed.contains("# Default: 10000\nmax_connections = 123\n"), "{printed}");
    assert!(printed.contains("#plain = \"127.0.0.1:1883\"\n"), "{printed}");
    assert!(printed.contains("queue_bytes_total = \"3 GiB\"\n"), "{printed}");
    let again = from_text(Config::by_hand(config.data.clone()), &printed, "printed").unwrap();
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
    // Every line that is a comment for want of another value can be made one that counts.
    let all: String = printed
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    from_text(config, &all, "printed").unwrap();
    for setting in SETTINGS {
        assert!(all.contains(&format!("\n{} = ", setting.name)), "{}", setting.name);
    }
}

#[test]
fn every_limit_of_the_broker_is_a_setting() {
    let limits = format!("{:?}", Limits::default());
    let fields = limits.split(['{', ',', '}']).filter_map(|part| part.split_once(':'));
    let mut seen = 0;
    for (field, _) in fields {
        seen += 1;
        let known = |setting: &&Setting| setting.section == "limits" && setting.name == field.trim();
        assert!(SETTINGS.iter().any(|setting| known(&setting)), "{field} has no setting");
    }
    assert!(seen > 25, "only {seen} limits were found");
}
