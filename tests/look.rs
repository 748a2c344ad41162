//! The screens before login and the widgets, as a person meets them: by label, by keyboard, and as pictures.
//!
//! The pictures are in `tests/snapshots/`; `UPDATE_SNAPSHOTS=1` renews those that changed. They need a Vulkan driver
//! (Debian: `mesa-vulkan-drivers`) and should not run side by side.

#![cfg(feature = "desktop")]
#![allow(clippy::panic, clippy::expect_used, reason = "what these functions say fails the test")]

#[path = "look/gallery.rs"]
mod gallery;

use eframe::egui::{Event, Key, Rect, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use gallery::{LARGE, Parts, SMALL, Scene, Screen, open, open_scaled};
use sealwire::desktop::screens::{
    LoginForm, OneTimeForm, RecoveryForm, ResetBy, ScreenAction, SecondFactor, Starting, StationForm,
};
use sealwire::desktop::theme::ThemeChoice::{self, Dark, Light};
use sealwire::desktop::widgets::{PayloadForm, Severity};

fn login_form(scene: &Scene) -> &LoginForm {
    match &scene.screen {
        Screen::Login(form) => form,
        _ => panic!("not the log in screen"),
    }
}

fn parts(scene: &mut Scene) -> &mut Parts {
    match &mut scene.screen {
        Screen::Parts(parts) => parts,
        _ => panic!("not the page of parts"),
    }
}

fn press(harness: &mut Harness<'_, Scene>, key: Key) {
    harness.key_press(key);
    harness.run();
}

fn type_text(harness: &mut Harness<'_, Scene>, text: &str) {
    harness.event(Event::Text(text.to_owned()));
    harness.run();
}

fn click(harness: &mut Harness<'_, Scene>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn empty_login() -> Screen {
    Screen::Login(LoginForm { may_create: true, ..LoginForm::default() })
}

/// Every screen by name, and how to fill it.
type Named = (&'static str, fn() -> Screen);

fn every_screen() -> [Named; 15] {
    [
        ("starting", || Screen::Starting(Starting::default())),
        ("starting failed", gallery::starting_failed),
        ("create the first account", gallery::create_first),
        ("create an account", gallery::create_roles),
        ("one-time codes", gallery::one_time),
        ("recovery codes", gallery::recovery),
        ("log in", gallery::login),
        ("log in failed", gallery::login_error),
        ("forgot password", || Screen::Forgot),
        ("reset by recovery code", || gallery::reset(ResetBy::RecoveryCode)),
        ("reset by one-time code", || gallery::reset(ResetBy::OneTimeCode)),
        ("another station", gallery::station_ask),
        ("pin a station", gallery::station_found),
        ("changed station", gallery::station_changed),
        ("parts", || Screen::Parts(Box::default())),
    ]
}

#[test]
fn every_screen_settles_and_names_every_control_in_both_themes_and_sizes() {
    for (_, make) in every_screen() {
        for (theme, size) in [(Dark, LARGE), (Light, SMALL)] {
            // `run` panics where a control has no name or the page never comes to rest.
            open(make(), theme, size).run();
        }
    }
}

#[test]
fn on_a_small_screen_with_large_text_tab_brings_every_control_into_view() {
    for (name, make) in every_screen().into_iter().filter(|(name, _)| *name != "parts") {
        let mut harness = open_scaled(make(), Dark, SMALL, 1.5);
        let window = Rect::from_min_size(pos2(0.0, 0.0), vec2(SMALL[0] / 1.5, SMALL[1] / 1.5));
        let mut seen = Vec::new();
        for _ in 0..24 {
            press(&mut harness, Key::Tab);
            harness.run();
            let focused = harness.root().children_recursive().find(|node| node.accesskit_node().is_focused());
            let Some(node) = focused else { continue };
            let label = node.accesskit_node().label().unwrap_or_default();
            assert!(
                window.contains_rect(node.rect()),
                "{name}: \"{label}\" is out of view at {:?}",
                node.rect()
            );
            seen.push(label);
        }
        seen.sort();
        seen.dedup();
        assert!(name == "starting" || !seen.is_empty(), "{name}: nothing takes the focus");
    }
}

#[test]
fn a_person_logs_in_with_the_keyboard_alone() {
    let mut harness = open(empty_login(), Dark, LARGE);
    type_text(&mut harness, "ada");
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [], "nothing to submit yet");
    press(&mut harness, Key::Tab);
    type_text(&mut harness, "correct horse");
    // Past the eye, to the code.
    press(&mut harness, Key::Tab);
    press(&mut harness, Key::Tab);
    type_text(&mut harness, "123456");
    press(&mut harness, Key::Tab);
    press(&mut harness, Key::Space);
    harness.get_by_label("One-time code").focus();
    harness.run();
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [ScreenAction::LogIn]);
    let form = login_form(harness.state());
    assert_eq!(form.username, "ada");
    assert_eq!(form.password.as_str(), "correct horse");
    assert_eq!(form.code.as_str(), "123456");
    assert!(form.remember);
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions.len(), 2, "after a failure, Enter in the same field tries again");
}

#[test]
fn enter_on_a_link_follows_the_link_and_does_not_log_in() {
    let mut harness = open(gallery::login(), Dark, LARGE);
    harness.get_by_label("Forgot password?").focus();
    harness.run();
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [ScreenAction::GoToForgot]);
}

#[test]
fn while_a_login_is_under_way_it_cannot_be_sent_again() {
    let form =
        LoginForm { username: "ada".to_owned(), password: "x".into(), busy: true, ..LoginForm::default() };
    let mut harness = open(Screen::Login(form), Light, SMALL);
    click(&mut harness, "Log in");
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, []);
}

#[test]
fn a_password_is_masked_until_the_eye_is_pressed() {
    let mut harness = open(gallery::login(), Dark, LARGE);
    assert_eq!(harness.get_by_label("Password").value().as_deref(), Some("•••••••••••••"));
    click(&mut harness, "Show the password");
    assert_eq!(harness.get_by_label("Password").value().as_deref(), Some("correct horse"));
    click(&mut harness, "Hide the password");
    assert_eq!(harness.get_by_label("Password").value().as_deref(), Some("•••••••••••••"));
}

#[test]
fn a_recovery_code_can_stand_in_for_a_lost_authenticator() {
    let form = LoginForm { factor: SecondFactor::RecoveryCode, ..LoginForm::default() };
    let mut harness = open(Screen::Login(form), Dark, LARGE);
    harness.get_by_label("Recovery code").focus();
    harness.run();
    type_text(&mut harness, "AAAAA-BBBBB");
    click(&mut harness, "Use a one-time code instead");
    assert!(harness.query_by_label("Recovery code").is_none());
    assert!(login_form(harness.state()).code.is_empty(), "a recovery code is not sent as a one-time code");
}

#[test]
fn escape_and_the_button_both_go_back() {
    for screen in
        [gallery::station_ask, gallery::station_found, gallery::station_changed, gallery::create_roles]
    {
        let mut harness = open(screen(), Dark, LARGE);
        press(&mut harness, Key::Escape);
        click(&mut harness, "Back");
        assert_eq!(harness.state().actions, [ScreenAction::Back, ScreenAction::Back]);
    }
}

#[test]
fn a_changed_key_offers_no_way_to_trust_it() {
    let mut harness = open(gallery::station_changed(), Dark, LARGE);
    assert!(harness.query_by_label_contains("trust it").is_none());
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [ScreenAction::Back], "Enter stops; it never pins");
}

#[test]
fn a_found_station_is_pinned_only_by_its_button() {
    let mut harness = open(gallery::station_found(), Dark, LARGE);
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, []);
    click(&mut harness, "It is the same: trust it");
    assert_eq!(harness.state().actions, [ScreenAction::PinStation]);
}

#[test]
fn an_address_is_looked_up_with_enter() {
    let mut harness = open(Screen::Station(StationForm::default()), Light, SMALL);
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, []);
    harness.get_by_label("Address or invite link").focus();
    harness.run();
    type_text(&mut harness, "plant.example:8443");
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [ScreenAction::CheckStation]);
}

#[test]
fn a_role_is_picked_and_a_bad_password_cannot_be_sent() {
    let mut harness = open(gallery::create_roles(), Dark, LARGE);
    click(&mut harness, "Publisher");
    let Screen::Create(form) = &harness.state().screen else { panic!("not the create screen") };
    assert_eq!(form.roles[form.role].role, "publisher");
    click(&mut harness, "Create account");
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, []);
}

#[test]
fn typing_a_new_password_asks_for_its_strength() {
    let mut harness = open(gallery::create_first(), Dark, LARGE);
    type_text(&mut harness, "!");
    assert_eq!(harness.state().actions, [ScreenAction::JudgePassword]);
}

#[test]
fn the_first_code_is_checked_when_it_is_complete() {
    let mut harness = open(gallery::one_time(), Dark, LARGE);
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, []);
    press(&mut harness, Key::End);
    type_text(&mut harness, " 07x9");
    let Screen::OneTime(form) = &harness.state().screen else { panic!("not the one-time code screen") };
    assert_eq!(form.code, "482107");
    press(&mut harness, Key::Enter);
    assert_eq!(harness.state().actions, [ScreenAction::ConfirmOneTime]);
}

#[test]
fn one_time_codes_can_be_postponed_only_where_the_station_allows_it() {
    let mut harness = open(gallery::one_time(), Dark, LARGE);
    click(&mut harness, "Later");
    assert_eq!(harness.state().actions, [ScreenAction::PostponeOneTime]);
    let harness = open(Screen::OneTime(OneTimeForm::default()), Dark, LARGE);
    assert!(harness.query_by_label("Later").is_none());
}

#[test]
fn recovery_codes_must_be_kept_before_going_on() {
    let codes = vec!["AAAAA-AAAAA-AAAAA-AAAAA-AAAAA".to_owned().into()];
    let form = RecoveryForm { codes, ..RecoveryForm::default() };
    let mut harness = open(Screen::Recovery(form), Dark, LARGE);
    click(&mut harness, "Continue");
    assert_eq!(harness.state().actions, []);
    click(&mut harness, "Save to a file…");
    click(&mut harness, "I have kept them in a safe place");
    click(&mut harness, "Continue");
    assert_eq!(harness.state().actions, [ScreenAction::SaveRecoveryCodes, ScreenAction::RecoveryCodesKept]);
}

#[test]
fn each_way_out_of_a_forgotten_password_leads_where_it_says() {
    let ways = [
        ("A recovery code", ScreenAction::GoToReset(ResetBy::RecoveryCode)),
        ("Only my authenticator app", ScreenAction::GoToReset(ResetBy::OneTimeCode)),
        ("My password, but not my app", ScreenAction::GoToLoginWithRecoveryCode),
    ];
    for (label, action) in ways {
        let mut harness = open(Screen::Forgot, Dark, LARGE);
        click(&mut harness, label);
        assert_eq!(harness.state().actions, [action]);
    }
}

fn open_parts(theme: ThemeChoice) -> Harness<'static, Scene> {
    open(Screen::Parts(Box::default()), theme, LARGE)
}

#[test]
fn the_rail_says_which_entry_was_clicked() {
    let mut harness = open_parts(Dark);
    click(&mut harness, "Keys");
    assert_eq!(parts(harness.state_mut()).clicked, Some(2));
    click(&mut harness, "People, 3 new");
    assert_eq!(parts(harness.state_mut()).clicked, Some(3));
}

#[test]
fn controls_change_what_they_are_bound_to() {
    let mut harness = open_parts(Light);
    click(&mut harness, "15m");
    click(&mut harness, "Show retained messages too");
    click(&mut harness, "Follow");
    let parts = parts(harness.state_mut());
    assert_eq!((parts.range, parts.kept, parts.on), (15, false, false));
}

#[test]
fn a_combo_box_is_opened_and_answered_by_name() {
    let mut harness = open_parts(Dark);
    click(&mut harness, "Suite");
    click(&mut harness, "fernet");
    assert_eq!(parts(harness.state_mut()).suite, 2);
}

#[test]
fn a_tree_opens_and_closes_with_the_arrow_keys() {
    let mut harness = open_parts(Dark);
    harness.get_by_label("plant").focus();
    harness.run();
    press(&mut harness, Key::ArrowLeft);
    assert!(!parts(harness.state_mut()).open);
    press(&mut harness, Key::ArrowRight);
    assert!(parts(harness.state_mut()).open);
}

#[test]
fn a_dialog_closes_with_escape_and_acts_only_by_its_button() {
    let mut harness = open_parts(Dark);
    parts(harness.state_mut()).dialog = true;
    harness.run();
    press(&mut harness, Key::Escape);
    assert!(!parts(harness.state_mut()).dialog);
    assert!(!parts(harness.state_mut()).confirmed);
    parts(harness.state_mut()).dialog = true;
    harness.run();
    click(&mut harness, "Delete key");
    assert!(parts(harness.state_mut()).confirmed);
}

#[test]
fn a_toast_can_be_read_and_dismissed() {
    let mut harness = open_parts(Dark);
    parts(harness.state_mut()).toasts.push(Severity::Error, "Another window logged out");
    harness.run();
    assert!(harness.query_all_by_label("Another window logged out").next().is_some());
    let last = harness.get_all_by_label("Dismiss").last().expect("a cross");
    last.click();
    harness.run();
    assert!(parts(harness.state_mut()).toasts.is_empty());
}

#[test]
fn a_huge_payload_is_laid_out_only_as_far_as_it_is_seen() {
    for form in [PayloadForm::Hex, PayloadForm::Text, PayloadForm::Json] {
        let mut harness = open_parts(Dark);
        let parts_now = parts(harness.state_mut());
        parts_now.payload = b"[\"reading\", 12.5], ".repeat(600_000);
        parts_now.form = form;
        harness.run();
        let rows = harness.query_all_by_role(eframe::egui::Role::Label).count();
        assert!(rows < 200, "{form:?}: {rows} labels are laid out");
        assert!(harness.query_all_by_label_contains("First 64 KiB of 10.9 MiB").next().is_some());
        harness.get_all_by_label("Show more").next().expect("the way to the rest").click();
        harness.run();
        assert!(parts(harness.state_mut()).asked_for_more);
    }
}

#[test]
fn colours_come_only_from_the_tokens() {
    fn rust_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                rust_files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let desktop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desktop");
    let mut files = Vec::new();
    rust_files(&desktop, &mut files);
    assert!(files.len() > 30);
    // A QR code is black on white in every theme.
    files.retain(|file| {
        !file.starts_with(desktop.join("theme")) && !file.ends_with("theme.rs") && !file.ends_with("qr.rs")
    });
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        for (number, line) in source.lines().enumerate() {
            let literal =
                ["from_rgb", "from_gray", "from_black", "from_white", "WHITE", "BLACK", "RED", "GRAY"]
                    .iter()
                    .any(|name| line.contains(&format!("Color32::{name}")));
            assert!(!literal, "{}:{}: take this colour from the tokens", file.display(), number + 1);
        }
    }
}

/// The pictures: name, screen, theme, size.
type Picture = (&'static str, fn() -> Screen, ThemeChoice, [f32; 2]);

#[test]
fn pictures_are_as_they_were() {
    let pictures: [Picture; 12] = [
        ("login_dark", gallery::login, Dark, LARGE),
        ("login_error_light", gallery::login_error, Light, SMALL),
        ("starting_failed_light", gallery::starting_failed, Light, SMALL),
        ("create_first_dark", gallery::create_first, Dark, SMALL),
        ("create_roles_light", gallery::create_roles, Light, SMALL),
        ("one_time_dark", gallery::one_time, Dark, SMALL),
        ("recovery_light", gallery::recovery, Light, SMALL),
        ("forgot_dark", || Screen::Forgot, Dark, SMALL),
        ("reset_code_dark", || gallery::reset(ResetBy::OneTimeCode), Dark, SMALL),
        ("station_changed_light", gallery::station_changed, Light, SMALL),
        ("parts_dark", || Screen::Parts(Box::default()), Dark, [1024.0, 620.0]),
        ("parts_light", || Screen::Parts(Box::default()), Light, [1024.0, 620.0]),
    ];
    let mut results = egui_kittest::SnapshotResults::new();
    for (name, make, theme, size) in pictures {
        let mut harness = open(make(), theme, size);
        results.add(harness.try_snapshot(format!("look_{name}")));
    }
}
