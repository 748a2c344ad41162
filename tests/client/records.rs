//! Audit logs as people read and verify them.

use sealwire::client::{Asked, AuditLine, AuditLog, AuditVerdict, Command, Event, Suite};

use crate::harness::{Person, Station};

fn lines(person: &mut Person, log: AuditLog) -> Vec<AuditLine> {
    person.send(Command::ReadAudit { log, limit: 1000 });
    person.answer(Asked::Audit, |event| match event {
        Event::AuditLines { log: of, lines, total } if *of == log => {
            assert_eq!(*total, lines.len() as u64);
            Some(lines.clone())
        }
        _ => None,
    })
}

fn verdict(person: &mut Person, log: AuditLog) -> AuditVerdict {
    person.send(Command::VerifyAudit { log });
    person.answer(Asked::Audit, |event| match event {
        Event::AuditVerified { log: of, verdict } if *of == log => Some(verdict.clone()),
        _ => None,
    })
}

/// `sealwire audit verify`: its exit code and its words.
fn verify_in_terminal(path: &str) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sealwire"))
        .args(["audit", "verify", path])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn each_log_says_what_was_done_and_its_end_is_anchored_at_logout() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.key("Plant", "plant/#", Suite::default());
    anna.granted(&sealwire::topic::TopicFilter::new("plant/#").unwrap());
    anna.publish("plant/x", "secret reading");
    anna.settled("plant/x");
    anna.message("plant/x");
    let publisher = lines(&mut anna, AuditLog::Publisher);
    let actions: Vec<_> = publisher.iter().rev().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["login", "create key", "export key", "publish"]);
    let publish = &publisher[0];
    assert!(publish.ok && publish.kid.is_some() && publish.suite.as_deref() == Some("cose-a256gcm"));
    assert_eq!((publish.topic.as_deref(), publish.plain_len), (Some("plant/x"), Some(14)));
    let subscriber = lines(&mut anna, AuditLog::Subscriber);
    let actions: Vec<_> = subscriber.iter().rev().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["subscribe", "receive"]);
    let before = verdict(&mut anna, AuditLog::Publisher);
    assert_eq!((before.lines, before.anchored, before.broken), (4, None, None));
    anna.log_out();

    anna.ask_log_in("anna", crate::harness::PASSWORD);
    anna.logged_in();
    let after = verdict(&mut anna, AuditLog::Publisher);
    assert_eq!((after.lines, after.anchored, after.broken), (6, Some(5), None));
    let log = std::fs::read_to_string(&after.path).unwrap();
    assert!(!log.contains("secret reading"));
    let anchor = std::fs::read_to_string(format!("{}.anchor", after.path)).unwrap();
    assert!(anchor.contains("\"count\":"), "{anchor}");
    anna.log_out();
    let (code, said) = verify_in_terminal(&after.path);
    assert!(code == 0 && said.contains("An anchor confirms it up to line 7"), "{code}: {said}");

    // Somebody cuts the end off: the log is kept as evidence, and login goes on.
    let log = std::fs::read_to_string(&after.path).unwrap();
    let cut: Vec<_> = log.lines().take(4).collect();
    std::fs::write(&after.path, cut.join("\n") + "\n").unwrap();
    let (code, said) = verify_in_terminal(&after.path);
    assert!(code == 3 && said.contains("its end was cut off"), "{code}: {said}");
    anna.ask_log_in("anna", crate::harness::PASSWORD);
    assert!(anna.failure(Asked::Audit).why.contains("cut off"));
    let fresh = verdict(&mut anna, AuditLog::Publisher);
    assert_eq!((fresh.lines, fresh.broken), (1, None));
    assert_eq!(fresh.set_aside.len(), 1, "the log that did not hold is still named");
    assert!(std::fs::read_to_string(&fresh.set_aside[0]).unwrap().lines().eq(cut));
}

#[test]
fn a_credential_is_shown_once_listed_and_revoked() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    anna.send(Command::NewDevice { label: "boiler".to_owned() });
    let made = anna.answer(Asked::Devices, |event| match event {
        Event::DeviceMade { device, password, .. } => Some((device.clone(), password.reveal().len())),
        _ => None,
    });
    assert!(made.1 >= 43);
    let listed = |anna: &mut Person| {
        anna.answer(Asked::Devices, |event| match event {
            Event::Devices(devices) => Some(devices.clone()),
            _ => None,
        })
    };
    assert_eq!(listed(&mut anna), std::slice::from_ref(&made.0));
    anna.send(Command::RevokeDevice { id: made.0.id });
    assert_eq!(listed(&mut anna), []);
}
