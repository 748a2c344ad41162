//! Signed topics: who sent it, who cannot claim it, and a key that changed.

use sealwire::{
    client::{
        Asked, Command, Event, Message, Opening, Password, PeopleView, SenderKey, Signatures, Standing, Suite,
    },
    topic::TopicFilter,
};

use crate::harness::{PASSWORD, Person, Station, refusal, text};

/// A topic key that asks this of signatures, watched; its line for others.
fn signed_key(person: &mut Person, filter: &str, signatures: Signatures) -> Password {
    let filters = vec![TopicFilter::new(filter).unwrap()];
    let label = format!("Hall {filter}");
    person.send(Command::CreateKey { label: label.clone(), filters, suite: Suite::default(), signatures });
    let id = id_of(person, &label);
    person.granted(&TopicFilter::new(filter).unwrap());
    person.export(&id)
}

fn id_of(person: &mut Person, label: &str) -> String {
    person.until("the key", |event| match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == label).map(|key| key.id.clone()),
        _ => None,
    })
}

/// Has the same key, in the hands of a program that does not sign.
fn take_without_signing(person: &mut Person, line: &Password, filter: &str) {
    person.send(Command::ImportKey { line: line.clone(), take_over: false });
    let id = id_of(person, &format!("Hall {filter}"));
    person.send(Command::EditKey {
        id,
        label: format!("Unsigned {filter}"),
        filters: vec![TopicFilter::new(filter).unwrap()],
        signatures: Signatures::Off,
        take_over: false,
    });
    id_of(person, &format!("Unsigned {filter}"));
}

fn signer(message: &Message) -> Option<SenderKey> {
    match &message.opening {
        Opening::Opened { signer, .. } => *signer,
        other => panic!("{other:?}"),
    }
}

/// The people, once `known` holds.
#[track_caller]
fn people(person: &mut Person, known: impl Fn(&PeopleView) -> bool) -> PeopleView {
    person.until("the people", |event| match event {
        Event::People(people) if known(people) => Some(people.clone()),
        _ => None,
    })
}

fn is_known(key: SenderKey, as_name: &'static str) -> impl Fn(&PeopleView) -> bool {
    move |people| {
        people
            .of(&key)
            .is_some_and(|person| matches!(&person.standing, Standing::Known { name, .. } if name == as_name))
    }
}

#[test]
fn a_signed_message_tells_its_sender_who_is_known_on_every_computer_until_forgotten() {
    let station = Station::start();
    let mut anna = Person::new();
    anna.sign_up(&station, "anna", "");
    let own = people(&mut anna, |people| people.own.is_some()).own.unwrap();
    let mut ben = Person::joined(&station, "ben", "subscriber");
    let hall = TopicFilter::new("hall/#").unwrap();
    let line = signed_key(&mut anna, "hall/#", Signatures::Require);
    ben.import(&line);
    ben.granted(&hall);
    anna.publish("hall/door", "open");
    let message = ben.message("hall/door");
    assert_eq!((text(&message).as_str(), signer(&message)), ("open", Some(own)));
    let met = people(&mut ben, is_known(own, "anna"));
    assert_eq!(met.of(&own).unwrap().digits, own.digits());

    ben.send(Command::SetCompared { key: own, compared: true });
    let compared = |people: &PeopleView| {
        people.of(&own).is_some_and(|anna| matches!(anna.standing, Standing::Known { compared: true, .. }))
    };
    people(&mut ben, compared);
    let stranger = SenderKey::from_bytes([9; 32]);
    ben.send(Command::AcceptSender { key: stranger });
    assert!(ben.failure(Asked::People).why.contains("No account"), "nobody is taken on trust");

    // Another computer of Ben's knows her from the vault.
    ben.log_out();
    ben.open(&station);
    ben.ask_log_in("ben", PASSWORD);
    people(&mut ben, compared);
    ben.send(Command::ForgetSender { key: own });
    people(&mut ben, |people| people.of(&own).is_none());
    ben.granted(&hall);
    anna.publish("hall/door", "shut");
    people(&mut ben, is_known(own, "anna"));
}

#[test]
fn somebody_whose_key_changed_shows_as_changed_until_the_person_takes_the_new_key() {
    let station = Station::start();
    let mut root = Person::joined(&station, "root", "");
    let mut anna = Person::new();
    let signed_up = anna.sign_up(&station, "anna", "publisher");
    let first = people(&mut anna, |people| people.own.is_some()).own.unwrap();
    anna.confirm_codes(&station, &signed_up);
    let line = signed_key(&mut root, "hall/#", Signatures::Require);
    anna.import(&line);
    anna.publish("hall/door", "open");
    people(&mut root, is_known(first, "anna"));
    assert_eq!(text(&root.message("hall/door")), "open", "it waited until its signer was known");

    // A new vault has another key to sign with.
    anna.reset_by_code(&station, &signed_up, "anna");
    let second = people(&mut anna, |people| people.own.is_some_and(|own| own != first)).own.unwrap();
    anna.import(&line);
    anna.publish("hall/door", "shut");
    let changed = |people: &PeopleView| {
        let standing = people.of(&second).map(|anna| anna.standing.clone());
        standing == Some(Standing::Changed { name: "anna".to_owned(), known: first })
    };
    let still = people(&mut root, changed);
    assert!(is_known(first, "anna")(&still), "the key that was known first stays");
    assert_eq!(refusal(&root.message("hall/door")), "Unknown signer");
    root.send(Command::AcceptSender { key: second });
    let taken = people(&mut root, is_known(second, "anna"));
    assert!(taken.of(&first).is_none(), "a name has one key");
    anna.publish("hall/door", "ajar");
    assert_eq!(text(&root.message("hall/door")), "ajar");
}

#[test]
fn where_signatures_are_required_what_has_none_is_refused_and_where_they_are_not_it_is_shown() {
    let station = Station::start();
    let mut anna = Person::joined(&station, "anna", "");
    let mut mallory = Person::joined(&station, "mallory", "publisher");
    let line = signed_key(&mut anna, "hall/#", Signatures::Require);
    take_without_signing(&mut mallory, &line, "hall/#");
    mallory.publish("hall/door", "open, says anna");
    let message = anna.message("hall/door");
    assert_eq!(refusal(&message), "Not signed");

    let open = signed_key(&mut anna, "yard/#", Signatures::Accept);
    take_without_signing(&mut mallory, &open, "yard/#");
    mallory.publish("yard/gate", "open");
    let message = anna.message("yard/gate");
    assert_eq!((text(&message).as_str(), signer(&message)), ("open", None));
}
