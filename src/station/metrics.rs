//! What the station counts, in Prometheus's text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Names end in their base unit, totals in `_total`.
//!
//! Every struct of figures is taken apart by name, so that a counter which is added to one does not compile until it
//! is told here too.

use std::fmt::{Display, Write};

use crate::broker::{COMMIT_CLASSES_US, Commits, Depth, Figures, Flow, Limits, Speaking, Stats};

use super::process::Process;

/// The media type of [`text`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics that grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let _ = match labels.as_slice() {
            [] => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.value(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.value(name, &[], value);
    }

    fn by_qos(&mut self, name: &str, help: &str, flow: &Flow) {
        self.head(name, "counter", help);
        for (qos, messages) in ["0", "1", "2"].iter().zip(flow.messages) {
            self.value(name, &[("qos", qos)], messages);
        }
    }
}

/// A label's value between its quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Everything, as a scraper reads it.
pub(crate) fn text(figures: &Figures, process: &Process) -> String {
    let mut page = Page::default();
    page.head("sealwire_build_info", "gauge", "Always 1; the version is in the label.");
    page.value("sealwire_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let Figures {
        stats,
        uptime,
        started_ms,
        max_connections,
        speaking,
        expired,
        sockets,
        connects,
        packets_in,
        packets_out,
        received,
        sent,
        shared_subscriptions,
        retained_bytes,
        depth,
        wills,
        wills_published,
        commits,
        handshakes,
        limits,
    } = figures;
    page.gauge("sealwire_uptime_seconds", "Since the broker was made.", uptime.as_secs_f64());
    page.gauge(
        "sealwire_start_time_seconds",
        "When the broker was made, seconds since 1970.",
        seconds(*started_ms, 1_000),
    );
    counters(&mut page, stats);
    page.head("sealwire_connections_by", "gauge", "Connections past CONNECT, by what they speak.");
    for Speaking { protocol, transport, connections } in speaking {
        let labels = [("protocol", protocol.name()), ("transport", transport.name())];
        page.value("sealwire_connections_by", &labels, connections);
    }
    page.gauge(
        "sealwire_connections_max",
        "The most connections that there were at a time.",
        max_connections,
    );
    page.gauge("sealwire_handshakes", "Connections whose CONNECT is not answered yet.", handshakes);
    page.counter("sealwire_sockets_total", "Sockets accepted.", sockets);
    page.counter("sealwire_connects_total", "CONNECT packets understood.", connects);
    page.counter(
        "sealwire_sessions_expired_total",
        "Sessions whose client did not come back in time.",
        expired,
    );
    page.counter("sealwire_packets_received_total", "MQTT packets of any type received.", packets_in);
    page.counter("sealwire_packets_sent_total", "MQTT packets of any type sent.", packets_out);
    page.by_qos(
        "sealwire_publish_received_total",
        "PUBLISH packets received, whatever became of them.",
        received,
    );
    page.by_qos("sealwire_publish_sent_total", "PUBLISH packets sent.", sent);
    page.counter("sealwire_publish_received_bytes_total", "Payload bytes received.", received.bytes);
    page.counter("sealwire_publish_sent_bytes_total", "Payload bytes sent.", sent.bytes);
    page.gauge(
        "sealwire_shared_subscriptions",
        "Those of the subscriptions that are shared with a group.",
        shared_subscriptions,
    );
    page.gauge(
        "sealwire_retained_bytes",
        "Topic, payload and properties of retained messages.",
        retained_bytes,
    );
    let Depth { queued, queued_bytes, inflight } = depth;
    page.gauge("sealwire_queued_messages", "Messages that wait in all sessions.", queued);
    page.gauge("sealwire_queued_bytes", "Their topics, payloads and properties.", queued_bytes);
    page.gauge("sealwire_inflight_messages", "Sent at QoS 1 or 2 and not acknowledged.", inflight);
    page.gauge("sealwire_wills", "Wills that stand ready, or wait for their delay.", wills);
    page.counter("sealwire_wills_published_total", "Wills published.", wills_published);
    if let Some(commits) = commits {
        journal(&mut page, commits);
    }
    bounds(&mut page, limits);
    of_process(&mut page, process);
    page.0
}

fn counters(page: &mut Page, stats: &Stats) {
    let Stats {
        connections,
        sessions,
        subscriptions,
        retained,
        messages_in,
        messages_out,
        bytes_in,
        bytes_out,
        dropped,
        not_kept,
        limits_hit,
    } = stats;
    page.gauge("sealwire_connections", "Connections past CONNECT.", connections);
    page.gauge("sealwire_sessions", "Sessions, connected or away.", sessions);
    page.gauge("sealwire_subscriptions", "Subscriptions of all sessions.", subscriptions);
    page.gauge("sealwire_retained_messages", "Retained messages.", retained);
    page.counter("sealwire_messages_accepted_total", "Messages accepted from publishers.", messages_in);
    page.counter(
        "sealwire_messages_delivered_total",
        "Messages handed to connections; redeliveries count again.",
        messages_out,
    );
    page.counter("sealwire_received_bytes_total", "Bytes read from connections, inside TLS.", bytes_in);
    page.counter("sealwire_sent_bytes_total", "Bytes written to connections, inside TLS.", bytes_out);
    page.counter(
        "sealwire_messages_dropped_total",
        "Messages that a subscriber lost because it read too slowly or its queue was full.",
        dropped,
    );
    page.counter(
        "sealwire_messages_not_kept_total",
        "Messages refused because they could not be written to disk.",
        not_kept,
    );
    let name = "sealwire_limit_hits_total";
    page.head(
        name,
        "counter",
        "How often a limit was met, by the setting's name; queue is messages that were lost.",
    );
    for (limit, times) in limits_hit.each() {
        page.value(name, &[("limit", limit.name())], times);
    }
}

fn journal(page: &mut Page, commits: &Commits) {
    let Commits { batches, failures, changes, bytes, within, took_us, pending, pending_bytes, failing } =
        commits;
    page.counter("sealwire_journal_failures_total", "Batches that could not be written to disk.", failures);
    page.counter("sealwire_journal_changes_total", "Changes of sessions written to disk.", changes);
    page.counter("sealwire_journal_bytes_total", "Bytes of the changes, as they were written down.", bytes);
    page.gauge("sealwire_journal_pending_changes", "Changes that wait for the disk.", pending);
    page.gauge("sealwire_journal_pending_bytes", "Their bytes.", pending_bytes);
    page.gauge(
        "sealwire_journal_failing",
        "1 while the last batch could not be written to disk.",
        u8::from(*failing),
    );
    let name = "sealwire_journal_commit_seconds";
    page.head(name, "histogram", "How long a batch took to be on disk.");
    let mut so_far = 0;
    for (bound, batches) in COMMIT_CLASSES_US.iter().zip(within) {
        so_far += batches;
        page.value(&format!("{name}_bucket"), &[("le", &seconds(*bound, 1_000_000).to_string())], so_far);
    }
    page.value(&format!("{name}_bucket"), &[("le", "+Inf")], batches);
    page.value(&format!("{name}_sum"), &[], seconds(*took_us, 1_000_000));
    page.value(&format!("{name}_count"), &[], batches);
}

/// The bounds to hold the figures against, by the names of the settings.
fn bounds(page: &mut Page, limits: &Limits) {
    let Limits {
        max_packet_bytes,
        max_connect_bytes,
        handshake_timeout,
        authority_timeout,
        write_timeout,
        shutdown_timeout,
        max_connections,
        max_connections_per_address,
        connects_per_second_per_address,
        connects_per_second,
        spare_loopback,
        publishes_per_second,
        max_pending_handshakes,
        max_sessions,
        max_client_id_bytes,
        max_subscriptions_per_session,
        max_topic_levels,
        max_inflight,
        queue_messages,
        queue_bytes,
        queue_bytes_total,
        send_buffer_bytes,
        reader_patience,
        slow_period,
        ack_patience,
        max_session_expiry_secs,
        max_keep_alive_secs,
        will_grace,
        max_retained_messages,
        max_retained_bytes,
        max_topic_aliases,
        sys_interval,
        route_cache_topics,
    } = limits;
    let name = "sealwire_limit";
    page.head(name, "gauge", "What the broker gives out at most, by the setting's name; times in seconds.");
    let mut put = |limit: &str, value: &dyn Display| page.value(name, &[("limit", limit)], value);
    put("max_packet_bytes", max_packet_bytes);
    put("max_connect_bytes", max_connect_bytes);
    put("handshake_timeout", &handshake_timeout.as_secs_f64());
    put("authority_timeout", &authority_timeout.as_secs_f64());
    put("write_timeout", &write_timeout.as_secs_f64());
    put("shutdown_timeout", &shutdown_timeout.as_secs_f64());
    put("max_connections", max_connections);
    put("max_connections_per_address", max_connections_per_address);
    put("connects_per_second_per_address", connects_per_second_per_address);
    put("connects_per_second", connects_per_second);
    put("spare_loopback", &u8::from(*spare_loopback));
    put("publishes_per_second", publishes_per_second);
    put("max_pending_handshakes", max_pending_handshakes);
    put("max_sessions", max_sessions);
    put("max_client_id_bytes", max_client_id_bytes);
    put("max_subscriptions_per_session", max_subscriptions_per_session);
    put("max_topic_levels", max_topic_levels);
    put("max_inflight", max_inflight);
    put("queue_messages", queue_messages);
    put("queue_bytes", queue_bytes);
    put("queue_bytes_total", queue_bytes_total);
    put("send_buffer_bytes", send_buffer_bytes);
    put("reader_patience", &reader_patience.as_secs_f64());
    put("slow_period", &slow_period.as_secs_f64());
    put("ack_patience", &ack_patience.as_secs_f64());
    put("max_session_expiry_secs", max_session_expiry_secs);
    put("max_keep_alive_secs", max_keep_alive_secs);
    put("will_grace", &will_grace.as_secs_f64());
    put("max_retained_messages", max_retained_messages);
    put("max_retained_bytes", max_retained_bytes);
    put("max_topic_aliases", max_topic_aliases);
    put("sys_interval", &sys_interval.as_secs_f64());
    put("route_cache_topics", route_cache_topics);
}

/// By the names that every exporter has for them; what the system does not tell is left out.
fn of_process(page: &mut Page, process: &Process) {
    let Process { cpu_seconds, resident_bytes, open_fds, max_fds, threads } = process;
    if let Some(seconds) = cpu_seconds {
        page.counter("process_cpu_seconds_total", "Processor time, user and system.", seconds);
    }
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in use.", resident_bytes),
        ("process_open_fds", "Open file descriptors.", open_fds),
        ("process_max_fds", "File descriptors that may be open.", max_fds),
        ("process_threads", "Threads.", threads),
    ] {
        if let Some(value) = value {
            page.gauge(name, help, value);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time to the microsecond")]
fn seconds(value: u64, per_second: u64) -> f64 {
    value as f64 / per_second as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::broker::{Limit, Protocol, Transport};

    /// As the format's own words have it: every sample belongs to the family whose HELP and TYPE stand before it.
    fn read(text: &str) -> HashMap<String, f64> {
        let (mut samples, mut family, mut kind) = (HashMap::new(), "", "");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split_once(' ').unwrap().0;
                assert!(!samples.keys().any(|name: &String| name == family), "{family} twice");
            } else if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, of) = of.split_once(' ').unwrap();
                assert_eq!(name, family);
                kind = of;
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                let base = match kind {
                    "histogram" => name
                        .strip_suffix("_bucket")
                        .or_else(|| name.strip_suffix("_sum"))
                        .or_else(|| name.strip_suffix("_count"))
                        .unwrap(),
                    _ => name,
                };
                assert_eq!(base, family);
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                    "{name}"
                );
                let before = samples.insert(sample.to_owned(), value.parse().unwrap());
                assert!(before.is_none(), "{sample} twice");
            }
        }
        samples
    }

    #[test]
    fn the_page_reads_as_the_format_is_specified_and_classes_add_up() {
        let mut within = [0; COMMIT_CLASSES_US.len() + 1];
        (within[0], within[2], within[12]) = (2, 3, 1);
        let commits = Commits { batches: 6, took_us: 7_500_000, within, ..Commits::default() };
        let figures = Figures {
            commits: Some(commits),
            speaking: vec![Speaking { protocol: Protocol::V5, transport: Transport::Tls, connections: 4 }],
            received: Flow { messages: [1, 2, 3], bytes: 9 },
            started_ms: 1_700_000_000_500,
            ..Figures::default()
        };
        let samples = read(&text(&figures, &Process::now()));
        let le = |bound: &str| samples[&format!("sealwire_journal_commit_seconds_bucket{{le=\"{bound}\"}}")];
        assert_eq!(
            (le("0.00025"), le("0.0005"), le("0.001"), le("5"), le("+Inf")),
            (2.0, 2.0, 5.0, 5.0, 6.0)
        );
        assert_eq!(samples["sealwire_journal_commit_seconds_sum"], 7.5);
        assert_eq!(samples["sealwire_connections_by{protocol=\"MQTT 5\",transport=\"TLS\"}"], 4.0);
        assert_eq!(samples["sealwire_publish_received_total{qos=\"2\"}"], 3.0);
        assert_eq!(samples["sealwire_start_time_seconds"], 1_700_000_000.5);
        for limit in Limit::ALL {
            assert_eq!(samples[&format!("sealwire_limit_hits_total{{limit=\"{}\"}}", limit.name())], 0.0);
        }
        assert_eq!(samples["sealwire_limit{limit=\"will_grace\"}"], 5.0);
        assert_eq!(samples["sealwire_limit{limit=\"spare_loopback\"}"], 1.0);
        assert!(!text(&Figures::default(), &Process::now()).contains("journal"), "nothing is kept");
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut page = Page::default();
        page.value("x", &[("l", "a\"} 1\nb\\")], 2);
        assert_eq!(page.0, "x{l=\"a\\\"} 1\\nb\\\\\"} 2\n");
    }
}
