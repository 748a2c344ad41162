//! People: what this account signs with, whose signatures it can tell, and what is decided about them.

use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use sealwire::client::{Asked, Command, Event, PeopleView, Standing};

use crate::scene::*;

fn ready() -> Harness<'static, Scene> {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(keys()));
    scene.tell(Event::People(people()));
    scene.keys.show_people(None);
    open(scene)
}

fn choose(harness: &mut Harness<'_, Scene>, who: &str) {
    harness.get_by_label_contains(who).click();
    settle(harness);
}

/// The first group of somebody's digits.
fn first_digits(number: u8) -> String {
    identity(number).digits().split(' ').next().unwrap().to_owned()
}

#[test]
fn you_see_what_you_sign_with_in_digits_and_as_a_picture() {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::Keys(keys()));
    scene.tell(Event::People(people()));
    let mut harness = open(scene);
    click(&mut harness, "People (2 changed)");
    assert!(sees(&harness, "You sign as anna") && sees(&harness, &first_digits(1)));
    assert!(sees(&harness, "QR code of your digits"));
    click(&mut harness, "Copy your digits");
}

#[test]
fn the_list_tells_who_is_known_who_has_changed_and_who_is_a_stranger() {
    let harness = ready();
    for told in [
        "ben, digits compared",
        "cleo, digits not compared",
        "dora, signs with another key now",
        "emil.k, a known key under another name",
        "no account of this station",
    ] {
        assert!(sees(&harness, told), "{told}");
    }
}

#[test]
fn comparing_notes_that_the_digits_match() {
    let mut harness = ready();
    choose(&mut harness, "cleo, digits not compared");
    assert!(sees(&harness, "You have not compared digits"));
    click(&mut harness, "Compare digits…");
    assert!(sees(&harness, "Yours, for them to compare".to_uppercase().as_str()));
    assert!(sees(&harness, &first_digits(1)) && sees(&harness, &first_digits(3)));
    click(&mut harness, "They match");
    assert!(matches!(asked(&harness), [Command::SetCompared { key, compared: true }] if *key == identity(3)));
    fail(&mut harness, Asked::People, "The station does not answer.");
    assert!(sees(&harness, "The station does not answer."));
    let mut compared = people();
    compared.people[1] = person(3, Standing::Known { name: "cleo".into(), compared: true });
    tell(&mut harness, Event::People(compared));
    assert!(harness.query_by_label("They match").is_none(), "the dialog is closed");
    assert!(sees(&harness, "cleo, digits compared"));
}

#[test]
fn digits_that_do_not_match_take_the_note_back_and_say_what_to_do() {
    let mut harness = ready();
    choose(&mut harness, "ben, digits compared");
    click(&mut harness, "Compare again…");
    click(&mut harness, "They do not match");
    assert!(
        matches!(asked(&harness), [Command::SetCompared { key, compared: false }] if *key == identity(2))
    );
    assert!(sees(&harness, "This is not the key of ben") && sees(&harness, "Believe nothing"));
}

#[test]
fn a_changed_key_is_explained_and_taken_only_after_it_was_compared() {
    let mut harness = ready();
    choose(&mut harness, "dora, signs with another key now");
    assert!(sees(&harness, "The key of dora has changed") && sees(&harness, "speaks as dora"));
    assert!(sees(&harness, &first_digits(5)) && sees(&harness, &first_digits(4)), "new and known digits");
    click(&mut harness, "Take the new key…");
    assert!(harness.get_by_label("Take the new key").accesskit_node().is_disabled());
    click(&mut harness, "I compared these digits with dora");
    click(&mut harness, "Take the new key");
    assert!(matches!(asked(&harness), [Command::AcceptSender { key }] if *key == identity(5)));
    let mut taken = people();
    taken.people.retain(|known| known.key != identity(4) && known.key != identity(5));
    taken.people.push(person(5, Standing::Known { name: "dora".into(), compared: false }));
    tell(&mut harness, Event::People(taken));
    assert!(sees(&harness, "dora, digits not compared") && !sees(&harness, "Only if you compared"));
}

#[test]
fn forgetting_says_what_is_lost_and_the_entry_goes() {
    let mut harness = ready();
    choose(&mut harness, "ben, digits compared");
    click(&mut harness, "Forget…");
    assert!(sees(&harness, "the station is asked anew"));
    click(&mut harness, "Forget");
    assert!(matches!(asked(&harness), [Command::ForgetSender { key }] if *key == identity(2)));
    let mut left = people();
    left.people.remove(0);
    tell(&mut harness, Event::People(left));
    assert!(!sees(&harness, "ben, digits compared") && sees(&harness, "You sign as anna"));
}

#[test]
fn without_anybody_and_without_a_key_the_page_says_what_to_do() {
    let mut scene = Scene::new(Page::Keys, model("admin"));
    scene.tell(Event::People(PeopleView::default()));
    scene.keys.show_people(None);
    let harness = open(scene);
    assert!(sees(&harness, "There is nothing to sign with yet") && sees(&harness, "Nobody yet."));
}
