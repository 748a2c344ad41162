//! Bursts of sealed messages through a real station and a real session into Watch: what arrives, what it costs, and how
//! long a frame takes meanwhile. `benches/watch.md` has the command and what was seen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on says so by panicking"
)]

mod burst;
mod cost;
#[path = "../../tests/support/mod.rs"]
mod support;
mod window;

use std::time::{Duration, Instant};

use sealwire::{
    client::{Asked, Command, Event, KeyForm, Signatures, Suite},
    keys::key_line,
    topic::TopicFilter,
};
use support::{Person, Station};

/// Topics that the readings are spread over.
const TOPICS: usize = 50;

struct Load {
    rate: usize,
    seconds: usize,
}

fn main() {
    let number = |name: &str, otherwise: usize| {
        let mut args = std::env::args().skip_while(|arg| arg != name).skip(1);
        args.next().map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let only = std::env::args().skip_while(|arg| arg != "--only").nth(1);
    let asked = Load { rate: number("--rate", 20_000), seconds: number("--seconds", 8) };
    let runs: [(&str, u8, window::Doing); 6] = [
        ("session-qos0", 0, window::Doing::NoWindow),
        ("session-qos1", 1, window::Doing::NoWindow),
        ("following", 0, window::Doing::Following),
        ("filtering", 0, window::Doing::Filtering),
        ("paused", 0, window::Doing::Paused),
        ("following-qos1", 1, window::Doing::Following),
    ];
    for (name, qos, doing) in runs {
        if only.as_deref().is_none_or(|only| only == name) {
            run(name, qos, doing, &asked);
        }
    }
}

fn run(name: &str, qos: u8, doing: window::Doing, asked: &Load) {
    let (station_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let station =
        Station::start(station_data.path(), &["--plain", "127.0.0.1:0", "--anonymous", "publisher"]);
    let person = Person::sign_up(&station, data.path(), "ada", None);
    let filter = TopicFilter::new("plant/#").unwrap();
    person.ask(Command::CreateKey {
        label: "Plant".into(),
        filters: vec![filter],
        suite: Suite::default(),
        signatures: Signatures::Off,
    });
    let id = person.expect("the key", |event| match event {
        Event::Keys(keys) => keys.first().map(|key| key.id.clone()),
        _ => None,
    });
    person.ask(Command::ExportKey { id, form: KeyForm::Line });
    let line = person.expect("the key's line", |event| match event {
        Event::KeyExported { text, .. } => Some(text.clone()),
        Event::Failed(Asked::ExportKey, failure) => panic!("{failure:?}"),
        _ => None,
    });
    let key = key_line::read(line.reveal()).unwrap();
    person.ask(Command::SubscribeAt { filter: TopicFilter::new("plant/#").unwrap(), qos });
    person.expect("the subscription", |event| match event {
        Event::Subscriptions(all) => all.iter().any(|one| matches!(one.granted, Some(Ok(_)))).then_some(()),
        _ => None,
    });
    let (session, told) = person.into_session();
    let packets = burst::seal(&key, asked.rate * asked.seconds, TOPICS, qos);
    let sent = packets.len();
    let address = station.plain.clone().expect("a plain port");
    let before = cost::Threads::now();
    let begun = Instant::now();
    let publisher = std::thread::Builder::new()
        .name("burst".into())
        .spawn({
            let rate = asked.rate;
            move || burst::send(&address, &packets, rate, qos)
        })
        .unwrap();
    let seen = window::watch(&session, told, doing, || publisher.is_finished());
    let took = begun.elapsed();
    let publishing: Duration = publisher.join().unwrap();
    let spent = cost::Threads::now().since(&before);
    println!("\n## {name}: {sent} sealed readings of 64 bytes at QoS {qos}");
    println!(
        "sent in {:.2} s ({:.0} a second), all taken in after {:.2} s",
        publishing.as_secs_f64(),
        sent as f64 / publishing.as_secs_f64(),
        took.as_secs_f64()
    );
    seen.print(sent);
    spent.print(sent);
    println!("  station process: {:.1} µs a message", cost::of_process(station.pid()) / sent as f64);
}
