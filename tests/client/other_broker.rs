//! Accounts and keys at the station, messages through a broker of another make.

use sealwire::client::{
    Asked, ClientIdentity, Command, Draft, Endpoint, Event, Failure, LinkState, MqttVersion, OtherBroker,
    OtherBrokerView, OutboxEntry, OutboxState, Password, Suite,
};

use super::{
    harness::{Person, Station, draft, text},
    mosquitto::{Mosquitto, Pki, first_packet, password_file},
};

const BOTH: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];

fn endpoint(url: &str, version: MqttVersion) -> Endpoint {
    Endpoint { version, ..Endpoint::parse(url).unwrap() }
}

fn set(endpoint: Endpoint) -> Command {
    Command::SetBroker(Some(Box::new(OtherBroker { endpoint, keep_secrets: false })))
}

impl Person {
    /// Goes over to another broker, and waits until it carries the messages.
    #[track_caller]
    fn go_over(&mut self, endpoint: Endpoint) {
        let address = endpoint.address();
        self.send(set(endpoint));
        self.answer(Asked::Broker, |event| match event {
            Event::Link(LinkState::Online { broker, .. }) => (*broker == address).then_some(()),
            _ => None,
        });
    }

    /// Why the other broker does not let us in.
    #[track_caller]
    fn kept_out(&mut self, endpoint: Endpoint) -> String {
        self.send(set(endpoint));
        self.answer(Asked::Broker, |event| matches!(event, Event::Broker(Some(_))).then_some(()));
        self.until("why it is kept out", |event| match event {
            Event::Link(LinkState::Waiting { reason, .. }) => Some(reason.clone()),
            Event::LoggedOut { reason } => panic!("logged out at the station: {reason}"),
            _ => None,
        })
    }

    #[track_caller]
    fn tested(&mut self, endpoint: Endpoint) -> Result<String, Failure> {
        let other = Box::new(OtherBroker { endpoint, keep_secrets: false });
        self.send(Command::TestBroker(other));
        self.until("the test's outcome", |event| match event {
            Event::BrokerTested { told, .. } => Some(Ok(told.clone())),
            Event::Failed(Asked::TestBroker, failure) => Some(Err(failure.clone())),
            _ => None,
        })
    }

    #[track_caller]
    fn broker(&mut self) -> Option<Box<OtherBrokerView>> {
        self.until("the broker", |event| match event {
            Event::Broker(other) => Some(other.clone()),
            _ => None,
        })
    }

    fn publish_at(&self, topic: &str, body: &str, qos: u8) {
        let draft = Draft { qos, ..draft(topic, body) };
        self.send(Command::Publish { draft, every: None });
    }
}

/// An admin who has the key, and a subscriber who was given it.
fn two(station: &Station) -> (Person, Person) {
    let mut anna = Person::joined(station, "anna", "admin");
    let line = anna.key("Plant", "plant/#", Suite::CoseA256Gcm);
    let mut ben = Person::joined(station, "ben", "subscriber");
    ben.import(&line);
    (anna, ben)
}

#[test]
fn sealed_messages_of_two_accounts_travel_through_another_broker_at_every_qos_in_both_versions() {
    let (station, mosquitto) = (Station::start(), Mosquitto::open());
    let (mut anna, mut ben) = two(&station);
    for version in BOTH {
        for person in [&mut anna, &mut ben] {
            person.go_over(endpoint(&mosquitto.url("mqtt"), version));
        }
        for (at, filter) in ["plant/a/+", "plant/b/+", "plant/c/+"].into_iter().enumerate() {
            let filter = sealwire::topic::TopicFilter::new(filter).unwrap();
            for person in [&mut anna, &mut ben] {
                person.send(Command::SubscribeAt { filter: filter.clone(), qos: at as u8 });
                person.granted(&filter);
            }
        }
        for (qos, room) in ["a", "b", "c"].into_iter().enumerate() {
            // The station's role would let the subscriber publish nothing: here the other broker decides.
            for (from, to, name) in [(0, 1, "anna"), (1, 0, "ben")] {
                let topic = format!("plant/{room}/{name}");
                let body = format!("{name} at {qos} by {version:?}");
                let people = [&mut anna, &mut ben];
                people[from].publish_at(&topic, &body, qos as u8);
                let message = people[to].message(&topic);
                assert_eq!((text(&message), usize::from(message.qos)), (body.clone(), qos));
                assert!(!message.wire.windows(4).any(|four| body.as_bytes().starts_with(four)), "sealed");
            }
        }
    }
}

#[test]
fn what_waits_in_the_outbox_goes_to_the_broker_that_is_set_and_outlives_a_broker_that_is_killed() {
    let (station, mut mosquitto) = (Station::start(), Mosquitto::open());
    let (mut anna, mut ben) = two(&station);
    for version in BOTH {
        for person in [&mut anna, &mut ben] {
            person.go_over(endpoint(&mosquitto.url("mqtt"), version));
        }
        mosquitto.stop();
        for person in [&mut anna, &mut ben] {
            person.offline();
        }
        // Retained, each on a topic of its own: Anna's link comes back by itself too, and may be earlier than Ben's
        // subscription, of which this broker remembers nothing.
        let topic = |qos: u8| format!("plant/{version:?}/{qos}");
        for qos in 0..=2 {
            let draft = Draft { qos, retain: true, ..draft(&topic(qos), &format!("kept {qos}")) };
            anna.send(Command::Publish { draft, every: None });
        }
        anna.until("all three on disk", |event| match event {
            Event::Outbox(entries) => {
                entries.iter().any(|entry| entry.qos == 2 && entry.state == OutboxState::Queued).then_some(())
            }
            _ => None,
        });
        mosquitto.start_again();
        for person in [&mut anna, &mut ben] {
            person.send(Command::RetryNow);
        }
        for qos in 0..=2 {
            assert_eq!(text(&ben.message(&topic(qos))), format!("kept {qos}"));
        }
        for person in [&mut anna, &mut ben] {
            person.online();
        }
    }
    // Back to the station's: the next message goes there.
    for person in [&mut anna, &mut ben] {
        person.send(Command::SetBroker(None));
        assert!(person.broker().is_none());
        person.online();
    }
    ben.subscribe("plant/back");
    anna.publish("plant/back", "home again");
    assert_eq!(text(&ben.message("plant/back")), "home again");
}

#[test]
fn messages_go_on_through_another_broker_while_the_station_is_away() {
    let (station, mosquitto) = (Station::start(), Mosquitto::open());
    let (mut anna, mut ben) = two(&station);
    for person in [&mut anna, &mut ben] {
        person.go_over(endpoint(&mosquitto.url("mqtt"), MqttVersion::V5));
    }
    ben.subscribe("plant/#");
    let ended = station.end();
    anna.publish("plant/press", "still here");
    assert_eq!(text(&ben.message("plant/press")), "still here");
    drop(ended);
}

#[test]
fn the_choice_is_kept_encrypted_for_the_account_and_used_at_the_next_login_from_the_first_connect_on() {
    let (station, mosquitto) = (Station::start(), Mosquitto::open());
    let mut anna = Person::joined(&station, "anna", "admin");
    let chosen = Endpoint {
        username: Some("press".into()),
        password: Some(Password::new("a-very-secret-word")),
        ..endpoint(&mosquitto.url("mqtt"), MqttVersion::V311)
    };
    anna.go_over(chosen.clone());
    anna.log_out();
    let clients = anna.computer.path().join("clients");
    assert!(!holds(&clients, b"a-very-secret-word"), "the password rests encrypted");
    anna.open(&station);
    anna.ask_log_in("anna", super::harness::PASSWORD);
    anna.logged_in();
    let kept = anna.broker().expect("it is remembered");
    assert!(kept.has_password && kept.endpoint.password.is_none());
    let first = anna.until("the first connection", |event| match event {
        Event::Link(LinkState::Online { broker, protocol, tls, .. }) => {
            Some((broker.clone(), protocol.clone(), tls.clone()))
        }
        _ => None,
    });
    let (broker, protocol, tls) = first;
    assert_eq!((broker, protocol.as_str()), (chosen.address(), "MQTT 3.1.1"));
    assert!(tls.contains("not encrypted"), "{tls}");
}

#[test]
fn a_choice_that_no_vault_opens_any_more_waits_for_a_person_and_nothing_goes_to_the_station_meanwhile() {
    let (station, mosquitto) = (Station::start(), Mosquitto::open());
    let _admin = Person::joined(&station, "root", "");
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "anna", "publisher");
    anna.logged_in();
    anna.confirm_codes(&station, &signed_up);
    anna.go_over(endpoint(&mosquitto.url("mqtt"), MqttVersion::V5));
    anna.reset_by_code(&station, &signed_up, "anna");
    anna.logged_in();
    let chooses = |event: &Event| match event {
        Event::Link(LinkState::ChooseBroker { reason }) => Some(reason.clone()),
        Event::Link(other) => panic!("it goes somewhere: {other:?}"),
        _ => None,
    };
    assert!(anna.until("the question", chooses).contains("the vault of before"));

    anna.key("Plant", "plant/#", Suite::CoseA256Gcm);
    anna.publish("plant/x", "for whom I choose");
    let queued = |entry: &OutboxEntry| entry.state == OutboxState::Queued;
    anna.until("it waits", |event| match event {
        Event::Outbox(entries) if entries.iter().any(queued) => Some(()),
        event => chooses(event).map(drop),
    });
    anna.send(Command::RetryNow);
    anna.send(Command::SetBroker(None));
    anna.until("the choice", |event| match event {
        Event::Broker(chosen) => chosen.is_none().then_some(()),
        event => chooses(event).map(drop),
    });
    anna.settled("plant/x");
}

/// Whether a file below a folder holds these bytes.
fn holds(folder: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => holds(&path, bytes),
        false => std::fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes),
    })
}

#[test]
fn tls_holds_only_with_the_authority_that_was_given_and_a_client_certificate_where_one_is_asked() {
    let (station, pki, others) = (Station::start(), Pki::new(), Pki::new());
    let mosquitto =
        Mosquitto::with(&format!("{}\nrequire_certificate true\nuse_identity_as_username true", pki.lines()));
    let mut anna = Person::joined(&station, "anna", "admin");
    let (certificate, key) = pki.client("press 1");
    let identity = Some(ClientIdentity { certificate, key: Password::new(key) });
    for version in BOTH {
        let plain = endpoint(&mosquitto.url("mqtts"), version);
        let trusting = Endpoint { ca: Some(pki.ca.clone()), ..plain.clone() };
        let full = Endpoint { identity: identity.clone(), ..trusting.clone() };

        let stranger = anna.tested(Endpoint { ca: Some(others.ca.clone()), ..full.clone() }).unwrap_err();
        assert!(stranger.why.contains("certificate does not hold"), "{stranger:?}");
        let systems = anna.tested(Endpoint { ca: None, ..full.clone() });
        let why = systems.unwrap_err().why;
        assert!(why.contains("certificate does not hold") || why.contains("authority"), "{why}");
        anna.tested(trusting).expect_err("it asks for a certificate");

        assert!(anna.tested(full.clone()).unwrap().contains(version.name()));
        anna.go_over(full);
    }
}

#[test]
fn a_wrong_password_is_named_and_neither_ends_the_session_at_the_station_nor_the_tries() {
    let (station, dir) = (Station::start(), tempfile::tempdir().unwrap());
    let file = password_file(dir.path(), "press", "right");
    let mosquitto = Mosquitto::with(&format!("allow_anonymous false\npassword_file {}", file.display()));
    let mut anna = Person::joined(&station, "anna", "admin");
    let with = |version, password: &str| Endpoint {
        username: Some("press".into()),
        password: Some(Password::new(password)),
        ..endpoint(&mosquitto.url("mqtt"), version)
    };
    for version in BOTH {
        for kept_out in [with(version, "wrong"), endpoint(&mosquitto.url("mqtt"), version)] {
            let why = anna.kept_out(kept_out);
            assert!(why.starts_with("the broker does not"), "{why}");
        }
        anna.go_over(with(version, "right"));
        // The password that is kept serves again at the same place, and nowhere else.
        let again = |url: &str| {
            let endpoint = Endpoint { username: Some("press".into()), ..endpoint(url, version) };
            Command::TestBroker(Box::new(OtherBroker { endpoint, keep_secrets: true }))
        };
        anna.send(again(&mosquitto.url("mqtt")));
        anna.answer(Asked::TestBroker, |event| matches!(event, Event::BrokerTested { .. }).then_some(()));
        anna.send(again(&format!("mqtt://localhost:{}", mosquitto.port)));
        anna.failure(Asked::TestBroker);
    }
}

#[test]
fn messages_pass_over_web_socket_with_and_without_tls_and_a_wrong_way_in_is_named() {
    let (station, pki) = (Station::start(), Pki::new());
    let plain = Mosquitto::with("protocol websockets\nallow_anonymous true");
    let sealed = Mosquitto::with(&format!("protocol websockets\nallow_anonymous true\n{}", pki.lines()));
    let (mut anna, mut ben) = two(&station);
    for version in BOTH {
        let ways = [
            endpoint(&plain.url("ws"), version),
            Endpoint { ca: Some(pki.ca.clone()), ..endpoint(&sealed.url("wss"), version) },
        ];
        for way in ways {
            let topic = format!("plant/{}/{version:?}", way.transport.scheme());
            anna.go_over(way.clone());
            ben.go_over(way);
            ben.subscribe(&topic);
            anna.publish(&topic, "over the web");
            assert_eq!(text(&ben.message(&topic)), "over the web");
        }
        let no_socket = anna.tested(endpoint(&format!("mqtt://127.0.0.1:{}", plain.port), version));
        assert!(no_socket.is_err());
    }
}

/// What a CONNECT says: its flags, and the fields of its payload.
fn connect(packet: &[u8]) -> (u8, Vec<String>) {
    assert_eq!(packet[0], 0x10, "the first packet is a CONNECT");
    let (level, flags) = (packet[8], packet[9]);
    let mut rest = &packet[12..];
    if level == 5 {
        // Less than 128 bytes of properties.
        rest = &rest[1 + usize::from(rest[0])..];
    }
    let mut fields = Vec::new();
    while let [high, low, more @ ..] = rest {
        let (field, after) = more.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        fields.push(String::from_utf8(field.to_vec()).unwrap());
        rest = after;
    }
    (flags, fields)
}

#[test]
fn nothing_of_the_stations_login_ever_goes_to_another_broker() {
    let station = Station::start();
    let anna = Person::joined(&station, "anna", "admin");
    for version in BOTH {
        let (address, heard) = first_packet(b"");
        let url = format!("mqtt://{address}");
        anna.send(set(endpoint(&url, version)));
        let (flags, fields) = connect(&heard.recv().unwrap());
        assert_eq!(flags & 0b1100_0000, 0, "no username and no password");
        assert_eq!(fields.len(), 1, "the client id alone: {fields:?}");

        let named = Endpoint {
            username: Some("press".into()),
            password: Some(Password::new("hush")),
            client_id: Some("press-1".into()),
            ..endpoint(&url, version)
        };
        anna.send(set(named));
        let fields = loop {
            let (_, fields) = connect(&heard.recv().unwrap());
            if fields.len() > 1 {
                break fields;
            }
        };
        assert_eq!(fields, ["press-1", "press", "hush"]);
    }
}

#[test]
fn a_broker_of_the_other_version_is_told_and_not_followed() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "admin");
    // CONNACK of MQTT 3.1.1, "unacceptable protocol version"; and of MQTT 5, the same.
    for (answer, version, next) in [
        (b"\x20\x02\x00\x01".as_slice(), MqttVersion::V5, "choose 3.1.1"),
        (b"\x20\x03\x00\x84\x00".as_slice(), MqttVersion::V311, "choose 5"),
    ] {
        let (address, heard) = first_packet(answer);
        let failure = anna.tested(endpoint(&format!("mqtt://{address}"), version)).unwrap_err();
        assert!(failure.why.contains(next), "{failure:?}");
        assert_eq!(heard.recv().unwrap()[8], if version == MqttVersion::V5 { 5 } else { 4 });
        assert!(heard.try_recv().is_err(), "one attempt, in one version");
    }
}

#[test]
fn what_cannot_work_is_refused_before_anything_changes() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "admin");
    let no_ca = Endpoint { ca: Some("no PEM".into()), ..endpoint("mqtts://127.0.0.1", MqttVersion::V5) };
    anna.send(set(no_ca));
    let failure = anna.failure(Asked::Broker);
    assert!(failure.why.contains("holds no certificate"), "{failure:?}");
    anna.subscribe("plant/#");
}
