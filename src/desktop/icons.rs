//! Icons by name: Phosphor 2.1 (MIT), as one-character strings for the families `icons` and `icons-fill`.
//!
//! The names are Phosphor's own, so the catalogue at phosphoricons.com finds them. Never put one of these in the
//! same [`eframe::egui::RichText`] as words: Inter has glyphs at the same code points. Start at [`icon`] and [`icon_fill`].

use eframe::egui::{FontFamily, FontId, RichText};

use super::fonts;

/// Inline size, beside 13-pixel text.
pub const INLINE: f32 = 15.0;
/// Size in the rail.
pub const RAIL: f32 = 20.0;

/// An icon as text, in the outline style.
#[must_use]
pub fn icon(icon: &str, size: f32) -> RichText {
    RichText::new(icon).font(icon_font(size))
}

/// An icon as text, filled: for what is active.
#[must_use]
pub fn icon_fill(icon: &str, size: f32) -> RichText {
    RichText::new(icon).font(icon_fill_font(size))
}

/// The outline icon font at a size, for painting.
#[must_use]
pub fn icon_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(fonts::ICONS.into()))
}

/// The filled icon font at a size, for painting.
#[must_use]
pub fn icon_fill_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(fonts::ICONS_FILL.into()))
}

macro_rules! icons {
    ($($name:ident = $glyph:literal),* $(,)?) => {
        $(#[doc = concat!("Phosphor ", stringify!($name), ".")] pub const $name: &str = $glyph;)*
        /// Every icon above, for the test that looks each one up in both fonts.
        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

icons! {
    ARROW_BEND_UP_LEFT = "\u{e024}",
    ARROW_CLOCKWISE = "\u{e036}",
    ARROW_COUNTER_CLOCKWISE = "\u{e038}",
    ARROW_DOWN = "\u{e03e}",
    ARROW_LEFT = "\u{e058}",
    ARROW_LINE_DOWN = "\u{e05c}",
    ARROW_RIGHT = "\u{e06c}",
    ARROW_SQUARE_OUT = "\u{e5de}",
    ARROW_UP = "\u{e08e}",
    ARROWS_CLOCKWISE = "\u{e094}",
    BELL = "\u{e0ce}",
    BELL_RINGING = "\u{e5e8}",
    BINARY = "\u{ee60}",
    BLUETOOTH = "\u{e0da}",
    BOOK_OPEN = "\u{e0e6}",
    BRACKETS_CURLY = "\u{e860}",
    BROADCAST = "\u{e0f2}",
    BUG = "\u{e5f4}",
    CALENDAR_BLANK = "\u{e10a}",
    CARET_DOWN = "\u{e136}",
    CARET_LEFT = "\u{e138}",
    CARET_RIGHT = "\u{e13a}",
    CARET_UP = "\u{e13c}",
    CARET_UP_DOWN = "\u{e140}",
    CERTIFICATE = "\u{e766}",
    CHART_LINE = "\u{e154}",
    CHART_LINE_UP = "\u{e156}",
    CHAT_CIRCLE_TEXT = "\u{e16e}",
    CHECK = "\u{e182}",
    CHECK_CIRCLE = "\u{e184}",
    CHECKS = "\u{e53a}",
    CIRCLE = "\u{e18a}",
    CIRCLE_DASHED = "\u{e602}",
    CLOCK = "\u{e19a}",
    CLOCK_COUNTDOWN = "\u{ed2c}",
    CLOCK_COUNTER_CLOCKWISE = "\u{e1a0}",
    CODE = "\u{e1bc}",
    COLUMNS = "\u{e546}",
    COMMAND = "\u{e1c4}",
    COMPUTER_TOWER = "\u{e548}",
    COPY = "\u{e1ca}",
    CPU = "\u{e610}",
    DATABASE = "\u{e1de}",
    DESKTOP = "\u{e560}",
    DEVICE_MOBILE = "\u{e1e0}",
    DOTS_SIX_VERTICAL = "\u{eae2}",
    DOTS_THREE = "\u{e1fe}",
    DOTS_THREE_VERTICAL = "\u{e208}",
    DOWNLOAD_SIMPLE = "\u{e20c}",
    DROP = "\u{e210}",
    ENVELOPE = "\u{e214}",
    ENVELOPE_OPEN = "\u{e216}",
    ENVELOPE_SIMPLE = "\u{e218}",
    ERASER = "\u{e21e}",
    EXPORT = "\u{eaf0}",
    EYE = "\u{e220}",
    EYE_SLASH = "\u{e224}",
    EYES = "\u{ee5c}",
    FILE = "\u{e230}",
    FILE_ARROW_UP = "\u{e61e}",
    FILE_TEXT = "\u{e23a}",
    FILES = "\u{e710}",
    FINGERPRINT = "\u{e23e}",
    FIRST_AID = "\u{e56e}",
    FLAG = "\u{e244}",
    FLOPPY_DISK = "\u{e248}",
    FOLDER = "\u{e24a}",
    FOLDER_OPEN = "\u{e256}",
    FUNNEL = "\u{e266}",
    FUNNEL_SIMPLE = "\u{e268}",
    GAUGE = "\u{e628}",
    GEAR = "\u{e270}",
    GEAR_SIX = "\u{e272}",
    GIFT = "\u{e276}",
    GIT_BRANCH = "\u{e278}",
    GLOBE = "\u{e288}",
    GLOBE_HEMISPHERE_WEST = "\u{e28c}",
    GRAPH = "\u{eb58}",
    GRID_FOUR = "\u{e296}",
    HAND_PALM = "\u{e57e}",
    HANDSHAKE = "\u{e582}",
    HARD_DRIVES = "\u{e2a0}",
    HASH = "\u{e2a2}",
    HEARTBEAT = "\u{e2ac}",
    HOURGLASS = "\u{e2b2}",
    HOURGLASS_MEDIUM = "\u{e2b8}",
    HOUSE = "\u{e2c2}",
    IDENTIFICATION_BADGE = "\u{e6f6}",
    IDENTIFICATION_CARD = "\u{e2c8}",
    INFINITY = "\u{e634}",
    INFO = "\u{e2ce}",
    KEY = "\u{e2d6}",
    KEYBOARD = "\u{e2d8}",
    KEYHOLE = "\u{ea78}",
    LADDER = "\u{e9e4}",
    LAYOUT = "\u{e6d6}",
    LIFEBUOY = "\u{e63a}",
    LIGHTNING = "\u{e2de}",
    LINK = "\u{e2e2}",
    LINK_BREAK = "\u{e2e4}",
    LINK_SIMPLE = "\u{e2e6}",
    LIST = "\u{e2f0}",
    LIST_BULLETS = "\u{e2f2}",
    LIST_CHECKS = "\u{eadc}",
    LIST_MAGNIFYING_GLASS = "\u{ebe0}",
    LOCK = "\u{e2fa}",
    LOCK_KEY = "\u{e2fe}",
    LOCK_KEY_OPEN = "\u{e300}",
    LOCK_OPEN = "\u{e306}",
    LOCK_SIMPLE = "\u{e308}",
    LOCK_SIMPLE_OPEN = "\u{e30a}",
    MAGNIFYING_GLASS = "\u{e30c}",
    MAP_PIN = "\u{e316}",
    MINUS = "\u{e32a}",
    MINUS_CIRCLE = "\u{e32c}",
    MONITOR = "\u{e32e}",
    MOON = "\u{e330}",
    NETWORK = "\u{edde}",
    NETWORK_SLASH = "\u{eddc}",
    NOTE_PENCIL = "\u{e34c}",
    NOTEBOOK = "\u{e34e}",
    NUMBER_CIRCLE_ONE = "\u{e36a}",
    PACKAGE = "\u{e390}",
    PAPER_PLANE_RIGHT = "\u{e396}",
    PAPER_PLANE_TILT = "\u{e398}",
    PAPERCLIP = "\u{e39a}",
    PASSWORD = "\u{e752}",
    PAUSE = "\u{e39e}",
    PENCIL_SIMPLE = "\u{e3b4}",
    PHONE = "\u{e3b8}",
    PLAY = "\u{e3d0}",
    PLUG = "\u{e946}",
    PLUGS = "\u{eb56}",
    PLUGS_CONNECTED = "\u{eb5a}",
    PLUS = "\u{e3d4}",
    PLUS_CIRCLE = "\u{e3d6}",
    POWER = "\u{e3da}",
    PROHIBIT = "\u{e3de}",
    PULSE = "\u{e000}",
    PUSH_PIN = "\u{e3e2}",
    PUSH_PIN_SIMPLE = "\u{e65c}",
    QR_CODE = "\u{e3e6}",
    QUESTION = "\u{e3e8}",
    RADIO_BUTTON = "\u{eb08}",
    ROCKET_LAUNCH = "\u{e3fe}",
    ROWS = "\u{e5a2}",
    RULER = "\u{e6b8}",
    SCALES = "\u{e750}",
    SCROLL = "\u{eb7a}",
    SEAL = "\u{e604}",
    SEAL_CHECK = "\u{e606}",
    SEAL_QUESTION = "\u{e608}",
    SEAL_WARNING = "\u{e60c}",
    SHARE_NETWORK = "\u{e408}",
    SHIELD = "\u{e40a}",
    SHIELD_CHECK = "\u{e40c}",
    SHIELD_SLASH = "\u{e410}",
    SHIELD_STAR = "\u{ec34}",
    SHIELD_WARNING = "\u{e412}",
    SHUFFLE = "\u{e422}",
    SIDEBAR = "\u{eab6}",
    SIDEBAR_SIMPLE = "\u{ec24}",
    SIGN_IN = "\u{e428}",
    SIGN_OUT = "\u{e42a}",
    SIREN = "\u{e9b8}",
    SLIDERS = "\u{e432}",
    SLIDERS_HORIZONTAL = "\u{e434}",
    SORT_ASCENDING = "\u{e444}",
    SPARKLE = "\u{e6a2}",
    SPEEDOMETER = "\u{ee74}",
    SQUARES_FOUR = "\u{e464}",
    STACK = "\u{e466}",
    STAR = "\u{e46a}",
    STOP = "\u{e46c}",
    SUN = "\u{e472}",
    SWAP = "\u{e83c}",
    TABLE = "\u{e476}",
    TAG = "\u{e478}",
    TARGET = "\u{e47c}",
    TERMINAL = "\u{e47e}",
    TERMINAL_WINDOW = "\u{eae8}",
    TEXT_AA = "\u{e6ee}",
    THERMOMETER = "\u{e5c6}",
    THERMOMETER_SIMPLE = "\u{e5cc}",
    TIMER = "\u{e492}",
    TOGGLE_LEFT = "\u{e674}",
    TRANSLATE = "\u{e4a2}",
    TRASH = "\u{e4a6}",
    TRAY = "\u{e4aa}",
    TRAY_ARROW_DOWN = "\u{e010}",
    TREE_STRUCTURE = "\u{e67c}",
    TREE_VIEW = "\u{ee48}",
    UPLOAD_SIMPLE = "\u{e4c0}",
    USER = "\u{e4c2}",
    USER_CIRCLE = "\u{e4c4}",
    USER_CIRCLE_PLUS = "\u{e4ca}",
    USER_FOCUS = "\u{e6fc}",
    USER_GEAR = "\u{e4cc}",
    USER_MINUS = "\u{e4ce}",
    USER_PLUS = "\u{e4d0}",
    USERS = "\u{e4d6}",
    USERS_THREE = "\u{e68e}",
    VAULT = "\u{e76e}",
    VIBRATE = "\u{e4d8}",
    VIDEO = "\u{e740}",
    WARNING = "\u{e4e0}",
    WARNING_CIRCLE = "\u{e4e2}",
    WARNING_DIAMOND = "\u{e7fc}",
    WARNING_OCTAGON = "\u{e4e4}",
    WAVE_SINE = "\u{ea9a}",
    WAVEFORM = "\u{e802}",
    WAVES = "\u{e6de}",
    WIFI_HIGH = "\u{e4ea}",
    WIFI_SLASH = "\u{e4f2}",
    WRENCH = "\u{e5d4}",
    X = "\u{e4f6}",
    X_CIRCLE = "\u{e4f8}",
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui;

    #[test]
    fn every_icon_has_a_glyph_in_both_styles() {
        let ctx = egui::Context::default();
        fonts::install(&ctx);
        ctx.run_ui(egui::RawInput::default(), |_| {}).drop_without_applying_deltas();
        ctx.fonts_mut(|fonts| {
            for (name, glyph) in ALL {
                assert!(fonts.has_glyphs(&icon_font(16.0), glyph), "{name} is missing in the outline font");
                assert!(
                    fonts.has_glyphs(&icon_fill_font(16.0), glyph),
                    "{name} is missing in the filled font"
                );
            }
        });
    }
}
