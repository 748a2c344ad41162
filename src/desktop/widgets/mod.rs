//! Every control of the window. Screens and panels are made of these and of layout, nothing else.
//!
//! Widgets read what they are given and return what the person did; they never act. Each one that takes input has an
//! accessible name. Colours come from [`super::theme`], icons from [`super::icons`].
//!
//! | for | use |
//! |---|---|
//! | a button | `Button::primary("Send").icon(icons::PAPER_PLANE_TILT).large().wide().busy(b).enabled(b).tooltip("…").show(ui)`; also `secondary`, `ghost`, `danger` |
//! | an icon alone | `icon_button(ui, icon, "Name")`, `icon_button_framed`, `icon_button_small`, `icon_toggle(ui, icon, "Name", on)` |
//! | a link | `link(ui, "Forgot password?")` |
//! | search in the top bar | `search_button(ui, "Search or jump to…", "Ctrl K", width)` |
//! | text | `TextField::new("Label", &mut text).icon(…).hint(…).help(…).error(Option<&str>).secret().mono().rows(4).compact().hide_label().focus(b).width(w).show(ui)` |
//! | a secret being typed | `SecretText`: `TextField::new("Password", form.password.edit()).secret()`; wiped when dropped |
//! | a one-time code | `code_field(ui, "Code", &mut code, focus)`, `code_is_complete(&code)` |
//! | password strength | `strength_meter(ui, &Strength { score, advice, acceptable })` |
//! | a state as a word | `pill(ui, "Live", Tone::Green)`, `pill_icon(ui, icon, text, tone)`, `pill_button(…)` clickable, rows of them in `pill_row(ui, \|ui\| …)`, `status(ui, tone, text)`, `dot(ui, tone)` |
//! | a failure or a hint | `Banner::error(&Problem::new(what, why, next)).action("Try again").dismissible().show(ui) -> BannerAnswer`; `problem(ui, Option<&Problem>)` |
//! | a card | `card(ui, \|ui\| …)`, `card_frame(ui)`; inside: `section_header(ui, title, count, \|ui\| controls)` (right to left), `title`, `caps`, `body`, `muted` |
//! | facts | `key_values(ui, &[("Size", "79 B")])`, `key_value(ui, "Topic", \|ui\| …)`, `copy_line(ui, "fingerprint", value) -> copied` |
//! | one of a few | `segmented(ui, "Range", &mut value, &[(Range::Hour, "1h")]) -> changed`, `segmented_explained` with a hover text for each, `choice_card(ui, selected, icon, title, text)`, `next_card(…)` |
//! | one of many | `combo(ui, "Label", &mut value, &[(value, "text")]) -> changed`, `combo_inline(ui, "Name", width, …)` |
//! | on or off | `toggle(ui, &mut on, "Label")` acts at once, `checkbox(ui, &mut on, "Label")` with a form |
//! | a menu | `menu(&response, \|ui\| …)` of `menu_row(ui, Some(icon), "Text", selected)` |
//! | a settings row | `setting_row(ui, title, text, \|ui\| { switch(ui, &mut on, "Name"); })` |
//! | nothing there yet | `EmptyState { icon, title, text, actions: &["Make a key…"] }.show(ui) -> Option<index>` |
//! | a tree | `TreeRow::new("press").depth(2).open(true).selected(b).trailing("52.0/s").id(id).show(ui) -> TreeRowAnswer { response, toggled }` |
//! | waiting | `spinner(ui, size, "Name")`, `waiting(ui, "Connecting…")`, `progress(ui, text, left, fraction, Some("Cancel")) -> cancelled` |
//! | what happened elsewhere | `Toasts::push(Severity::Success, text)`, `toasts.show(ctx)` once a frame |
//! | a dialog | `dialog(ctx, "id", "Title", 440.0, \|ui\| …) -> DialogAnswer { inner, close }`, last row `dialog_buttons(ui, ButtonKind::Primary, "Make key", enabled, busy)` |
//! | a QR code | `QrPicture::new(text)?`, kept by the caller; `.show(ui, side, "Name")` |
//! | a payload | `PayloadView::new("id", bytes, PayloadForm::guess(bytes)).limit(n).height(h).show(ui) -> asked for more`; in a table `one_line(bytes, 120)` and `one_line_job(ui, &line)` |
//! | the window's frame | `Shell { rail, active, title }.show(ui, header, controls, status_left, status_right, content) -> Option<index>`, `status_button`, `status_text` |

mod banner;
mod button;
mod card;
mod choice;
mod code;
mod dialog;
mod empty;
mod field;
mod json;
mod mark;
mod paint;
mod payload;
mod pill;
mod qr;
mod secret;
mod shell;
mod strength;
mod toast;
mod tree;
mod wait;

pub use banner::{Banner, BannerAnswer, Problem, Severity, problem};
pub use button::{
    Button, ButtonKind, icon_button, icon_button_framed, icon_button_small, icon_toggle, link, search_button,
};
pub use card::{
    body, caps, card, card_frame, copy_line, key_value, key_values, muted, section_header, title,
};
pub use choice::{
    checkbox, choice_card, combo, combo_inline, menu, menu_row, next_card, segmented, segmented_explained,
    setting_row, switch, toggle,
};
pub use code::{CODE_DIGITS, code_field, code_is_complete};
pub use dialog::{DialogAnswer, DialogButton, dialog, dialog_buttons};
pub use empty::EmptyState;
pub use field::{TextField, field_label};
pub use mark::mark;
pub use payload::{FIRST_LIMIT, PayloadForm, PayloadView, one_line, one_line_job, size_text};
pub use pill::{dot, pill, pill_button, pill_icon, pill_row, status};
pub use qr::QrPicture;
pub use secret::SecretText;
pub use shell::{RailEntry, Shell, status_button, status_text};
pub use strength::{Strength, strength_meter};
pub use toast::Toasts;
pub use tree::{TreeRow, TreeRowAnswer};
pub use wait::{progress, spinner, waiting};
