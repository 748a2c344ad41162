//! The load generator against mosquitto, which knows QoS 2 and refuses nobody.

use std::time::Duration;

use sealwire::bench::{
    self,
    settings::{Length, Pace, Qos, Scenario, Settings, Version},
};

use crate::mosquitto::Mosquitto;

#[test]
fn the_load_generator_loses_nothing_at_any_qos_with_mosquitto() {
    let mosquitto = Mosquitto::with("allow_anonymous true\nmax_queued_messages 0");
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
                let mut settings = Settings::of(scenario, mosquitto.address().to_string().parse().unwrap());
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
