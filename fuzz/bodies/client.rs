//! One client that keeps to the standard, and holds the broker to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::yield_now,
    time::timeout,
};

use super::{
    session::{FILTERS, TOPICS},
    wire::{Packet, Reader},
};

/// How long a client waits for what must come.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of MQTT 5 clients: messages at once, and topic aliases.
const RECEIVE_MAXIMUM: usize = 4;
const ALIASES: u16 = 2;

/// `$share/g/a/#` and `no/#` promise nothing to one session.
const MATCHES: [&[usize]; 6] = [&[0, 1], &[1], &[0, 1, 2], &[2], &[], &[]];

/// Whether one of its subscriptions with QoS 1 or 2 matches.
pub fn matches_any(client: &Client, topic: usize) -> bool {
    client.subscribed.iter().any(|(filter, qos)| *qos > 0 && MATCHES[*filter].contains(&topic))
}

/// A message that it published and that is not settled.
pub enum Open {
    /// `due` are the clients that must be given it, once it is acknowledged.
    Sent {
        number: u32,
        topic: usize,
        qos: u8,
        retain: bool,
        due: Vec<usize>,
    },
    Released,
}

pub struct Client {
    version: u8,
    id: &'static str,
    /// Whether it asks for a session that outlives its connections.
    stays: bool,
    /// Whether the session that it has does.
    pub lasts: bool,
    link: Option<(DuplexStream, Reader)>,
    /// Whether the broker has its session.
    session: bool,
    subscribed: BTreeMap<usize, u8>,
    /// Shared subscriptions that this session had: each may bring a message once more.
    shared: u32,
    /// By packet id.
    pub open: BTreeMap<u16, Open>,
    /// By the order of publishing: what is sent again keeps it.
    order: Vec<u16>,
    next_id: u16,
    /// What was acknowledged, and who must be given it.
    pub acknowledged: Vec<(u32, Vec<usize>)>,
    /// What must yet come.
    due: BTreeSet<u32>,
    /// Packet ids of received messages that are not settled. At QoS 2 they outlive the connection.
    unsettled: BTreeMap<u16, (u32, u8)>,
    /// Those of them that came over this connection.
    window: BTreeSet<u16>,
    /// What came, at any QoS.
    came: BTreeSet<u32>,
    /// How often each came at QoS 2.
    arrived: BTreeMap<u32, u32>,
    answers: bool,
    owed: Vec<(u8, u16)>,
    answered: Option<Packet>,
    ponged: bool,
}

impl Client {
    pub fn new(version: u8, id: &'static str, stays: bool) -> Self {
        Self {
            version,
            id,
            stays,
            lasts: false,
            link: None,
            session: false,
            subscribed: BTreeMap::new(),
            shared: 0,
            open: BTreeMap::new(),
            order: Vec::new(),
            next_id: 0,
            acknowledged: Vec::new(),
            due: BTreeSet::new(),
            unsettled: BTreeMap::new(),
            window: BTreeSet::new(),
            came: BTreeSet::new(),
            arrived: BTreeMap::new(),
            answers: true,
            owed: Vec::new(),
            answered: None,
            ponged: false,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Whether nothing is to come, to be acknowledged or to be completed.
    pub fn is_settled(&self) -> bool {
        self.due.is_empty() && self.open.is_empty() && self.unsettled.is_empty()
    }

    /// Connects, over another connection if there is one, and sends again what is not settled. Says whether the
    /// session was there.
    pub async fn connect(&mut self, stream: DuplexStream, clean: bool) -> bool {
        let clean = clean || !self.stays;
        let (name, level): (&[u8], u8) =
            if self.version == 3 { (b"\0\x06MQIsdp", 3) } else { (b"\0\x04MQTT", self.version) };
        let mut body = [name, &[level, u8::from(clean) << 1, 0, 0]].concat();
        if self.version == 5 {
            let expiry: &[u8] = if self.stays { &[0x11, 0, 0, 1, 0] } else { &[] };
            let maxima = [0x21, 0, RECEIVE_MAXIMUM as u8, 0x22, 0, ALIASES as u8];
            body.push((expiry.len() + maxima.len()) as u8);
            body.extend([expiry, &maxima].concat());
        }
        put_text(&mut body, self.id);
        self.link = Some((stream, Reader::new(self.version, ALIASES)));
        (self.owed, self.window) = (Vec::new(), BTreeSet::new());
        let packet = packet(0x10, &body);
        self.send(&packet).await;
        let present = match self.answer().await {
            Packet::ConnAck { present, code: 0 } => present,
            other => panic!("not let in: {other:?}"),
        };
        // MQTT-3.1.2-6: what belongs to a clean session is not reused.
        let wanted = self.session && self.lasts && !clean;
        // MQTT 3.1 is not told.
        assert!(self.version == 3 || present == wanted, "a session that is {present} and should be {wanted}");
        self.session = true;
        self.lasts = self.stays && (self.version == 5 || !clean);
        if !wanted {
            self.lose_session();
        }
        self.unsettled.retain(|_, (_, qos)| *qos == 2);
        let mut again = Vec::new();
        for id in &self.order {
            match &self.open[id] {
                Open::Sent { number, topic, qos, retain, .. } => {
                    again.extend(publish(self.version, *id, *number, *topic, *qos | 4, *retain));
                }
                Open::Released => again.extend(short(0x62, *id)),
            }
        }
        self.send(&again).await;
        wanted
    }

    fn lose_session(&mut self) {
        self.subscribed.clear();
        self.shared = 0;
        self.open.clear();
        self.order.clear();
        self.due.clear();
        self.unsettled.clear();
        self.came.clear();
        self.arrived.clear();
        self.acknowledged.clear();
    }

    /// Goes, with DISCONNECT or without.
    pub async fn leave(&mut self, goodbye: bool) {
        if goodbye && self.is_connected() {
            self.send(&[0xE0, 0]).await;
        }
        self.link = None;
        (self.owed, self.window) = (Vec::new(), BTreeSet::new());
        if !self.lasts {
            self.session = false;
            self.lose_session();
        }
    }

    /// A session is gone: nobody waits for what it was to be given.
    pub fn owes_no_more(&mut self, who: usize) {
        for open in self.open.values_mut() {
            if let Open::Sent { due, .. } = open {
                due.retain(|other| *other != who);
            }
        }
        self.acknowledged.iter_mut().for_each(|(_, due)| due.retain(|other| *other != who));
    }

    pub async fn subscribe(&mut self, filter: usize, qos: u8) {
        let mut body = vec![0, 1];
        if self.version == 5 {
            body.push(0);
        }
        put_text(&mut body, FILTERS[filter]);
        body.push(qos);
        self.send(&packet(0x82, &body)).await;
        let Packet::SubAck { id: 1, codes } = self.answer().await else { panic!("no SUBACK") };
        if FILTERS[filter].starts_with("no") {
            assert!(self.version == 3 || codes[0] >= 0x80, "granted what is denied");
            return;
        }
        assert_eq!(codes, [qos]);
        self.shared += u32::from(FILTERS[filter].starts_with("$share"));
        self.subscribed.insert(filter, qos);
    }

    /// What was due and not sent may still come.
    pub async fn unsubscribe(&mut self, filter: usize) {
        let mut body = vec![0, 2];
        if self.version == 5 {
            body.push(0);
        }
        put_text(&mut body, FILTERS[filter]);
        self.send(&packet(0xA2, &body)).await;
        let Packet::UnsubAck { id: 2 } = self.answer().await else { panic!("no UNSUBACK") };
        self.subscribed.remove(&filter);
    }

    /// Others were told that this one is given it.
    pub fn must_have(&mut self, number: u32) {
        if !self.came.contains(&number) {
            self.due.insert(number);
        }
    }

    /// Appends PUBLISH.
    pub fn publish(
        &mut self,
        number: u32,
        topic: usize,
        qos: u8,
        retain: bool,
        due: Vec<usize>,
        out: &mut Vec<u8>,
    ) {
        let id = if qos > 0 { self.free_id() } else { 0 };
        if qos > 0 {
            self.open.insert(id, Open::Sent { number, topic, qos, retain, due });
            self.order.push(id);
        }
        out.extend(publish(self.version, id, number, topic, qos, retain));
    }

    /// One case has fewer messages than there are ids here.
    fn free_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id % 10_000 + 1;
            if !self.open.contains_key(&self.next_id) {
                return self.next_id;
            }
        }
    }

    /// Answers from now on at once, what it owes too, or not.
    pub async fn answers(&mut self, at_once: bool) {
        self.answers = at_once;
        if at_once {
            for (kind, id) in std::mem::take(&mut self.owed) {
                self.say(kind, id).await;
            }
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        if let Some((stream, _)) = &mut self.link {
            stream.write_all(bytes).await.expect("cut off");
        }
    }

    /// Waits for what answers a request.
    async fn answer(&mut self) -> Packet {
        self.until(|client| client.answered.is_some()).await;
        self.answered.take().expect("it was waited for")
    }

    /// Reads until something is so.
    pub async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let waiting = timeout(PATIENCE, async {
            while !done(self) {
                self.read().await;
            }
        });
        if waiting.await.is_err() {
            panic!(
                "{}: never came: due {:?}, unsettled {:?}, {} open",
                self.id,
                self.due,
                self.unsettled,
                self.open.len()
            );
        }
    }

    /// Reads what is there.
    pub async fn drain(&mut self) {
        while self.is_connected() {
            // Only the reading may be given up: what was read must be taken.
            let packets = tokio::select! {
                biased;
                packets = self.fetch() => packets,
                () = yield_now() => return,
            };
            self.take_all(packets).await;
        }
    }

    async fn read(&mut self) {
        let packets = self.fetch().await;
        self.take_all(packets).await;
    }

    async fn fetch(&mut self) -> Vec<Packet> {
        let Some((stream, reader)) = &mut self.link else { panic!("{} is not connected", self.id) };
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap_or(0);
        assert!(read > 0, "{} is cut off", self.id);
        reader.add(&chunk[..read]);
        std::iter::from_fn(|| reader.next()).collect()
    }

    async fn take_all(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            self.take(packet).await;
        }
    }

    async fn take(&mut self, packet: Packet) {
        match packet {
            Packet::Publish { dup, qos, retain, id, payload } => {
                let text = std::str::from_utf8(&payload).expect("what was published");
                let number = text.parse().expect("a number");
                self.arrive(number, qos, retain, dup, id).await;
            }
            Packet::PubRel { id, code } => {
                assert_eq!(code, 0);
                if self.unsettled.get(&id).is_some_and(|(_, qos)| *qos == 2) {
                    self.unsettled.remove(&id);
                }
                self.owe(0x70, id).await;
            }
            Packet::PubAck { id, .. } => match self.open.remove(&id) {
                Some(Open::Sent { number, qos: 1, due, .. }) => self.acknowledge(number, id, due),
                _ => panic!("PUBACK for what was not sent"),
            },
            Packet::PubRec { id, code } => {
                let Some(Open::Sent { number, qos: 2, due, .. }) = self.open.remove(&id) else {
                    panic!("PUBREC for what was not sent");
                };
                if code >= 0x80 {
                    self.order.retain(|other| *other != id);
                    return;
                }
                self.acknowledged.push((number, due));
                self.open.insert(id, Open::Released);
                self.say(0x62, id).await;
            }
            Packet::PubComp { id, .. } => {
                let open = self.open.remove(&id);
                assert!(matches!(open, Some(Open::Released)), "PUBCOMP for what was not released");
                self.order.retain(|other| *other != id);
            }
            Packet::Pong => self.ponged = true,
            Packet::Disconnect { code } => panic!("{} is told to go: 0x{code:02X}", self.id),
            answer => self.answered = Some(answer),
        }
    }

    fn acknowledge(&mut self, number: u32, id: u16, due: Vec<usize>) {
        self.order.retain(|other| *other != id);
        self.acknowledged.push((number, due));
    }

    async fn arrive(&mut self, number: u32, qos: u8, retain: bool, dup: bool, id: u16) {
        self.due.remove(&number);
        self.came.insert(number);
        if qos == 0 {
            return;
        }
        let known = self.unsettled.insert(id, (number, qos));
        if let Some((before, _)) = known {
            assert_eq!(before, number, "packet id {id} stands for two messages");
            assert!(dup, "{number} came again under its packet id and does not say so");
            assert!(!self.window.contains(&id), "{number} came twice over one connection");
        } else if qos == 2 && !retain {
            let times = self.arrived.entry(number).or_default();
            *times += 1;
            assert!(*times <= 1 + self.shared, "{number} arrived {times} times at {}", self.id);
        }
        self.window.insert(id);
        assert!(self.version < 5 || self.window.len() <= RECEIVE_MAXIMUM, "more than Receive Maximum");
        self.owe(if qos == 1 { 0x40 } else { 0x50 }, id).await;
    }

    async fn owe(&mut self, kind: u8, id: u16) {
        if self.answers { self.say(kind, id).await } else { self.owed.push((kind, id)) }
    }

    async fn say(&mut self, kind: u8, id: u16) {
        if kind == 0x40 {
            self.unsettled.remove(&id);
        }
        if matches!(kind, 0x40 | 0x70) {
            self.window.remove(&id);
        }
        self.send(&short(kind, id)).await;
    }
}

/// PUBREC and its like.
fn short(kind: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [kind, 2, high, low]
}

/// `qos` with 4 for DUP.
fn publish(version: u8, id: u16, number: u32, topic: usize, qos: u8, retain: bool) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, TOPICS[topic]);
    if qos & 3 > 0 {
        body.extend(id.to_be_bytes());
    }
    if version == 5 {
        body.push(0);
    }
    body.extend(number.to_string().as_bytes());
    packet(0x30 | qos << 1 | u8::from(retain), &body)
}

/// With a body of at most 127 bytes.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, body.len() as u8], body].concat()
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}
