//! What is read at the next start is what was committed, whatever happened to the disk in between.

mod damage;
mod faults;
mod keeping;
mod layout;
mod measure;
mod model;

use std::{fs, path::PathBuf};

use bytes::Bytes;

use super::*;
use crate::{
    broker::{KeptMessage, KeptParcel, KeptWill, SubscriptionOptions},
    topic::{TopicFilter, TopicName},
};

/// So low that a few batches bring a snapshot.
const SMALL: Thrift = Thrift { floor: 600, times: 0 };

fn key() -> Arc<StationKey> {
    Arc::new(StationKey::from_bytes(&[7; 32]))
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

/// The one message of this number: whoever finds another under it found altered data.
fn message(number: u64) -> Arc<KeptMessage> {
    Arc::new(KeptMessage {
        number,
        topic: topic(&format!("t/{}", number % 4)),
        payload: Bytes::from(format!("payload {number}")),
        properties: if number.is_multiple_of(3) { [3, 0, 1, b'x'].into() } else { [].into() },
        qos: (number % 3) as u8,
        retain: number.is_multiple_of(2),
        expires_ms: number.is_multiple_of(5).then_some(number + 1_000_000),
    })
}

fn parcel(number: u64, message: &Arc<KeptMessage>) -> KeptParcel {
    let ids: &[u32] = if number.is_multiple_of(2) { &[1, 268_435_455] } else { &[] };
    let message = Arc::clone(message);
    KeptParcel {
        number,
        message,
        qos: 1,
        retain: false,
        replay: true,
        shared: number.is_multiple_of(2),
        subscription_ids: ids.into(),
    }
}

fn opened(session: u64) -> Change {
    let client_id = format!("client {session}").into();
    Change::Opened { session, account: "ann".into(), client_id, expiry_secs: 60 }
}

fn queued(session: u64, number: u64, message: &Arc<KeptMessage>) -> Change {
    Change::Queued { session, parcel: parcel(number, message) }
}

fn delivered(session: u64, numbers: impl Into<Vec<u64>>) -> Change {
    Change::Delivered { session, numbers: numbers.into() }
}

fn subscribed(session: u64, filter: &str, id: Option<u32>) -> Change {
    let options = SubscriptionOptions { qos: 1, no_local: id.is_some(), retain_as_published: true, id };
    Change::Subscribed { session, filter: TopicFilter::new(filter).unwrap(), options }
}

fn will(session: u64, expiry_secs: Option<u32>) -> Change {
    let message = Arc::new(KeptMessage { number: 0, ..(*message(session + 900)).clone() });
    let (account, client_id) = ("ann".into(), "x".into());
    let will = KeptWill { account, client_id, message, expiry_secs, delay_secs: 7 };
    Change::WillLeft { session, will: Arc::new(will) }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// The segments that are there, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let names = names(folder).into_iter().filter(|name| name.ends_with(".log"));
    names.map(|name| folder.join(name)).collect()
}

fn open(folder: &Path, thrift: Thrift) -> Log {
    Log::open(faults::Disk::sound(), folder, key(), thrift).unwrap()
}

/// What a station that starts now finds.
fn reopened(folder: &Path) -> Kept {
    open(folder, Thrift::default()).kept()
}

/// Commits, and brings segments together where it is time, waiting for it.
fn commit(log: &mut Log, changes: &[Change]) {
    log.commit(changes.to_vec()).unwrap();
    log.tidy();
    log.settle_snapshot();
}
