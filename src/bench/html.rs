//! The report as a page: one file, its plots drawn in it, no script, nothing fetched, light or dark as the reader's
//! system is.

use std::fmt::Write;

use super::{
    plot::{self, Line, Scale},
    report::{Report, Run},
    table,
};

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#fcfcfb;--card:#fff;--text:#1d1f21;--soft:#666c72;--rule:#dcdfe2;\
--one:#1a6fb5;--two:#b3590a}\
@media(prefers-color-scheme:dark){:root{--ground:#16181a;--card:#1e2124;--text:#e6e8ea;--soft:#9aa1a8;--rule:#34383c;\
--one:#62b0f0;--two:#f0a050}}\
body{background:var(--ground);color:var(--text);font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:900px;\
padding:24px}\
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}h3{font-size:14px;margin:18px 0 4px}\
p{margin:4px 0}.soft{color:var(--soft)}\
section{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:4px 18px 14px;margin:16px 0}\
table{border-collapse:collapse;width:100%}th{font-weight:500;text-align:left;color:var(--soft);white-space:nowrap;\
width:1%;padding-right:24px}th,td{border-top:1px solid var(--rule);padding-top:4px;padding-bottom:4px;\
vertical-align:top}tr:first-child>*{border-top:0}td{font-variant-numeric:tabular-nums}\
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:12px system-ui,sans-serif}\
.axis{stroke:var(--rule);stroke-width:1}.one,.two{fill:none;stroke-width:2;stroke-linejoin:round}\
.one{stroke:var(--one)}.two{stroke:var(--two)}text.one{fill:var(--one);stroke:none}text.two{fill:var(--two);stroke:none}\
.bad{color:var(--two);font-weight:600}";

/// The whole page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let asked = escape(&table::asked(report));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width\"/>\n<title>{asked}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>sealwire bench</h1>\n<p>{asked}</p>\n\
         <p class=\"soft\">{} · {} · sealwire {}</p>\n",
        escape(&table::machine(report)),
        escape(&report.began),
        report.program_version
    );
    if report.nothing_arrived() {
        out.push_str("<p class=\"bad\">Nothing of what was sent arrived.</p>\n");
    } else if report.lost_acknowledged() {
        out.push_str("<p class=\"bad\">Messages of QoS 1 or 2 were lost.</p>\n");
    }
    if report.runs.len() > 1 {
        let _ = write!(out, "<section>\n<h2>Median of {} runs</h2>\n", report.runs.len());
        rows(&mut out, &table::medians(report));
        out.push_str("</section>\n");
    }
    for (at, run) in report.runs.iter().enumerate() {
        out.push_str("<section>\n");
        let title =
            if report.runs.len() > 1 { format!("Run {}", at + 1) } else { "What came of it".to_owned() };
        let _ = writeln!(out, "<h2>{title}</h2>");
        rows(&mut out, &table::rows(report, run));
        plots(&mut out, run);
        out.push_str("</section>\n");
    }
    settings(&mut out, report);
    let load = report.settings.threads;
    let _ = write!(
        out,
        "<section>\n<h2>How to read it</h2>\n\
         <p>The load generator ran on this machine too, with {load} thread{}; where the broker did as well, both shared its \
         {} cores. Rates hold for this machine only. At QoS 0 a broker may drop what it cannot pass on: a rate counts \
         with the loss beside it. A latency at full speed is mostly the time in queues; take the scenario “latency” for \
         that of a broker that keeps up.</p>\n</section>\n</body>\n</html>\n",
        if load == 1 { "" } else { "s" },
        report.machine.cores
    );
    out
}

fn rows(out: &mut String, rows: &[(&'static str, String)]) {
    out.push_str("<table>\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    out.push_str("</table>\n");
}

fn plots(out: &mut String, run: &Run) {
    if run.timeline.len() > 1 {
        let line = |figure: fn(&super::report::Moment) -> f64| {
            run.timeline.iter().map(|moment| (moment.seconds, figure(moment))).collect()
        };
        out.push_str("<h3>Messages a second, over time</h3>\n");
        let lines = [
            Line { class: "one", name: "received", points: line(|moment| moment.delivered_per_second) },
            Line { class: "two", name: "sent", points: line(|moment| moment.sent_per_second) },
        ];
        out.push_str(&plot::plot(&lines, &Scale::over_time(&lines), "Messages a second over time"));
    }
    for (title, times) in
        [("Latency by percentile", &run.latency), ("Time to CONNACK by percentile", &run.connecting.time)]
    {
        if let Some(times) = times.as_ref().filter(|times| times.curve.len() > 3) {
            let _ = writeln!(out, "<h3>{title}</h3>");
            let points =
                times.curve.iter().map(|(percentile, us)| (plot::nines(*percentile, times.count), *us));
            let lines = [Line { class: "one", name: "", points: points.collect() }];
            out.push_str(&plot::plot(&lines, &Scale::by_percentile(&lines), title));
        }
    }
}

/// All settings, as in the JSON report.
fn settings(out: &mut String, report: &Report) {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&report.settings) else { return };
    out.push_str("<section>\n<h2>Settings</h2>\n<table>\n");
    for (name, value) in fields {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(out, "<tr><th>{}</th><td>{}</td></tr>", escape(&name), escape(&value));
    }
    out.push_str("</table>\n</section>\n");
}

/// Text that is no markup.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::a_report;

    /// Every element that is opened is closed, in order. The page is written so that it is XML too, but for its doctype.
    fn check_elements(page: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = page.strip_prefix("<!doctype html>").unwrap();
        while let Some((_, after)) = rest.split_once('<') {
            let (tag, after) = after.split_once('>').unwrap();
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }

    #[test]
    fn the_page_is_well_formed_and_needs_nothing_else() {
        let page = page(&a_report());
        check_elements(&page);
        assert_eq!(page.matches("<svg").count(), 4, "two plots for each of two runs");
        for outside in ["http://", "https://", "<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn what_a_broker_says_cannot_become_markup() {
        let mut report = a_report();
        report.settings.broker = "mqtt://<script>alert(1)</script>".to_owned();
        report.runs[0].trouble = Some("\"><img src=x>".to_owned());
        let page = page(&report);
        check_elements(&page);
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(page.contains("&lt;script&gt;"));
    }
}
