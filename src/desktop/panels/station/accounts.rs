//! The accounts of the station: a table, and one of them whole.

use eframe::egui::{Align, Label, Layout, Rect, Response, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

use crate::{
    client::{AccountLine, RoleLine},
    desktop::{
        fonts, icons,
        model::Model,
        theme::{ROW_HEIGHT, Tone, tokens},
        when,
        widgets::{
            Button, EmptyState, caps, choice_card, icon_button_small, key_values, muted, pill, pill_row,
            title, waiting,
        },
    },
};

use super::{
    dialogs::Dialog,
    sessions::{HEADER, begin_table, cell_text, head},
};

fn is_own(line: &AccountLine, model: &Model) -> bool {
    model.account.as_ref().is_some_and(|account| account.username == line.username)
}

/// Draws the table, or why there is none. True when the search is to be cleared.
pub(super) fn show(ui: &mut Ui, model: &Model, find: &str, selected: &mut Option<String>) -> bool {
    let Some((accounts, roles)) = &model.accounts else {
        waiting(ui, "Asking the station for its accounts…");
        return false;
    };
    let find = find.trim().to_lowercase();
    let found: Vec<&AccountLine> = accounts
        .iter()
        .filter(|line| {
            line.username.to_lowercase().contains(&find) || line.role.to_lowercase().contains(&find)
        })
        .collect();
    if found.is_empty() {
        let text = format!("No account has “{find}” in its name or role.");
        let empty = EmptyState {
            icon: icons::USERS,
            title: "Nothing matches",
            text: &text,
            actions: &["Clear the search"],
        };
        return empty.show(ui).is_some();
    }
    table(ui, &found, roles, model, selected);
    false
}

fn table(
    ui: &mut Ui,
    accounts: &[&AccountLine],
    roles: &[RoleLine],
    model: &Model,
    selected: &mut Option<String>,
) {
    let t = tokens(ui);
    begin_table(ui);
    let mut bar = None;
    let shown = TableBuilder::new(ui)
        .id_salt("accounts")
        .striped(false)
        .sense(Sense::click())
        .auto_shrink(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::remainder().at_least(160.0).clip(true))
        .column(Column::exact(150.0).clip(true))
        .column(Column::exact(140.0))
        .column(Column::exact(110.0))
        .header(HEADER, |mut header| {
            for heading in ["Name", "Role", "One-time codes", "Made"] {
                header.col(|ui| head(ui, heading));
            }
        })
        .body(|body| {
            body.rows(ROW_HEIGHT, accounts.len(), |mut row| {
                let line = accounts[row.index()];
                let marked = selected.as_ref() == Some(&line.username);
                row.set_selected(marked);
                cells(&mut row, line, roles, is_own(line, model));
                let response = row.response();
                if marked {
                    bar = Some(response.rect);
                }
                name(&response, line, marked);
                if response.clicked() {
                    *selected = if marked { None } else { Some(line.username.clone()) };
                }
            });
        });
    if let Some(row) = bar {
        let rect = Rect::from_min_size(row.left_top() - vec2(4.0, 0.0), vec2(3.0, ROW_HEIGHT));
        ui.painter().with_clip_rect(shown.inner_rect.expand2(vec2(6.0, 0.0))).rect_filled(rect, 0, t.accent);
    }
}

fn cells(row: &mut TableRow<'_, '_>, line: &AccountLine, roles: &[RoleLine], own: bool) {
    row.col(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let ink = tokens(ui).text_muted;
        ui.add(Label::new(icons::icon(icons::USER, 14.0).color(ink)).selectable(false));
        cell_text(ui, &line.username, fonts::medium(12.5), tokens(ui).text_strong);
        if own {
            pill(ui, "you", Tone::Neutral);
        }
    });
    row.col(|ui| {
        let admin = roles.iter().any(|role| role.name == line.role && role.admin);
        let t = tokens(ui);
        ui.spacing_mut().item_spacing.x = 6.0;
        if admin {
            ui.add(Label::new(icons::icon(icons::USER_GEAR, 14.0).color(t.amber.text)).selectable(false));
        }
        cell_text(ui, &line.role, fonts::regular(12.5), t.text);
    });
    row.col(|ui| {
        let t = tokens(ui);
        ui.spacing_mut().item_spacing.x = 6.0;
        let (icon, ink, text) = match line.otp {
            true => (icons::CHECK_CIRCLE, Tone::Green.text(t), "On"),
            false => (icons::CIRCLE_DASHED, t.text_muted, "Off"),
        };
        ui.add(Label::new(icons::icon(icon, 14.0).color(ink)).selectable(false));
        cell_text(ui, text, fonts::regular(12.5), t.text);
    });
    row.col(|ui| cell_text(ui, &when::date(line.created_ms), fonts::mono(11.5), tokens(ui).text_muted));
}

/// Rows of a table have no name of their own.
fn name(response: &Response, line: &AccountLine, marked: bool) {
    response.widget_info(|| {
        let codes = if line.otp { "on" } else { "off" };
        let text = format!("Account {}, {}, one-time codes {codes}", line.username, line.role);
        WidgetInfo::selected(Role::Row, true, marked, text)
    });
}

/// Draws one account whole. Whether it is to be closed, and what is to be asked.
pub(super) fn detail(ui: &mut Ui, line: &AccountLine, model: &Model) -> (bool, Option<Dialog>) {
    let (mut close, mut wanted) = (false, None);
    let own = is_own(line, model);
    let roles = model.accounts.as_ref().map_or(&[][..], |(_, roles)| roles);
    ui.horizontal(|ui| {
        title(ui, "Account", 13.5);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = icon_button_small(ui, icons::X, "Close the account's details").clicked();
        });
    });
    ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
        if own {
            pill_row(ui, |ui| pill(ui, "you", Tone::Neutral));
            ui.add_space(4.0);
        }
        let made = when::date_time(line.created_ms);
        let codes = if line.otp { "on" } else { "off" };
        key_values(ui, &[("Name", &line.username), ("Role", &line.role), ("Codes", codes), ("Made", &made)]);
        ui.add_space(10.0);
        caps(ui, "Role");
        for role in roles {
            let chosen = role.name == line.role;
            let icon = if role.admin { icons::USER_GEAR } else { icons::USER };
            if choice_card(ui, chosen, icon, &role.name, &role.description).clicked() && !chosen {
                wanted = Some(Dialog::Role {
                    username: line.username.clone(),
                    role: role.name.clone(),
                    was: line.role.clone(),
                    own,
                });
            }
        }
        ui.add_space(10.0);
        if Button::danger("Remove the account…").icon(icons::TRASH).wide().show(ui).clicked() {
            wanted = Some(Dialog::Remove { username: line.username.clone(), own });
        }
        muted(ui, "Either is written into the station's audit log.");
    });
    (close, wanted)
}
