//! What deleting or retiring a key would mean, said before the button can be pressed.

use eframe::egui::{Label, RichText, Ui};

use crate::{
    client::{Asked, Command, KeyConsequences},
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        panels::{count_text, grouped},
        theme::{Tone, tokens},
        widgets::{Banner, Problem, caps, waiting},
    },
    topic::TopicFilter,
};

/// Filters that are named one by one; more are counted.
const NAMED: usize = 6;

/// What is to become of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Deleted,
    Retired,
}

/// The consequences: asked for once, then known.
#[derive(Debug)]
pub(super) struct Consequences {
    id: String,
    asked: bool,
    known: Option<KeyConsequences>,
}

impl Consequences {
    /// Of a key; not asked for yet.
    pub(super) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), asked: false, known: None }
    }

    /// The session told.
    pub(super) fn told(&mut self, id: &str, consequences: &KeyConsequences) {
        if id == self.id {
            self.known = Some(consequences.clone());
        }
    }

    /// Whether the person could read them, or that they are not to be had.
    pub(super) fn are_told(&self, model: &Model) -> bool {
        self.known.is_some() || model.failure(Asked::KeyConsequences).is_some()
    }

    /// Draws them.
    pub(super) fn ui(&mut self, ui: &mut Ui, fate: Fate, model: &mut Model, out: &mut Outbound) {
        if !self.asked {
            self.asked = true;
            out.send(Command::AskConsequences { id: self.id.clone() });
        }
        caps(ui, "What it means here");
        if let Some(known) = &self.known {
            for (icon, tone, text) in lines(known, fate) {
                line(ui, icon, tone, &text);
            }
            return;
        }
        match model.failure(Asked::KeyConsequences) {
            Some(failure) => {
                let next = format!("{} You can go on, without knowing.", failure.next);
                let problem = Problem::new(&failure.what, &failure.why, next.trim());
                if Banner::error(&problem).action("Look again").show(ui).acted {
                    model.dismiss(Asked::KeyConsequences);
                    self.asked = false;
                }
            }
            None => {
                waiting(ui, "Looking at what depends on it…");
            }
        }
    }
}

/// One consequence.
pub(super) fn line(ui: &mut Ui, icon: &str, tone: Tone, text: &str) {
    let t = tokens(ui);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        ui.label(icons::icon(icon, 15.0).color(tone.text(t)));
        ui.add(Label::new(RichText::new(text).font(fonts::regular(12.5)).color(t.text)).wrap());
    });
}

/// What they are in words, the gravest first.
fn lines(known: &KeyConsequences, fate: Fate) -> Vec<(&'static str, Tone, String)> {
    let mut lines = Vec::new();
    if fate == Fate::Deleted {
        if known.history > 0 {
            let text = format!(
                "{} of your history on this computer can be opened by nothing else.",
                count_text(known.history, "message")
            );
            lines.push((icons::WARNING_OCTAGON, Tone::Red, text));
        }
        if known.outbox > 0 {
            let text = format!(
                "{} in the outbox will still go out, and you will not be able to open what you sent.",
                count_text(known.outbox, "message")
            );
            lines.push((icons::WARNING, Tone::Amber, text));
        }
    }
    if known.retained > 0 {
        let text = match fate {
            Fate::Deleted => format!(
                "The broker keeps {} that you sealed with it: you can no longer open or renew them.",
                count_text(known.retained, "retained message")
            ),
            Fate::Retired => format!(
                "The broker keeps {} that you sealed with it. They stay as they are and open as before.",
                count_text(known.retained, "retained message")
            ),
        };
        lines.push((icons::PUSH_PIN, Tone::Amber, text));
    }
    if known.will {
        let text = "Your will is sealed with it. It will be sealed with what covers its topic then, or be lost where nothing does.";
        lines.push((icons::HEARTBEAT, Tone::Amber, text.to_owned()));
    }
    if !known.filters_uncovered.is_empty() {
        let text = format!(
            "Nothing more can be sent to {}: no other key seals there.",
            named(&known.filters_uncovered)
        );
        lines.push((icons::LOCK_KEY_OPEN, Tone::Amber, text));
    }
    for (filter, label) in known.others_cover.iter().take(NAMED) {
        lines.push((icons::LOCK_KEY, Tone::Neutral, format!("“{label}” will seal {filter}, or part of it.")));
    }
    if known.others_cover.len() > NAMED {
        let more = grouped((known.others_cover.len() - NAMED) as u64);
        lines.push((icons::LOCK_KEY, Tone::Neutral, format!("Other keys will seal {more} more.")));
    }
    if lines.is_empty() {
        let text = "Nothing on this computer depends on it: no history, no message on its way, no will.";
        lines.push((icons::CHECK_CIRCLE, Tone::Green, text.to_owned()));
    }
    lines
}

fn named(filters: &[TopicFilter]) -> String {
    let names: Vec<&str> = filters.iter().take(NAMED).map(TopicFilter::as_str).collect();
    let more = filters.len().saturating_sub(NAMED);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_key_loses_no_history_and_a_deleted_one_says_how_much() {
        let known = KeyConsequences { history: 1_204, outbox: 1, will: true, ..KeyConsequences::default() };
        let texts =
            |fate| lines(&known, fate).into_iter().map(|(.., text)| text).collect::<Vec<_>>().join("\n");
        assert!(texts(Fate::Deleted).contains("1,204 messages of your history"));
        assert!(!texts(Fate::Retired).contains("history") && texts(Fate::Retired).contains("Your will"));
        let nothing = lines(&KeyConsequences::default(), Fate::Deleted);
        assert!(nothing.len() == 1 && nothing[0].2.starts_with("Nothing on this computer"));
    }

    #[test]
    fn many_filters_are_counted() {
        let filters: Vec<_> = (0..9).map(|n| TopicFilter::new(format!("t/{n}")).unwrap()).collect();
        assert_eq!(named(&filters), "t/0, t/1, t/2, t/3, t/4, t/5 and 3 more");
    }
}
