//! The app around the panels, through what a person sees and does, with a test at the session's far end.

#![cfg(feature = "desktop")]
#![allow(clippy::panic, clippy::expect_used, reason = "what these functions say fails the test")]

#[path = "desktop_app/broker.rs"]
mod broker;
#[path = "desktop_app/login.rs"]
mod login;
#[path = "desktop_app/pictures.rs"]
mod pictures;
#[path = "desktop_app/settings.rs"]
mod settings;
#[path = "desktop_app/world.rs"]
mod world;

use std::sync::atomic::Ordering;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use sealwire::client::{Asked, AuditLog, Command, Event, Failure, LinkState, OutboxState};
use world::*;

const SIZE: [f32; 2] = [1280.0, 820.0];
const PASSWORD: &str = "maple-lantern-42-otter";

fn failure(what: &str) -> Failure {
    Failure { what: what.into(), why: "The reason.".into(), next: "The next step.".into(), retry_after: None }
}

#[test]
fn a_role_is_offered_what_it_may_do_and_lands_there() {
    for (role, lands, missing) in [("publisher", "Publish", "Watch"), ("subscriber", "Watch", "Publish")] {
        let mut world = World::new(SIZE);
        world.logged_in(role);
        assert!(world.harness.query_all_by_label(lands).next().is_some(), "{role} sees {lands}");
        assert!(world.harness.query_all_by_label(missing).next().is_none(), "{role} has no {missing}");
    }
}

#[test]
fn an_idle_window_paints_no_frame() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Audit");
    world.tell([audit_lines(30)]);
    world.harness.remove_cursor();
    world.harness.run_steps(40);
    let delay = world.harness.output().viewport_output[&eframe::egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, std::time::Duration::MAX);
}

#[test]
fn a_lost_station_of_ones_own_can_be_started_again() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    let waiting =
        LinkState::Waiting { attempt: 2, retry_at_ms: u64::MAX / 4, reason: "Nothing answers.".into() };
    world.tell([Event::Link(waiting)]);
    assert!(world.sees("Not connected to the station.") && world.sees("Nothing answers."));
    world.click("Retry now");
    assert!(matches!(&world.asked()[..], [Command::RetryNow]));
    world.click("Start it again");
    world.await_command(|command| matches!(command, Command::RetryNow));
    assert_eq!(world.starts.load(Ordering::SeqCst), 2);
    world.tell([Event::Link(online())]);
    assert!(!world.sees("Not connected to the station."));
}

#[test]
fn a_session_that_ended_is_begun_again_without_leaving_the_page() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Keys");
    world.tell([Event::Link(LinkState::LogInAgain { reason: "12 hours passed.".into() })]);
    world.harness.get_all_by_label("Log in again…").next().expect("a way back").click();
    world.draw();
    world.fill("Password", PASSWORD);
    world.press(Key::Enter);
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::LogIn { username, second: None, .. }] if username == "ada"),
        "{asked:?}"
    );
    world.tell([Event::Failed(Asked::LogIn, failure("Wrong password."))]);
    assert!(world.sees("Wrong password."));
    world.tell([Event::LoggedIn(account("admin")), Event::Link(online())]);
    assert!(!world.sees("Log in again"));
    let selected = world
        .harness
        .get_all_by_label("Keys")
        .any(|node| node.accesskit_node().toggled() == Some(eframe::egui::accesskit::Toggled::True));
    assert!(selected, "the page is the same");
}

#[test]
fn logging_out_asks_only_while_messages_wait() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Queued)])]);
    world.click("Log out");
    assert!(world.asked().is_empty());
    assert!(world.sees("One message has not reached the broker yet."));
    world.click("Cancel");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Acknowledged { no_subscribers: false })])]);
    world.click("Log out");
    assert!(matches!(&world.asked()[..], [Command::LogOut]));
}

#[test]
fn ctrl_k_jumps_to_pages_topics_and_actions_by_keyboard_alone() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.tell([Event::Outbox(vec![outbox(1, OutboxState::Sent)])]);
    let type_and_enter = |world: &mut World, text: &str| {
        world.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
        world.draw();
        world.harness.get_by_label("Search or jump to").type_text(text);
        world.draw();
        world.press(Key::Enter);
    };
    type_and_enter(&mut world, "audit");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]), "{asked:?}");
    type_and_enter(&mut world, "light theme");
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [Command::SetPreference { name, value }] if name == "theme" && value == "light")
    );
    type_and_enter(&mut world, "line-1/press");
    assert_eq!(
        world.harness.get_by_label("Topic").value().as_deref(),
        Some("plant/line-1/press"),
        "a publisher who jumps to a topic wants to send there"
    );
    world.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    world.draw();
    world.press(Key::Escape);
    assert!(world.harness.query_by_label("Search or jump to").is_none());
}

#[test]
fn the_audit_page_filters_selects_and_verifies() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.click("Audit");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]), "{asked:?}");
    world.tell([audit_lines(40)]);
    assert!(world.sees("40 lines"));
    world.click("Refused");
    assert!(world.sees("of 40 lines"));
    world.press(Key::ArrowDown);
    assert!(world.sees("refused: no key") && world.sees("Copy the hash"));
    world.click("All");
    world.click("Verify the chain");
    assert!(matches!(&world.asked()[..], [Command::VerifyAudit { log: AuditLog::Publisher }]));
    world.tell([verdict(None)]);
    assert!(world.sees("The chain holds: 1,204 lines.") && world.sees("up to line 1,000"));
    world.tell([verdict(Some("line 611: its hash does not follow from line 610"))]);
    assert!(world.sees("The chain is broken.") && world.sees("line 611"));
}

#[test]
fn the_next_steps_lead_on_and_stay_closed() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.click("Add a second person");
    assert!(world.sees("On this computer: open Sealwire once more."));
    world.click("Done");
    world.click("Close the next steps");
    let closed = world.asked().into_iter().find_map(|command| match command {
        Command::SetPreference { name, value } if name == "next-steps.ada" => Some((name, value)),
        _ => None,
    });
    world.tell([Event::Preferences(vec![closed.expect("it is remembered")])]);
    assert!(!world.sees("Next steps"));
}

#[test]
fn the_remembered_theme_is_in_force_from_the_start() {
    for (value, dark) in [("dark", true), ("light", false)] {
        let mut world = World::new(SIZE);
        world.tell([Event::Preferences(vec![("theme".into(), value.into())])]);
        assert_eq!(world.harness.ctx.global_style().visuals.dark_mode, dark);
    }
}

#[test]
fn a_failure_that_no_page_shows_is_told_in_a_toast() {
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.tell([Event::Failed(Asked::ExportKey, failure("The key was not exported."))]);
    assert!(world.sees("The key was not exported."));
}

#[test]
fn in_a_low_window_the_next_steps_are_one_line_and_lead_on_as_well() {
    let height = |world: &World| {
        let rect = |name: &str| world.harness.get_by_label(name).rect();
        rect("Another computer").bottom() - rect("Next steps").top()
    };
    let mut world = World::new([1024.0, 700.0]);
    world.logged_in("admin");
    assert!(height(&world) < 40.0, "{}", height(&world));
    world.click("Add a second person");
    assert!(world.sees("On this computer: open Sealwire"));
    world = World::new(SIZE);
    world.logged_in("admin");
    assert!(height(&world) > 60.0, "a card, where there is room");
}

#[test]
fn what_arrived_earlier_is_opened_again_for_those_who_may_watch() {
    for (role, loads) in [("subscriber", true), ("publisher", false)] {
        let mut world = World::new(SIZE);
        world.connected(station(false));
        world.tell([Event::LoggedIn(account(role))]);
        let asked = world.asked();
        let loaded = asked.iter().any(|command| matches!(command, Command::LoadHistory { .. }));
        assert_eq!(loaded, loads, "{role}: {asked:?}");
    }
}

#[test]
fn the_audit_log_is_read_again_when_its_page_comes_back() {
    let mut world = World::new(SIZE);
    world.logged_in("publisher");
    world.click("Audit");
    world.tell([audit_lines(3)]);
    world.asked();
    world.draw();
    assert!(world.asked().is_empty(), "not with every frame");
    world.click("Keys");
    world.click("Audit");
    assert!(matches!(&world.asked()[..], [Command::ReadAudit { log: AuditLog::Publisher, .. }]));
}

#[test]
fn only_an_admin_is_offered_station_which_rests_when_another_page_is_on() {
    for role in ["publisher", "subscriber"] {
        let mut world = World::new(SIZE);
        world.logged_in(role);
        assert!(world.harness.query_by_label("Station").is_none(), "{role}");
    }
    let mut world = World::new(SIZE);
    world.logged_in("admin");
    world.asked();
    world.click("Station");
    let asked = world.asked();
    assert!(matches!(&asked[..], [Command::WatchBroker(true), Command::ListSessions { .. }]), "{asked:?}");
    world.click("Audit");
    let asked = world.asked();
    assert!(asked.iter().any(|command| matches!(command, Command::WatchBroker(false))), "{asked:?}");
    // Whose role is taken away has the page no longer.
    world.click("Station");
    world.tell([Event::Account(account("publisher"))]);
    assert!(world.harness.query_by_label("Station").is_none());
}
