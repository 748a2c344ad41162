//! The audit page: what this account did, line by line, and whether the chain of hashes holds.

mod detail;
mod table;

use eframe::egui::{Frame, Key, Margin, Modifiers, Panel, Ui};

use crate::{
    acl::Right,
    client::{Asked, AuditLine, AuditLog, AuditVerdict, Command},
    desktop::{
        icons,
        model::{AuditState, Model, Outbound, problem_of},
        theme::{PANEL_MARGIN, tokens},
        widgets::{
            Banner, Button, EmptyState, Severity, TextField, copy_line, icon_button, link, muted, pill,
            segmented, waiting,
        },
    },
};

use super::{count_text, grouped};

/// How many lines are read at first, and how many more with each press of the button.
const READ: u32 = 5_000;

/// Which outcomes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Outcome {
    #[default]
    All,
    Done,
    Refused,
}

/// The audit page's view state.
#[derive(Debug)]
pub struct AuditPanel {
    log: Option<AuditLog>,
    text: String,
    outcome: Outcome,
    /// The number of the selected line.
    selected: Option<u64>,
    /// How many lines were asked for.
    asked: u32,
    verifying: bool,
    /// The last frame that drew this page: after a gap the log is read again.
    drawn: u64,
    hits: Hits,
}

impl Default for AuditPanel {
    fn default() -> Self {
        Self {
            log: None,
            text: String::new(),
            outcome: Outcome::All,
            selected: None,
            asked: 0,
            verifying: false,
            drawn: 0,
            hits: Hits::default(),
        }
    }
}

/// The lines that pass the filter, worked out when the filter or the lines change and not for every frame.
#[derive(Debug, Default)]
struct Hits {
    made_from: Option<(AuditLog, String, Outcome, usize, u64)>,
    indices: Vec<u32>,
}

impl Hits {
    fn update(&mut self, log: AuditLog, text: &str, outcome: Outcome, state: &AuditState) {
        let newest = state.lines.first().map_or(0, |line| line.number);
        let key = (log, text.trim().to_lowercase(), outcome, state.lines.len(), newest);
        if self.made_from.as_ref() == Some(&key) {
            return;
        }
        self.indices.clear();
        let passing = state.lines.iter().enumerate().filter(|(_, line)| passes(line, &key.1, outcome));
        self.indices.extend(passing.map(|(index, _)| index as u32));
        self.made_from = Some(key);
    }
}

fn passes(line: &AuditLine, text: &str, outcome: Outcome) -> bool {
    let wanted = match outcome {
        Outcome::All => true,
        Outcome::Done => line.ok,
        Outcome::Refused => !line.ok,
    };
    wanted
        && (text.is_empty()
            || [
                Some(&line.action),
                line.topic.as_ref(),
                Some(&line.outcome),
                line.kid.as_ref(),
                line.suite.as_ref(),
            ]
            .into_iter()
            .flatten()
            .any(|field| field.to_lowercase().contains(text)))
}

const fn name_of(log: AuditLog) -> &'static str {
    match log {
        AuditLog::Publisher => "As publisher",
        AuditLog::Subscriber => "As subscriber",
    }
}

/// The logs that a role writes.
fn logs(model: &Model) -> Vec<AuditLog> {
    let pairs = [(Right::Publish, AuditLog::Publisher), (Right::Subscribe, AuditLog::Subscriber)];
    pairs.into_iter().filter(|(right, _)| model.may(*right)).map(|(_, log)| log).collect()
}

impl AuditPanel {
    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, out: &mut Outbound) {
        let logs = logs(model);
        let Some(first) = logs.first().copied() else { return };
        let log = self.log.filter(|log| logs.contains(log)).unwrap_or(first);
        let frame = ui.ctx().cumulative_frame_nr();
        if self.log != Some(log) {
            self.open(log, out);
        } else if frame > self.drawn + 1 {
            out.send(Command::ReadAudit { log, limit: self.asked });
        }
        self.drawn = frame;
        self.verifying &= model.is_pending(Asked::Audit);
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            self.selected = None;
        }
        let state = model.audit(log);
        self.hits.update(log, &self.text, self.outcome, state);
        let line = self.selected.and_then(|number| state.lines.iter().find(|line| line.number == number));
        if let Some(line) = line {
            let t = tokens(ui);
            let width = if ui.available_width() > 1100.0 { 340.0 } else { 290.0 };
            let close = Panel::right("audit detail")
                .exact_size(width)
                .resizable(false)
                .frame(Frame::new().fill(t.panel).inner_margin(Margin::same(PANEL_MARGIN as i8)))
                .show(ui, |ui| detail::show(ui, line, out))
                .inner;
            if close {
                self.selected = None;
            }
        }
        let failure = model.failure(Asked::Audit).map(problem_of);
        let busy = model.is_pending(Asked::Audit);
        let mut dismissed = false;
        Frame::new().inner_margin(Margin::same(PANEL_MARGIN as i8)).show(ui, |ui| {
            self.bar(ui, &logs, log, busy, out);
            if let Some(problem) = &failure {
                dismissed = Banner::error(problem).dismissible().show(ui).dismissed;
            }
            let state = model.audit(log);
            if let Some(verdict) = &state.verdict {
                verdict_ui(ui, verdict, out);
            }
            self.lines(ui, log, state, busy, out);
        });
        if dismissed {
            model.dismiss(Asked::Audit);
        }
    }

    fn open(&mut self, log: AuditLog, out: &mut Outbound) {
        self.log = Some(log);
        self.selected = None;
        self.asked = READ;
        out.send(Command::ReadAudit { log, limit: READ });
    }

    fn bar(&mut self, ui: &mut Ui, logs: &[AuditLog], log: AuditLog, busy: bool, out: &mut Outbound) {
        ui.horizontal_wrapped(|ui| {
            if logs.len() > 1 {
                let mut chosen = log;
                let segments: Vec<(AuditLog, &str)> = logs.iter().map(|log| (*log, name_of(*log))).collect();
                if segmented(ui, "Which log", &mut chosen, &segments) {
                    self.open(chosen, out);
                }
            } else {
                pill(ui, name_of(log), crate::desktop::theme::Tone::Neutral);
            }
            let width = (ui.available_width() - 430.0).clamp(150.0, 320.0);
            TextField::new("Filter the lines", &mut self.text)
                .hide_label()
                .compact()
                .icon(icons::FUNNEL_SIMPLE)
                .hint("Filter by topic, action or key")
                .width(width)
                .limit(200)
                .show(ui);
            segmented(
                ui,
                "Outcome",
                &mut self.outcome,
                &[(Outcome::All, "All"), (Outcome::Done, "Done"), (Outcome::Refused, "Refused")],
            );
            if icon_button(ui, icons::ARROW_CLOCKWISE, "Read the log again").clicked() {
                out.send(Command::ReadAudit { log, limit: self.asked });
            }
            let verify = Button::secondary("Verify the chain")
                .icon(icons::SEAL_CHECK)
                .busy(busy && self.verifying)
                .tooltip("Works every hash out anew and compares the end with what the station noted");
            if verify.show(ui).clicked() {
                self.verifying = true;
                out.send(Command::VerifyAudit { log });
            }
        });
        ui.add_space(4.0);
    }

    fn lines(&mut self, ui: &mut Ui, log: AuditLog, state: &AuditState, busy: bool, out: &mut Outbound) {
        if state.lines.is_empty() {
            if busy || !state.loaded {
                waiting(ui, "Reading the log…");
                return;
            }
            empty(ui, log);
            return;
        }
        if self.hits.indices.is_empty() {
            let text =
                format!("None of the {} passes the filter.", count_text(state.lines.len() as u64, "line"));
            let empty = EmptyState {
                icon: icons::FUNNEL,
                title: "Nothing matches",
                text: &text,
                actions: &["Clear the filter"],
            };
            if empty.show(ui).is_some() {
                self.text.clear();
                self.outcome = Outcome::All;
            }
            return;
        }
        ui.horizontal(|ui| {
            let shown = self.hits.indices.len() as u64;
            let text = match (shown == state.total, state.lines.len() as u64 == state.total) {
                (true, _) => count_text(state.total, "line"),
                (false, true) => format!("{} of {}", grouped(shown), count_text(state.total, "line")),
                (false, false) => {
                    format!(
                        "{} of the newest {}, {} in all",
                        grouped(shown),
                        grouped(state.lines.len() as u64),
                        grouped(state.total)
                    )
                }
            };
            muted(ui, &text);
            if (state.lines.len() as u64) < state.total && link(ui, "Read more").clicked() {
                self.asked = self.asked.saturating_add(READ);
                out.send(Command::ReadAudit { log, limit: self.asked });
            }
        });
        table::show(ui, &state.lines, &self.hits.indices, &mut self.selected);
    }
}

fn empty(ui: &mut Ui, log: AuditLog) {
    let text = match log {
        AuditLog::Publisher => {
            "Each message that you send, each key that you make and each refusal becomes a line here, chained by its hash to the line before. Payloads, passwords and keys never do."
        }
        AuditLog::Subscriber => {
            "Each message that you open, each that could not be opened and each topic that you watch becomes a line here, chained by its hash to the line before. Payloads, passwords and keys never do."
        }
    };
    EmptyState { icon: icons::SCROLL, title: "Nothing was done yet", text, actions: &[] }.show(ui);
}

/// What verifying told.
fn verdict_ui(ui: &mut Ui, verdict: &AuditVerdict, out: &mut Outbound) {
    let lines = count_text(verdict.lines, "line");
    match &verdict.broken {
        Some(broken) => {
            let what = format!("The chain is broken. {lines} before that hold.");
            Banner::new(Severity::Error, &what)
                .why(broken)
                .next("Somebody or something changed the file. Keep a copy of it, and do not rely on what follows.")
                .show(ui);
        }
        None => {
            let what = format!("The chain holds: {lines}.");
            let why = match verdict.anchored {
                Some(anchored) if anchored == verdict.lines => {
                    "The station noted the same end, so nothing was cut off.".to_owned()
                }
                Some(anchored) => format!(
                    "The station confirms it up to line {}. What came after that is noted at logout and every 1,000 lines.",
                    grouped(anchored)
                ),
                None => "The station has noted no end yet, so a cut-off end would not show. It does at logout and every 1,000 lines.".to_owned(),
            };
            let severity = if verdict.anchored.is_some() { Severity::Success } else { Severity::Info };
            Banner::new(severity, &what).why(&why).show(ui);
        }
    }
    for path in &verdict.set_aside {
        Banner::new(Severity::Warning, "An earlier log did not hold.")
            .why("Somebody or something had changed it, or cut off its end. It was moved aside, and this log began.")
            .next(&format!("It is kept as evidence: {path}"))
            .show(ui);
    }
    if copy_line(ui, "path of the log", &verdict.path) {
        out.toast(Severity::Success, "The path is copied.");
    }
    ui.add_space(4.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, topic: &str, ok: bool) -> AuditLine {
        AuditLine {
            number,
            time_ms: 0,
            action: "publish".into(),
            topic: Some(topic.into()),
            outcome: if ok { "sent".into() } else { "no key".into() },
            ok,
            kid: None,
            suite: None,
            plain_len: None,
            wire_len: None,
            hash: "ab".repeat(32),
        }
    }

    #[test]
    fn the_filter_looks_at_every_field_and_at_the_outcome() {
        let refused = line(1, "Plant/Press", false);
        assert!(passes(&refused, "plant/press", Outcome::All));
        assert!(passes(&refused, "no key", Outcome::Refused));
        assert!(!passes(&refused, "", Outcome::Done));
        assert!(!passes(&refused, "hall", Outcome::All));
    }

    #[test]
    fn the_hits_follow_new_lines_and_a_new_filter() {
        let mut hits = Hits::default();
        let mut state =
            AuditState { lines: vec![line(2, "b", true), line(1, "a", false)], ..AuditState::default() };
        hits.update(AuditLog::Publisher, "", Outcome::All, &state);
        assert_eq!(hits.indices, [0, 1]);
        hits.update(AuditLog::Publisher, "", Outcome::Refused, &state);
        assert_eq!(hits.indices, [1]);
        state.lines.insert(0, line(3, "c", false));
        hits.update(AuditLog::Publisher, "", Outcome::Refused, &state);
        assert_eq!(hits.indices, [0, 2]);
    }
}
