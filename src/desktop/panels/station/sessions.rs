//! The sessions of the broker: a table, and one of them whole.

use eframe::egui::{
    Align, Color32, CornerRadius, FontId, Label, Layout, Rect, Response, RichText, Role, ScrollArea, Sense,
    TextWrapMode, Ui, WidgetInfo, vec2,
};
use egui_extras::{Column, TableBuilder, TableRow};

use crate::{
    client::SessionView,
    desktop::{
        fonts, icons,
        model::{Model, Outbound},
        theme::{RADIUS_SMALL, ROW_HEIGHT, Tone, tokens},
        when,
        widgets::{
            Button, EmptyState, Severity, caps, copy_line, icon_button_small, key_values, muted, pill,
            pill_icon, pill_row, size_text, title, waiting,
        },
    },
};

use super::{dialogs::Dialog, figures::duration_text, grouped};

/// Height of the head of a table.
pub(super) const HEADER: f32 = 28.0;

/// Whose it is, as a person reads it.
fn owner(session: &SessionView) -> &str {
    if session.account.is_empty() { "anonymous" } else { &session.account }
}

/// Whether it is this window's.
fn is_own(session: &SessionView, model: &Model) -> bool {
    let own = |account: &crate::client::AccountView| {
        account.client_id == session.client_id && account.username == session.account
    };
    model.account.as_ref().is_some_and(own)
}

fn speaks(session: &SessionView) -> String {
    match &session.connection {
        Some(connection) => format!("{} · {}", connection.protocol, connection.transport),
        None => "away".to_owned(),
    }
}

/// Draws the table, or why there is none. True when the search is to be cleared.
pub(super) fn show(ui: &mut Ui, model: &Model, find: &str, selected: &mut Option<u64>) -> bool {
    let Some(state) = &model.sessions else {
        waiting(ui, "Asking the station for its sessions…");
        return false;
    };
    if state.sessions.is_empty() {
        let (found, text) = match find.trim() {
            "" => (true, "Each client that connects to this station's broker is shown here.".to_owned()),
            find => (false, format!("No session has “{find}” in its client id, account or address.")),
        };
        let empty = EmptyState {
            icon: icons::PLUGS,
            title: if found { "Nobody is connected" } else { "Nothing matches" },
            text: &text,
            actions: if found { &[] } else { &["Clear the search"] },
        };
        return empty.show(ui).is_some();
    }
    table(ui, &state.sessions, model, selected);
    false
}

/// The columns after the first that there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Account,
    Speaks,
    Address,
    Waiting,
    InFlight,
    Will,
    Since,
}

impl Cell {
    const fn head(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Speaks => "Speaks",
            Self::Address => "Address",
            Self::Waiting => "Waiting",
            Self::InFlight => "In flight",
            Self::Will => "Will",
            Self::Since => "Since",
        }
    }

    const fn width(self) -> f32 {
        match self {
            Self::Account => 120.0,
            Self::Speaks => 124.0,
            Self::Address => 150.0,
            Self::Waiting => 110.0,
            Self::InFlight => 76.0,
            Self::Will => 140.0,
            Self::Since => 144.0,
        }
    }

    /// What fits beside a client id that can be read; what is lost first comes last.
    fn fitting(width: f32) -> Vec<Self> {
        let order = [
            Self::Account,
            Self::Speaks,
            Self::Waiting,
            Self::Since,
            Self::Address,
            Self::InFlight,
            Self::Will,
        ];
        let mut left = width - 260.0;
        let mut fitting = Vec::new();
        for cell in order {
            left -= cell.width() + 8.0;
            if left < 0.0 {
                break;
            }
            fitting.push(cell);
        }
        let shown = [
            Self::Account,
            Self::Speaks,
            Self::Address,
            Self::Waiting,
            Self::InFlight,
            Self::Will,
            Self::Since,
        ];
        shown.into_iter().filter(|cell| fitting.contains(cell)).collect()
    }
}

fn table(ui: &mut Ui, sessions: &[SessionView], model: &Model, selected: &mut Option<u64>) {
    let t = tokens(ui);
    begin_table(ui);
    let cells = Cell::fitting(ui.available_width());
    let mut table = TableBuilder::new(ui)
        .id_salt("sessions")
        .striped(false)
        .sense(Sense::click())
        .auto_shrink(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::remainder().at_least(150.0).clip(true));
    for cell in &cells {
        table = table.column(Column::exact(cell.width()).clip(true));
    }
    let mut bar = None;
    let shown = table
        .header(HEADER, |mut header| {
            for heading in std::iter::once("Client").chain(cells.iter().map(|cell| cell.head())) {
                header.col(|ui| head(ui, heading));
            }
        })
        .body(|body| {
            body.rows(ROW_HEIGHT, sessions.len(), |mut row| {
                let session = &sessions[row.index()];
                let marked = *selected == Some(session.id);
                row.set_selected(marked);
                row.col(|ui| client(ui, session, is_own(session, model)));
                for cell in &cells {
                    cell_ui(&mut row, *cell, session);
                }
                let response = row.response();
                if marked {
                    bar = Some(response.rect);
                }
                name(&response, session, marked);
                if response.clicked() {
                    *selected = if marked { None } else { Some(session.id) };
                }
            });
        });
    if let Some(row) = bar {
        let rect = Rect::from_min_size(row.left_top() - vec2(4.0, 0.0), vec2(3.0, ROW_HEIGHT));
        ui.painter().with_clip_rect(shown.inner_rect.expand2(vec2(6.0, 0.0))).rect_filled(rect, 0, t.accent);
    }
}

/// What both tables of the page have in common: quiet selection, one line a row, a darker head.
pub(super) fn begin_table(ui: &mut Ui) {
    let t = tokens(ui);
    ui.visuals_mut().selection.bg_fill = t.row_selected;
    ui.visuals_mut().widgets.hovered.bg_fill = t.row_hover;
    ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
    ui.spacing_mut().item_spacing.y = 0.0;
    let head =
        Rect::from_min_size(ui.cursor().min - vec2(4.0, 0.0), vec2(ui.available_width() + 8.0, HEADER));
    ui.painter().rect_filled(head, CornerRadius::same(RADIUS_SMALL), t.table_header);
}

/// A heading of a column.
pub(super) fn head(ui: &mut Ui, heading: &str) {
    let text = RichText::new(heading.to_uppercase()).font(fonts::medium(10.5)).color(tokens(ui).text_muted);
    ui.add(Label::new(text).selectable(false));
}

/// A text in a cell.
pub(super) fn cell_text(ui: &mut Ui, text: &str, font: FontId, ink: Color32) {
    ui.add(Label::new(RichText::new(text).font(font).color(ink)).selectable(false));
}

fn client(ui: &mut Ui, session: &SessionView, own: bool) {
    let t = tokens(ui);
    ui.spacing_mut().item_spacing.x = 6.0;
    let (icon, ink) = match session.connection {
        Some(_) => (icons::PLUGS_CONNECTED, Tone::Green.text(t)),
        None => (icons::PLUGS, t.text_faint),
    };
    ui.add(Label::new(icons::icon(icon, 14.0).color(ink)).selectable(false));
    cell_text(ui, &session.client_id, fonts::medium(12.5), t.text_strong);
    if own {
        pill(ui, "this window", Tone::Neutral);
    }
}

fn cell_ui(row: &mut TableRow<'_, '_>, cell: Cell, session: &SessionView) {
    row.col(|ui| {
        let t = tokens(ui);
        let (text, font, ink) = match cell {
            Cell::Account => (owner(session).to_owned(), fonts::regular(12.5), t.text),
            Cell::Speaks => (speaks(session), fonts::regular(12.5), t.text_muted),
            Cell::Address => {
                let address = session.connection.as_ref().map_or("–", |connection| &connection.address);
                (address.to_owned(), fonts::mono(11.5), t.text_muted)
            }
            Cell::Waiting if session.queued == 0 => ("–".to_owned(), fonts::regular(12.0), t.text_muted),
            Cell::Waiting => {
                let bytes = usize::try_from(session.queued_bytes).unwrap_or(usize::MAX);
                let text = format!("{} · {}", grouped(session.queued), size_text(bytes));
                (text, fonts::regular(12.0), t.text_strong)
            }
            Cell::InFlight if session.inflight == 0 => ("–".to_owned(), fonts::regular(12.0), t.text_muted),
            Cell::InFlight => (grouped(session.inflight), fonts::regular(12.0), t.text_strong),
            Cell::Will => {
                let will = session.will.as_deref().unwrap_or("–");
                (will.to_owned(), fonts::regular(12.0), t.text_muted)
            }
            Cell::Since => (since(session), fonts::mono(11.5), t.text_muted),
        };
        cell_text(ui, &text, font, ink);
    });
}

fn since(session: &SessionView) -> String {
    let at = match &session.connection {
        Some(connection) => Some(connection.since_ms),
        None => session.away_since_ms,
    };
    at.map_or_else(|| "–".to_owned(), when::date_time)
}

/// Rows of a table have no name of their own.
fn name(response: &Response, session: &SessionView, marked: bool) {
    response.widget_info(|| {
        let text = format!("Session {} of {}, {}", session.client_id, owner(session), speaks(session));
        WidgetInfo::selected(Role::Row, true, marked, text)
    });
}

/// Draws one session whole. Whether it is to be closed, and what is to be asked.
pub(super) fn detail(
    ui: &mut Ui,
    session: &SessionView,
    model: &Model,
    out: &mut Outbound,
) -> (bool, Option<Dialog>) {
    let (mut close, mut wanted) = (false, None);
    let own = is_own(session, model);
    ui.horizontal(|ui| {
        title(ui, "Session", 13.5);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = icon_button_small(ui, icons::X, "Close the session's details").clicked();
        });
    });
    ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
        pill_row(ui, |ui| {
            match session.connection {
                Some(_) => pill_icon(ui, icons::PLUGS_CONNECTED, "Connected", Tone::Green),
                None => pill_icon(ui, icons::PLUGS, "Away", Tone::Neutral),
            };
            if own {
                pill(ui, "this window", Tone::Neutral);
            }
        });
        ui.add_space(4.0);
        caps(ui, "Client id");
        if copy_line(ui, "client id", &session.client_id) {
            out.toast(Severity::Success, "The client id is copied.");
        }
        ui.add_space(6.0);
        facts(ui, session);
        ui.add_space(10.0);
        let client = format!("“{}” of {}", session.client_id, owner(session));
        let ask = |forget| Dialog::End { id: session.id, client: client.clone(), forget, own };
        if session.connection.is_some()
            && Button::secondary("End the connection…").icon(icons::PLUGS).wide().show(ui).clicked()
        {
            wanted = Some(ask(false));
        }
        if Button::danger("Remove the session…").icon(icons::TRASH).wide().show(ui).clicked() {
            wanted = Some(ask(true));
        }
        muted(ui, "Either is written into the station's audit log.");
    });
    (close, wanted)
}

fn facts(ui: &mut Ui, session: &SessionView) {
    let waiting = match session.queued {
        0 => "nothing".to_owned(),
        queued => {
            let bytes = usize::try_from(session.queued_bytes).unwrap_or(usize::MAX);
            format!("{}, {}", super::count_text(queued, "message"), size_text(bytes))
        }
    };
    let expiry = match (&session.connection, session.expiry_s) {
        (Some(_), 0) => "with its connection".to_owned(),
        (Some(_), seconds) => format!("{} after its connection", duration_text(seconds)),
        (None, seconds) => format!("in {}", duration_text(seconds)),
    };
    let keep_alive = session.connection.as_ref().map(|connection| match connection.keep_alive_s {
        0 => "none".to_owned(),
        seconds => format!("{seconds} s"),
    });
    let (since, speaks) = (since(session), speaks(session));
    let (inflight, subscriptions) = (grouped(session.inflight), grouped(session.subscriptions));
    let passed = format!("{} in, {} out", grouped(session.received), grouped(session.sent));
    let connected = session.connection.is_some();
    let rows: Vec<(&str, &str)> = [
        ("Account", Some(owner(session))),
        ("Role", Some(session.role.as_str()).filter(|role| !role.is_empty())),
        ("Speaks", Some(speaks.as_str()).filter(|_| connected)),
        ("Address", session.connection.as_ref().map(|connection| connection.address.as_str())),
        (if connected { "Since" } else { "Away since" }, Some(since.as_str())),
        ("Keep alive", keep_alive.as_deref()),
        ("Ends", Some(expiry.as_str())),
        ("Filters", Some(subscriptions.as_str())),
        ("Waiting", Some(waiting.as_str())),
        ("In flight", Some(inflight.as_str())),
        ("Messages", Some(passed.as_str())),
        ("Will", Some(session.will.as_deref().unwrap_or("none"))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    key_values(ui, &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_least_worth_reading_goes_first_where_the_table_is_narrow() {
        assert_eq!(Cell::fitting(2_000.0).len(), 7);
        let narrow = Cell::fitting(640.0);
        assert_eq!(narrow, [Cell::Account, Cell::Speaks, Cell::Waiting]);
        assert!(Cell::fitting(200.0).is_empty());
    }
}
