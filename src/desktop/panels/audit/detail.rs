//! One line of the log, whole.

use eframe::egui::{Align, Layout, ScrollArea, Ui};

use crate::{
    client::AuditLine,
    desktop::{
        icons,
        model::Outbound,
        theme::Tone,
        when,
        widgets::{Severity, caps, copy_line, icon_button_small, key_values, muted, pill_icon, title},
    },
};

/// Draws it. True when it is to be closed.
pub(super) fn show(ui: &mut Ui, line: &AuditLine, out: &mut Outbound) -> bool {
    let mut close = false;
    ui.horizontal(|ui| {
        title(ui, &format!("Line {}", super::grouped(line.number)), 13.5);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = icon_button_small(ui, icons::X, "Close the line").clicked();
        });
    });
    ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
        let (icon, tone) = if line.ok { (icons::CHECK_CIRCLE, Tone::Green) } else { (icons::PROHIBIT, Tone::Red) };
        pill_icon(ui, icon, &line.outcome, tone);
        ui.add_space(4.0);
        let time = when::date_time(line.time_ms);
        let bytes = |count: Option<u64>| count.map(|count| super::count_text(count, "byte"));
        let (plain, wire) = (bytes(line.plain_len), bytes(line.wire_len));
        let rows: Vec<(&str, &str)> = [
            ("Action", Some(line.action.as_str())),
            ("Time", Some(time.as_str())),
            ("Topic", line.topic.as_deref()),
            ("Suite", line.suite.as_deref()),
            ("In the open", plain.as_deref()),
            ("On the wire", wire.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        key_values(ui, &rows);
        if let Some(kid) = &line.kid {
            ui.add_space(6.0);
            caps(ui, "Key id");
            if copy_line(ui, "key id", kid) {
                out.toast(Severity::Success, "The key id is copied.");
            }
        }
        ui.add_space(6.0);
        caps(ui, "Hash of this line");
        if copy_line(ui, "hash", &line.hash) {
            out.toast(Severity::Success, "The hash is copied.");
        }
        muted(ui, "It covers this line and the hash of the line before, so no line can be changed or taken out unseen.");
    });
    close
}
