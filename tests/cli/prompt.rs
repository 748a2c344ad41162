//! What is typed at a prompt, in a real pseudo-terminal.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::harness::{Desk, Done, PASSPHRASE, python};

const SECRET: &str = "passphrase of ring.age";

/// How a command went that somebody typed at: each step waits for a text, then types. The terminal must be as before
/// at its end, and whenever it stopped.
#[track_caller]
fn at_a_terminal(desk: &Desk, args: &[&str], steps: &[(&str, &str)]) -> Value {
    let steps = json!(steps).to_string();
    let folder = desk.0.path().to_str().unwrap();
    let line = [&[folder, &steps, env!("CARGO_BIN_EXE_sealwire")], args].concat();
    let told = python(include_str!("terminal.py"), &line);
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["usual"], true, "the terminal is not as before: {told}");
    assert!(told["stops"].as_array().unwrap().iter().all(|usual| usual == true), "{told}");
    assert_eq!(told["left"], json!([]), "not everything was asked for: {told}");
    told
}

/// `key list` of a keyring under this passphrase.
fn list(desk: &Desk, passphrase: &str) -> Done {
    let mut list = desk.sealwire(&["key", "list", "--keyring", "ring.age"]);
    Done::of(list.env("SEALWIRE_KEYRING_PASSPHRASE", passphrase).output().unwrap())
}

fn desk_with_a_keyring() -> Desk {
    let desk = Desk::new();
    let mut new = desk.sealwire(&["key", "new", "k", "-t", "a/#", "--keyring", "ring.age"]);
    Done::of(new.env("SEALWIRE_KEYRING_PASSPHRASE", PASSPHRASE).output().unwrap()).ok();
    desk
}

const LIST: [&str; 4] = ["key", "list", "--keyring", "ring.age"];

#[test]
fn a_passphrase_is_typed_with_every_letter_and_mistake_and_nothing_of_it_is_shown() {
    let desk = Desk::new();
    let new = ["key", "new", "k", "-t", "a/#", "--keyring", "ring.age"];
    let wanted = format!("{PASSPHRASE} größer");
    let typed = format!("not this\u{15}{PASSPHRASE} gräß🔑\u{7f}\u{7f}\u{7f}ößex\u{8}\u{1b}[Cr\r");
    let told = at_a_terminal(&desk, &new, &[("(new): ", &typed), ("The same again: ", &typed)]);
    assert_eq!(told["code"], 0, "{told}");
    let screen = told["screen"].as_str().unwrap();
    for word in PASSPHRASE.split(' ').chain(["not this", "gr"]) {
        assert!(!screen.contains(word), "{word}: {screen}");
    }
    assert!(list(&desk, &wanted).ok().text().contains("a/#"));
    list(&desk, PASSPHRASE).ends(4);
}

#[test]
fn ctrl_c_at_a_prompt_leaves_the_terminal_as_it_was_and_ends_with_130() {
    let desk = desk_with_a_keyring();
    // What was pasted behind it must not reach the shell.
    let told = at_a_terminal(&desk, &LIST, &[(SECRET, "half a pass\u{3}rm -r x\r")]);
    assert_eq!((&told["code"], &told["unread"]), (&json!(130), &json!(0)), "{told}");
    assert!(told["screen"].as_str().unwrap().contains("\r\nsealwire: ended before all was done"), "{told}");
    assert!(!told["screen"].as_str().unwrap().contains("half"), "{told}");
}

#[test]
fn ctrl_d_at_a_prompt_says_that_nothing_was_given_and_how_else_to_give_it() {
    let desk = desk_with_a_keyring();
    let told = at_a_terminal(&desk, &LIST, &[(SECRET, "\u{4}")]);
    assert_eq!(told["code"], 2, "{told}");
    let screen = told["screen"].as_str().unwrap();
    let next = "set SEALWIRE_KEYRING_PASSPHRASE, or give --keyring-passphrase-file FILE";
    assert!(screen.contains("ring.age was not given") && screen.contains(next), "{screen}");
    assert!(!screen.contains("no terminal"), "{screen}");
}

#[test]
fn ctrl_z_at_a_prompt_stops_with_the_terminal_as_it_was_and_asks_again_on_return() {
    let desk = desk_with_a_keyring();
    let right = format!("{PASSPHRASE}\r");
    let told =
        at_a_terminal(&desk, &LIST, &[(SECRET, "half\u{1a}"), (SECRET, "\u{1a}"), (SECRET, right.as_str())]);
    assert_eq!((&told["code"], &told["stops"]), (&json!(0), &json!([true, true])), "{told}");
    assert!(told["screen"].as_str().unwrap().contains("a/#"), "{told}");
}

#[test]
fn what_is_no_passphrase_is_refused_without_a_rest_for_the_shell() {
    let desk = desk_with_a_keyring();
    let told = at_a_terminal(&desk, &LIST, &[(SECRET, &"x".repeat(4100))]);
    assert_eq!((&told["code"], &told["unread"]), (&json!(2), &json!(0)), "{told}");
    assert!(told["screen"].as_str().unwrap().contains("longer than 4 KiB"), "{told}");
    let wrong = at_a_terminal(&desk, &LIST, &[(SECRET, "something else\r")]);
    assert_eq!(wrong["code"], 4, "{wrong}");
}

#[test]
fn without_a_terminal_the_way_to_give_a_passphrase_is_said() {
    let desk = desk_with_a_keyring();
    // A session of its own has no terminal.
    let mut alone = std::process::Command::new("setsid");
    alone.arg("--wait").arg(env!("CARGO_BIN_EXE_sealwire")).args(LIST).current_dir(desk.0.path());
    let done = Done::of(alone.env_remove("SEALWIRE_KEYRING_PASSPHRASE").output().unwrap()).ends(2);
    assert!(done.err.contains("there is no terminal to ask for the passphrase of ring.age"), "{}", done.err);
}
