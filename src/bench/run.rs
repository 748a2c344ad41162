//! One run from the first connection to the last farewell: the conductor of the workers.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    BenchError,
    board::{Board, Phase, Sums},
    connection::{Connection, Role},
    process::{self, Usage},
    publisher::{self, Publisher},
    report::{BrokerCost, Connecting, Moment, Percentiles, Run, Whole},
    sealing,
    settings::{Length, Pace, Qos, Settings},
    subscriber::Subscriber,
    target::Target,
    worker::{Harvest, Worker},
};
use crate::topic::TopicName;

/// How often the time-line gets a point.
const STEP: Duration = Duration::from_millis(100);
/// How often progress is told.
const TELL_EVERY: u32 = 5;
/// Below so many connections, memory divided by them says little.
const MANY: usize = 100;

/// What is known while a run goes on.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being done.
    pub doing: Doing,
    /// The number of this run, from 1.
    pub run: usize,
    /// How many there are.
    pub runs: usize,
    /// Since this was begun.
    pub seconds: f64,
    /// Connected and subscribed.
    pub ready: usize,
    /// Should be.
    pub connections: usize,
    /// Lately.
    pub sent_per_second: f64,
    /// Lately.
    pub delivered_per_second: f64,
    /// In all.
    pub delivered: u64,
    /// Sent and not here. It includes what is on its way.
    pub outstanding: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Connections are made.
    Connecting,
    /// The warm-up.
    WarmingUp,
    /// It counts.
    Measuring,
    /// The rest arrives.
    Draining,
}

/// Who is told.
pub type Tell<'a> = &'a mut dyn FnMut(Progress);

/// How many threads to use.
pub fn threads(settings: &Settings) -> usize {
    let wanted = match (settings.threads, settings.pace) {
        (0, Pace::InFlight(_)) => 1,
        // A publisher that sleeps until the next is due must not keep a subscriber waiting.
        (0, _) => 2,
        (threads, _) => threads,
    };
    if matches!(settings.pace, Pace::Rate(_)) { wanted.max(2) } else { wanted }
        .min(settings.all_connections().max(1))
}

/// Measures once.
pub fn run(
    settings: &Arc<Settings>,
    target: &Arc<Target>,
    number: usize,
    tell: Tell<'_>,
) -> Result<Run, BenchError> {
    let usage = |settings: &Settings| settings.pid.map(process::usage).transpose();
    let before = usage(settings)?;
    let workers = threads(settings);
    let copies = settings.copies() as usize;
    let board = Arc::new(Board::new(workers, settings.publishers, copies));
    let mut conductor = Conductor {
        settings,
        board: Arc::clone(&board),
        number,
        tell,
        timeline: Vec::new(),
        last: (Instant::now(), Sums::default()),
        peak: before.map_or(0, |usage| usage.memory),
        steps: 0,
    };
    let mut crew = Vec::new();
    let roster = roster(settings, workers)?;
    let began = Instant::now();
    for (at, connections) in roster.into_iter().enumerate() {
        let worker = Worker::new(at, workers, Arc::clone(&board), settings, Arc::clone(target), connections)?;
        let handle = thread::Builder::new()
            .name(format!("bench-{at}"))
            .spawn(move || worker.run())
            .map_err(|source| BenchError::System { what: "a thread", source })?;
        crew.push(handle);
    }
    let measured = conductor.conduct(before, began, &crew);
    board.enter(Phase::Stop);
    let mut harvests = Vec::new();
    for handle in crew {
        harvests.push(handle.join().map_err(|_| BenchError::Thread)??);
    }
    let measured = measured?;
    Ok(conductor.report(measured, harvests))
}

struct Conductor<'a> {
    settings: &'a Settings,
    board: Arc<Board>,
    number: usize,
    tell: Tell<'a>,
    timeline: Vec<Moment>,
    last: (Instant, Sums),
    peak: u64,
    steps: u32,
}

struct Measured {
    connecting: Duration,
    span: Duration,
    from: Sums,
    to: Sums,
    broker: Option<BrokerCost>,
    end: Sums,
    trouble: super::board::Trouble,
}

type Crew = [thread::JoinHandle<Result<Harvest, BenchError>>];

impl Conductor<'_> {
    fn conduct(
        &mut self,
        before: Option<Usage>,
        began: Instant,
        crew: &Crew,
    ) -> Result<Measured, BenchError> {
        let connecting = self.connect(began, crew)?;
        let usage = || self.settings.pid.map(process::usage).transpose();
        let connected = usage()?;
        let began = Instant::now();
        self.last = (began, Sums::default());
        let mut from = Sums::default();
        let mut cost_from = connected;
        let mut span_from = began;
        if self.settings.scenario.has_messages() {
            self.board.measure(matches!(self.settings.length, Length::Messages(_)));
            self.board.enter(Phase::Run);
        }
        match self.settings.length {
            Length::Time { warm_up, measured } => {
                self.watch(began, warm_up, Doing::WarmingUp, crew);
                cost_from = usage()?;
                span_from = Instant::now();
                from = self.board.sums();
                self.board.measure(true);
                self.watch(span_from, measured, Doing::Measuring, crew);
            }
            Length::Messages(count) => self.watch_until(began, count * self.settings.copies(), crew),
        }
        let mut to = self.board.sums();
        let mut span = span_from.elapsed();
        if let Length::Messages(_) = self.settings.length {
            // The time that nothing came any more is not counted.
            span = self.last.0.duration_since(span_from).max(Duration::from_micros(1)).min(span);
        }
        let cost_to = usage()?;
        self.board.measure(false);
        // Connections that end now end because we say so.
        let trouble = self.board.trouble();
        self.drain(crew);
        let end = self.board.sums();
        if let Length::Messages(_) = self.settings.length {
            to = end;
        }
        let broker = match (before, connected, cost_from, cost_to) {
            (Some(before), Some(connected), Some(cost_from), Some(cost_to)) => {
                let processor = cost_to.processor.saturating_sub(cost_from.processor).as_secs_f64();
                let delivered = to.delivered - from.delivered;
                let connections = self.settings.all_connections();
                let held = self.peak.max(cost_to.memory);
                let idle = if self.settings.scenario.has_messages() { connected } else { cost_to };
                Some(BrokerCost {
                    processor_seconds: processor,
                    processor_us_per_message: (delivered > 0).then(|| processor * 1e6 / delivered as f64),
                    memory_before_bytes: before.memory,
                    memory_connected_bytes: idle.memory,
                    memory_peak_bytes: held,
                    memory_per_connection_bytes: (connections >= MANY)
                        .then(|| idle.memory.saturating_sub(before.memory) as f64 / connections as f64),
                })
            }
            _ => None,
        };
        Ok(Measured { connecting, span, from, to, broker, end, trouble })
    }

    /// Waits until everybody is connected and subscribed.
    fn connect(&mut self, began: Instant, crew: &Crew) -> Result<Duration, BenchError> {
        let wanted = self.settings.all_connections();
        let mut told = began;
        loop {
            let ready = self.board.ready();
            let took = began.elapsed();
            if let Some(first) = self.board.trouble().first {
                return Err(BenchError::Connect(first));
            }
            if ready >= wanted {
                return Ok(took);
            }
            if took > self.settings.connect_time || crew.iter().any(thread::JoinHandle::is_finished) {
                return Err(BenchError::NotReady { ready, wanted, seconds: took.as_secs() });
            }
            if told.elapsed() > STEP * TELL_EVERY {
                told = Instant::now();
                let progress = self.progress(Doing::Connecting, took, Sums::default(), (0.0, 0.0));
                (self.tell)(progress);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Notes the time-line for so long.
    fn watch(&mut self, began: Instant, length: Duration, doing: Doing, crew: &Crew) {
        loop {
            let left = length.saturating_sub(began.elapsed());
            if left.is_zero() || self.is_over(crew) {
                return;
            }
            thread::sleep(left.min(STEP));
            if left >= STEP {
                self.note(began, doing);
            }
        }
    }

    /// Notes the time-line until so many were delivered, or nothing comes any more.
    fn watch_until(&mut self, began: Instant, deliveries: u64, crew: &Crew) {
        let (mut seen, mut at, mut noted) = (0, began, began);
        loop {
            thread::sleep(Duration::from_millis(2));
            let sums = self.board.sums();
            if sums.delivered != seen {
                (seen, at) = (sums.delivered, Instant::now());
            }
            if seen >= deliveries || at.elapsed() > self.settings.patience || self.is_over(crew) {
                self.last.0 = at;
                return;
            }
            if noted.elapsed() >= STEP {
                noted = Instant::now();
                self.note(began, Doing::Measuring);
            }
        }
    }

    /// Whether there is nobody left to do anything.
    fn is_over(&self, crew: &Crew) -> bool {
        let everybody = self.settings.all_connections() as u64;
        crew.iter().any(thread::JoinHandle::is_finished) || self.board.trouble().connections_lost >= everybody
    }

    fn note(&mut self, began: Instant, doing: Doing) {
        let (now, sums) = (Instant::now(), self.board.sums());
        let span = now.duration_since(self.last.0).as_secs_f64().max(1e-9);
        let moment = Moment {
            seconds: (self.board.now_ns().saturating_sub(self.board.run_began_ns())) as f64 / 1e9,
            sent_per_second: (sums.sent - self.last.1.sent) as f64 / span,
            delivered_per_second: (sums.delivered - self.last.1.delivered) as f64 / span,
        };
        self.last = (now, sums);
        if self.settings.scenario.has_messages() && doing != Doing::Draining {
            self.timeline.push(moment);
        }
        self.steps += 1;
        if self.steps.is_multiple_of(TELL_EVERY) {
            if let Some(Ok(usage)) = self.settings.pid.map(process::usage) {
                self.peak = self.peak.max(usage.memory);
            }
            let rates = (moment.sent_per_second, moment.delivered_per_second);
            let progress = self.progress(doing, began.elapsed(), sums, rates);
            (self.tell)(progress);
        }
    }

    fn progress(&self, doing: Doing, since: Duration, sums: Sums, rates: (f64, f64)) -> Progress {
        Progress {
            doing,
            run: self.number,
            runs: self.settings.runs,
            seconds: since.as_secs_f64(),
            ready: self.board.ready(),
            connections: self.settings.all_connections(),
            sent_per_second: rates.0,
            delivered_per_second: rates.1,
            delivered: sums.delivered,
            outstanding: (sums.sent * self.settings.copies()).saturating_sub(sums.delivered),
        }
    }

    /// Lets arrive what is on its way, until all is here or nothing came for a while.
    fn drain(&mut self, crew: &Crew) {
        if !self.settings.scenario.has_messages() {
            return;
        }
        self.board.enter(Phase::Drain);
        let began = Instant::now();
        let (mut seen, mut at, mut noted) = (Sums::default(), began, began);
        loop {
            let sums = self.board.sums();
            if (sums.delivered, sums.acknowledged) != (seen.delivered, seen.acknowledged) {
                (seen, at) = (sums, Instant::now());
            }
            let all_here = sums.delivered >= sums.sent * self.settings.copies();
            let all_told = self.settings.qos == Qos::AtMostOnce || sums.acknowledged >= sums.sent;
            if (all_here && all_told) || at.elapsed() > self.settings.patience || self.is_over(crew) {
                return;
            }
            if noted.elapsed() >= STEP {
                noted = Instant::now();
                self.note(began, Doing::Draining);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn report(self, measured: Measured, harvests: Vec<Harvest>) -> Run {
        let mut whole = Whole {
            sent: measured.end.sent,
            acknowledged: measured.end.acknowledged,
            refused: 0,
            expected: 0,
            received: 0,
            lost: 0,
            lost_percent: 0.0,
            gaps: 0,
            duplicates: 0,
            late: 0,
            strays: 0,
            unopened: 0,
            unexpected_acknowledgements: 0,
        };
        let mut harvests = harvests.into_iter();
        let mut all = harvests.next();
        if let Some(all) = &mut all {
            for harvest in harvests {
                // The bounds are the same, so nothing is out of range.
                let _ = all.latency.add(&harvest.latency);
                let _ = all.lateness.add(&harvest.lateness);
                let _ = all.connecting.add(&harvest.connecting);
                all.judgement += harvest.judgement;
                all.strays += harvest.strays;
                all.unopened += harvest.unopened;
                all.refused += harvest.refused;
                all.unexpected += harvest.unexpected;
                all.window = all.window.into_iter().chain(harvest.window).min();
            }
            whole.strays = all.strays;
            whole.unopened = all.unopened;
            whole.refused = all.refused;
            whole.unexpected_acknowledgements = all.unexpected;
            whole = whole.judged(all.judgement);
        }
        let span = measured.span.as_secs_f64();
        let (from, to) = (measured.from, measured.to);
        let connecting = measured.connecting.as_secs_f64();
        let connections = self.settings.all_connections();
        Run {
            connecting: Connecting {
                connections,
                seconds: connecting,
                per_second: connections as f64 / connecting.max(1e-9),
                time: all.as_ref().and_then(|all| Percentiles::of(&all.connecting)),
            },
            measured_seconds: span,
            delivered: to.delivered - from.delivered,
            delivered_per_second: (to.delivered - from.delivered) as f64 / span,
            delivered_bytes_per_second: (to.delivered_bytes - from.delivered_bytes) as f64 / span,
            sent_per_second: (to.sent - from.sent) as f64 / span,
            whole,
            latency: all.as_ref().and_then(|all| Percentiles::of(&all.latency)),
            own_lateness: all.as_ref().and_then(|all| Percentiles::of(&all.lateness)),
            window_used: all
                .as_ref()
                .and_then(|all| all.window)
                .filter(|_| self.settings.qos != Qos::AtMostOnce),
            broker: measured.broker,
            timeline: self.timeline,
            connections_lost: measured.trouble.connections_lost,
            trouble: measured.trouble.first.map(|loss| loss.what),
        }
    }
}

/// Who connects, and on which worker.
fn roster(settings: &Settings, workers: usize) -> Result<Vec<Vec<Connection>>, BenchError> {
    let mut mark = [0; 4];
    getrandom::fill(&mut mark).map_err(|error| BenchError::Settings(format!("no randomness: {error}")))?;
    // New with each run, so that nothing of another run is taken for this one's.
    let mark = format!("{:06x}", u32::from_le_bytes(mark) & 0xff_ffff);
    let prefix = format!("{}/{mark}", settings.topic_prefix);
    let key = sealing::key(settings, &prefix)?.map(Arc::new);
    let mut crew: Vec<Vec<Connection>> = (0..workers).map(|_| Vec::new()).collect();
    // The first half of the workers publishes, the other receives, where there are several.
    let publishing = (workers / 2).max(1);
    let receiving = if workers > 1 { publishing..workers } else { 0..1 };
    let receiver = |number: usize| receiving.start + number % receiving.len();

    let tells_progress = matches!(settings.pace, Pace::InFlight(_));
    for number in 0..settings.subscribers {
        let heard = if settings.in_pairs() { number..number + 1 } else { 0..settings.publishers };
        let copy = if settings.in_pairs() { 0 } else { number };
        let mut subscriber = Subscriber::new(copy, heard.start, heard.len(), tells_progress);
        if let Some(key) = &key {
            let topics = heard
                .flat_map(|publisher| (0..settings.topics).map(move |topic| (publisher, topic)))
                .map(|(publisher, topic)| {
                    TopicName::new(publisher::topic_name(&prefix, publisher, topic, settings.topics))
                })
                .collect::<Result<_, _>>()
                .map_err(|error| BenchError::Settings(error.to_string()))?;
            subscriber.open_with(Arc::clone(key), topics);
        }
        let filter = publisher::filter(&prefix, settings.in_pairs().then_some(number), settings.topics);
        crew[receiver(number)].push(Connection::new(
            Role::Subscriber(Box::new(subscriber)),
            format!("bench-{mark}-s{number}"),
            vec![filter],
            settings.durable,
        ));
    }
    let holders = settings.bystanders + settings.filter_holders();
    for number in 0..holders {
        let mut filters = Vec::new();
        if number < settings.bystanders {
            filters.push(format!("{prefix}-other/{number}/+"));
        }
        filters.extend((number..settings.filters).step_by(holders).map(|at| other_filter(&prefix, at)));
        let id = format!("bench-{mark}-b{number}");
        crew[receiver(number)].push(Connection::new(Role::Holder, id, filters, false));
    }
    for number in 0..settings.connections {
        let id = format!("bench-{mark}-c{number}");
        crew[number % workers].push(Connection::new(Role::Holder, id, Vec::new(), false));
    }
    for number in 0..settings.publishers {
        let publisher = Publisher::new(settings, number, &prefix, key.as_deref())?;
        let id = format!("bench-{mark}-p{number}");
        crew[number % publishing].push(Connection::new(
            Role::Publisher(Box::new(publisher)),
            id,
            Vec::new(),
            false,
        ));
    }
    Ok(crew)
}

/// A filter that matches none of the run's topics: plain ones, and of either wildcard.
fn other_filter(prefix: &str, number: usize) -> String {
    match number % 4 {
        0 => format!("{prefix}-more/{number}/#"),
        1 => format!("{prefix}-more/+/{number}"),
        2 => format!("{prefix}/+/{number}/never"),
        _ => format!("{prefix}-more/{number}/state"),
    }
}
