//! Messages from one person to another, and what is refused on the way.

use std::time::{Duration, Instant};

use sealwire::{
    client::{Asked, Command, Draft, Event, Opening, OutboxState, SampleState, Suite},
    topic::TopicFilter,
};

use crate::harness::{Person, Station, draft, notes, refusal, text};

#[test]
fn what_a_publisher_seals_a_subscriber_with_the_key_opens_and_one_without_is_told_why() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut ben = Person::joined(&station, "ben", "subscriber");
    let mut eve = Person::joined(&station, "eve", "subscriber");
    for (suite, label) in Suite::ALL.into_iter().zip(["gcm", "chacha", "fernet", "cbc"]) {
        let line = anna.key(label, &format!("{label}/#"), suite);
        ben.import(&line);
    }
    ben.granted(&TopicFilter::new("cbc/#").unwrap());
    eve.subscribe("#");
    for label in ["gcm", "chacha", "fernet", "cbc"] {
        let topic = format!("{label}/celsius");
        anna.publish(&topic, "21.5");
        let sent = anna.settled(&topic);
        assert_eq!(sent.state, OutboxState::Acknowledged { no_subscribers: false });
        assert_eq!(sent.sealed_with.as_ref().unwrap().label, label);
        let got = ben.message(&topic);
        assert_eq!(text(&got), "21.5");
        assert!(notes(&got).is_empty(), "{got:?}");
        let Opening::Opened { with, content_type, .. } = &got.opening else { panic!() };
        assert_eq!(Some(with), sent.sealed_with.as_ref());
        assert_eq!(content_type.is_some(), with.suite.is_native());
        assert_eq!(got.wire.len(), sent.wire_len);
        assert!(!got.wire.windows(4).any(|bytes| bytes == b"21.5"));
        let unread = eve.message(&topic);
        assert_eq!(unread.wire, got.wire);
        // Only who has a key for the topic can tell base64 under aes-cbc-hmac from words.
        if label == "cbc" {
            assert!(matches!(unread.opening, Opening::InTheClear { .. }), "{unread:?}");
        } else {
            assert_eq!(refusal(&unread), "No key");
        }
    }
}

#[test]
fn without_a_key_nothing_goes_out_unless_the_topic_is_in_the_clear() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.subscribe("#");
    anna.publish("plant/press", "21.5");
    let failure = anna.failure(Asked::Publish);
    assert_eq!(
        (failure.why.as_str(), failure.next.as_str()),
        ("No key covers plant/press.", "Make one in Keys, or import it.")
    );
    anna.send(Command::SetClear { filter: TopicFilter::new("plant/+").unwrap(), clear: true });
    anna.publish("plant/press", "open");
    assert_eq!(anna.settled("plant/press").sealed_with, None);
    assert!(matches!(anna.message("plant/press").opening, Opening::InTheClear { .. }));
    // A key for the topic wins over the clear list.
    anna.key("Plant", "plant/#", Suite::default());
    anna.publish("plant/press", "sealed");
    assert!(anna.settled("plant/press").sealed_with.is_some());
    assert_eq!(text(&anna.message("plant/press")), "sealed");
    anna.send(Command::SetClear { filter: TopicFilter::new("plant/+").unwrap(), clear: false });
    anna.answer(Asked::Clear, |event| {
        matches!(event, Event::ClearTopics(list) if list.is_empty()).then_some(())
    });
}

#[test]
fn the_role_is_asked_before_anything_is_sealed_or_watched() {
    let station = Station::start();
    let _admin = Person::joined(&station, "root", "");
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.key("Plant", "plant/#", Suite::default());
    ben.publish("plant/x", "no");
    let failure = ben.failure(Asked::Publish);
    assert!(failure.why.contains("The role subscriber has no rule"), "{failure:?}");
    ben.send(Command::Subscribe(TopicFilter::new("$SYS/#").unwrap()));
    assert!(ben.failure(Asked::Subscribe).why.contains("subscribe to $SYS/#"));
    ben.send(Command::StartSample);
    assert!(ben.failure(Asked::Sample).why.contains("publish to sample/temperature"));
}

#[test]
fn what_the_station_refuses_is_told_with_its_rule_and_the_new_role_is_known_at_once() {
    let station = Station::start();
    let _admin = Person::joined(&station, "root", "");
    let mut ben = Person::joined(&station, "ben", "publisher");
    ben.key("Plant", "plant/#", Suite::default());
    let pack = sealwire::acl::RolePack::DEFAULT.replace(
        r#"rules = ["allow publish #"]"#,
        r#"rules = ["allow publish #", "deny publish plant/press/#"]"#,
    );
    let users = station.dir.path().join("users");
    let ended = station.end();
    ben.offline();
    // Queued under the role of before; the station comes back with another.
    ben.publish("plant/press/celsius", "21.5");
    std::fs::write(users.join("default.toml"), pack).unwrap();
    let _station = ended.start();
    ben.send(Command::RetryNow);
    let (mut refused, mut learned) = (None, false);
    let why = ben.until("the refusal and the new role, in either order", |event| {
        match event {
            Event::Outbox(entries) => {
                refused = refused.clone().or(entries.iter().find_map(|entry| match &entry.state {
                    OutboxState::Refused { why } => Some(why.clone()),
                    _ => None,
                }));
            }
            Event::Account(view) => {
                learned |= view.role.rules.iter().any(|rule| rule.filter == "plant/press/#");
            }
            _ => {}
        }
        refused.clone().filter(|_| learned)
    });
    assert!(why.contains("publisher"), "{why}");
    ben.publish("plant/press/celsius", "21.5");
    assert!(ben.failure(Asked::Publish).why.contains("deny publish plant/press/#"));
}

#[test]
fn the_sample_sensor_shows_its_first_row_within_two_seconds_and_stops() {
    let shows = || {
        let station = Station::start();
        let mut anna = Person::joined(&station, "anna", "");
        let asked = Instant::now();
        anna.send(Command::StartSample);
        let first = anna.message("sample/temperature");
        (asked.elapsed(), station, anna, first)
    };
    // The machine may stand still for a moment, but not each time.
    let mut tries = (0..3).map(|_| shows());
    let in_time = tries.find(|(time, ..)| *time < Duration::from_secs(2));
    let (_, _station, mut anna, first) = in_time.expect("within two seconds, once in three tries");
    let body: serde_json::Value = serde_json::from_str(&text(&first)).unwrap();
    assert_eq!(body["seq"], 0);
    assert!(body["celsius"].is_number());
    let Opening::Opened { with, content_type, .. } = &first.opening else { panic!() };
    assert_eq!((with.label.as_str(), content_type.as_deref()), ("Sample", Some("application/json")));
    anna.message("sample/pressure");
    anna.send(Command::StopSample);
    anna.until("the end of the sample", |event| {
        matches!(event, Event::Sample(SampleState::Off)).then_some(())
    });
    // Started again, it finds its key.
    anna.send(Command::StartSample);
    anna.until("the sample", |event| matches!(event, Event::Sample(SampleState::Running)).then_some(()));
}

#[test]
fn a_repeated_message_goes_out_again_and_again_until_it_is_stopped() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    let every = Duration::from_millis(150);
    anna.send(Command::Publish { draft: draft("plant/x", "tick"), every: Some(every) });
    anna.until("the repeat", |event| match event {
        Event::Repeating(list) => (list[0].1 == every).then_some(()),
        _ => None,
    });
    for _ in 0..3 {
        let message = anna.message("plant/x");
        assert_eq!((text(&message).as_str(), notes(&message).len()), ("tick", 0));
    }
    anna.send(Command::StopRepeat { topic: draft("plant/x", "").topic });
    anna.until("the end", |event| matches!(event, Event::Repeating(list) if list.is_empty()).then_some(()));
    let too_often = Some(Duration::from_millis(1));
    anna.send(Command::Publish { draft: draft("plant/x", "tick"), every: too_often });
    anna.failure(Asked::Publish);
}

#[test]
fn a_message_that_nobody_watches_is_acknowledged_too_and_one_too_large_is_refused_here() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    anna.send(Command::Unsubscribe(TopicFilter::new("plant/#").unwrap()));
    anna.until("the end of the subscription", |event| {
        matches!(event, Event::Subscriptions(list) if list.is_empty()).then_some(())
    });
    anna.publish("plant/x", "hello?");
    assert!(matches!(anna.settled("plant/x").state, OutboxState::Acknowledged { .. }));
    let large = Draft { body: vec![0; 3 << 20], ..draft("plant/x", "") };
    anna.send(Command::Publish { draft: large, every: None });
    assert!(anna.failure(Asked::Publish).why.contains("at most"));
}

#[test]
fn qos_0_ends_as_sent_and_a_retained_message_waits_for_those_who_come_later() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let line = anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    anna.send(Command::Publish { draft: Draft { qos: 0, ..draft("plant/fast", "0") }, every: None });
    anna.until("the end at QoS 0", |event| match event {
        Event::Outbox(entries) => entries.iter().find(|entry| entry.state == OutboxState::Sent).map(|_| ()),
        _ => None,
    });
    assert_eq!(anna.message("plant/fast").qos, 0);
    anna.send(Command::Publish { draft: Draft { retain: true, ..draft("plant/state", "on") }, every: None });
    anna.settled("plant/state");
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.import(&line);
    let kept = ben.message("plant/state");
    assert_eq!((kept.retained, text(&kept).as_str(), notes(&kept).len()), (true, "on", 0));
}

#[test]
fn the_history_opens_again_after_a_restart_and_can_be_forgotten() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&TopicFilter::new("plant/#").unwrap());
    for body in ["one", "two"] {
        anna.publish("plant/x", body);
        assert_eq!(text(&anna.message("plant/x")), body);
    }
    let computer = anna.computer.clone();
    drop(anna);
    let mut anna = computer.window();
    anna.log_in(&station, "anna");
    anna.send(Command::LoadHistory { limit: 1 });
    let again = anna.message("plant/x");
    assert_eq!((text(&again).as_str(), notes(&again).len()), ("two", 0));
    anna.send(Command::ClearHistory);
    anna.send(Command::LoadHistory { limit: 10 });
    let none = anna.until("the history", |event| match event {
        Event::Messages(messages) => Some(messages.len()),
        _ => None,
    });
    assert_eq!(none, 0);
    // What rests on this computer holds neither the payload nor the password.
    let mut files = vec![computer.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let password = crate::harness::PASSWORD.as_bytes();
            assert!(!bytes.windows(password.len()).any(|w| w == password), "{}", path.display());
        }
    }
}

#[test]
fn what_was_queued_in_the_clear_is_held_when_its_topic_got_a_key_and_goes_as_the_person_decides() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.send(Command::SetClear { filter: TopicFilter::new("plant/#").unwrap(), clear: true });
    anna.answer(Asked::Clear, |event| {
        matches!(event, Event::ClearTopics(list) if !list.is_empty()).then_some(())
    });
    let ended = station.end();
    anna.offline();
    let (mut ids, bodies) = (Vec::new(), ["seal me", "leave me open", "take me back"]);
    for body in bodies {
        anna.publish("plant/x", body);
        ids.push(anna.answer(Asked::Publish, |event| match event {
            Event::Outbox(entries) => entries.iter().map(|entry| entry.id).max(),
            _ => None,
        }));
    }
    let computer = anna.computer.clone();
    drop(anna);
    let station = ended.start();
    // Meanwhile she makes a key on another computer.
    let mut elsewhere = Person::new();
    elsewhere.log_in(&station, "anna");
    let line = elsewhere.key("Plant", "plant/#", Suite::default());
    drop(elsewhere);
    let mut ben = Person::joined(&station, "ben", "subscriber");
    ben.import(&line);
    ben.granted(&TopicFilter::new("plant/#").unwrap());
    let mut anna = computer.window();
    anna.open(&station);
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    anna.logged_in();
    let mut held = std::collections::BTreeSet::new();
    anna.until("three held messages", |event| {
        let Event::Outbox(entries) = event else { return None };
        for entry in entries {
            assert!(
                !matches!(entry.state, OutboxState::Sent | OutboxState::Acknowledged { .. }),
                "{entry:?}"
            );
            if matches!(&entry.state, OutboxState::Held { why } if why.contains("has a key now")) {
                held.insert(entry.id);
            }
        }
        (held.len() == 3).then_some(())
    });
    anna.send(Command::Discard { id: ids[2] });
    anna.send(Command::ReleaseHeld { id: ids[0], seal: true });
    let sealed = ben.message("plant/x");
    assert_eq!(text(&sealed), "seal me");
    assert!(matches!(sealed.opening, Opening::Opened { .. }));
    anna.send(Command::ReleaseHeld { id: ids[1], seal: false });
    assert_eq!(refusal(&ben.message("plant/x")), "Not sealed as required");
    anna.send(Command::ReleaseHeld { id: ids[2], seal: false });
    assert!(anna.failure(Asked::Publish).why.contains("not held"));
}
