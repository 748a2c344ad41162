//! Every colour, size and radius of the window, in the dark and in the light theme.
//!
//! Widgets, screens and panels take colours only from [`Tokens`], by role; a literal colour anywhere else is a
//! mistake. Start at [`apply`], then [`tokens`].

mod style;
mod tone;

pub use style::{ThemeChoice, apply, set_reduced_motion};
pub use tone::Tone;

use eframe::egui::{Color32, Context, Ui};

/// Space between items.
pub const GAP: f32 = 8.0;
/// Margin inside a panel.
pub const PANEL_MARGIN: f32 = 16.0;
/// Padding inside a card.
pub const CARD_PADDING: f32 = 16.0;
/// Height of buttons and other controls.
pub const CONTROL_HEIGHT: f32 = 30.0;
/// Height of a primary button on a form.
pub const LARGE_HEIGHT: f32 = 40.0;
/// Height of a text field.
pub const INPUT_HEIGHT: f32 = 38.0;
/// Height of a table row.
pub const ROW_HEIGHT: f32 = 28.0;
/// Indent of a tree level.
pub const TREE_INDENT: f32 = 14.0;
/// Width of the rail.
pub const RAIL_WIDTH: f32 = 60.0;
/// Height of the top bar.
pub const TOP_BAR_HEIGHT: f32 = 52.0;
/// Height of the status bar.
pub const STATUS_BAR_HEIGHT: f32 = 28.0;
/// Width of the card of the screens before login.
pub const LOGIN_CARD_WIDTH: f32 = 392.0;
/// Padding of that card.
pub const LOGIN_CARD_PADDING: f32 = 32.0;

/// Corner radius of controls and menus.
pub const RADIUS: u8 = 8;
/// Corner radius of pills and tree rows.
pub const RADIUS_SMALL: u8 = 6;
/// Corner radius of rail buttons.
pub const RADIUS_RAIL: u8 = 10;
/// Corner radius of cards.
pub const RADIUS_CARD: u8 = 12;
/// Corner radius of the login card.
pub const RADIUS_LOGIN: u8 = 16;
/// Width of the ring around what has the keyboard focus.
pub const FOCUS_WIDTH: f32 = 1.5;
/// Seconds that a small animation takes.
pub const ANIMATION: f32 = 0.12;

/// A colour of meaning, as a mark (icons, dots, plots, tints) and as text that can be read on every surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hue {
    /// For icons, dots, lines and, at a low alpha, tints.
    pub mark: Color32,
    /// For words.
    pub text: Color32,
}

/// The colours of one theme, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Whether this is the dark theme.
    pub dark: bool,
    /// Window, rail, top bar, status bar.
    pub window: Color32,
    /// Panels inside the window.
    pub panel: Color32,
    /// Cards, menus, dialogs.
    pub card: Color32,
    /// Buttons and other controls at rest.
    pub control: Color32,
    /// A control under the pointer.
    pub control_hover: Color32,
    /// A control held down.
    pub control_pressed: Color32,
    /// Inside of text fields and code blocks.
    pub input: Color32,
    /// Heads of tables.
    pub table_header: Color32,
    /// A table or tree row under the pointer.
    pub row_hover: Color32,
    /// A selected row, rail button or segment.
    pub row_selected: Color32,
    /// Hairlines between things.
    pub line: Color32,
    /// Borders of inputs and other strong lines.
    pub line_strong: Color32,
    /// Headings and values.
    pub text_strong: Color32,
    /// Body text.
    pub text: Color32,
    /// Secondary text.
    pub text_muted: Color32,
    /// Labels and units only.
    pub text_faint: Color32,
    /// The accent as a line, bar, dot or icon, never as text.
    pub accent: Color32,
    /// The accent as text: links, selected things.
    pub accent_text: Color32,
    /// Primary buttons at rest; dark enough for [`Self::on_primary`].
    pub primary: Color32,
    /// A primary button under the pointer.
    pub primary_hover: Color32,
    /// A primary button held down.
    pub primary_pressed: Color32,
    /// Text on primary buttons.
    pub on_primary: Color32,
    /// Danger buttons at rest.
    pub danger: Color32,
    /// A danger button under the pointer.
    pub danger_hover: Color32,
    /// A danger button held down.
    pub danger_pressed: Color32,
    /// Text on danger buttons.
    pub on_danger: Color32,
    /// Good, connected, sealed.
    pub green: Hue,
    /// Needs attention.
    pub amber: Hue,
    /// Failed, dangerous.
    pub red: Hue,
    /// A second category, never a state.
    pub violet: Hue,
    /// A third category, never a state.
    pub teal: Hue,
    /// Alpha of a tint behind text.
    pub tint_alpha: u8,
    /// Behind modal dialogs.
    pub backdrop: Color32,
    /// Shadow under floating things.
    pub shadow: Color32,
    /// Dots of the grid behind the login card.
    pub dot: Color32,
    /// Centre of the glow behind the login card.
    pub glow: Color32,
    /// Selected text.
    pub selection: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const fn hue(mark: u32, text: u32) -> Hue {
    Hue { mark: rgb(mark), text: rgb(text) }
}

/// The dark theme.
pub const DARK: Tokens = Tokens {
    dark: true,
    window: rgb(0x0B0D12),
    panel: rgb(0x10131A),
    card: rgb(0x161A23),
    control: rgb(0x1E2430),
    control_hover: rgb(0x283041),
    control_pressed: rgb(0x232A39),
    input: rgb(0x0B0D12),
    table_header: rgb(0x131720),
    row_hover: rgb(0x1B202B),
    row_selected: rgb(0x1A2645),
    line: rgb(0x222937),
    line_strong: rgb(0x313A4D),
    text_strong: rgb(0xF3F5F9),
    text: rgb(0xC6CDDB),
    text_muted: rgb(0x98A3B7),
    text_faint: rgb(0x848FA4),
    accent: rgb(0x4C7DFF),
    accent_text: rgb(0x9DB8FF),
    primary: rgb(0x3D6CF0),
    primary_hover: rgb(0x3866E6),
    primary_pressed: rgb(0x2F59CF),
    on_primary: rgb(0xFFFFFF),
    danger: rgb(0xD6323E),
    danger_hover: rgb(0xC92A36),
    danger_pressed: rgb(0xB3202C),
    on_danger: rgb(0xFFFFFF),
    green: hue(0x3CCB7F, 0x4BD68C),
    amber: hue(0xF5B83D, 0xF7C255),
    red: hue(0xF7616B, 0xFF9299),
    violet: hue(0xA78BFA, 0xB9A3FC),
    teal: hue(0x2DD4BF, 0x3FDBC7),
    tint_alpha: 30,
    backdrop: Color32::from_rgba_premultiplied(4, 5, 7, 170),
    shadow: Color32::from_rgba_premultiplied(0, 0, 0, 120),
    dot: rgb(0x1C222E),
    glow: rgb(0x111B36),
    selection: rgb(0x24397A),
};

/// The light theme: the same roles.
pub const LIGHT: Tokens = Tokens {
    dark: false,
    window: rgb(0xE9EDF4),
    panel: rgb(0xF7F8FB),
    card: rgb(0xFFFFFF),
    control: rgb(0xECEFF5),
    control_hover: rgb(0xE0E5EE),
    control_pressed: rgb(0xD8DEE9),
    input: rgb(0xFFFFFF),
    table_header: rgb(0xF1F3F8),
    row_hover: rgb(0xF0F3F9),
    row_selected: rgb(0xDFE8FF),
    line: rgb(0xDCE1EA),
    line_strong: rgb(0xBFC7D5),
    text_strong: rgb(0x10141C),
    text: rgb(0x343C4B),
    text_muted: rgb(0x505A6E),
    text_faint: rgb(0x5A6477),
    accent: rgb(0x3D6CF0),
    accent_text: rgb(0x2350C8),
    primary: rgb(0x3866E6),
    primary_hover: rgb(0x2F5BD8),
    primary_pressed: rgb(0x274EBF),
    on_primary: rgb(0xFFFFFF),
    danger: rgb(0xC92A36),
    danger_hover: rgb(0xB8232F),
    danger_pressed: rgb(0xA31C27),
    on_danger: rgb(0xFFFFFF),
    green: hue(0x1C9A5B, 0x0A6335),
    amber: hue(0xC98300, 0x744B00),
    red: hue(0xD93A46, 0xA91C28),
    violet: hue(0x7A5AE0, 0x5733BE),
    teal: hue(0x12958A, 0x07625A),
    tint_alpha: 26,
    backdrop: Color32::from_rgba_premultiplied(10, 13, 20, 110),
    shadow: Color32::from_rgba_premultiplied(4, 6, 12, 40),
    dot: rgb(0xCFD6E3),
    glow: rgb(0xD3E0FF),
    selection: rgb(0xBFD2FF),
};

/// The tokens of the theme that this part of the window is drawn in.
#[must_use]
pub fn tokens(ui: &Ui) -> &'static Tokens {
    pick(ui.visuals().dark_mode)
}

/// The tokens of the theme in force, where there is no [`Ui`].
#[must_use]
pub fn tokens_of(ctx: &Context) -> &'static Tokens {
    pick(ctx.global_style().visuals.dark_mode)
}

const fn pick(dark: bool) -> &'static Tokens {
    if dark { &DARK } else { &LIGHT }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: Color32) -> f64 {
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(colour.r()) + 0.7152 * channel(colour.g()) + 0.0722 * channel(colour.b())
    }

    /// Contrast ratio, WCAG 2.2: from 1 to 21.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn over(top: Color32, bottom: Color32) -> Color32 {
        bottom.blend(top)
    }

    #[test]
    fn contrast_is_computed_as_wcag_says() {
        assert!((contrast(Color32::WHITE, Color32::BLACK) - 21.0).abs() < 0.01);
        assert!((contrast(rgb(0x777777), Color32::WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn every_text_can_be_read_on_every_surface_it_is_used_on() {
        let mut failures = Vec::new();
        for (theme, t) in [("dark", &DARK), ("light", &LIGHT)] {
            let mut check = |what: &str, text: Color32, on: &str, surface: Color32| {
                let ratio = contrast(text, surface);
                if ratio < 4.5 {
                    failures.push(format!("{theme}: {what} on {on} has {ratio:.2}"));
                }
            };
            let plain = [
                ("window", t.window),
                ("panel", t.panel),
                ("card", t.card),
                ("input", t.input),
                ("table header", t.table_header),
                ("row under the pointer", t.row_hover),
                ("selected row", t.row_selected),
                ("control", t.control),
            ];
            let texts = [
                ("strong", t.text_strong),
                ("body", t.text),
                ("muted", t.text_muted),
                ("faint", t.text_faint),
                ("accent text", t.accent_text),
            ];
            for (on, surface) in plain {
                for (what, text) in texts {
                    check(what, text, on, surface);
                }
                for tone in Tone::ALL {
                    check(&format!("{tone:?} text"), tone.text(t), on, surface);
                }
            }
            for (on, surface) in [("hovered control", t.control_hover), ("held control", t.control_pressed)] {
                for (what, text) in
                    [("strong", t.text_strong), ("body", t.text), ("accent text", t.accent_text)]
                {
                    check(what, text, on, surface);
                }
            }
            for tone in Tone::ALL {
                for (on, surface) in [("window", t.window), ("panel", t.panel), ("card", t.card)] {
                    let tinted = over(tone.tint(t), surface);
                    check(&format!("{tone:?} text"), tone.text(t), &format!("its tint on {on}"), tinted);
                    check("body", t.text, &format!("{tone:?} tint on {on}"), tinted);
                }
            }
            for fill in [t.primary, t.primary_hover, t.primary_pressed] {
                check("text of a primary button", t.on_primary, "the button", fill);
            }
            for fill in [t.danger, t.danger_hover, t.danger_pressed] {
                check("text of a danger button", t.on_danger, "the button", fill);
            }
            check("selected text", t.text_strong, "the selection", t.selection);
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn the_focus_ring_stands_out_from_every_surface() {
        for t in [&DARK, &LIGHT] {
            for surface in [t.window, t.panel, t.card, t.input] {
                assert!(contrast(t.accent, surface) >= 3.0, "focus ring on {surface:?}");
            }
        }
    }
}
