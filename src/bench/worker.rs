//! A thread of the load generator: its connections, and the loop that serves them.

use std::{sync::Arc, thread, time::Duration};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Token, Waker};

use super::{
    BenchError,
    board::{Board, Phase},
    connection::{Connection, Role, Stage, Turn},
    publisher::{Next, Publisher},
    settings::{Pace, Settings},
    tally::Judgement,
    target::Target,
};

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;
/// The waker's token; connections have theirs from 0.
const WAKER: Token = Token(usize::MAX);
/// How long a worker sleeps at most, so that it hears of a new phase even if a wake-up was lost.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// Under this much the poll's timeout, of whole milliseconds, is too coarse.
const FINE: Duration = Duration::from_millis(2);
/// The longest latency that is told apart, in nanoseconds.
const LONGEST_NS: u64 = 600_000_000_000;
/// How long the end of durable sessions may take.
const FORGET_NS: u64 = 5_000_000_000;

/// A worker, not yet started.
pub struct Worker {
    poll: Poll,
    turn: Turn,
    connections: Vec<Connection>,
    publishers: Vec<usize>,
    /// Connections that may have more to read, though no event will say so.
    more: Vec<usize>,
    next_to_open: usize,
    opening: Vec<usize>,
    most_opening: usize,
    in_flight: bool,
    next_check_ns: u64,
}

/// What a worker brings home.
pub struct Harvest {
    /// Nanoseconds from publish to receive.
    pub latency: Histogram<u64>,
    /// Nanoseconds that the own clockwork was late.
    pub lateness: Histogram<u64>,
    /// Nanoseconds to CONNACK.
    pub connecting: Histogram<u64>,
    /// What subscribers counted.
    pub judgement: Judgement,
    /// Messages of nobody.
    pub strays: u64,
    /// Envelopes that did not open.
    pub unopened: u64,
    /// Publishes that the broker refused.
    pub refused: u64,
    /// Acknowledgements of nothing.
    pub unexpected: u64,
    /// The smallest window in use.
    pub window: Option<u64>,
}

fn histogram() -> Result<Histogram<u64>, BenchError> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|error| BenchError::Settings(error.to_string()))
}

impl Worker {
    /// With these connections.
    pub fn new(
        number: usize,
        workers: usize,
        board: Arc<Board>,
        settings: &Arc<Settings>,
        target: Arc<Target>,
        connections: Vec<Connection>,
    ) -> Result<Self, BenchError> {
        let refused = |source| BenchError::System { what: "a poll for its sockets", source };
        let poll = Poll::new().map_err(refused)?;
        board.set_waker(number, Waker::new(poll.registry(), WAKER).map_err(refused)?);
        let publishers = connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| matches!(connection.role, Role::Publisher(_)))
            .map(|(at, _)| at)
            .collect();
        let every_one = matches!(settings.pace, Pace::Rate(_) | Pace::InFlight(..=16));
        let turn = Turn {
            worker: number,
            buffer: vec![0; READ_BYTES.max(2 * settings.payload + 4096)],
            latency: histogram()?,
            lateness: histogram()?,
            connecting: histogram()?,
            sample_mask: if every_one { 0 } else { SAMPLE - 1 },
            delivered: 0,
            delivered_bytes: 0,
            acknowledged: 0,
            board,
            target,
            settings: Arc::clone(settings),
        };
        Ok(Self {
            poll,
            turn,
            connections,
            publishers,
            more: Vec::new(),
            next_to_open: 0,
            opening: Vec::new(),
            most_opening: (settings.connecting / workers).max(1),
            in_flight: matches!(settings.pace, Pace::InFlight(_)),
            next_check_ns: 0,
        })
    }

    /// Serves until the run ends.
    pub fn run(mut self) -> Result<Harvest, BenchError> {
        let mut events = Events::with_capacity(1024);
        loop {
            let phase = self.turn.board.phase();
            if phase == Phase::Stop {
                break;
            }
            let mut next = Next::Waits;
            if phase == Phase::Run {
                next = self.publish()?;
                if next == Next::Waits && self.in_flight {
                    self.turn.board.go_hungry(self.turn.worker);
                    next = self.publish()?;
                }
            } else if phase == Phase::Connect {
                self.open_more();
            }
            self.wait(&mut events, next)?;
        }
        self.leave(&mut events)?;
        Ok(self.harvest())
    }

    /// Gives each publisher its turn.
    fn publish(&mut self) -> Result<Next, BenchError> {
        let mut soonest = Next::Done;
        let mut now_ns = self.turn.board.now_ns();
        for (turns, at) in self.publishers.iter().enumerate() {
            // A batch takes long enough for the time to have moved.
            if turns % 16 == 15 {
                now_ns = self.turn.board.now_ns();
            }
            let next = self.connections[*at].publish(&mut self.turn, now_ns)?;
            soonest = match (soonest, next) {
                (Next::Now, _) | (_, Next::Now) => Next::Now,
                (Next::At(a), Next::At(b)) => Next::At(a.min(b)),
                (Next::At(a), _) | (_, Next::At(a)) => Next::At(a),
                (Next::Waits, _) | (_, Next::Waits) => Next::Waits,
                (Next::Done, Next::Done) => Next::Done,
            };
        }
        Ok(soonest)
    }

    /// Waits for events, no longer than until `next`, and serves them.
    fn wait(&mut self, events: &mut Events, next: Next) -> Result<(), BenchError> {
        let mut timeout = match next {
            Next::Now => Duration::ZERO,
            Next::At(at_ns) => {
                let left = Duration::from_nanos(at_ns.saturating_sub(self.turn.board.now_ns()));
                if left > FINE {
                    left - Duration::from_millis(1)
                } else {
                    thread::sleep(left);
                    Duration::ZERO
                }
            }
            Next::Waits | Next::Done => LONGEST_WAIT,
        };
        if !self.more.is_empty() {
            timeout = Duration::ZERO;
        }
        match self.poll.poll(events, Some(timeout.min(LONGEST_WAIT))) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(BenchError::System { what: "to wait for its sockets", source: error });
            }
            _ => {}
        }
        let waiting = std::mem::take(&mut self.more);
        for event in events.iter() {
            let Token(at) = event.token();
            let Some(connection) = self.connections.get_mut(at) else { continue };
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_error();
            if connection.ready(&mut self.turn, readable, writable) {
                self.more.push(at);
            }
        }
        for at in waiting {
            if !self.more.contains(&at) && self.connections[at].read(&mut self.turn) {
                self.more.push(at);
            }
        }
        let now_ns = self.turn.board.now_ns();
        if now_ns >= self.next_check_ns {
            self.next_check_ns = now_ns + 1_000_000_000;
            for connection in &mut self.connections {
                connection.keep_alive(&self.turn, now_ns);
            }
        }
        Ok(())
    }

    /// Begins as many connections as may be under way at once.
    fn open_more(&mut self) {
        let connections = &self.connections;
        self.opening.retain(|at| connections[*at].stage < Stage::Ready);
        while self.opening.len() < self.most_opening && self.next_to_open < self.connections.len() {
            let at = self.next_to_open;
            self.next_to_open += 1;
            self.connections[at].open(&self.turn, self.poll.registry(), Token(at));
            self.opening.push(at);
        }
    }

    /// Everybody leaves, and durable sessions are ended.
    fn leave(&mut self, events: &mut Events) -> Result<(), BenchError> {
        let mut durable = Vec::new();
        for (at, connection) in self.connections.iter_mut().enumerate() {
            if connection.leave(&self.turn, self.poll.registry()) {
                durable.push(at);
            }
        }
        if durable.is_empty() {
            return Ok(());
        }
        let mut judged = Vec::new();
        for at in &durable {
            let role = std::mem::replace(&mut self.connections[*at].role, Role::Holder);
            judged.push(role);
            self.connections[*at].forget_session();
            self.connections[*at].open(&self.turn, self.poll.registry(), Token(*at));
        }
        let until = self.turn.board.now_ns() + FORGET_NS;
        while durable.iter().any(|at| self.connections[*at].stage < Stage::Ready)
            && self.turn.board.now_ns() < until
        {
            self.wait(events, Next::Waits)?;
        }
        for (at, role) in durable.iter().zip(judged) {
            self.connections[*at].leave(&self.turn, self.poll.registry());
            self.connections[*at].role = role;
        }
        Ok(())
    }

    fn harvest(self) -> Harvest {
        let Turn { latency, lateness, connecting, board, .. } = self.turn;
        let mut harvest = Harvest {
            latency,
            lateness,
            connecting,
            judgement: Judgement::default(),
            strays: 0,
            unopened: 0,
            refused: 0,
            unexpected: 0,
            window: None,
        };
        for connection in &self.connections {
            match &connection.role {
                Role::Subscriber(subscriber) => {
                    for (publisher, tally) in subscriber.tallies() {
                        harvest.judgement += tally.judge(board.sent(publisher));
                    }
                    harvest.strays += subscriber.strays();
                    harvest.unopened += subscriber.unopened();
                }
                Role::Publisher(publisher) => {
                    harvest.refused += publisher.refused();
                    harvest.unexpected += publisher.unexpected();
                    let window = Publisher::window(publisher);
                    harvest.window = Some(harvest.window.map_or(window, |least| least.min(window)));
                }
                Role::Holder => {}
            }
        }
        harvest
    }
}

/// Of so many messages, one has its latency counted when they go as fast as they can.
const SAMPLE: u64 = 64;
