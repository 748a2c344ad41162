//! The fonts that the window draws with, built into the program so that it looks the same everywhere.
//!
//! Inter (OFL 1.1) for words, JetBrains Mono (OFL 1.1) for payloads, keys and codes, Phosphor (MIT) for icons; their
//! licences stand beside them in `assets/fonts/`. Inter has private-use glyphs at Phosphor's code points, so icons have
//! families of their own, and neither ever falls back to the other. Start at [`install`].

use std::sync::Arc;

use eframe::egui::{Context, FontData, FontDefinitions, FontFamily, FontId};

/// Family of Inter Medium: buttons, field labels.
pub const MEDIUM: &str = "medium";
/// Family of Inter SemiBold: headings.
pub const SEMIBOLD: &str = "semibold";
/// Family of Phosphor, outline.
pub const ICONS: &str = "icons";
/// Family of Phosphor, filled.
pub const ICONS_FILL: &str = "icons-fill";

/// Inter Regular at a size.
#[must_use]
pub fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Inter Medium at a size.
#[must_use]
pub fn medium(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(MEDIUM.into()))
}

/// Inter SemiBold at a size.
#[must_use]
pub fn semibold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(SEMIBOLD.into()))
}

/// JetBrains Mono at a size.
#[must_use]
pub fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Gives the context our fonts. egui's own stay behind them for emoji and symbols that Inter lacks.
pub fn install(ctx: &Context) {
    ctx.set_fonts(definitions());
}

fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let ours: [(&str, &'static [u8]); 6] = [
        ("Inter-Regular", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
        ("Inter-Medium", include_bytes!("../../assets/fonts/Inter-Medium.otf")),
        ("Inter-SemiBold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
        ("JetBrainsMono-Regular", include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf")),
        ("Phosphor", include_bytes!("../../assets/fonts/Phosphor.ttf")),
        ("Phosphor-Fill", include_bytes!("../../assets/fonts/Phosphor-Fill.ttf")),
    ];
    for (name, bytes) in ours {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let behind = |first: &str| -> Vec<String> {
        std::iter::once(first.to_owned()).chain(fallback.iter().cloned()).collect()
    };
    fonts.families.insert(FontFamily::Proportional, behind("Inter-Regular"));
    fonts.families.insert(FontFamily::Name(MEDIUM.into()), behind("Inter-Medium"));
    fonts.families.insert(FontFamily::Name(SEMIBOLD.into()), behind("Inter-SemiBold"));
    fonts.families.insert(FontFamily::Monospace, behind("JetBrainsMono-Regular"));
    fonts.families.insert(FontFamily::Name(ICONS.into()), vec!["Phosphor".to_owned()]);
    fonts.families.insert(FontFamily::Name(ICONS_FILL.into()), vec!["Phosphor-Fill".to_owned()]);
    fonts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_and_words_never_fall_back_to_each_other() {
        let fonts = definitions();
        for (family, chain) in &fonts.families {
            let icons = chain.iter().any(|name| name.starts_with("Phosphor"));
            let words = chain.iter().any(|name| !name.starts_with("Phosphor"));
            assert!(icons != words, "{family:?} mixes icons and words: {chain:?}");
        }
    }
}
