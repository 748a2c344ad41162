//! The strength meter under a new password.

use eframe::egui::{CornerRadius, Rect, Response, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::desktop::fonts;
use crate::desktop::theme::{Tone, tokens};

/// How guessable a password is, as the app judged it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strength {
    /// zxcvbn's score: 0 and 1 weak, 2 fair, 3 good, 4 strong. `None` while nothing was typed.
    pub score: Option<u8>,
    /// What would make it better, in one sentence; may be empty.
    pub advice: String,
    /// Whether the station would take it.
    pub acceptable: bool,
}

impl Strength {
    fn word_and_tone(&self) -> (&'static str, Tone) {
        match self.score {
            None => ("", Tone::Neutral),
            Some(0 | 1) => ("Weak", Tone::Red),
            Some(2) => ("Fair", Tone::Amber),
            Some(3) => ("Good", Tone::Green),
            Some(_) => ("Strong", Tone::Green),
        }
    }
}

/// Four bars, the word that says the same, and the advice.
pub fn strength_meter(ui: &mut Ui, strength: &Strength) -> Response {
    let t = tokens(ui);
    let (word, tone) = strength.word_and_tone();
    let filled = strength.score.map_or(0, |score| usize::from(score.clamp(1, 4)));
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0), Sense::hover());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Meter, true, format!("Password strength: {word}"));
            info.value = strength.score.map(f64::from);
            info
        });
        let gap = 4.0;
        let width = (rect.width() - 3.0 * gap) / 4.0;
        for bar in 0..4 {
            let left = rect.left() + bar as f32 * (width + gap);
            let bar_rect = Rect::from_min_size(pos2(left, rect.top()), vec2(width, rect.height()));
            let colour = if bar < filled { tone.mark(t) } else { t.control_hover };
            ui.painter().rect_filled(bar_rect, CornerRadius::same(2), colour);
        }
        if strength.score.is_some() {
            ui.spacing_mut().interact_size.y = 16.0;
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                ui.label(RichText::new(word).font(fonts::medium(12.0)).color(tone.text(t)));
                if !strength.advice.is_empty() {
                    ui.label(RichText::new(&strength.advice).font(fonts::regular(12.0)).color(t.text_muted));
                }
            });
        }
        response
    })
    .inner
}
