//! The load generator against the real station, in a process of its own, and against its own relay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../support/mod.rs"]
mod support;

use std::{
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command as Process, Output},
    time::Duration,
};

use sealwire::bench::{
    self, Report, Settings,
    settings::{Length, Pace, Qos, Scenario, Version},
};
use support::Station;

/// A station that lets everybody on this computer send and receive.
fn open_station(folder: &Path) -> Station {
    Station::start(folder, &["--plain", "127.0.0.1:0", "--anonymous", "admin"])
}

fn settings(station: &Station, scenario: Scenario, messages: u64) -> Settings {
    let mut settings = Settings::of(scenario, station.plain.as_ref().unwrap().parse().unwrap());
    settings.length = Length::Messages(messages);
    // What is missing after so long under a whole test run's load is really missing.
    settings.patience = Duration::from_secs(30);
    settings
}

#[track_caller]
fn measured(settings: Settings) -> Report {
    let report = bench::measure(settings, &mut |_| {}).unwrap();
    assert_eq!(report.trouble(), None);
    report
}

/// Everything that was sent arrived at everybody, once.
#[track_caller]
fn all_arrived(report: &Report, sent: u64, copies: u64) {
    let whole = &report.runs[0].whole;
    assert_eq!((whole.sent, whole.expected), (sent, sent * copies), "{whole:?}");
    assert_eq!((whole.received, whole.lost, whole.gaps), (sent * copies, 0, 0), "{whole:?}");
    assert_eq!((whole.duplicates, whole.strays, whole.unopened), (0, 0, 0), "{whole:?}");
    assert_eq!((whole.refused, whole.unexpected_acknowledgements), (0, 0), "{whole:?}");
}

#[test]
fn each_scenario_delivers_everything_at_qos_0_and_1_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let station = open_station(folder.path());
    let shapes = [
        (Scenario::OneToOne, 2, 2, 1),
        (Scenario::FanIn, 5, 1, 1),
        (Scenario::FanOut, 1, 5, 5),
        (Scenario::ManyToMany, 3, 4, 4),
        (Scenario::TurnBased, 20, 1, 1),
        (Scenario::Latency, 1, 1, 1),
        (Scenario::Sealed, 1, 1, 1),
    ];
    for (scenario, publishers, subscribers, copies) in shapes {
        for (qos, version) in [
            (Qos::AtMostOnce, Version::V311),
            (Qos::AtLeastOnce, Version::V311),
            (Qos::AtLeastOnce, Version::V5),
        ] {
            let mut settings = settings(&station, scenario, 600);
            (settings.publishers, settings.subscribers) = (publishers, subscribers);
            (settings.qos, settings.version, settings.topics) = (qos, version, 3);
            if settings.pace == Pace::Open && qos == Qos::AtMostOnce {
                settings.pace = Pace::InFlight(50);
            }
            let report = measured(settings);
            all_arrived(&report, 600, copies);
            let acknowledged = report.runs[0].whole.acknowledged;
            assert_eq!(acknowledged, if qos == Qos::AtMostOnce { 0 } else { 600 });
            assert!(report.runs[0].latency.is_some());
        }
    }
}

#[test]
fn a_persistent_session_gets_everything_among_many_other_subscriptions() {
    let folder = tempfile::tempdir().unwrap();
    let station = open_station(folder.path());
    for version in [Version::V311, Version::V5] {
        let mut settings = settings(&station, Scenario::OneToOne, 500);
        (settings.qos, settings.durable, settings.version) = (Qos::AtLeastOnce, true, version);
        (settings.bystanders, settings.filters) = (20, 1200);
        all_arrived(&measured(settings), 500, 1);
    }
}

#[test]
fn connections_are_held_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let station = open_station(folder.path());
    for scenario in [Scenario::Idle, Scenario::ConnectStorm] {
        let mut settings = settings(&station, scenario, 1);
        settings.length = Length::Time { warm_up: Duration::ZERO, measured: Duration::from_millis(100) };
        settings.connections = 150;
        settings.pid = cfg!(target_os = "linux").then(|| station.pid());
        let report = measured(settings);
        let run = &report.runs[0];
        assert_eq!(run.connecting.connections, 150);
        assert_eq!(run.connecting.time.as_ref().unwrap().count, 150);
        if let Some(cost) = run.broker {
            assert!(cost.memory_per_connection_bytes.is_some() && cost.memory_peak_bytes > 0);
        }
    }
}

#[test]
fn a_station_is_known_by_its_authority_and_by_its_fingerprint_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let station = open_station(folder.path());
    let port = station.mqtt.rsplit(':').next().unwrap();
    let over_tls = |fingerprint: Option<&str>| {
        let mut settings = settings(&station, Scenario::ManyToMany, 300);
        settings.qos = Qos::AtLeastOnce;
        settings.broker = format!("mqtts://localhost:{port}").parse().unwrap();
        match fingerprint {
            Some(pin) => settings.tls.fingerprint = Some(pin.to_owned()),
            None => settings.tls.ca = Some(station.ca.clone()),
        }
        settings
    };
    for fingerprint in [None, Some(station.fingerprint.as_str())] {
        all_arrived(&measured(over_tls(fingerprint)), 300, 10);
    }
    let refused = bench::measure(over_tls(Some(&"0".repeat(64))), &mut |_| {}).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[test]
fn the_relay_passes_on_what_the_load_generator_counts() {
    let mut settings = Settings::of(Scenario::Loopback, "localhost".parse().unwrap());
    settings.length = Length::Messages(50_000);
    all_arrived(&measured(settings), 50_000, 1);
}

fn sealwire(arguments: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_sealwire")).arg("bench").args(arguments).output().unwrap()
}

#[track_caller]
fn says(arguments: &[&str], code: i32, what: &str) {
    let output = sealwire(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(what), "{said}");
}

#[test]
fn wrong_input_is_refused_with_the_way_out() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    says(&["one-to-one", &nobody], 6, "could not connect");
    says(&["one-to-one", "http://x"], 2, "mqtt://HOST:PORT");
    says(&["one-to-one", "mqtt://anna:hush@x"], 2, "--password-file");
    assert!(!String::from_utf8_lossy(&sealwire(&["idle", "mqtt://anna:hush@x"]).stderr).contains("hush"));
    says(&["one-to-one", "--payload", "3"], 2, "--payload 16");
    says(&["one-to-one", "mqtts://localhost"], 2, "--ca");
    says(&["one-to-one", "mqtts://localhost", "--ca", "nowhere.pem"], 1, "nowhere.pem");
    says(&["one-to-one", "--qos", "3"], 2, "3 is not in 0..=2");
    says(&["one-to-one", "--rate", "10", "--in-flight", "10"], 2, "cannot be used with");
}

#[test]
fn a_port_that_speaks_something_else_is_called_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"\x00\x00HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        listener
    });
    says(&["idle", &address, "--connections", "1"], 1, "no MQTT");
    server.join().unwrap();
}

#[test]
fn a_role_that_may_not_subscribe_is_told_so_and_a_loss_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let station = Station::start(folder.path(), &["--plain", "127.0.0.1:0", "--anonymous", "publisher"]);
    says(&["one-to-one", station.plain.as_ref().unwrap()], 4, "refused the subscription");
    let pin = ["--fingerprint", &"0".repeat(64), "--connections", "1"];
    says(&[&["idle", &format!("mqtts://{}", station.mqtt)], &pin[..]].concat(), 3, "certificate");
    drop(station);
    let station = Station::start(folder.path(), &["--plain", "127.0.0.1:0"]);
    says(&["idle", station.plain.as_ref().unwrap(), "--connections", "1"], 4, "refused the connection");
    drop(station);
    // Subscribers may listen; what they publish is acknowledged and dropped, as MQTT 3.1.1 wants it.
    let station = Station::start(folder.path(), &["--plain", "127.0.0.1:0", "--anonymous", "subscriber"]);
    let address = station.plain.as_ref().unwrap();
    let report = folder.path().join("report.json");
    let page = folder.path().join("report.html");
    let files = ["--json", report.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let arguments = ["one-to-one", address, "--qos", "1", "--messages", "40", "--patience", "0.5"];
    let output = sealwire(&[&arguments[..], &files[..]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("40 (100.000 %)"));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(json["runs"][0]["whole"]["acknowledged"], 40);
    assert_eq!(json["runs"][0]["whole"]["lost"], 40);
    assert!(std::fs::read_to_string(&page).unwrap().contains("Nothing of what was sent arrived."));
    // At QoS 0 nothing tells but that nothing comes; MQTT 5 says no to each message of QoS 1.
    let few = ["--messages", "40", "--patience", "0.5"];
    says(&[&["one-to-one", address], &few[..]].concat(), 1, "nothing of what was sent arrived");
    let refused = ["one-to-one", address, "--qos", "1", "--mqtt", "5"];
    says(&[&refused[..], &few[..]].concat(), 4, "refused every message");
}
