//! A page with every widget on it, inside the window's frame.

use eframe::egui::{CentralPanel, Panel, ScrollArea, Ui, vec2};
use sealwire::desktop::icons;
use sealwire::desktop::theme::Tone;
use sealwire::desktop::widgets::{
    Banner, Button, ButtonKind, EmptyState, PayloadForm, PayloadView, Problem, RailEntry, Severity, Shell,
    TextField, Toasts, TreeRow, caps, card, checkbox, combo, combo_inline, copy_line, dialog, dialog_buttons,
    icon_button, icon_button_framed, icon_toggle, key_values, muted, pill, pill_button, pill_icon, pill_row,
    progress, search_button, section_header, segmented, setting_row, status, status_button, status_text,
    switch, title, toggle, waiting,
};

/// What the page remembers.
pub(crate) struct Parts {
    pub(crate) clicked: Option<usize>,
    pub(crate) range: u8,
    pub(crate) suite: u8,
    pub(crate) on: bool,
    pub(crate) kept: bool,
    pub(crate) text: String,
    pub(crate) filter: String,
    pub(crate) open: bool,
    pub(crate) asked_for_more: bool,
    pub(crate) dialog: bool,
    pub(crate) confirmed: bool,
    pub(crate) toasts: Toasts,
    pub(crate) payload: Vec<u8>,
    pub(crate) form: PayloadForm,
}

impl Default for Parts {
    fn default() -> Self {
        let payload =
            br#"{"fix":"3d","lat":59.32932,"lon":18.06858,"speed_kmh":72.4,"ignition":true,"seq":901230}"#
                .to_vec();
        Self {
            clicked: None,
            range: 5,
            suite: 0,
            on: true,
            kept: true,
            text: "plant/line-1/press".to_owned(),
            filter: String::new(),
            open: true,
            asked_for_more: false,
            dialog: false,
            confirmed: false,
            toasts: Toasts::default(),
            payload,
            form: PayloadForm::Json,
        }
    }
}

impl Parts {
    pub(crate) fn ui(&mut self, ui: &mut Ui) {
        let rail = [
            RailEntry::new(icons::EYE, "Watch"),
            RailEntry::new(icons::PAPER_PLANE_TILT, "Publish"),
            RailEntry::new(icons::KEY, "Keys"),
            RailEntry::new(icons::USERS_THREE, "People").count(3),
            RailEntry::bottom(icons::BELL, "Notices").count(120),
            RailEntry::bottom(icons::GEAR_SIX, "Settings"),
            RailEntry::bottom(icons::SIGN_OUT, "Log out"),
        ];
        let shell = Shell { rail: &rail, active: 0, title: "Watch" };
        let clicked = shell.show(
            ui,
            |ui| {
                pill(ui, "this computer", Tone::Violet);
                pill_button(ui, icons::LOCK_SIMPLE, "Sealed with Sample", Tone::Green);
            },
            |ui| {
                search_button(ui, "Search or jump to…", "Ctrl K", 240.0);
                icon_button_framed(ui, icons::DOWNLOAD_SIMPLE, "Save what is shown…");
                Button::primary("Publish").icon(icons::PAPER_PLANE_TILT).show(ui);
            },
            |ui| {
                status_button(
                    ui,
                    Tone::Green,
                    "sealwire://this-computer:8883",
                    "What protects this connection",
                );
                status_text(ui, "MQTT 5 · TLS 1.3 · ada, admin");
            },
            |ui| {
                status_text(ui, "1,204 of 100,000 kept · 4.1 MiB");
            },
            |ui| self.content(ui),
        );
        self.clicked = clicked.or(self.clicked);
        self.toasts.show(ui.ctx());
        if self.dialog {
            self.dialog_ui(ui);
        }
    }

    fn dialog_ui(&mut self, ui: &mut Ui) {
        let answer = dialog(ui.ctx(), "delete", "Delete the key \"Sample\"?", 420.0, |ui| {
            muted(ui, "Messages that only this key opens stay closed for ever. This cannot be undone.");
            dialog_buttons(ui, ButtonKind::Danger, "Delete key", true, false)
        });
        self.confirmed |= answer.inner == Some(sealwire::desktop::widgets::DialogButton::Confirm);
        self.dialog &= !answer.close && answer.inner.is_none();
    }

    fn content(&mut self, ui: &mut Ui) {
        let side = eframe::egui::Frame::new().fill(eframe::egui::Color32::TRANSPARENT).inner_margin(14);
        Panel::left("topics").exact_size(250.0).frame(side).show(ui, |ui| self.tree(ui));
        Panel::right("message").exact_size(310.0).frame(side).show(ui, |ui| self.message(ui));
        CentralPanel::no_frame().show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).content_margin(16).show(ui, |ui| self.middle(ui));
        });
    }

    fn tree(&mut self, ui: &mut Ui) {
        section_header(ui, "Topics", Some("1,284"), |ui| {
            icon_button(ui, icons::PLUS, "Subscribe to a topic…");
        });
        TextField::new("Filter topics", &mut self.filter)
            .hide_label()
            .icon(icons::FUNNEL_SIMPLE)
            .hint("Filter topics")
            .compact()
            .show(ui);
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            if TreeRow::new("plant").open(self.open).trailing("212.0/s").show(ui).toggled {
                self.open ^= true;
            }
            if self.open {
                TreeRow::new("line-1").depth(1).open(true).trailing("104.0/s").show(ui);
                TreeRow::new("temperature").depth(2).trailing("26.0/s").show(ui);
                TreeRow::new("state").depth(2).selected(true).trailing("3.6/s").show(ui);
                TreeRow::new("a-very-long-topic-level-that-is-cut").depth(2).trailing("0.1/s").show(ui);
                TreeRow::new("line-2").depth(1).open(false).trailing("86.0/s").show(ui);
            }
            TreeRow::new("fleet").icon(icons::LOCK_SIMPLE).trailing("61.0/s").show(ui);
        });
        ui.add_space(8.0);
        setting_row(ui, "Sounds", "When somebody calls for help.", |ui| {
            switch(ui, &mut self.on, "Sounds");
        });
        toggle(ui, &mut self.on, "Follow");
        checkbox(ui, &mut self.kept, "Show retained messages too");
        waiting(ui, "Connecting to plant.example…");
        progress(ui, "firmware.bin", "12 s left", 0.62, Some("Cancel"));
    }

    fn message(&mut self, ui: &mut Ui) {
        section_header(ui, "Message", None, |ui| {
            icon_button(ui, icons::COPY, "Copy the message");
            icon_toggle(ui, icons::PUSH_PIN, "Pin this message", self.on);
        });
        pill_row(ui, |ui| {
            pill(ui, "QoS 0", Tone::Neutral);
            pill(ui, "retained", Tone::Amber);
            pill_icon(ui, icons::SEAL_CHECK, "signed", Tone::Teal);
            pill_icon(ui, icons::WARNING, "replayed", Tone::Red);
        });
        key_values(ui, &[("Received", "12:41:59.888"), ("Size", "79 B"), ("Sender", "truck-014, verified")]);
        caps(ui, "Payload");
        let view = PayloadView::new("opened", &self.payload, self.form).height(190.0);
        self.asked_for_more |= view.show(ui);
        caps(ui, "What the broker sees");
        PayloadView::new("sealed", &self.payload, PayloadForm::Hex).height(110.0).show(ui);
        copy_line(ui, "key id", "8f14e45fceea167a5a36dedd4bea2543");
    }

    fn middle(&mut self, ui: &mut Ui) {
        card(ui, |ui| {
            section_header(ui, "plant/line-1/press", None, |ui| {
                segmented(ui, "Range", &mut self.range, &[(1, "1m"), (5, "5m"), (15, "15m"), (60, "1h")]);
            });
            ui.horizontal(|ui| {
                status(ui, Tone::Green, "Connected");
                status(ui, Tone::Amber, "Reconnecting in 4 s");
                combo_inline(ui, "Quality of service", 90.0, &mut self.suite, &[(0, "QoS 0"), (1, "QoS 1")]);
            });
        });
        card(ui, |ui| {
            title(ui, "Buttons and fields", 13.5);
            ui.horizontal_wrapped(|ui| {
                Button::primary("Publish").icon(icons::PAPER_PLANE_TILT).show(ui);
                Button::secondary("Make a key…").show(ui);
                Button::ghost("Cancel").show(ui);
                Button::danger("Delete").icon(icons::TRASH).show(ui);
                Button::secondary("Not now").enabled(false).tooltip("Choose a topic first.").show(ui);
                Button::primary("Sending").busy(true).show(ui);
            });
            ui.horizontal(|ui| {
                TextField::new("Topic", &mut self.text).mono().width(160.0).show(ui);
                ui.allocate_ui(vec2(150.0, 60.0), |ui| {
                    combo(
                        ui,
                        "Suite",
                        &mut self.suite,
                        &[(0, "cose-a256gcm"), (1, "cose-chacha20"), (2, "fernet")],
                    );
                });
            });
        });
        Banner::new(Severity::Warning, "This topic is sent in the clear.")
            .why("Anyone between you and the readers can read it.")
            .next("Make a key for it, and give that key to the people you choose.")
            .action("Make a key…")
            .dismissible()
            .show(ui);
        let problem = Problem::new("Not delivered.", "The broker refused it: no role allows plant/#.", "");
        Banner::error(&problem).show(ui);
        Banner::new(Severity::Info, "A new version is there.").show(ui);
        Banner::new(Severity::Success, "Saved as sealwire-recovery-codes.txt.").show(ui);
        EmptyState {
            icon: icons::BROADCAST,
            title: "Nothing here yet",
            text: "Messages that you subscribed to appear here as they arrive, opened, with the proof beside them.",
            actions: &["Start the sample sensor", "Subscribe…"],
        }
        .show(ui);
    }
}
