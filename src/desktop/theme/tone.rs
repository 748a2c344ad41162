//! Tones: what a colour means. A tone never speaks alone; an icon or a word beside it says the same.

use eframe::egui::Color32;

use super::Tokens;

/// What a pill, banner or dot says with its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// No judgement.
    #[default]
    Neutral,
    /// Chosen, informative.
    Accent,
    /// Good, connected, sealed.
    Green,
    /// Needs attention.
    Amber,
    /// Failed, dangerous.
    Red,
    /// A category.
    Violet,
    /// Another category.
    Teal,
}

impl Tone {
    /// Every tone.
    pub const ALL: [Self; 7] =
        [Self::Neutral, Self::Accent, Self::Green, Self::Amber, Self::Red, Self::Violet, Self::Teal];

    /// The colour of an icon or dot.
    #[must_use]
    pub const fn mark(self, t: &Tokens) -> Color32 {
        match self {
            Self::Neutral => t.text_faint,
            Self::Accent => t.accent,
            Self::Green => t.green.mark,
            Self::Amber => t.amber.mark,
            Self::Red => t.red.mark,
            Self::Violet => t.violet.mark,
            Self::Teal => t.teal.mark,
        }
    }

    /// The colour of words.
    #[must_use]
    pub const fn text(self, t: &Tokens) -> Color32 {
        match self {
            Self::Neutral => t.text_muted,
            Self::Accent => t.accent_text,
            Self::Green => t.green.text,
            Self::Amber => t.amber.text,
            Self::Red => t.red.text,
            Self::Violet => t.violet.text,
            Self::Teal => t.teal.text,
        }
    }

    /// The background behind words of this tone.
    #[must_use]
    pub fn tint(self, t: &Tokens) -> Color32 {
        if self == Self::Neutral { t.control } else { alpha(self.mark(t), t.tint_alpha) }
    }

    /// The border around that background.
    #[must_use]
    pub fn border(self, t: &Tokens) -> Color32 {
        if self == Self::Neutral { t.line_strong } else { alpha(self.mark(t), t.tint_alpha * 3) }
    }
}

/// A colour at an alpha.
fn alpha(colour: Color32, alpha: u8) -> Color32 {
    Color32::from_rgba_unmultiplied(colour.r(), colour.g(), colour.b(), alpha)
}
