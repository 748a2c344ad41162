//! A publisher and a subscriber that keep the standard's rules for what they have not settled, however often they lose
//! their connection: at QoS 1 and at QoS 2.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::raw::{Flags, Packet, Raw};

/// 0 to `most`, differently in each run.
pub fn random(most: u32) -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    u32::from_be_bytes(bytes) % (most + 1)
}

/// A message's body: its number, so long that what is written for a window takes the disk some pages.
fn body(number: u32) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.resize(body.len() + random(1_500) as usize, b' ');
    body
}

fn number_in(body: &[u8]) -> u32 {
    std::str::from_utf8(body).unwrap().trim_end().parse().unwrap()
}

/// What is known of a message that is not settled.
enum Open {
    /// PUBLISH goes out again until it is acknowledged.
    Sent(Vec<u8>),
    /// PUBREC came: PUBREL goes out again until PUBCOMP.
    Released,
}

/// Publishes numbers one after the other and knows which were acknowledged. What is not settled is sent again after a
/// lost connection: PUBLISH with DUP, or PUBREL (MQTT-4.4.0-1).
pub struct Publisher<'a> {
    address: &'a str,
    qos: u8,
    link: Option<Raw>,
    /// Whether the broker has a session for it.
    known: bool,
    pub next: u32,
    open: BTreeMap<u32, Open>,
    pub acknowledged: BTreeSet<u32>,
    /// PUBLISH packets with DUP.
    pub repeats: u32,
}

impl<'a> Publisher<'a> {
    pub fn new(address: &'a str, qos: u8) -> Self {
        Self {
            address,
            qos,
            link: None,
            known: false,
            next: 0,
            open: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            repeats: 0,
        }
    }

    /// Closes the connection without a word.
    pub fn hang_up(&mut self) {
        self.link = None;
    }

    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    fn link(&mut self) -> io::Result<&mut Raw> {
        if self.link.is_none() {
            // At QoS 2 the broker knows a message again by the session.
            let (mut link, present) = Raw::connect(self.address, "publisher", self.qos == 2)?;
            assert!(present || !self.known, "the publisher's session is gone");
            self.known = self.qos == 2;
            for (number, open) in &self.open {
                match open {
                    Open::Sent(body) => {
                        self.repeats += 1;
                        let flags = Flags { dup: true, retain: false };
                        link.send_publish("load/x", self.qos, id_of(*number), body, flags)?;
                    }
                    Open::Released => link.release(id_of(*number))?,
                }
            }
            self.link = Some(link);
        }
        self.link.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Fills the window and takes one answer.
    pub fn step(&mut self, window: u32) -> io::Result<()> {
        self.link()?;
        while (self.open.len() as u32) < window {
            let (number, body, qos) = (self.next, body(self.next), self.qos);
            self.next += 1;
            self.open.insert(number, Open::Sent(body.clone()));
            self.link()?.send_publish("load/x", qos, id_of(number), &body, Flags::default())?;
        }
        if self.open.is_empty() {
            return Ok(());
        }
        match self.link()?.next()? {
            Packet::PubAck(id) if self.qos == 1 => {
                let number = self.open_with(id).expect("acknowledged what was not sent");
                self.open.remove(&number);
                self.acknowledged.insert(number);
            }
            Packet::PubRec(id) if self.qos == 2 => {
                let number = self.open_with(id).expect("received what was not sent");
                self.open.insert(number, Open::Released);
                self.acknowledged.insert(number);
                self.link()?.release(id)?;
            }
            Packet::PubComp(id) if self.qos == 2 => {
                let number = self.open_with(id).expect("completed what was not sent");
                let open = self.open.remove(&number);
                assert!(matches!(open, Some(Open::Released)), "{number} is completed and was never received");
            }
            other => panic!("no acknowledgement but {other:?}"),
        }
        Ok(())
    }

    fn open_with(&self, id: u16) -> Option<u32> {
        self.open.keys().copied().find(|number| id_of(*number) == id)
    }
}

/// The packet id of the publisher's message.
fn id_of(number: u32) -> u16 {
    (number % 60_000) as u16 + 1
}

/// What a subscriber's application was given, however often the connection was lost.
#[derive(Default)]
pub struct Arrivals {
    pub numbers: BTreeSet<u32>,
    /// PUBLISH packets with DUP.
    pub resent: u32,
    /// What the application was given again.
    pub repeats: u32,
    /// Repeats that did not say so.
    pub unmarked: Vec<u32>,
    /// What came for the first time after a later one.
    pub disorder: Vec<u32>,
}

/// The durable session "reader".
pub struct Reader<'a> {
    address: &'a str,
    qos: u8,
    arrivals: &'a Mutex<Arrivals>,
    /// Packet ids that were received and not released, and their messages: what makes them arrive once.
    has: BTreeMap<u16, u32>,
}

impl<'a> Reader<'a> {
    pub fn new(address: &'a str, qos: u8, arrivals: &'a Mutex<Arrivals>) -> Self {
        Self { address, qos, arrivals, has: BTreeMap::new() }
    }

    /// Settles whatever still comes, and says how many packets that were.
    pub fn settle(&mut self) -> io::Result<u32> {
        let (mut link, present) = Raw::connect(self.address, "reader", true)?;
        assert!(present, "the session is gone");
        let mut packets = 0;
        // A PUBREL waits for the disk, and a pong does not: it may come first.
        let mut unreleased = std::collections::HashSet::new();
        loop {
            let before = packets;
            link.ping()?;
            loop {
                match link.next()? {
                    Packet::Pong => break,
                    Packet::Publish { id: Some(id), .. } if self.qos == 1 => link.acknowledge(id)?,
                    Packet::Publish { id: Some(id), .. } => {
                        unreleased.insert(id);
                        link.received(id)?;
                    }
                    Packet::PubRel(id) => {
                        unreleased.remove(&id);
                        link.complete(id)?;
                    }
                    other => panic!("no message but {other:?}"),
                }
                packets += 1;
            }
            if packets == before && unreleased.is_empty() {
                return Ok(packets);
            }
        }
    }

    /// Reads until told to stop, in one connection after the other.
    pub fn read(mut self, away: &AtomicBool, over: &AtomicBool) -> Self {
        while !over.load(SeqCst) {
            // A station that is not there is what this is about.
            if away.load(SeqCst) || self.connection(away, over).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self
    }

    fn connection(&mut self, away: &AtomicBool, over: &AtomicBool) -> io::Result<()> {
        let (mut link, present) = Raw::connect(self.address, "reader", true)?;
        assert!(present, "the session is gone");
        // Some connections end by themselves.
        let mut left = 20 + random(600);
        while !over.load(SeqCst) && !away.load(SeqCst) && left > 0 {
            let Some(packet) = link.next_within(Duration::from_millis(50))? else { continue };
            left -= 1;
            match packet {
                Packet::Publish { qos, id: Some(id), dup, payload, .. } if qos == self.qos => {
                    self.arrived(&mut link, id, dup, number_in(&payload))?;
                }
                Packet::PubRel(id) if self.qos == 2 => {
                    // Some are never completed over this connection, and PUBREL must come again.
                    let number = self.has.remove(&id);
                    if number.is_none_or(|number| !number.is_multiple_of(11)) {
                        link.complete(id)?;
                    }
                }
                other => panic!("no message but {other:?}"),
            }
        }
        Ok(())
    }

    fn arrived(&mut self, link: &mut Raw, id: u16, dup: bool, number: u32) -> io::Result<()> {
        let mut arrivals = self.arrivals.lock().unwrap();
        arrivals.resent += u32::from(dup);
        let known = self.qos == 2 && self.has.contains_key(&id);
        if known {
            assert_eq!(self.has.get(&id), Some(&number), "another message under a packet id that is in use");
            assert!(dup, "{number} came again and does not say so");
        } else {
            let last = arrivals.numbers.last().copied();
            if !arrivals.numbers.insert(number) {
                arrivals.repeats += 1;
                if !dup {
                    arrivals.unmarked.push(number);
                }
            } else if last > Some(number) {
                arrivals.disorder.push(number);
            }
        }
        drop(arrivals);
        // Some are never acknowledged over this connection, and must come again.
        let silent = number.is_multiple_of(7) && !dup;
        if self.qos == 2 {
            self.has.insert(id, number);
            if silent { Ok(()) } else { link.received(id) }
        } else if silent {
            Ok(())
        } else {
            link.acknowledge(id)
        }
    }
}
