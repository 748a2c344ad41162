//! One connection: greets, subscribes, then sends or receives until it is told to leave.

use std::{io, sync::Arc};

use hdrhistogram::Histogram;
use mio::{Registry, Token};

use super::{
    BenchError,
    board::{Board, Loss, LossKind},
    packet::{self, Connect},
    publisher::{Next, Publisher},
    settings::{Scenario, Settings},
    stream::{self, Limits, Packet},
    subscriber::Subscriber,
    target::Target,
    transport::Transport,
};

/// Reads of one connection in a row, so that the others get their turn.
const READS_IN_A_ROW: usize = 8;
/// Filters in one SUBSCRIBE.
const FILTERS_AT_ONCE: usize = 500;
/// The longest packet that is taken, beyond the run's own.
const LONGEST_PACKET: usize = 32 << 20;

/// What a worker lends to the connection whose turn it is.
pub struct Turn {
    pub board: Arc<Board>,
    pub settings: Arc<Settings>,
    pub target: Arc<Target>,
    /// The worker's number.
    pub worker: usize,
    /// Where bytes are read to.
    pub buffer: Vec<u8>,
    /// Nanoseconds from publish to receive.
    pub latency: Histogram<u64>,
    /// Nanoseconds that the time-table's own clockwork was late.
    pub lateness: Histogram<u64>,
    /// Nanoseconds from the begin of connecting to CONNACK.
    pub connecting: Histogram<u64>,
    /// Of the numbers of messages, these bits must be 0 for its latency to count.
    pub sample_mask: u64,
    pub delivered: u64,
    pub delivered_bytes: u64,
    pub acknowledged: u64,
}

/// What a connection is for.
pub enum Role {
    /// Sends.
    Publisher(Box<Publisher>),
    /// Receives.
    Subscriber(Box<Subscriber>),
    /// Is there.
    Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Waiting,
    Connecting,
    Greeting,
    Subscribing,
    Ready,
    Closed,
}

/// One connection.
pub struct Connection {
    pub role: Role,
    pub stage: Stage,
    client_id: String,
    /// What it subscribes to, and how far that came.
    filters: Vec<String>,
    asked: usize,
    answered: usize,
    durable: bool,
    transport: Option<Transport>,
    /// The begin of a packet that has not come whole.
    held: Vec<u8>,
    /// Acknowledgements, pings and the like, from `out_from` on not yet written.
    out: Vec<u8>,
    out_from: usize,
    writable: bool,
    began_ns: u64,
    /// Nanoseconds between pings; 0 is none.
    ping_every_ns: u64,
    last_ping_ns: u64,
}

/// Seconds; pings go out at half of it.
const KEEP_ALIVE: u16 = 120;

impl Connection {
    /// Not yet connected.
    pub fn new(role: Role, client_id: String, filters: Vec<String>, durable: bool) -> Self {
        Self {
            role,
            stage: Stage::Waiting,
            client_id,
            filters,
            asked: 0,
            answered: 0,
            durable,
            transport: None,
            held: Vec::new(),
            out: Vec::new(),
            out_from: 0,
            writable: false,
            began_ns: 0,
            ping_every_ns: 0,
            last_ping_ns: 0,
        }
    }

    /// Begins to connect, and queues the CONNECT.
    pub fn open(&mut self, turn: &Turn, registry: &Registry, token: Token) {
        self.began_ns = turn.board.now_ns();
        match Transport::connect(turn.target.address, turn.target.tls.as_ref(), registry, token) {
            Ok(transport) => {
                self.transport = Some(transport);
                self.stage = Stage::Connecting;
                let login = &turn.settings.login;
                Connect {
                    version: turn.settings.version,
                    client_id: &self.client_id,
                    clean: !self.durable,
                    keep_session: self.durable,
                    keep_alive: KEEP_ALIVE,
                    username: login.username.as_deref(),
                    password: login.password.as_ref().map(crate::keys::Password::expose),
                }
                .encode(&mut self.out);
            }
            Err(error) => {
                let what = format!("could not connect to {}", turn.settings.broker);
                self.lose(turn, Loss::io(&what, &error));
            }
        }
    }

    /// The socket has something to say. Whether there is more to read later.
    pub fn ready(&mut self, turn: &mut Turn, readable: bool, writable: bool) -> bool {
        if self.stage == Stage::Connecting {
            match self.transport.as_ref().map(Transport::connected) {
                Some(Ok(true)) => self.stage = Stage::Greeting,
                Some(Err(error)) => {
                    let what = format!("could not connect to {}", turn.settings.broker);
                    self.lose(turn, Loss::io(&what, &error));
                    return false;
                }
                Some(Ok(false)) | None => return false,
            }
        }
        if writable {
            self.writable = true;
            self.pump(turn);
        }
        readable && self.read(turn)
    }

    /// Reads and takes what there is. Whether there may be more.
    pub fn read(&mut self, turn: &mut Turn) -> bool {
        let mut buffer = std::mem::take(&mut turn.buffer);
        let more = self.read_into(turn, &mut buffer);
        turn.buffer = buffer;
        if self.stage < Stage::Closed {
            self.pump(turn);
        }
        more
    }

    fn read_into(&mut self, turn: &mut Turn, buffer: &mut Vec<u8>) -> bool {
        for _ in 0..READS_IN_A_ROW {
            let Some(transport) = &mut self.transport else { return false };
            let held = self.held.len();
            if let Ok(Some(length)) = stream::packet_len(&self.held)
                && length > buffer.len()
            {
                if length > LONGEST_PACKET {
                    let what = format!("the broker began a packet of {length} bytes");
                    self.lose(turn, Loss::of(LossKind::Unable, what));
                    return false;
                }
                buffer.resize(length, 0);
            }
            buffer[..held].copy_from_slice(&self.held);
            let got = match transport.read(&mut buffer[held..]) {
                Ok(0) => {
                    self.lose(turn, Loss::of(LossKind::Broke, "the broker closed the connection"));
                    return false;
                }
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.lose(turn, Loss::io("the connection broke", &error));
                    return false;
                }
            };
            let last = transport.short_read_is_last() && got < buffer.len() - held;
            let filled = &buffer[..held + got];
            match self.take_all(turn, filled) {
                Ok(taken) => {
                    self.held.clear();
                    self.held.extend_from_slice(&filled[taken..]);
                }
                Err(loss) => {
                    self.lose(turn, loss);
                    return false;
                }
            }
            if last || self.stage == Stage::Closed {
                return false;
            }
        }
        true
    }

    /// Takes every whole packet. How many bytes they had.
    fn take_all(&mut self, turn: &mut Turn, bytes: &[u8]) -> Result<usize, Loss> {
        let version = turn.settings.version;
        let now_ns = turn.board.now_ns();
        let measuring = turn.board.measuring();
        let mut at = 0;
        let acknowledged = turn.acknowledged;
        let delivered = turn.delivered;
        while let Some((packet, length)) = stream::next_packet(&bytes[at..], version)
            .map_err(|error| Loss::of(LossKind::Unable, error.to_string()))?
        {
            at += length;
            let Packet::Publish { qos, packet_id, topic, payload } = packet else {
                self.take_other(turn, packet, now_ns)?;
                continue;
            };
            match qos {
                0 => {}
                1 => self.out.extend_from_slice(&packet::acknowledgement(packet::PUBACK, packet_id)),
                _ => self.out.extend_from_slice(&packet::acknowledgement(packet::PUBREC, packet_id)),
            }
            let Role::Subscriber(subscriber) = &mut self.role else { continue };
            if let Some(taken) = subscriber.take(payload, topic, &turn.board) {
                turn.delivered += u64::from(taken.fresh);
                turn.delivered_bytes += payload.len() as u64;
                if measuring && taken.number & turn.sample_mask == 0 {
                    turn.latency.saturating_record(now_ns.saturating_sub(taken.sent_ns));
                }
            }
        }
        if turn.delivered != delivered || turn.acknowledged != acknowledged {
            turn.board.tell(turn.worker, turn.delivered, turn.delivered_bytes, turn.acknowledged);
            turn.board.feed(turn.worker);
        }
        Ok(at)
    }

    /// Everything but messages.
    fn take_other(&mut self, turn: &mut Turn, packet: Packet<'_>, now_ns: u64) -> Result<(), Loss> {
        match packet {
            Packet::ConnAck { code: 0, limits } => self.welcomed(turn, limits, now_ns)?,
            Packet::ConnAck { code, .. } => return Err(refusal(code)),
            Packet::SubAck { codes, .. } => {
                if let Some(at) = codes.iter().position(|code| *code >= 0x80) {
                    let filter = self.filters.get(self.answered + at).map_or("?", String::as_str);
                    return Err(Loss::of(
                        LossKind::Refused,
                        format!(
                            "the broker refused the subscription to {filter} (0x{:02x}): may this user subscribe \
                             there? --topic moves the topics elsewhere",
                            codes[at]
                        ),
                    ));
                }
                self.answered += codes.len();
                self.subscribe_or_be_ready(turn);
            }
            Packet::PubAck { packet_id, reason } | Packet::PubRec { packet_id, reason: reason @ 0x80.. } => {
                self.complete(turn, packet_id, reason);
            }
            Packet::PubComp { packet_id } => self.complete(turn, packet_id, 0),
            Packet::PubRec { packet_id, .. } => {
                self.out.extend_from_slice(&packet::acknowledgement(packet::PUBREL, packet_id));
            }
            Packet::PubRel { packet_id } => {
                self.out.extend_from_slice(&packet::acknowledgement(packet::PUBCOMP, packet_id));
            }
            Packet::PingResp | Packet::Publish { .. } => {}
            Packet::Disconnect { reason } => {
                // MQTT 5 table 3-13: not authorized, banned.
                let kind = if matches!(reason, 0x87 | 0x8a) { LossKind::Refused } else { LossKind::Broke };
                return Err(Loss::of(
                    kind,
                    format!("the broker ended the connection (reason 0x{reason:02x})"),
                ));
            }
        }
        Ok(())
    }

    fn complete(&mut self, turn: &mut Turn, packet_id: u16, reason: u8) {
        if let Role::Publisher(publisher) = &mut self.role
            && publisher.acknowledged(packet_id, reason)
        {
            turn.acknowledged += u64::from(reason < 0x80);
        }
    }

    fn welcomed(&mut self, turn: &mut Turn, limits: Limits, now_ns: u64) -> Result<(), Loss> {
        if turn.settings.qos.bits() > limits.maximum_qos {
            return Err(Loss::of(
                LossKind::Unable,
                format!("the broker knows no QoS above {}: give --qos {0} or less", limits.maximum_qos),
            ));
        }
        if let Role::Publisher(publisher) = &mut self.role {
            publisher.limit(limits);
        }
        turn.connecting.saturating_record(now_ns.saturating_sub(self.began_ns));
        // The relay would copy pings to subscribers.
        let pings = turn.settings.scenario != Scenario::Loopback;
        self.ping_every_ns =
            if pings { u64::from(limits.keep_alive.unwrap_or(KEEP_ALIVE)) * 500_000_000 } else { 0 };
        self.last_ping_ns = now_ns;
        self.subscribe_or_be_ready(turn);
        Ok(())
    }

    fn subscribe_or_be_ready(&mut self, turn: &Turn) {
        if self.answered < self.filters.len() {
            self.stage = Stage::Subscribing;
            if self.asked == self.answered {
                let next = (self.asked + FILTERS_AT_ONCE).min(self.filters.len());
                let filters = self.filters[self.asked..next].iter().map(String::as_str);
                packet::subscribe(&mut self.out, turn.settings.version, 1, filters, turn.settings.qos);
                self.asked = next;
            }
        } else if self.stage < Stage::Ready {
            self.stage = Stage::Ready;
            // They are long, where there are many, and not needed again.
            self.filters = Vec::new();
            (self.asked, self.answered) = (0, 0);
            turn.board.one_ready();
        }
    }

    /// Sends what a publisher may send now, and says when to ask again.
    pub fn publish(&mut self, turn: &mut Turn, now_ns: u64) -> Result<Next, BenchError> {
        if self.stage != Stage::Ready {
            return Ok(Next::Done);
        }
        let Role::Publisher(publisher) = &mut self.role else { return Ok(Next::Done) };
        if !self.writable || !publisher.pending().is_empty() {
            publisher.held_up();
            return Ok(Next::Waits);
        }
        let lateness = &mut turn.lateness;
        let next = publisher.make(&turn.board, now_ns, &mut |late| {
            lateness.saturating_record(late);
        })?;
        if next == Next::Now {
            self.pump(turn);
        }
        Ok(next)
    }

    /// Writes what is waiting. A packet that was begun is finished before another.
    pub fn pump(&mut self, turn: &Turn) {
        let Some(transport) = &mut self.transport else { return };
        if !self.writable {
            return;
        }
        loop {
            let batch = match &self.role {
                Role::Publisher(publisher) => publisher.pending(),
                _ => &[],
            };
            let from_batch = !batch.is_empty();
            let bytes = if from_batch { batch } else { &self.out[self.out_from..] };
            if bytes.is_empty() {
                self.out.clear();
                self.out_from = 0;
                match transport.flush() {
                    Ok(()) => return,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                    Err(error) => self.lose(turn, Loss::io("the connection broke", &error)),
                }
                return;
            }
            match transport.write(bytes) {
                Ok(written) => match &mut self.role {
                    Role::Publisher(publisher) if from_batch => publisher.written(written),
                    _ => self.out_from += written,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    return;
                }
                Err(error) => {
                    self.lose(turn, Loss::io("the connection broke", &error));
                    return;
                }
            }
        }
    }

    /// Sends a ping when it is time.
    pub fn keep_alive(&mut self, turn: &Turn, now_ns: u64) {
        if self.stage == Stage::Ready
            && self.ping_every_ns > 0
            && now_ns.saturating_sub(self.last_ping_ns) >= self.ping_every_ns
        {
            self.last_ping_ns = now_ns;
            self.out.extend_from_slice(&packet::PINGREQ);
            self.pump(turn);
        }
    }

    fn lose(&mut self, turn: &Turn, mut loss: Loss) {
        if self.stage == Stage::Closed {
            return;
        }
        // Dropping the socket takes it out of the poll.
        self.transport = None;
        self.stage = Stage::Closed;
        loss.what = format!("{}: {}", self.client_id, loss.what);
        turn.board.lose(loss);
    }

    /// Says good-bye. With a durable session true: it is still to be ended, by [`Self::forget_session`].
    pub fn leave(&mut self, turn: &Turn, registry: &Registry) -> bool {
        let was_ready = self.stage == Stage::Ready;
        if was_ready {
            self.out.extend_from_slice(&packet::DISCONNECT);
            self.pump(turn);
        }
        if let Some(mut transport) = self.transport.take() {
            transport.close(registry);
        }
        self.stage = Stage::Closed;
        self.durable
    }

    /// Becomes the same client once more with a clean start, which ends the session that the broker keeps for it.
    pub fn forget_session(&mut self) {
        *self = Self::new(Role::Holder, std::mem::take(&mut self.client_id), Vec::new(), false);
    }
}

/// What a CONNACK's code means (MQTT 3.1.1 table 3.1, MQTT 5 table 3-1), and what to do.
fn refusal(code: u8) -> Loss {
    let kind = match code {
        3 | 0x88 | 0x89 | 0x97 | 0x9f => LossKind::Broke,
        4 | 5 | 0x86 | 0x87 | 0x8a | 0x8c => LossKind::Refused,
        _ => LossKind::Unable,
    };
    let why = match code {
        1 | 0x84 => "it does not speak this version of MQTT: try the other with --mqtt",
        2 | 0x85 => "it does not like the client id",
        3 | 0x88 => "it is unavailable",
        4 | 0x86 => {
            "wrong username or password: give --username, and the password as `sealwire bench --help` says"
        }
        5 | 0x87 => "not authorized: does it want a username, or does it refuse this one?",
        0x89 => "it is busy",
        0x9f => "too many connections a second: fewer at once with --connecting",
        0x97 => "a quota is reached: fewer connections",
        _ => "no reason that is known",
    };
    Loss::of(kind, format!("the broker refused the connection (0x{code:02x}): {why}"))
}
