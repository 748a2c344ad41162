//! The lines as a table: only what is in sight is drawn.

use eframe::egui::{
    Align, Color32, CornerRadius, FontId, Key, Label, Layout, Modifiers, Rect, Response, RichText, Role,
    Sense, TextWrapMode, Ui, WidgetInfo, vec2,
};
use egui_extras::{Column, TableBuilder, TableRow};

use crate::{
    client::AuditLine,
    desktop::{
        fonts, icons,
        theme::{RADIUS_SMALL, ROW_HEIGHT, Tone, tokens},
        when,
        widgets::size_text,
    },
};

/// Height of the head of the table.
const HEADER: f32 = 28.0;

/// Draws the lines at these indices and lets one be selected, by a click or by the arrow keys.
pub(super) fn show(ui: &mut Ui, lines: &[AuditLine], hits: &[u32], selected: &mut Option<u64>) {
    let t = tokens(ui);
    let mut place =
        selected.and_then(|number| hits.iter().position(|hit| lines[*hit as usize].number == number));
    let moved = step(ui, &mut place, hits.len());
    if moved {
        *selected = place.map(|place| lines[hits[place] as usize].number);
    }
    // egui_extras marks a selected row with the colour of selected text; ours is quieter.
    ui.visuals_mut().selection.bg_fill = t.row_selected;
    ui.visuals_mut().widgets.hovered.bg_fill = t.row_hover;
    ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
    ui.spacing_mut().item_spacing.y = 0.0;
    let wide = ui.available_width() > 820.0;
    let head =
        Rect::from_min_size(ui.cursor().min - vec2(4.0, 0.0), vec2(ui.available_width() + 8.0, HEADER));
    ui.painter().rect_filled(head, CornerRadius::same(RADIUS_SMALL), t.table_header);
    let mut table = TableBuilder::new(ui)
        .id_salt("audit lines")
        .striped(false)
        .sense(Sense::click())
        .auto_shrink(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(64.0))
        .column(Column::exact(150.0))
        .column(Column::exact(112.0))
        .column(Column::remainder().at_least(140.0).clip(true))
        .column(Column::exact(if wide { 190.0 } else { 130.0 }).clip(true));
    if wide {
        table = table.column(Column::exact(92.0));
    }
    if let (true, Some(place)) = (moved, place) {
        table = table.scroll_to_row(place, None);
    }
    let headings: &[&str] = &["Line", "Time", "Action", "Topic", "Outcome", "On the wire"];
    let mut bar = None;
    let columns = if wide { 6 } else { 5 };
    let shown = table
        .header(HEADER, |mut header| {
            for heading in &headings[..columns] {
                header.col(|ui| {
                    let text =
                        RichText::new(heading.to_uppercase()).font(fonts::medium(10.5)).color(t.text_muted);
                    ui.add(Label::new(text).selectable(false));
                });
            }
        })
        .body(|body| {
            body.rows(ROW_HEIGHT, hits.len(), |mut row| {
                let line = &lines[hits[row.index()] as usize];
                let marked = *selected == Some(line.number);
                row.set_selected(marked);
                cells(&mut row, line, wide);
                let response = row.response();
                if marked {
                    bar = Some(response.rect);
                }
                name(&response, line, marked);
                if response.clicked() {
                    *selected = if marked { None } else { Some(line.number) };
                }
            });
        });
    if let Some(row) = bar {
        let rect = Rect::from_min_size(row.left_top() - vec2(4.0, 0.0), vec2(3.0, ROW_HEIGHT));
        ui.painter().with_clip_rect(shown.inner_rect.expand2(vec2(6.0, 0.0))).rect_filled(rect, 0, t.accent);
    }
}

/// Up and down move the selection while no text field has the keyboard.
fn step(ui: &Ui, place: &mut Option<usize>, rows: usize) -> bool {
    if rows == 0 || ui.memory(|memory| memory.focused().is_some()) {
        return false;
    }
    let (down, up) = ui.input_mut(|input| {
        (input.consume_key(Modifiers::NONE, Key::ArrowDown), input.consume_key(Modifiers::NONE, Key::ArrowUp))
    });
    if down {
        *place = Some(place.map_or(0, |place| (place + 1).min(rows - 1)));
    }
    if up {
        *place = Some(place.map_or(0, |place| place.saturating_sub(1)));
    }
    down || up
}

fn cells(row: &mut TableRow<'_, '_>, line: &AuditLine, wide: bool) {
    let text = |ui: &mut Ui, text: &str, font: FontId, ink: Color32| {
        ui.add(Label::new(RichText::new(text).font(font).color(ink)).selectable(false));
    };
    row.col(|ui| text(ui, &super::grouped(line.number), fonts::regular(12.0), tokens(ui).text_muted));
    row.col(|ui| text(ui, &when::date_time(line.time_ms), fonts::mono(11.5), tokens(ui).text_muted));
    row.col(|ui| text(ui, &line.action, fonts::medium(12.5), tokens(ui).text_strong));
    row.col(|ui| text(ui, line.topic.as_deref().unwrap_or("–"), fonts::regular(12.5), tokens(ui).text));
    row.col(|ui| {
        let t = tokens(ui);
        let (icon, tone) =
            if line.ok { (icons::CHECK_CIRCLE, Tone::Green) } else { (icons::PROHIBIT, Tone::Red) };
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.add(Label::new(icons::icon(icon, 14.0).color(tone.text(t))).selectable(false));
        let ink = if line.ok { t.text } else { t.red.text };
        text(ui, &line.outcome, fonts::regular(12.5), ink);
    });
    if wide {
        row.col(|ui| {
            let size = line.wire_len.map_or_else(|| "–".to_owned(), |bytes| size_text(bytes as usize));
            text(ui, &size, fonts::regular(12.0), tokens(ui).text_muted);
        });
    }
}

/// Rows of a table have no name of their own.
fn name(response: &Response, line: &AuditLine, marked: bool) {
    response.widget_info(|| {
        let topic = line.topic.as_deref().unwrap_or("");
        let text = format!("Line {}: {} {topic} {}", line.number, line.action, line.outcome);
        WidgetInfo::selected(Role::Row, true, marked, text)
    });
}
