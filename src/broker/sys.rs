//! `$SYS/broker/…`: the broker's own figures as topics, by the names and units that users of Mosquitto know
//! (<https://mosquitto.org/man/mosquitto-8.html>, "Broker Status").
//!
//! What changed is published every [`Limits::sys_interval`](super::Limits::sys_interval), at QoS 0, to whom the
//! authority lets; who subscribes is given all of it at once, like retained messages. It is never written to disk, and
//! while nobody subscribes nothing is made but the averages. Nobody but the broker publishes here.

use std::{
    fmt::Display,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{core::Core, figures::Figures, message::Message, retained::Retained};
use crate::topic::{TopicFilter, TopicName};

/// The first level of everything here.
const ROOT: &str = "$SYS";
/// The averages are over so many minutes.
const SPANS: [(&str, f64); 3] = [("1min", 1.0), ("5min", 5.0), ("15min", 15.0)];
/// No shorter interval is kept to: a round looks at every session.
const SHORTEST: Duration = Duration::from_millis(10);
/// The figures that a new subscriber is given are no older than this.
const FRESH: Duration = Duration::from_secs(1);

/// Whether a topic is the broker's own.
pub(super) fn is_own(topic: &TopicName) -> bool {
    topic.levels().next() == Some(ROOT)
}

/// Whether a filter asks for the broker's own topics. One that begins with a wildcard does not (MQTT-4.7.2-1).
pub(super) fn asks_for_own(filter: &TopicFilter) -> bool {
    filter.levels().next() == Some(ROOT)
}

/// A total whose rate is averaged, by the name of its topic.
type Total = (&'static str, fn(&Figures) -> u64);

const TOTALS: [Total; 9] = [
    ("messages/received", |figures| figures.packets_in),
    ("messages/sent", |figures| figures.packets_out),
    ("publish/received", |figures| figures.received.total()),
    ("publish/sent", |figures| figures.sent.total()),
    ("publish/dropped", |figures| figures.stats.dropped),
    ("bytes/received", |figures| figures.stats.bytes_in),
    ("bytes/sent", |figures| figures.stats.bytes_out),
    ("sockets", |figures| figures.sockets),
    ("connections", |figures| figures.connects),
];

/// Moving averages, per minute.
#[derive(Debug, Default)]
struct Loads {
    last: [u64; TOTALS.len()],
    averages: [[f64; SPANS.len()]; TOTALS.len()],
}

impl Loads {
    /// Takes the totals in after `passed`. As Mosquitto has it: with r the rate per minute since the last time,
    /// each average becomes r + e^(−t/T) · (average − r).
    fn advance(&mut self, totals: [u64; TOTALS.len()], passed: Duration) {
        let minutes = passed.as_secs_f64() / 60.0;
        if minutes <= 0.0 {
            return;
        }
        for ((total, last), averages) in totals.iter().zip(&mut self.last).zip(&mut self.averages) {
            #[expect(clippy::cast_precision_loss, reason = "a rate to two decimals")]
            let rate = total.saturating_sub(*last) as f64 / minutes;
            *last = *total;
            for (average, (_, span)) in averages.iter_mut().zip(SPANS) {
                *average = rate + (-minutes / span).exp() * (*average - rate);
            }
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sys {
    loads: Mutex<(Loads, Instant)>,
    /// What was last published or shown of each topic.
    table: Mutex<Retained>,
    made: Mutex<Option<Instant>>,
}

impl Default for Sys {
    fn default() -> Self {
        Self {
            loads: Mutex::new((Loads::default(), Instant::now())),
            table: Mutex::new(Retained::new(usize::MAX, usize::MAX)),
            made: Mutex::new(None),
        }
    }
}

impl Core {
    /// Where the messages are that a filter is given at SUBSCRIBE: those retained, or the broker's own.
    pub(super) fn retained_for(&self, filter: &TopicFilter) -> &Mutex<Retained> {
        if !asks_for_own(filter) {
            return &self.retained;
        }
        let stale = self.sys.made.lock().is_none_or(|made| made.elapsed() >= FRESH);
        if stale && !self.limits.sys_interval.is_zero() {
            self.renew_sys();
        }
        &self.sys.table
    }

    /// Publishes until the broker stops.
    pub(super) fn publish_sys_in_background(self: &Arc<Self>) {
        if self.limits.sys_interval.is_zero() {
            return;
        }
        let core = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut interval = tokio::time::interval(core.limits.sys_interval.max(SHORTEST));
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = interval.tick() => core.publish_sys(),
                    () = core.stopping.cancelled() => return,
                }
            }
        });
    }

    /// One round.
    fn publish_sys(&self) {
        {
            let figures = self.totals();
            let mut loads = self.sys.loads.lock();
            let passed = loads.1.elapsed();
            loads.0.advance(TOTALS.map(|(_, total)| total(&figures)), passed);
            loads.1 = Instant::now();
        }
        if !self.router.has_under(ROOT) {
            return;
        }
        for message in self.renew_sys() {
            let route = self.allowed_route(0, &message.topic);
            if !route.is_empty() {
                self.publish(&message, &route);
            }
        }
    }

    /// Brings the table up to date, and returns what is new in it.
    fn renew_sys(&self) -> Vec<Arc<Message>> {
        let figures = self.figures();
        let mut values = values(&figures);
        {
            let loads = self.sys.loads.lock();
            for ((name, _), averages) in TOTALS.iter().zip(&loads.0.averages) {
                for (average, (span, _)) in averages.iter().zip(SPANS) {
                    values.push((format!("load/{name}/{span}"), format!("{average:.2}")));
                }
            }
        }
        // The last, since it always changes: who hears it knows that the round is complete.
        values.push(("uptime".to_owned(), format!("{} seconds", figures.uptime.as_secs())));
        let now = Instant::now();
        let mut table = self.sys.table.lock();
        *self.sys.made.lock() = Some(now);
        let mut renewed = Vec::new();
        for (name, value) in values {
            let Ok(topic) = TopicName::new(format!("{ROOT}/broker/{name}")) else { continue };
            if table.get(&topic, now).is_some_and(|old| *old.payload == *value.as_bytes()) {
                continue;
            }
            let message = Arc::new(message(topic, value, now));
            // It has no bounds.
            let _ = table.put(&message);
            renewed.push(message);
        }
        renewed
    }
}

fn message(topic: TopicName, value: String, now: Instant) -> Message {
    Message {
        topic,
        payload: Bytes::from(value),
        qos: 0,
        retain: false,
        properties: Bytes::new(),
        received: now,
        expiry: None,
        kept: OnceLock::new(),
    }
}

/// Every topic below `$SYS/broker/` but the averages.
fn values(figures: &Figures) -> Vec<(String, String)> {
    let mut values = Vec::with_capacity(64);
    let mut put = |name: &str, value: &dyn Display| values.push((name.to_owned(), value.to_string()));
    let stats = &figures.stats;
    let away = stats.sessions.saturating_sub(stats.connections);
    let stored = stats.retained + figures.depth.queued;
    put("version", &format_args!("sealwire version {}", env!("CARGO_PKG_VERSION")));
    put("clients/connected", &stats.connections);
    put("clients/disconnected", &away);
    put("clients/total", &stats.sessions);
    put("clients/maximum", &figures.max_connections);
    put("clients/expired", &figures.expired);
    // The two have other names in older versions, which dashboards still ask for.
    put("clients/active", &stats.connections);
    put("clients/inactive", &away);
    put("messages/received", &figures.packets_in);
    put("messages/sent", &figures.packets_out);
    put("messages/inflight", &figures.depth.inflight);
    put("messages/stored", &stored);
    put("store/messages/count", &stored);
    put("store/messages/bytes", &(figures.retained_bytes + figures.depth.queued_bytes));
    put("publish/messages/received", &figures.received.total());
    put("publish/messages/sent", &figures.sent.total());
    put("publish/messages/dropped", &stats.dropped);
    put("publish/bytes/received", &figures.received.bytes);
    put("publish/bytes/sent", &figures.sent.bytes);
    put("bytes/received", &stats.bytes_in);
    put("bytes/sent", &stats.bytes_out);
    put("retained messages/count", &stats.retained);
    put("subscriptions/count", &stats.subscriptions);
    put("shared_subscriptions/count", &figures.shared_subscriptions);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_moves_towards_the_rate_per_minute_by_e_in_its_span() {
        let mut loads = Loads::default();
        // 100 in each of six intervals of 10 seconds: 600 a minute.
        let mut total = 0;
        for _ in 0..6 {
            total += 100;
            loads.advance([total; TOTALS.len()], Duration::from_secs(10));
        }
        let [one, five, fifteen] = loads.averages[0];
        let after_a_minute = |span: f64| 600.0 * (1.0 - (-1.0 / span).exp());
        for (average, span) in [(one, 1.0), (five, 5.0), (fifteen, 15.0)] {
            assert!((average - after_a_minute(span)).abs() < 0.01, "{span} minutes: {average}");
        }
        for _ in 0..600 {
            loads.advance([total; TOTALS.len()], Duration::from_secs(10));
        }
        assert!(loads.averages.iter().flatten().all(|average| *average < 1.0), "nothing happened since");
    }

    #[test]
    fn only_the_whole_first_level_is_the_brokers_own() {
        let own = |topic: &str| is_own(&TopicName::new(topic).unwrap());
        assert!(own("$SYS") && own("$SYS/broker/uptime"));
        assert!(!own("$SYSTEM/x") && !own("a/$SYS/b") && !own("$sys/x"));
        let asks = |filter: &str| asks_for_own(&TopicFilter::new(filter).unwrap());
        assert!(asks("$SYS/#") && asks("$SYS/+/uptime"));
        assert!(!asks("#") && !asks("+/broker/uptime"));
    }
}
