//! The window's side: frames of Watch, without a screen, fed by the session as the app feeds it.

use std::time::{Duration, Instant};

use eframe::egui;
use egui_kittest::{Harness, kittest::Queryable};
use sealwire::{
    client::{Event, Session},
    desktop::{
        intake::{Intake, TAKING_IN},
        model::{Model, Outbound},
        panels::WatchPanel,
        theme::{self, ThemeChoice},
    },
};

/// Frames a second that are asked for.
const FRAMES: u64 = 60;
/// So long nothing new comes before all is said to be there.
const QUIET: Duration = Duration::from_millis(1_500);

/// What the person does meanwhile.
#[derive(Clone, Copy, PartialEq)]
pub enum Doing {
    /// There is no window: the session alone.
    NoWindow,
    /// The newest rows are on the screen.
    Following,
    /// A text is searched that one row in a hundred has.
    Filtering,
    /// The rows are held.
    Paused,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    told: u64,
    dropped: u64,
    repeats: u64,
    taking_in: Vec<Duration>,
    drawing: Vec<Duration>,
    gaps: Vec<Duration>,
    line: String,
    resident: u64,
}

struct Scene {
    model: Model,
    panel: WatchPanel,
    out: Outbound,
}

pub fn watch(session: &Session, told: Vec<Event>, doing: Doing, sent: impl Fn() -> bool) -> Seen {
    if doing == Doing::NoWindow { alone(session, &sent) } else { frames(session, told, doing, &sent) }
}

fn alone(session: &Session, sent: &dyn Fn() -> bool) -> Seen {
    let mut seen = Seen::default();
    let mut last = Instant::now();
    while !sent() || last.elapsed() < QUIET {
        for event in session.wait(Duration::from_millis(50)).unwrap_or_default() {
            if seen.count(&event) {
                last = Instant::now();
            }
        }
    }
    seen
}

fn frames(session: &Session, told: Vec<Event>, doing: Doing, sent: &dyn Fn() -> bool) -> Seen {
    let mut scene = Scene { model: Model::new(), panel: WatchPanel::default(), out: Outbound::new() };
    told.into_iter().for_each(|event| drop(scene.model.apply(event)));
    let mut harness = Harness::builder()
        .with_size([1_280.0, 820.0])
        .with_context_setup(|ctx| {
            theme::apply(ctx, ThemeChoice::Dark);
        })
        .build_ui_state(
            |ui: &mut egui::Ui, scene: &mut Scene| scene.panel.ui(ui, &mut scene.model, &mut scene.out),
            scene,
        );
    let (mut seen, mut intake) = (Seen::default(), Intake::default());
    let (mut last, mut asked) = (Instant::now(), false);
    let frame = Duration::from_micros(1_000_000 / FRAMES);
    let mut before = Instant::now();
    while !sent() || last.elapsed() < QUIET {
        let begun = Instant::now();
        seen.gaps.push(begun - std::mem::replace(&mut before, begun));
        let Scene { model, .. } = harness.state_mut();
        let until = begun + TAKING_IN;
        while let Some(event) = intake.next(session, until) {
            if seen.count(&event) {
                last = Instant::now();
            }
            model.apply(event);
        }
        seen.taking_in.push(begun.elapsed());
        if !asked && harness.state().model.messages.len() > 1_000 {
            asked = true;
            act(&mut harness, doing);
        }
        let drawing = Instant::now();
        harness.step();
        seen.drawing.push(drawing.elapsed());
        std::thread::sleep(frame.saturating_sub(begun.elapsed()));
    }
    let store = &harness.state().model.messages;
    seen.line = format!(
        "{} rows held, {} wait, {} KiB, {} made room",
        store.len(),
        store.waiting(),
        store.bytes() / 1024,
        store.left_out()
    );
    seen
}

fn act(harness: &mut Harness<'_, Scene>, doing: Doing) {
    match doing {
        Doing::Filtering => {
            harness.get_by_label("Filter messages").click();
            harness.step();
            harness.get_by_label("Filter messages").type_text("99,\"state");
        }
        Doing::Paused => harness.get_by_label("Pause").click(),
        Doing::Following | Doing::NoWindow => {}
    }
}

impl Seen {
    fn count(&mut self, event: &Event) -> bool {
        match event {
            Event::Messages(messages) => self.told += messages.len() as u64,
            Event::LeftOut { repeats, dropped } => (self.repeats, self.dropped) = (*repeats, *dropped),
            _ => return false,
        }
        true
    }

    pub fn print(mut self, sent: usize) {
        self.resident = resident();
        println!(
            "told {} + left out {} + repeats {} of {sent} (lost: {})",
            self.told,
            self.dropped,
            self.repeats,
            sent as i64 - (self.told + self.dropped + self.repeats) as i64
        );
        if self.drawing.is_empty() {
            return;
        }
        println!("{}; process {} MiB", self.line, self.resident);
        line("taking in", &mut self.taking_in);
        line("drawing", &mut self.drawing);
        line("from frame to frame", &mut self.gaps);
    }
}

fn line(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!(
        "  {name}: half under {:.1} ms, 99 % under {:.1} ms, longest {:.1} ms ({} frames)",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}
