//! The load generator against mosquitto, which knows QoS 2 and refuses nobody.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command as Process, Stdio},
    time::{Duration, Instant},
};

use sealwire::bench::{
    self,
    settings::{Length, Pace, Qos, Scenario, Settings, Version},
};

use crate::support::PATIENCE;

struct Mosquitto {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Mosquitto {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("mosquitto.conf");
        let lines = [
            &format!("listener {port} 127.0.0.1"),
            "allow_anonymous true",
            "persistence false",
            "max_queued_messages 0",
        ];
        std::fs::write(&config, lines.join("\n")).unwrap();
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap());
        let process = Process::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        let mosquitto = Self { process, address: format!("127.0.0.1:{port}"), _folder: folder };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&mosquitto.address).is_err() {
            assert!(Instant::now() < until, "mosquitto does not listen");
            std::thread::yield_now();
        }
        mosquitto
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_load_generator_loses_nothing_at_any_qos_with_mosquitto() {
    let mosquitto = Mosquitto::start();
    for version in [Version::V311, Version::V5] {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            for (scenario, copies) in [
                (Scenario::OneToOne, 1),
                (Scenario::FanIn, 1),
                (Scenario::FanOut, 10),
                (Scenario::ManyToMany, 10),
                (Scenario::TurnBased, 1),
                (Scenario::Sealed, 1),
            ] {
                let mut settings = Settings::of(scenario, mosquitto.address.parse().unwrap());
                (settings.version, settings.qos) = (version, qos);
                settings.length = Length::Messages(1000);
                settings.patience = Duration::from_secs(30);
                settings.durable = qos == Qos::ExactlyOnce;
                if (version, qos) == (Version::V311, Qos::ExactlyOnce) {
                    // MQTT 3.1.1 has no way to say so, and mosquitto closes the connection on whoever sends more.
                    settings.window = 20;
                }
                if qos == Qos::AtMostOnce && settings.pace == Pace::Open {
                    settings.pace = Pace::InFlight(20);
                }
                let report = bench::measure(settings, &mut |_| {}).unwrap();
                let run = &report.runs[0];
                let whole = &run.whole;
                assert_eq!(report.trouble(), None);
                assert_eq!((whole.sent, whole.received, whole.lost), (1000, 1000 * copies, 0), "{whole:?}");
                assert_eq!((whole.duplicates, whole.strays, whole.unexpected_acknowledgements), (0, 0, 0));
                if qos != Qos::AtMostOnce {
                    assert_eq!(whole.acknowledged, 1000);
                    // mosquitto of version 5 allows 20 unless told otherwise.
                    let turns = scenario == Scenario::TurnBased;
                    let most = if version == Version::V5 || qos == Qos::ExactlyOnce { 20 } else { 100 };
                    assert_eq!(run.window_used, Some(if turns { 1 } else { most }));
                }
            }
        }
    }
}
