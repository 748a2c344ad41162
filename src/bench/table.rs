//! The report as text for a terminal.

use std::fmt::Write;

use super::{
    report::{Percentiles, Report, Run},
    settings::Version,
};

/// A count as people read it: `8.21 M`, `153 k`, `97`.
#[must_use]
pub fn count(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 999.5e6 => (value / 1e9, " G"),
        v if v >= 999.5e3 => (value / 1e6, " M"),
        v if v >= 9_999.5 => (value / 1e3, " k"),
        _ => return if value == value.trunc() { format!("{value:.0}") } else { format!("{value:.1}") },
    };
    match scaled.abs() {
        v if v >= 99.95 => format!("{scaled:.0}{unit}"),
        v if v >= 9.995 => format!("{scaled:.1}{unit}"),
        _ => format!("{scaled:.2}{unit}"),
    }
}

/// Microseconds as people read them.
#[must_use]
pub fn time(us: f64) -> String {
    match us {
        us if us >= 999_500.0 => format!("{:.2} s", us / 1e6),
        us if us >= 9_995.0 => format!("{:.1} ms", us / 1e3),
        us if us >= 999.5 => format!("{:.2} ms", us / 1e3),
        us if us >= 9.95 => format!("{us:.0} µs"),
        us => format!("{us:.1} µs"),
    }
}

/// Bytes as people read them.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    match bytes {
        b if b >= 1e9 => format!("{:.2} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b if b >= 1e3 => format!("{:.2} kB", b / 1e3),
        b => format!("{b:.0} B"),
    }
}

/// What a run came to, as pairs of a name and a value. The page shows the same.
#[must_use]
pub fn rows(report: &Report, run: &Run) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let whole = &run.whole;
    if whole.sent > 0 {
        rows.push(("received", format!("{} messages/s", count(run.delivered_per_second))));
        rows.push(("payload received", format!("{}/s", bytes(run.delivered_bytes_per_second))));
        rows.push(("sent", format!("{} messages/s", count(run.sent_per_second))));
        rows.push((
            "measured",
            format!("{:.2} s, {} messages received", run.measured_seconds, count(run.delivered as f64)),
        ));
        let of = format!("of {} deliveries in the whole run", count(whole.expected as f64));
        rows.push(("lost", format!("{} ({:.3} %) {of}", whole.lost, whole.lost_percent)));
        rows.push((
            "order",
            format!("{} gaps, {} duplicates, {} late", whole.gaps, whole.duplicates, whole.late),
        ));
        let odd = [
            ("refused by the broker", whole.refused),
            ("of other runs or programs", whole.strays),
            ("did not open", whole.unopened),
            ("unexpected acknowledgements", whole.unexpected_acknowledgements),
        ];
        rows.extend(odd.into_iter().filter(|(_, n)| *n > 0).map(|(what, n)| (what, n.to_string())));
        if let Some(window) = run.window_used {
            let cut = u64::from(report.settings.window) > window;
            let why = if cut { " (all that is allowed)" } else { "" };
            rows.push((
                "acknowledged",
                format!("{} of {}, window {window}{why}", whole.acknowledged, whole.sent),
            ));
        }
    }
    if let Some(latency) = &run.latency {
        rows.push(("latency", percentiles(latency)));
    }
    if let Some(late) = &run.own_lateness {
        rows.push((
            "own clockwork late",
            format!("p50 {}, p99 {} (not in the latency)", time(late.p50_us), time(late.p99_us)),
        ));
    }
    let connecting = &run.connecting;
    rows.push((
        "connected",
        format!(
            "{} in {}, {}/s",
            connecting.connections,
            time(connecting.seconds * 1e6),
            count(connecting.per_second)
        ),
    ));
    if let Some(times) = connecting.time.as_ref().filter(|times| times.count >= 10) {
        rows.push(("time to CONNACK", percentiles(times)));
    }
    if let Some(cost) = &run.broker {
        let each = cost
            .processor_us_per_message
            .map_or_else(String::new, |us| format!(", {us:.3} µs for each message received"));
        rows.push(("broker's processor time", format!("{:.2} s{each}", cost.processor_seconds)));
        let each = cost
            .memory_per_connection_bytes
            .map_or_else(String::new, |each| format!(", {} for each connection", bytes(each)));
        rows.push((
            "broker's memory",
            format!(
                "{} before, {} connected, {} at most{each}",
                bytes(cost.memory_before_bytes as f64),
                bytes(cost.memory_connected_bytes as f64),
                bytes(cost.memory_peak_bytes as f64)
            ),
        ));
    }
    if let Some(trouble) = &run.trouble {
        rows.push(("connections lost", format!("{}: {trouble}", run.connections_lost)));
    }
    rows
}

fn percentiles(times: &Percentiles) -> String {
    format!(
        "p50 {}, p90 {}, p99 {}, p99.9 {}, max {} ({} counted)",
        time(times.p50_us),
        time(times.p90_us),
        time(times.p99_us),
        time(times.p99_9_us),
        time(times.max_us),
        count(times.count as f64)
    )
}

/// What was asked for, in a line.
#[must_use]
pub fn asked(report: &Report) -> String {
    let asked = &report.settings;
    let scenario = serde_json::to_value(asked.scenario)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default();
    let version = match asked.mqtt_version {
        Version::V311 => "3.1.1",
        Version::V5 => "5.0",
    };
    let mut text = format!("{scenario} at {}, MQTT {version}", asked.broker);
    if asked.scenario.has_messages() {
        let _ = write!(
            text,
            ", QoS {}, {} B, {} → {}",
            asked.qos.bits(),
            asked.payload_bytes,
            asked.publishers,
            asked.subscribers
        );
        let _ = match (asked.rate_per_second, asked.in_flight) {
            (Some(rate), _) => write!(text, ", {rate} messages/s"),
            (_, Some(most)) => write!(text, ", at most {most} of each publisher in flight"),
            _ => write!(text, ", as fast as it goes"),
        };
    } else {
        let _ = write!(text, ", {} connections", asked.connections);
    }
    for (count, what) in [(asked.bystanders, "bystanders"), (asked.filters, "other subscriptions")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    if asked.durable {
        text.push_str(", durable");
    }
    if let Some(suite) = asked.sealed {
        let _ = write!(text, ", sealed with {suite}");
    }
    text
}

/// The machine, in a line.
#[must_use]
pub fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let memory =
        machine.memory_bytes.map_or_else(String::new, |memory| format!(", {}", bytes(memory as f64)));
    let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    format!("{cores}{memory}, {}, {}", machine.processor, machine.system)
}

/// The whole report.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut out = format!("{}\n{}\n", asked(report), machine(report));
    for (at, run) in report.runs.iter().enumerate() {
        if report.runs.len() > 1 {
            let _ = write!(out, "\nRun {}\n", at + 1);
        } else {
            out.push('\n');
        }
        for (name, value) in rows(report, run) {
            let _ = writeln!(out, "  {name:<26} {value}");
        }
    }
    if report.runs.len() > 1 {
        let _ = write!(out, "\nMedian of {} runs\n", report.runs.len());
        for (name, value) in medians(report) {
            let _ = writeln!(out, "  {name:<26} {value}");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The medians that there are.
#[must_use]
pub fn medians(report: &Report) -> Vec<(&'static str, String)> {
    let median = &report.median;
    let rate = |value: f64| format!("{} messages/s", count(value));
    [
        ("received", median.delivered_per_second.map(rate)),
        ("sent", median.sent_per_second.map(rate)),
        ("lost", median.lost_percent.map(|percent| format!("{percent:.3} %"))),
        ("latency p50", median.latency_p50_us.map(time)),
        ("latency p99", median.latency_p99_us.map(time)),
        (
            "broker's processor time",
            median.processor_us_per_message.map(|us| format!("{us:.3} µs a message")),
        ),
        ("connected", median.connections_per_second.map(|rate| format!("{}/s", count(rate)))),
        ("time to CONNACK p99", median.connect_p99_us.map(time)),
        ("memory a connection", median.memory_per_connection_bytes.map(bytes)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        let counts = [0.0, 97.0, 0.5, 9_999.0, 153_000.0, 999_900.0, 8_210_000.0, 28_800_000.0, 1.2e9];
        assert_eq!(
            counts.map(count),
            ["0", "97", "0.5", "9999", "153 k", "1.00 M", "8.21 M", "28.8 M", "1.20 G"]
        );
        assert_eq!(
            [0.127, 64.2, 1_500.0, 20_000.0, 2e6].map(time),
            ["0.1 µs", "64 µs", "1.50 ms", "20.0 ms", "2.00 s"]
        );
        assert_eq!([720.0, 5_800.0, 27e6, 2.3e9].map(bytes), ["720 B", "5.80 kB", "27.0 MB", "2.30 GB"]);
    }
}
