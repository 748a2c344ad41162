//! Station, for an admin: what the broker does, who is connected, who has an account; and what is ended or changed.

use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use sealwire::{
    client::{AccountLine, Asked, Command, ConnectionView, Event, Failure, RoleLine, SessionView},
    desktop::theme::ThemeChoice,
};

use crate::scene::*;

fn session(id: u64, client: &str, account: &str) -> SessionView {
    SessionView {
        id,
        client_id: client.into(),
        account: account.into(),
        role: "publisher".into(),
        connection: Some(ConnectionView {
            address: format!("192.0.2.{}:5{id:04}", id % 250),
            protocol: if id.is_multiple_of(3) { "MQTT 3.1.1" } else { "MQTT 5" }.into(),
            transport: "TLS".into(),
            since_ms: 1_795_000_000_000 + id * 977_000,
            keep_alive_s: 60,
        }),
        away_since_ms: None,
        expiry_s: 604_800,
        subscriptions: 2,
        queued: 0,
        queued_bytes: 0,
        inflight: 0,
        received: 1_204,
        sent: 88,
        will: (id % 4 == 1).then(|| format!("plant/{client}/state")),
    }
}

fn away(id: u64, client: &str, account: &str) -> SessionView {
    SessionView {
        connection: None,
        away_since_ms: Some(1_795_000_300_000),
        expiry_s: 93_600,
        queued: 1_240,
        queued_bytes: 310_000,
        ..session(id, client, account)
    }
}

fn listed(find: &str, sessions: Vec<SessionView>) -> Event {
    Event::Sessions { find: find.into(), total: sessions.len(), sessions }
}

fn sessions() -> Event {
    let mut all = vec![
        session(1, "sealwire-7f3a", "anna"),
        SessionView { inflight: 12, ..session(2, "press-line-1", "paul") },
        away(3, "archive", "ben"),
        SessionView {
            account: String::new(),
            role: "subscriber".into(),
            ..session(4, "mosqsub|4711-hall", "")
        },
    ];
    all.extend((5..40).map(|id| session(id, &format!("sensor-{id:03}"), "paul")));
    listed("", all)
}

fn account(name: &str, role: &str, otp: bool) -> AccountLine {
    AccountLine { username: name.into(), role: role.into(), otp, created_ms: 1_795_000_000_000 }
}

fn accounts() -> Event {
    let role = |name: &str, description: &str, admin| RoleLine {
        name: name.into(),
        description: description.into(),
        admin,
    };
    Event::Accounts {
        accounts: vec![
            account("anna", "admin", true),
            account("ben", "subscriber", true),
            account("paul", "publisher", false),
        ],
        roles: vec![
            role("admin", "Everything, and the station's own topics.", true),
            role("publisher", "Sends, everywhere but under $.", false),
            role("subscriber", "Watches, everywhere but under $.", false),
        ],
    }
}

fn round(uptime: u64, received: u64, sent: u64) -> Event {
    let figure = |name: &str, value: String| (name.to_owned(), value);
    Event::Figures(vec![
        figure("version", "sealwire version 0.1.0".into()),
        figure("clients/connected", "38".into()),
        figure("clients/disconnected", "1".into()),
        figure("clients/maximum", "41".into()),
        figure("publish/messages/received", received.to_string()),
        figure("publish/messages/sent", sent.to_string()),
        figure("publish/messages/dropped", "0".into()),
        figure("messages/inflight", "12".into()),
        figure("retained messages/count", "57".into()),
        figure("store/messages/count", "1297".into()),
        figure("store/messages/bytes", "402000".into()),
        figure("uptime", format!("{uptime} seconds")),
    ])
}

fn failure(why: &str) -> Failure {
    Failure { what: "It was not done.".into(), why: why.into(), next: "Try again.".into(), retry_after: None }
}

fn ready() -> Scene {
    let mut scene = Scene::new(Page::Station, model("admin"));
    scene.tell(round(7_500, 1_000, 3_000));
    scene.tell(round(7_510, 1_420, 4_500));
    scene.tell(sessions());
    scene
}

/// What was asked since, without what is asked again and again.
fn done(harness: &Harness<'_, Scene>) -> Vec<String> {
    let again = |command: &&Command| {
        !matches!(command, Command::ListSessions { .. } | Command::ListAccounts | Command::WatchBroker(_))
    };
    asked(harness).iter().filter(again).map(|command| format!("{command:?}")).collect()
}

fn lists(harness: &Harness<'_, Scene>) -> Vec<String> {
    let list = |command: &Command| match command {
        Command::ListSessions { find } => Some(find.clone()),
        _ => None,
    };
    asked(harness).iter().filter_map(list).collect()
}

#[test]
fn the_page_asks_while_it_is_on_and_rests_when_another_is() {
    let mut harness = open(Scene::new(Page::Station, model("admin")));
    assert!(sees(&harness, "Asking the broker for its figures…"));
    assert!(sees(&harness, "Asking the station for its sessions…"));
    assert!(asked(&harness).iter().any(|command| matches!(command, Command::WatchBroker(true))));
    assert_eq!(lists(&harness), [""], "asked once, not in every frame");
    harness.state_mut().tell(sessions());
    settle(&mut harness);
    assert!(sees(&harness, "39 sessions") && sees(&harness, "press-line-1"));
    // A step of the test's clock is a quarter of a second.
    harness.run_steps(16);
    assert_eq!(lists(&harness), ["", ""], "looked at again after three seconds");
    harness.state_mut().tell(sessions());
    click(&mut harness, "Keys");
    let watched = |harness: &Harness<'_, Scene>| {
        let watch = |command: &Command| match command {
            Command::WatchBroker(on) => Some(*on),
            _ => None,
        };
        asked(harness).iter().filter_map(watch).collect::<Vec<_>>()
    };
    assert_eq!(watched(&harness), [true, false]);
    let before = lists(&harness).len();
    harness.run_steps(40);
    assert_eq!(lists(&harness).len(), before, "nothing is asked from another page");
    click(&mut harness, "Station");
    assert_eq!(watched(&harness), [true, false, true]);
    assert!(lists(&harness).len() > before, "at once");
}

#[test]
fn the_brokers_own_figures_are_shown_with_the_pace_between_two_rounds() {
    let harness = open(ready());
    for text in [
        "38",
        "1 away, 41 at most",
        "42.0",
        "1,420 in all",
        "1,240",
        "12 in flight",
        "57",
        "sealwire 0.1.0 · up 2 h 5 min",
        "out 150.0",
    ] {
        assert!(sees(&harness, text), "{text}");
    }
}

#[test]
fn a_broker_that_gives_no_figures_says_why_and_the_sessions_are_there_all_the_same() {
    let mut scene = Scene::new(Page::Station, model("admin"));
    scene.tell(sessions());
    let mut harness = open(scene);
    harness
        .state_mut()
        .tell(Event::Failed(Asked::Figures, failure("The role has no rule for $SYS/broker/#.")));
    settle(&mut harness);
    assert!(sees(&harness, "The role has no rule for $SYS/broker/#.") && sees(&harness, "press-line-1"));
}

#[test]
fn a_search_is_asked_of_the_station_and_what_it_finds_not_is_told() {
    let mut harness = open(ready());
    harness.state_mut().tell(sessions());
    type_into(&mut harness, "Find", "press");
    assert_eq!(lists(&harness).last().map(String::as_str), Some("press"));
    harness.state_mut().tell(listed("press", vec![session(2, "press-line-1", "paul")]));
    settle(&mut harness);
    assert!(sees(&harness, "1 session") && !sees(&harness, "sensor-005"));
    harness.state_mut().tell(listed("press", Vec::new()));
    settle(&mut harness);
    assert!(sees(&harness, "No session has “press” in its client id, account or address."));
    click(&mut harness, "Clear the search");
    harness.state_mut().tell(Event::Sessions {
        find: String::new(),
        total: 12_000,
        sessions: vec![session(2, "press-line-1", "paul")],
    });
    settle(&mut harness);
    assert_eq!(lists(&harness).last().map(String::as_str), Some(""));
    assert!(sees(&harness, "the first 1 of 12,000"));
}

#[test]
fn a_connection_is_ended_only_after_a_question_and_a_failure_stays_in_it() {
    let mut harness = open(ready());
    click(&mut harness, "Session press-line-1 of paul, MQTT 5 · TLS");
    assert!(sees(&harness, "192.0.2.2:50002") && sees(&harness, "7 d 0 h after its connection"));
    click(&mut harness, "End the connection…");
    assert!(done(&harness).is_empty() && sees(&harness, "“press-line-1” of paul is disconnected"));
    click(&mut harness, "Cancel");
    click(&mut harness, "End the connection…");
    click(&mut harness, "End the connection");
    assert_eq!(done(&harness), ["EndSession { id: 2, forget: false }"]);
    harness.state_mut().tell(Event::Failed(Asked::EndSession, failure("It is not there any more.")));
    settle(&mut harness);
    assert!(sees(&harness, "It is not there any more."));
    click(&mut harness, "Cancel");
    click(&mut harness, "Remove the session…");
    assert!(!sees(&harness, "It is not there any more."), "that was another question's");
    assert!(sees(&harness, "what waits for it is deleted"));
    click(&mut harness, "Remove the session");
    assert_eq!(done(&harness).last().map(String::as_str), Some("EndSession { id: 2, forget: true }"));
    let before = lists(&harness).len();
    harness.state_mut().tell(Event::SessionEnded { id: 2, forgotten: true });
    harness.state_mut().tell(listed("", vec![session(5, "sensor-005", "paul")]));
    settle(&mut harness);
    assert!(harness.query_by_label("Remove the session").is_none(), "the question is closed");
    assert!(!sees(&harness, "press-line-1"), "and so are its details");
    assert!(lists(&harness).len() > before, "the list is asked for again at once");
}

#[test]
fn who_is_away_and_who_has_no_name_and_ones_own_window_are_told_apart() {
    let mut harness = open(ready());
    assert!(sees(&harness, "this window") && sees(&harness, "anonymous"));
    click(&mut harness, "Session archive of ben, away");
    assert!(sees(&harness, "Away since") && sees(&harness, "in 1 d 2 h"));
    assert!(sees(&harness, "1,240 messages, 303 KiB"));
    assert!(harness.query_by_label("End the connection…").is_none(), "there is none");
    click(&mut harness, "Session sealwire-7f3a of anna, MQTT 5 · TLS");
    click(&mut harness, "End the connection…");
    assert!(sees(&harness, "It is this window's own connection: it comes back by itself."));
}

#[test]
fn a_role_is_changed_and_an_account_removed_only_after_a_question() {
    let mut harness = open(ready());
    click(&mut harness, "Accounts");
    assert!(sees(&harness, "Asking the station for its accounts…"));
    assert!(asked(&harness).iter().any(|command| matches!(command, Command::ListAccounts)));
    harness.state_mut().tell(accounts());
    settle(&mut harness);
    assert!(sees(&harness, "3 accounts"));
    type_into(&mut harness, "Find", "pau");
    assert!(harness.query_by_label("Account ben, subscriber, one-time codes on").is_none());
    click(&mut harness, "Account paul, publisher, one-time codes off");
    click(&mut harness, "admin");
    assert!(done(&harness).is_empty() && sees(&harness, "Make paul admin?"));
    click(&mut harness, "Change the role");
    assert_eq!(done(&harness), ["SetRole { username: \"paul\", role: \"admin\" }"]);
    harness.state_mut().tell(Event::AccountChanged { username: "paul".into() });
    settle(&mut harness);
    assert!(!sees(&harness, "Make paul admin?"));
    click(&mut harness, "Remove the account…");
    assert!(sees(&harness, "The vault with its keys, the devices and what waits"));
    click(&mut harness, "Remove the account");
    assert_eq!(done(&harness).last().map(String::as_str), Some("RemoveAccount { username: \"paul\" }"));
    harness.state_mut().tell(Event::Failed(Asked::ChangeAccount, failure("paul is the last admin.")));
    settle(&mut harness);
    assert!(sees(&harness, "paul is the last admin."));
    assert!(!harness.get_by_label("Remove the account").accesskit_node().is_disabled());
    click(&mut harness, "Cancel");
    clear_field(&mut harness, "Find");
    type_into(&mut harness, "Find", "nobody");
    assert!(sees(&harness, "No account has “nobody” in its name or role."));
}

#[test]
fn a_station_that_does_not_answer_is_told_over_what_was_known() {
    let mut harness = open(ready());
    harness.state_mut().tell(sessions());
    harness.run_steps(16);
    harness.state_mut().tell(Event::Failed(Asked::Sessions, failure("The station does not answer.")));
    settle(&mut harness);
    assert!(sees(&harness, "The station does not answer.") && sees(&harness, "press-line-1"));
    harness.run_steps(16);
    assert!(sees(&harness, "The station does not answer."), "it stays while it is asked again");
    harness.state_mut().tell(sessions());
    settle(&mut harness);
    assert!(!sees(&harness, "The station does not answer."));
}

#[test]
fn ten_thousand_sessions_are_drawn_as_few_rows() {
    let mut scene = ready();
    scene.tell(listed("", (0..10_000).map(|id| session(id, &format!("sensor-{id}"), "paul")).collect()));
    let harness = open(scene);
    let rows = harness.query_all_by_label_contains("Session sensor-").count();
    assert!((5..60).contains(&rows), "{rows} rows");
}

/// `SEALWIRE_PICTURES=DIR cargo test --test desktop_panels -- --ignored` draws the page, to be looked at.
#[test]
#[ignore = "draws pictures"]
fn pictures() {
    let folder = std::path::PathBuf::from(std::env::var_os("SEALWIRE_PICTURES").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    for (theme, tone) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, tag) in [([1440.0, 900.0], "large"), ([1024.0, 700.0], "small")] {
            let mut scene = Scene::new(Page::Station, model("admin"));
            let (mut received, mut sent) = (10_000.0, 42_000.0);
            for round_number in 0..80_u64 {
                let x = round_number as f64 / 7.0;
                received += 420.0 + 130.0 * x.sin();
                sent += 1_700.0 + 600.0 * (x * 0.8).cos();
                let Event::Figures(figures) = round(7_500 + round_number * 10, received as u64, sent as u64)
                else {
                    panic!()
                };
                scene.model.broker.take(figures, now_ms() - (79 - round_number) * 10_000);
            }
            let mut harness = open_at(scene, theme, size);
            let draw = |harness: &mut Harness<'_, Scene>, name: &str| {
                settle(harness);
                let picture = harness.render().unwrap();
                picture.save(folder.join(format!("station-{name}-{tone}-{tag}.png"))).unwrap();
            };
            draw(&mut harness, "1-waiting");
            harness.state_mut().tell(sessions());
            draw(&mut harness, "2-sessions");
            click(&mut harness, "Session press-line-1 of paul, MQTT 5 · TLS");
            draw(&mut harness, "3-session");
            click(&mut harness, "Remove the session…");
            draw(&mut harness, "4-question");
            click(&mut harness, "Cancel");
            click(&mut harness, "Accounts");
            harness.state_mut().tell(accounts());
            settle(&mut harness);
            click(&mut harness, "Account paul, publisher, one-time codes off");
            draw(&mut harness, "5-account");
            harness.state_mut().tell(Event::Failed(Asked::Accounts, failure("The station does not answer.")));
            draw(&mut harness, "6-failure");
        }
    }
}
