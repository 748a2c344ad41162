//! What an admin's window is told of the station, and does to it.

use sealwire::client::{AccountLine, Asked, Command, Event, LinkState, SessionView};

use crate::harness::{Person, Station};

fn sessions(admin: &mut Person, find: &str) -> (usize, Vec<SessionView>) {
    admin.send(Command::ListSessions { find: find.into() });
    admin.answer(Asked::Sessions, |event| match event {
        Event::Sessions { find: of, total, sessions } if of == find => Some((*total, sessions.clone())),
        _ => None,
    })
}

fn accounts(event: &Event) -> Option<(Vec<AccountLine>, Vec<String>)> {
    match event {
        Event::Accounts { accounts, roles } => {
            Some((accounts.clone(), roles.iter().map(|role| role.name.clone()).collect()))
        }
        _ => None,
    }
}

#[test]
fn an_admin_sees_who_is_connected_and_ends_a_connection_which_comes_back_by_itself() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut paul = Person::joined(&station, "paul", "publisher");
    let (total, all) = sessions(&mut anna, "");
    assert_eq!((total, all.len()), (2, 2));
    let (found, of_paul) = sessions(&mut anna, "PAU");
    assert_eq!((found, of_paul[0].account.as_str()), (1, "paul"));
    let connection = of_paul[0].connection.as_ref().unwrap();
    assert_eq!((connection.protocol.as_str(), connection.transport.as_str()), ("MQTT 5", "TLS"));
    assert_eq!(sessions(&mut anna, "a&limit=0#").0, 0, "whatever is typed is searched for");

    anna.send(Command::EndSession { id: of_paul[0].id, forget: false });
    anna.answer(Asked::EndSession, |event| matches!(event, Event::SessionEnded { .. }).then_some(()));
    paul.offline();
    paul.online();

    paul.send(Command::ListSessions { find: String::new() });
    let refused = paul.failure(Asked::Sessions);
    assert!(format!("{refused:?}").contains("nly an admin"), "{refused:?}");
    anna.send(Command::EndSession { id: 99_999, forget: true });
    assert!(anna.failure(Asked::EndSession).why.contains("not there any more"));
}

#[test]
fn an_admin_changes_a_role_and_removes_an_account() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut paul = Person::joined(&station, "paul", "publisher");
    anna.send(Command::ListAccounts);
    let (all, roles) = anna.answer(Asked::Accounts, accounts);
    let names: Vec<_> = all.iter().map(|line| (line.username.as_str(), line.role.as_str())).collect();
    assert_eq!(names, [("anna", "admin"), ("paul", "publisher")]);
    assert_eq!(roles, ["admin", "publisher", "subscriber"]);

    anna.send(Command::SetRole { username: "paul".into(), role: "subscriber".into() });
    let (all, _) = anna.answer(Asked::ChangeAccount, accounts);
    assert_eq!(all[1].role, "subscriber");
    anna.send(Command::SetRole { username: "anna".into(), role: "subscriber".into() });
    assert!(anna.failure(Asked::ChangeAccount).why.contains("last admin"));

    anna.send(Command::RemoveAccount { username: "paul".into() });
    let (all, _) = anna.answer(Asked::ChangeAccount, accounts);
    assert_eq!(all.len(), 1);
    paul.until("the end of the session", |event| {
        matches!(event, Event::Link(LinkState::LogInAgain { .. })).then_some(())
    });
}

#[test]
fn the_brokers_figures_come_while_they_are_wanted_and_never_among_the_messages() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.send(Command::WatchBroker(true));
    let figures = anna.answer(Asked::Figures, |event| match event {
        Event::Figures(figures) => Some(figures.clone()),
        _ => None,
    });
    let value =
        |name: &str| figures.iter().find(|(figure, _)| figure == name).map(|(_, value)| value.as_str());
    assert_eq!(value("clients/connected"), Some("1"), "{figures:?}");
    assert!(value("uptime").is_some_and(|uptime| uptime.ends_with(" seconds")));

    // Ended, and then watched by the person, who is shown them as messages.
    anna.send(Command::WatchBroker(false));
    anna.subscribe("$SYS/broker/clients/#");
    anna.message("$SYS/broker/clients/connected");
    anna.send(Command::LoadHistory { limit: 1000 });
    let topics = anna.answer(Asked::History, |event| match event {
        Event::Messages(messages) => {
            Some(messages.iter().map(|message| message.topic.to_string()).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert!(
        !topics.is_empty() && topics.iter().all(|topic| topic.starts_with("$SYS/broker/clients/")),
        "{topics:?}"
    );

    let mut paul = Person::joined(&station, "paul", "subscriber");
    paul.send(Command::WatchBroker(true));
    assert!(paul.failure(Asked::Figures).why.contains("$SYS"));
}
