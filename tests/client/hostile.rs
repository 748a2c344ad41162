//! A raw MQTT client that alters, moves, repeats and forges what it sees.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rumqttc::{
    TlsConfiguration, Transport,
    v5::{Client, MqttOptions, mqttbytes::QoS},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use sealwire::{
    client::{Asked, Command, Event, Opening, Suite},
    topic::TopicFilter,
};

use crate::harness::{Person, Station, draft, notes, refusal, text};

/// The token of the Fernet specification (github.com/fernet/spec, generate.json).
const TOKEN: &[u8] =
    b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

/// Publishes raw bytes with a credential for plain MQTT programs.
struct Raw {
    client: Client,
    _poll: std::thread::JoinHandle<()>,
}

impl Raw {
    fn of(person: &mut Person, station: &Station) -> Self {
        person.send(Command::NewDevice { label: "raw".to_owned() });
        let (username, password, ca) = person.answer(Asked::Devices, |event| match event {
            Event::DeviceMade { username, password, ca_pem, mqtt, .. } => {
                assert_eq!(*mqtt, format!("mqtts://{}", station.running.mqtt_tls));
                Some((username.clone(), password.reveal().to_owned(), ca_pem.clone().unwrap()))
            }
            _ => None,
        });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // The certificate is good for this computer's own addresses too, so that other programs can verify it.
        let address = station.running.mqtt_tls;
        let mut options = MqttOptions::new("raw", address.ip().to_string(), address.port());
        options
            .set_credentials(username, password)
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
            .set_keep_alive(Duration::from_secs(30));
        let (client, mut connection) = Client::new(options, 100);
        let poll = std::thread::spawn(move || {
            for event in connection.iter() {
                if event.is_err() {
                    return;
                }
            }
        });
        Self { client, _poll: poll }
    }

    fn publish(&self, topic: &str, retain: bool, wire: &[u8]) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, wire.to_vec()).unwrap();
    }
}

#[test]
fn whatever_is_done_to_a_sealed_message_shows_under_its_own_name() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let raw = Raw::of(&mut anna, &station);
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    anna.subscribe("other/#");
    anna.publish("plant/x", "genuine");
    let wire = anna.message("plant/x").wire;

    let mut altered = wire.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let cases: [(&str, &[u8], &str); 7] = [
        ("plant/x", &altered, "Altered"),
        ("plant/y", &wire, "Moved"),
        ("other/x", &wire, "Key not for this topic"),
        ("plant/x", &wire[..wire.len() - 5], "Cut short"),
        ("plant/x", &[&wire[..], b"more"].concat(), "Over-long"),
        ("plant/x", b"21.5", "Not sealed as required"),
        ("plant/x", TOKEN, "Not sealed as required"),
    ];
    for (topic, bytes, name) in cases {
        raw.publish(topic, false, bytes);
        let message = anna.message(topic);
        assert_eq!(refusal(&message), name);
        assert_eq!(&message.wire[..], bytes);
    }
    raw.publish("other/x", false, b"plain");
    assert!(matches!(anna.message("other/x").opening, Opening::InTheClear { .. }));
}

#[test]
fn a_repeated_message_is_dropped_and_counted_and_one_replayed_as_retained_is_named() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let raw = Raw::of(&mut anna, &station);
    let line = anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    anna.publish("plant/x", "once");
    let wire = anna.message("plant/x").wire;
    raw.publish("plant/x", false, &wire);
    let repeats = anna.until("the count", |event| match event {
        Event::LeftOut { repeats, .. } => Some(*repeats),
        Event::Messages(messages) if !messages.is_empty() => panic!("shown: {messages:?}"),
        _ => None,
    });
    assert_eq!(repeats, 1);
    // The replay memory outlives the program.
    let computer = anna.computer.clone();
    drop(anna);
    let mut anna = computer.window();
    anna.log_in(&station, "anna");
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    raw.publish("plant/x", false, &wire);
    anna.until("the count", |event| matches!(event, Event::LeftOut { repeats: 1, .. }).then_some(()));

    raw.publish("plant/x", true, &wire);
    anna.until("the count", |event| matches!(event, Event::LeftOut { repeats: 2, .. }).then_some(()));
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.import(&line);
    let replayed = ben.message("plant/x");
    assert_eq!((replayed.retained, notes(&replayed)), (true, &["replayed as retained".to_owned()][..]));
}

#[test]
fn an_old_retained_message_put_back_shows_as_rolled_back() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let raw = Raw::of(&mut anna, &station);
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    let retained = |body: &str| sealwire::client::Draft { retain: true, ..draft("plant/x", body) };
    anna.send(Command::Publish { draft: retained("closed"), every: None });
    let old = anna.message("plant/x").wire;
    // A later stamp, whatever the clock's resolution: stamps are in milliseconds.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let sealed = now();
    while now() <= sealed {
        std::thread::yield_now();
    }
    anna.send(Command::Publish { draft: retained("open"), every: None });
    assert_eq!(text(&anna.message("plant/x")), "open");
    raw.publish("plant/x", true, &old);
    anna.until("the repeat", |event| matches!(event, Event::LeftOut { repeats: 1, .. }).then_some(()));
    let filter = TopicFilter::new("plant/#").unwrap();
    anna.send(Command::Unsubscribe(filter.clone()));
    anna.until("the end", |event| {
        matches!(event, Event::Subscriptions(list) if list.is_empty()).then_some(())
    });
    anna.subscribe("plant/#");
    let back = anna.message("plant/x");
    assert_eq!((text(&back).as_str(), notes(&back)), ("closed", &["rolled back".to_owned()][..]));
}
