//! What was measured: the fields of the JSON report, each with its unit in its name or its words.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    process::Machine,
    settings::{Length, Pace, Qos, Scenario, Settings, Version},
    tally::Judgement,
};

/// The form of the JSON report. It changes when a field changes its meaning.
pub const FORMAT: &str = "sealwire-bench/1";

/// A whole report: the settings, each run, and their medians.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The program's version.
    pub program_version: &'static str,
    /// When the first run began, RFC 3339, UTC.
    pub began: String,
    /// Where the load was made.
    pub machine: Machine,
    /// What was asked for.
    pub settings: Asked,
    /// Each run.
    pub runs: Vec<Run>,
    /// Medians of the runs.
    pub median: Median,
}

/// The settings, as far as figures depend on them. No passwords.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "each is the setting of its name")]
pub struct Asked {
    pub scenario: Scenario,
    pub broker: String,
    pub mqtt_version: Version,
    pub qos: Qos,
    pub payload_bytes: usize,
    pub publishers: usize,
    pub subscribers: usize,
    pub topics_per_publisher: usize,
    pub bystanders: usize,
    pub filters: usize,
    pub connections: usize,
    pub window: u16,
    pub rate_per_second: Option<f64>,
    pub in_flight: Option<u64>,
    pub warm_up_seconds: Option<f64>,
    pub seconds: Option<f64>,
    pub messages: Option<u64>,
    pub durable: bool,
    pub sealed: Option<&'static str>,
    pub threads: usize,
}

impl Asked {
    /// Of these settings, with this many threads.
    #[must_use]
    pub fn of(settings: &Settings, threads: usize) -> Self {
        let (rate_per_second, in_flight) = match settings.pace {
            Pace::Open => (None, None),
            Pace::Rate(rate) => (Some(rate), None),
            Pace::InFlight(most) => (None, Some(most)),
        };
        let (warm_up_seconds, seconds, messages) = match settings.length {
            Length::Time { warm_up, measured } => {
                (Some(warm_up.as_secs_f64()), Some(measured.as_secs_f64()), None)
            }
            Length::Messages(messages) => (None, None, Some(messages)),
        };
        Self {
            scenario: settings.scenario,
            broker: settings.broker.to_string(),
            mqtt_version: settings.version,
            qos: settings.qos,
            payload_bytes: settings.payload,
            publishers: settings.publishers,
            subscribers: settings.subscribers,
            topics_per_publisher: settings.topics,
            bystanders: settings.bystanders,
            filters: settings.filters,
            connections: settings.connections,
            window: settings.window,
            rate_per_second,
            in_flight,
            warm_up_seconds,
            seconds,
            messages,
            durable: settings.durable,
            sealed: settings.sealed.map(crate::seal::Suite::name),
            threads,
        }
    }
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// How connecting went, all connections.
    pub connecting: Connecting,
    /// The time that rates refer to.
    pub measured_seconds: f64,
    /// Messages that subscribers got in it, each counted once for each subscriber.
    pub delivered: u64,
    /// Of them, in a second.
    pub delivered_per_second: f64,
    /// Payload bytes of them, in a second.
    pub delivered_bytes_per_second: f64,
    /// Messages that publishers sent in it, in a second.
    pub sent_per_second: f64,
    /// The whole run, with warm-up and end: what was sent and what became of it.
    pub whole: Whole,
    /// From publish to receive, in the measured time; `null` if nothing was measured.
    pub latency: Option<Percentiles>,
    /// With a rate: how late the load generator's own clockwork was. It is not part of `latency`.
    pub own_lateness: Option<Percentiles>,
    /// The window that was used at QoS 1 and 2, after what the broker allows.
    pub window_used: Option<u64>,
    /// The broker's process, with `--pid`.
    pub broker: Option<BrokerCost>,
    /// Ten times a second.
    pub timeline: Vec<Moment>,
    /// Connections that ended before they should.
    pub connections_lost: u64,
    /// The first of what went wrong.
    pub trouble: Option<String>,
}

impl Run {
    fn lost_acknowledged(&self) -> bool {
        let whole = &self.whole;
        let copies = whole.expected / whole.sent.max(1);
        whole.lost > 0 && (self.trouble.is_none() || whole.acknowledged * copies > whole.received)
    }
}

/// Connections being made.
#[derive(Debug, Clone, Serialize)]
pub struct Connecting {
    /// How many.
    pub connections: usize,
    /// Until all were connected and subscribed.
    pub seconds: f64,
    /// Of them, in a second.
    pub per_second: f64,
    /// From the begin of the TCP connection to CONNACK.
    pub time: Option<Percentiles>,
}

/// Everything that was sent in a run. Deliveries count once for each subscriber that should get the message.
#[derive(Debug, Clone, Serialize)]
pub struct Whole {
    /// Messages that were published.
    pub sent: u64,
    /// Messages whose QoS 1 or 2 exchange was completed.
    pub acknowledged: u64,
    /// Messages that the broker refused by a reason code (MQTT 5).
    pub refused: u64,
    /// Deliveries that there should have been.
    pub expected: u64,
    /// Different messages that arrived.
    pub received: u64,
    /// Deliveries that did not come.
    pub lost: u64,
    /// `lost` of `expected`, in percent.
    pub lost_percent: f64,
    /// Times that messages were missing in a row.
    pub gaps: u64,
    /// Messages that arrived again.
    pub duplicates: u64,
    /// Messages that arrived after a later one of the same publisher.
    pub late: u64,
    /// Messages that are none of this run's.
    pub strays: u64,
    /// Envelopes that did not open (sealed scenario).
    pub unopened: u64,
    /// Acknowledgements of nothing that was in flight.
    pub unexpected_acknowledgements: u64,
}

impl Whole {
    pub(super) fn judged(mut self, judgement: Judgement) -> Self {
        self.received = judgement.received;
        self.lost = judgement.lost;
        self.gaps = judgement.gaps;
        self.duplicates = judgement.duplicates;
        self.late = judgement.late;
        self.expected = judgement.received + judgement.lost;
        self.lost_percent = percent(self.lost, self.expected);
        self
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

/// What the broker's process used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BrokerCost {
    /// Processor time in the measured time.
    pub processor_seconds: f64,
    /// Of it, for each delivered message; `null` if none was.
    pub processor_us_per_message: Option<f64>,
    /// Resident memory before the first connection.
    pub memory_before_bytes: u64,
    /// Resident memory with all connected, before messages.
    pub memory_connected_bytes: u64,
    /// The most resident memory that was seen.
    pub memory_peak_bytes: u64,
    /// What each connection added; `null` under 100 connections, where it says little.
    pub memory_per_connection_bytes: Option<f64>,
}

/// A point of the time-line.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Moment {
    /// Since publishers began.
    pub seconds: f64,
    /// Since the moment before.
    pub sent_per_second: f64,
    /// Since the moment before.
    pub delivered_per_second: f64,
}

/// Of many times, in microseconds.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "each is the percentile of its name")]
pub struct Percentiles {
    /// How many times were counted.
    pub count: u64,
    pub min_us: f64,
    pub mean_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p99_9_us: f64,
    pub p99_99_us: f64,
    pub max_us: f64,
    /// Pairs of percentile (0 to 100) and microseconds.
    pub curve: Vec<(f64, f64)>,
}

/// The percentiles of [`Percentiles::curve`]: ten to each further nine.
fn curve_points() -> impl Iterator<Item = f64> {
    (0..50).map(|step| 100.0 * (1.0 - 10_f64.powf(-f64::from(step) / 10.0)))
}

impl Percentiles {
    /// Of nanoseconds. `None` if there are none.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let us = |ns: u64| ns as f64 / 1000.0;
        let at = |percentile: f64| us(histogram.value_at_percentile(percentile));
        // Beyond what so few can tell, the curve would only repeat the maximum.
        let last = 100.0 * (1.0 - 1.0 / histogram.len() as f64);
        let mut curve: Vec<(f64, f64)> =
            curve_points().take_while(|point| *point <= last).map(|point| (point, at(point))).collect();
        curve.push((100.0, us(histogram.max())));
        Some(Self {
            count: histogram.len(),
            min_us: us(histogram.min()),
            mean_us: histogram.mean() / 1000.0,
            p50_us: at(50.0),
            p90_us: at(90.0),
            p99_us: at(99.0),
            p99_9_us: at(99.9),
            p99_99_us: at(99.99),
            max_us: us(histogram.max()),
            curve,
        })
    }
}

/// Medians of the runs; `null` where no run has the figure.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "each is the run's field of the same name")]
pub struct Median {
    pub delivered_per_second: Option<f64>,
    pub sent_per_second: Option<f64>,
    pub lost_percent: Option<f64>,
    pub processor_us_per_message: Option<f64>,
    pub latency_p50_us: Option<f64>,
    pub latency_p99_us: Option<f64>,
    pub connections_per_second: Option<f64>,
    pub connect_p99_us: Option<f64>,
    pub memory_per_connection_bytes: Option<f64>,
    pub memory_peak_bytes: Option<f64>,
}

impl Median {
    /// Of these runs.
    #[must_use]
    pub fn of(runs: &[Run]) -> Self {
        let of = |figure: &dyn Fn(&Run) -> Option<f64>| median(runs.iter().filter_map(figure).collect());
        let latency = |figure: fn(&Percentiles) -> f64| of(&|run| run.latency.as_ref().map(figure));
        let broker = |figure: fn(&BrokerCost) -> Option<f64>| of(&|run| run.broker.as_ref().and_then(figure));
        let messages = |figure: fn(&Run) -> f64| of(&|run| (run.whole.sent > 0).then(|| figure(run)));
        Self {
            delivered_per_second: messages(|run| run.delivered_per_second),
            sent_per_second: messages(|run| run.sent_per_second),
            lost_percent: messages(|run| run.whole.lost_percent),
            processor_us_per_message: broker(|cost| cost.processor_us_per_message),
            latency_p50_us: latency(|times| times.p50_us),
            latency_p99_us: latency(|times| times.p99_us),
            connections_per_second: of(&|run| Some(run.connecting.per_second)),
            connect_p99_us: of(&|run| run.connecting.time.as_ref().map(|time| time.p99_us)),
            memory_per_connection_bytes: broker(|cost| cost.memory_per_connection_bytes),
            memory_peak_bytes: broker(|cost| Some(cost.memory_peak_bytes as f64)),
        }
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (from, to) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
    Some((figures[from] + figures[to]) / 2.0)
}

impl Report {
    /// Whether messages of QoS 1 or 2 were lost, which a broker must not. What was not yet acknowledged when a connection
    /// broke is no such loss.
    #[must_use]
    pub fn lost_acknowledged(&self) -> bool {
        self.settings.qos != Qos::AtMostOnce && self.runs.iter().any(Run::lost_acknowledged)
    }

    /// Whether there was a run in which publishers sent, and no subscriber got anything of it.
    #[must_use]
    pub fn nothing_arrived(&self) -> bool {
        self.runs.iter().any(|run| run.whole.sent > 0 && run.whole.received == 0)
    }

    /// Whether the broker refused every message of a run, which MQTT 5 lets it say.
    #[must_use]
    pub fn all_refused(&self) -> bool {
        self.runs.iter().any(|run| run.whole.sent > 0 && run.whole.refused == run.whole.sent)
    }

    /// The first of what went wrong in any run.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.runs.iter().find_map(|run| run.trouble.as_deref())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two runs with figures in every field.
    pub(in crate::bench) fn a_report() -> Report {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        for us in 1..=1000_u64 {
            histogram.record(us * 1000).unwrap();
        }
        let run = Run {
            connecting: Connecting { connections: 2, seconds: 0.5, per_second: 4.0, time: None },
            measured_seconds: 5.0,
            delivered: 5_000,
            delivered_per_second: 1000.0,
            delivered_bytes_per_second: 64_000.0,
            sent_per_second: 1000.0,
            whole: Whole {
                sent: 6_000,
                acknowledged: 6_000,
                refused: 0,
                expected: 6_000,
                received: 5_997,
                lost: 3,
                lost_percent: 0.05,
                gaps: 1,
                duplicates: 2,
                late: 0,
                strays: 0,
                unopened: 0,
                unexpected_acknowledgements: 0,
            },
            latency: Percentiles::of(&histogram),
            own_lateness: Percentiles::of(&histogram),
            window_used: Some(20),
            broker: Some(BrokerCost {
                processor_seconds: 0.5,
                processor_us_per_message: Some(100.0),
                memory_before_bytes: 1,
                memory_connected_bytes: 2,
                memory_peak_bytes: 3,
                memory_per_connection_bytes: None,
            }),
            timeline: (1..=50)
                .map(|at| Moment {
                    seconds: f64::from(at) / 10.0,
                    sent_per_second: 1000.0,
                    delivered_per_second: 990.0,
                })
                .collect(),
            connections_lost: 0,
            trouble: None,
        };
        let faster = Run { delivered_per_second: 3000.0, ..run.clone() };
        let mut settings = Settings::of(Scenario::OneToOne, "localhost".parse().unwrap());
        settings.qos = Qos::AtLeastOnce;
        let runs = vec![run, faster];
        Report {
            format: FORMAT,
            program_version: "0",
            began: "2026-01-01T00:00:00Z".to_owned(),
            machine: Machine { system: "s".into(), processor: "p".into(), cores: 2, memory_bytes: None },
            settings: Asked::of(&settings, 2),
            median: Median::of(&runs),
            runs,
        }
    }

    #[test]
    fn the_json_report_has_the_fields_that_are_documented() {
        let report = a_report();
        let json = serde_json::to_value(&report).unwrap();
        let documented = include_str!("../../docs/bench.md");
        let mut paths = Vec::new();
        collect(&json, &mut paths);
        assert!(paths.len() > 60, "{paths:?}");
        for field in paths {
            assert!(documented.contains(&format!("`{field}`")), "docs/bench.md does not tell of {field}");
        }
        assert_eq!(json["median"]["delivered_per_second"], 2000.0);
        assert_eq!(json["settings"]["scenario"], "one-to-one");
        assert_eq!(json["settings"]["qos"], 1);
        assert_eq!(json["settings"]["seconds"], 5.0);
        assert!(report.lost_acknowledged());
    }

    /// The names of all fields, once each.
    fn collect(value: &serde_json::Value, names: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                    collect(value, names);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
            _ => {}
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        assert!(Percentiles::of(&histogram).is_none());
        for us in 1..=1000_u64 {
            histogram.record(us * 1000).unwrap();
        }
        let times = Percentiles::of(&histogram).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() / b < 0.002;
        assert_eq!(times.count, 1000);
        assert!(
            near(times.p50_us, 500.0) && near(times.p99_us, 990.0) && near(times.max_us, 1000.0),
            "{times:?}"
        );
        assert!(times.curve.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{:?}", times.curve);
        assert!(times.curve.len() > 20 && times.curve.iter().filter(|point| point.0 > 99.9).count() == 1);
    }

    #[test]
    fn what_a_broken_connection_left_unacknowledged_is_no_broken_promise() {
        let mut report = a_report();
        for run in &mut report.runs {
            run.trouble = Some("gone".to_owned());
            run.whole.acknowledged = run.whole.received;
        }
        assert!(!report.lost_acknowledged());
        report.runs[1].whole.acknowledged += 1;
        assert!(report.lost_acknowledged());
    }

    #[test]
    fn a_median_of_none_is_none() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
