//! What was verified of a message and what was not, one click away from its verdict; and what all the words mean.

use eframe::egui::{Context, Label, RichText, Ui};

use crate::{
    client::{Message, Opening, SealedWith, sentence},
    desktop::{
        fonts, icons,
        panels::{sealing::suite_words, sender::Sender},
        theme::{Tone, tokens},
        when,
        widgets::{Button, caps, dialog, link, muted, pill_icon, pill_row},
    },
};

use super::{
    meanings::{MEANINGS, meaning},
    verdict::{Known, profile_of, verdict},
};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Verified.
    Yes,
    /// Looked at, and it is not so.
    No,
    /// Cannot be told.
    Open,
}

/// One thing that was looked at.
struct Check {
    mark: Mark,
    title: String,
    text: String,
}

impl Check {
    fn new(mark: Mark, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { mark, title: title.into(), text: text.into() }
    }
}

/// The dialog that explains a message.
#[derive(Debug, Default)]
pub(super) struct Explain {
    open: bool,
    all_words: bool,
}

impl Explain {
    /// Shows it.
    pub(super) fn open(&mut self) {
        (self.open, self.all_words) = (true, false);
    }

    /// Draws it where it is open.
    pub(super) fn ui(&mut self, ctx: &Context, message: Option<&Message>, known: Known<'_>) {
        let Some(message) = message.filter(|_| self.open) else {
            self.open = false;
            return;
        };
        let answer = dialog(ctx, "explain message", "What these words mean", 540.0, |ui| {
            let told = verdict(message, known);
            pill_row(ui, |ui| pill_icon(ui, told.icon, told.word, told.tone));
            muted(ui, meaning(told.word).unwrap_or("What opening this message told."));
            ui.add_space(4.0);
            caps(ui, "What was looked at");
            for check in checks(message, known) {
                row(ui, &check);
            }
            ui.add_space(4.0);
            caps(ui, "What nobody can tell");
            muted(
                ui,
                "Whether a broker held it back, or dropped others. Whether the sender’s computer is in good hands. Who else has the key.",
            );
            ui.add_space(4.0);
            if self.all_words {
                words(ui);
            } else if link(ui, "Every word that can stand here").clicked() {
                self.all_words = true;
            }
            ui.add_space(6.0);
            Button::secondary("Close the explanation").show(ui).clicked()
        });
        if answer.close || answer.inner {
            self.open = false;
        }
    }
}

fn row(ui: &mut Ui, check: &Check) {
    let t = tokens(ui);
    let (icon, tone) = match check.mark {
        Mark::Yes => (icons::CHECK_CIRCLE, Tone::Green),
        Mark::No => (icons::X_CIRCLE, Tone::Red),
        Mark::Open => (icons::MINUS_CIRCLE, Tone::Amber),
    };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 10.0;
        ui.label(icons::icon(icon, 16.0).color(tone.text(t)));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            let title = RichText::new(&check.title).font(fonts::medium(13.0)).color(t.text_strong);
            ui.add(Label::new(title).wrap());
            let text = RichText::new(&check.text).font(fonts::regular(12.5)).color(t.text);
            ui.add(Label::new(text).wrap());
        });
    });
}

fn words(ui: &mut Ui) {
    let t = tokens(ui);
    caps(ui, "The words");
    for (word, meaning) in MEANINGS {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            ui.label(RichText::new(*word).font(fonts::medium(12.5)).color(t.text_strong));
            let text = RichText::new(*meaning).font(fonts::regular(12.5)).color(t.text_muted);
            ui.add(Label::new(text).wrap());
        });
    }
}

/// What was looked at, in the order in which it is.
fn checks(message: &Message, known: Known<'_>) -> Vec<Check> {
    match &message.opening {
        Opening::Opened { with, sealed_at_ms, notes, .. } => {
            opened(message, known, with, *sealed_at_ms, notes)
        }
        Opening::InTheClear { .. } => vec![Check::new(
            Mark::No,
            "No seal",
            "There is nothing to verify: not who wrote it, not whether it was changed, not whether it was sent before.",
        )],
        Opening::Refused { name, why } => vec![
            Check::new(Mark::No, name.clone(), sentence(why)),
            Check::new(
                Mark::No,
                "Nothing of it was used",
                "Its payload is not shown: what is not verified is not believed.",
            ),
        ],
    }
}

fn opened(
    message: &Message,
    known: Known<'_>,
    with: &SealedWith,
    sealed_at_ms: u64,
    notes: &[String],
) -> Vec<Check> {
    let suite = format!("{} ({})", suite_words(with.suite), with.suite);
    let mut checks = vec![seal(message, with, &suite)];
    checks.push(if with.suite.is_native() {
        let text = format!("It was sealed for {} and for no other topic.", message.topic);
        Check::new(Mark::Yes, "It belongs to this topic", text)
    } else {
        Check::new(Mark::Open, "The topic is not sealed in", "This kind of seal says nothing of the topic: a broker can move a message to another topic of the same key.")
    });
    checks.push(signature(message, known));
    checks.push(match notes {
        [] => Check::new(Mark::Yes, "It is new", "This computer has not seen it before."),
        notes => {
            let texts: Vec<String> = notes
                .iter()
                .map(|note| {
                    format!(
                        "{}: {}",
                        sentence(note).trim_end_matches('.'),
                        meaning(note).unwrap_or("see the note.")
                    )
                })
                .collect();
            Check::new(Mark::Open, "There is something to note", texts.join("\n"))
        }
    });
    checks.push(match sealed_at_ms {
        0 => Check::new(Mark::Open, "When it was sealed", "Nobody tells: this kind of seal holds no time."),
        told => {
            let text = format!(
                "{}, by the sender’s clock. That clock may be wrong; the broker cannot change what it said.",
                when::date_time(told)
            );
            Check::new(Mark::Yes, "When it was sealed", text)
        }
    });
    checks
}

fn seal(message: &Message, with: &SealedWith, suite: &str) -> Check {
    let key = format!("the key “{}” ({}…)", with.label, with.kid.get(..8).unwrap_or(&with.kid));
    if profile_of(message).is_some_and(|profile| !profile.is_secret()) {
        let text =
            format!("{suite} with {key}, which stands in a published program: anybody can make such a seal.");
        return Check::new(Mark::Open, "The seal is worth nothing", text);
    }
    let text = format!(
        "{suite} with {key}. Not one bit was changed on its way, and without the key nobody could read it."
    );
    Check::new(Mark::Yes, "The seal holds", text)
}

fn signature(message: &Message, known: Known<'_>) -> Check {
    let who = known.sender(message).unwrap_or(Sender::NotSigned);
    let text = who.sentence();
    match who {
        Sender::NotSigned if known.lacks_signature(message) => {
            let text = format!("{text} Its key asks for signatures, and accepts messages without one.");
            Check::new(Mark::No, "Not signed", text)
        }
        Sender::NotSigned => Check::new(Mark::Open, "Not signed", text),
        Sender::You => Check::new(Mark::Yes, "You signed it", text),
        Sender::Known { name, compared: true } => Check::new(Mark::Yes, format!("{name} signed it"), text),
        Sender::Known { name, compared: false } => {
            Check::new(Mark::Yes, format!("The key of {name} signed it"), text)
        }
        Sender::Changed { name } => Check::new(Mark::No, format!("Perhaps not {name}"), text),
        Sender::Renamed { .. } | Sender::Told { .. } | Sender::Stranger => {
            Check::new(Mark::Open, "Signed, but look by whom", text)
        }
    }
}
