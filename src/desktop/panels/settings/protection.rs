//! What is not protected, said plainly, and the program itself.

use eframe::egui::{Label, RichText, Ui};

use crate::desktop::{
    fonts, icons,
    model::Model,
    theme::tokens,
    widgets::{card, key_values, mark, muted, section_header, title},
};

/// Icon, head, text.
const LIMITS: &[(&str, &str, &str)] = &[
    (icons::TAG, "Topic names", "The broker reads them to route. Do not put secrets into a topic's name."),
    (
        icons::CLOCK,
        "When and how often",
        "Who listens to the network or runs the broker sees when messages pass.",
    ),
    (icons::RULER, "Sizes", "Padded, so that close sizes look alike; a film is still longer than a word."),
    (
        icons::PLUGS_CONNECTED,
        "Your connection",
        "The broker knows which connection sent a message, and its address.",
    ),
    (
        icons::HAND_PALM,
        "Delivery",
        "A broker can drop or delay messages. “The broker has it” never means “they have read it”. QoS 2 is between you and the broker, and between it and a reader; a line that breaks in the middle makes a message go out again. Who opens a sealed one drops the second; without a seal it may be seen twice.",
    ),
    (
        icons::USERS,
        "Who said it",
        "Everybody who holds a topic's key can speak in it, as any other. Signed topics come later.",
    ),
    (
        icons::CLOCK_COUNTER_CLOCKWISE,
        "The past",
        "Whoever gets a key opens all that it ever sealed: there is no forward secrecy yet. Rotate keys.",
    ),
    (
        icons::ARROWS_CLOCKWISE,
        "Old messages to newcomers",
        "Who subscribes for the first time cannot tell an old message that is played again from a new one.",
    ),
    (
        icons::COMPUTER_TOWER,
        "Restored machines",
        "A virtual machine that is set back in the middle of a session seals twice with the same nonce. Restart Sealwire after it.",
    ),
    (
        icons::DESKTOP,
        "This computer",
        "Who controls your computer while you are logged in reads what you read.",
    ),
];

pub(super) fn show(ui: &mut Ui) {
    muted(
        ui,
        "Payloads are sealed on this computer and opened by those who hold the key. This is what that does not cover.",
    );
    card(ui, |ui| {
        let t = tokens(ui);
        for (icon, head, text) in LIMITS {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                ui.label(icons::icon(icon, 18.0).color(t.text_muted));
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.add(Label::new(RichText::new(*head).font(fonts::medium(13.0)).color(t.text_strong)));
                    muted(ui, text);
                });
            });
            ui.add_space(3.0);
        }
    });
}

pub(super) fn about(ui: &mut Ui, model: &Model) {
    card(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            mark(ui, 48.0);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                title(ui, "Sealwire", 16.0);
                muted(ui, "End-to-end encrypted MQTT for people.");
            });
        });
        ui.add_space(6.0);
        let station = model.station.as_ref().map_or("–", |station| station.version.as_str());
        key_values(
            ui,
            &[
                ("This program", env!("CARGO_PKG_VERSION")),
                ("The station", station),
                ("Licence", "MIT or Apache-2.0, as you like"),
            ],
        );
    });
    card(ui, |ui| {
        section_header(ui, "Made with", None, |_| {});
        muted(
            ui,
            "Inter and JetBrains Mono (SIL Open Font License 1.1), Phosphor icons (MIT), and the Rust crates that Cargo.lock lists.",
        );
    });
    card(ui, |ui| {
        section_header(ui, "Keys of the keyboard", None, |_| {});
        key_values(
            ui,
            &[
                ("Ctrl+K", "Jump to any page, topic, key or action"),
                ("Ctrl+Enter", "Send the message"),
                ("Tab", "To the next control, as the eye goes"),
                ("Esc", "Close what is open"),
            ],
        );
    });
}
