//! Settings › Broker: another broker is written down, tried, used, and given up again.

use sealwire::client::{
    Asked, Command, Endpoint, Event, Failure, LinkState, MqttTransport, MqttVersion, OtherBrokerView,
};

use crate::world::*;

const SIZE: [f32; 2] = [1280.0, 940.0];

pub(crate) fn other(url: &str, version: MqttVersion) -> Event {
    let endpoint = Endpoint { version, ..Endpoint::parse(url).expect("a URL") };
    let encrypted = endpoint.transport.is_encrypted();
    Event::Broker(Some(Box::new(OtherBrokerView { endpoint, has_password: true, encrypted })))
}

pub(crate) fn carried(url: &str, tls: &str) -> Event {
    Event::Link(LinkState::Online {
        broker: url.into(),
        protocol: "MQTT 3.1.1".into(),
        tls: tls.into(),
        max_packet: 1 << 20,
    })
}

fn page(role: &str) -> World {
    let mut world = World::new(SIZE);
    world.logged_in(role);
    world.click("Settings");
    world.click("Broker");
    world
}

#[test]
fn another_broker_is_tried_before_it_is_used_and_what_is_wrong_stands_beside_its_field() {
    let mut world = page("publisher");
    assert!(world.sees("The station's broker carries your messages"));
    world.click("Another broker…");
    world.fill("Address of the broker", "mqtt://anna:hush@broker.example");
    world.click("Use this broker");
    assert!(world.sees("A password does not belong in an address") && world.asked().is_empty());

    world.fill("Address of the broker", "mqtt://broker.example");
    assert!(world.sees("Not encrypted on the way (no TLS)"), "the URL says TCP");
    world.click("MQTT 3.1.1");
    assert!(world.sees("MQTT 3.1.1 gives no reasons"));
    world.fill("Password there", "hush");
    world.click("Test the connection");
    assert!(world.sees("A password needs a username beside it."));
    world.fill("Username there", "press");
    world.click("Test the connection");
    let asked = world.asked();
    let [Command::TestBroker(tried)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(tried.endpoint.to_string(), "mqtt://press@broker.example:1883");
    assert_eq!(tried.endpoint.version, MqttVersion::V311);
    let why = "The broker does not take this username and password.";
    let failure = Failure {
        what: "The broker did not let us in.".into(),
        why: why.into(),
        next: String::new(),
        retry_after: None,
    };
    world.tell([Event::Failed(Asked::TestBroker, failure)]);
    assert!(world.sees(why));
    world.click("Test the connection");
    assert!(!world.sees(why), "a new try begins without the last one's failure");
    let (address, told) = ("mqtt://broker.example:1883".into(), "It speaks MQTT 3.1.1.".into());
    world.tell([Event::BrokerTested { address, told }]);
    assert!(world.sees("The broker lets you in."));
    world.asked();
    world.click("Use this broker");
    let asked = world.asked();
    let [Command::SetBroker(Some(set))] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(set.endpoint.password.as_ref().map(sealwire::client::Password::reveal), Some("hush"));

    world.tell([
        other("mqtt://press@broker.example", MqttVersion::V311),
        carried("mqtt://broker.example:1883", "not encrypted on the way (no TLS)"),
    ]);
    assert!(!world.sees("Use this broker"), "the dialog is done");
    assert!(world.sees("Another broker carries your messages") && world.sees("Connected, no TLS"));
    assert!(world.sees("mqtt://broker.example:1883   MQTT 3.1.1"), "the status bar names it");
    world.click("Use the station's broker again");
    assert!(matches!(world.asked()[..], [Command::SetBroker(None)]));
}

#[test]
fn a_url_chooses_the_connection_and_the_choice_corrects_the_url() {
    let mut world = page("publisher");
    world.click("Another broker…");
    world.fill("Address of the broker", "wss://u@h:444");
    assert!(world.sees("Path of the WebSocket") && world.sees("Certificate authority"));
    world.click("TCP");
    assert!(!world.sees("Path of the WebSocket") && !world.sees("Certificate authority"));
    world.click("Test the connection");
    let asked = world.asked();
    let [Command::TestBroker(tried)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((tried.endpoint.transport, tried.endpoint.port), (MqttTransport::Tcp, 444));
}

#[test]
fn a_broker_that_cannot_be_used_any_more_leaves_the_choice_to_the_person() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    assert!(!world.has("Publish"));
    let reason = "only the vault of before opens it".into();
    world.tell([Event::Broker(None), Event::Link(LinkState::ChooseBroker { reason })]);
    assert!(world.sees("Choose the broker that carries your messages."));
    assert!(world.sees("Only the vault of before opens it."));
    assert!(world.has("Publish"), "the station's role may not be asked");
    world.click("No broker is chosen. About this connection");
    world.click("Retry now");
    assert!(matches!(world.asked()[..], [Command::RetryNow]));
    world.click("Choose the broker…");
    assert!(world.sees("No broker carries your messages") && world.has("Another broker…"));
    world.click("Use the station's broker again");
    assert!(matches!(world.asked()[..], [Command::SetBroker(None)]));
    world.tell([Event::Broker(None), Event::Link(LinkState::Connecting { attempt: 1 })]);
    assert!(world.sees("The station's broker carries your messages"));
    assert!(!world.sees("Choose the broker"));
}

#[test]
fn with_another_broker_the_stations_role_hides_no_page_and_a_lost_line_names_the_broker() {
    let mut world = World::new(SIZE);
    world.logged_in("subscriber");
    assert!(world.has("Watch") && !world.has("Publish"));
    world.tell([
        other("mqtts://broker.example", MqttVersion::V5),
        Event::Link(LinkState::Waiting {
            attempt: 2,
            retry_at_ms: u64::MAX / 4,
            reason: "nobody answers at the broker's address".into(),
        }),
    ]);
    assert!(world.has("Publish"));
    assert!(world.sees("Not connected to the broker broker.example:8883."));
    assert!(!world.sees("Start it again"), "the station is not what is missing");
    world.tell([Event::Broker(None)]);
    assert!(!world.has("Publish"));
}
