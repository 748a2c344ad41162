//! egui's own style, set from our tokens, so that stock widgets look like ours.

use eframe::egui::style::{ScrollFadeStyle, ScrollStyle, Selection, TextCursorStyle, WidgetVisuals, Widgets};
use eframe::egui::{
    self, Color32, Context, CornerRadius, Margin, Shadow, Stroke, Style, TextStyle, Theme, ThemePreference,
    Visuals, vec2,
};

use super::{
    ANIMATION, CONTROL_HEIGHT, DARK, FOCUS_WIDTH, GAP, LIGHT, RADIUS, RADIUS_CARD, TREE_INDENT, Tokens,
};
use crate::desktop::fonts;

/// What the person chose in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// As the system is set.
    #[default]
    System,
    /// Always dark.
    Dark,
    /// Always light.
    Light,
}

impl From<ThemeChoice> for ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::System => Self::System,
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
        }
    }
}

/// Installs fonts and both themes and switches to the chosen one. Cheap enough to call again when the choice changes,
/// but not every frame: it uploads the fonts.
pub fn apply(ctx: &Context, choice: ThemeChoice) {
    let reduced = ctx.style_of(Theme::Dark).animation_time <= 0.0;
    fonts::install(ctx);
    ctx.set_style_of(Theme::Dark, style(&DARK));
    ctx.set_style_of(Theme::Light, style(&LIGHT));
    ctx.set_theme(choice);
    set_reduced_motion(ctx, reduced);
}

/// Stops every animation, for people who asked their system for less motion.
pub fn set_reduced_motion(ctx: &Context, reduced: bool) {
    ctx.all_styles_mut(|style| {
        style.animation_time = if reduced { 0.0 } else { ANIMATION };
        style.scroll_animation = if reduced {
            egui::style::ScrollAnimation::none()
        } else {
            egui::style::ScrollAnimation::default()
        };
    });
}

fn style(t: &Tokens) -> Style {
    let mut style = Style {
        text_styles: [
            (TextStyle::Small, fonts::regular(11.5)),
            (TextStyle::Body, fonts::regular(13.0)),
            (TextStyle::Button, fonts::medium(13.0)),
            (TextStyle::Heading, fonts::semibold(16.0)),
            (TextStyle::Monospace, fonts::mono(12.0)),
        ]
        .into(),
        visuals: visuals(t),
        animation_time: ANIMATION,
        ..Style::default()
    };
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP);
    spacing.button_padding = vec2(12.0, 6.0);
    spacing.interact_size = vec2(CONTROL_HEIGHT, CONTROL_HEIGHT);
    spacing.indent = TREE_INDENT;
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(16);
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 8.0;
    spacing.icon_spacing = 8.0;
    spacing.combo_width = 140.0;
    spacing.combo_height = 320.0;
    spacing.tooltip_width = 360.0;
    spacing.scroll = ScrollStyle {
        bar_width: 8.0,
        floating_width: 4.0,
        dormant_handle_opacity: 0.35,
        fade: ScrollFadeStyle { strength: 0.0, size: 0.0 },
        ..ScrollStyle::floating()
    };
    style.interaction.tooltip_delay = 0.4;
    style.url_in_tooltip = true;
    style
}

fn visuals(t: &Tokens) -> Visuals {
    let base = if t.dark { Visuals::dark() } else { Visuals::light() };
    let shadow = |offset: i8, blur: u8| Shadow { offset: [0, offset], blur, spread: 0, color: t.shadow };
    Visuals {
        widgets: widgets(t),
        selection: Selection { bg_fill: t.selection, stroke: Stroke::new(FOCUS_WIDTH, t.accent) },
        hyperlink_color: t.accent_text,
        weak_text_color: Some(t.text_faint),
        faint_bg_color: t.table_header,
        extreme_bg_color: t.input,
        text_edit_bg_color: Some(t.input),
        code_bg_color: t.control,
        warn_fg_color: t.amber.text,
        error_fg_color: t.red.text,
        window_corner_radius: CornerRadius::same(RADIUS_CARD),
        window_shadow: shadow(12, 40),
        window_fill: t.card,
        window_stroke: Stroke::new(1.0, t.line_strong),
        window_highlight_topmost: false,
        menu_corner_radius: CornerRadius::same(RADIUS),
        panel_fill: t.panel,
        popup_shadow: shadow(8, 24),
        text_cursor: TextCursorStyle { stroke: Stroke::new(2.0, t.accent), ..TextCursorStyle::default() },
        indent_has_left_vline: true,
        ..base
    }
}

fn widgets(t: &Tokens) -> Widgets {
    let visuals = |fill: Color32, border: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let mut active = visuals(t.control_pressed, t.accent, t.text_strong);
    // egui draws what has the focus as active: this is the focus ring.
    active.bg_stroke.width = FOCUS_WIDTH;
    Widgets {
        noninteractive: visuals(t.card, t.line, t.text),
        inactive: visuals(t.control, t.line_strong, t.text_strong),
        hovered: visuals(t.control_hover, t.line_strong, t.text_strong),
        active,
        open: visuals(t.control_hover, t.line_strong, t.text_strong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_decides_which_tokens_are_in_force() {
        let ctx = Context::default();
        for (choice, dark) in [(ThemeChoice::Dark, true), (ThemeChoice::Light, false)] {
            apply(&ctx, choice);
            assert_eq!(super::super::tokens_of(&ctx).dark, dark, "{choice:?}");
        }
    }

    #[test]
    fn reduced_motion_stops_animations_in_both_themes() {
        let ctx = Context::default();
        apply(&ctx, ThemeChoice::Dark);
        set_reduced_motion(&ctx, true);
        assert!(ctx.style_of(Theme::Dark).animation_time == 0.0);
        assert!(ctx.style_of(Theme::Light).animation_time == 0.0);
        apply(&ctx, ThemeChoice::Light);
        assert!(ctx.style_of(Theme::Light).animation_time == 0.0, "another theme keeps it");
    }
}
