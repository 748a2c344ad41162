//! The real program in real windows under Xvfb, driven by its accessible names: from sign-up to a message sent in
//! one window and received in the other. With `SEALWIRE_PICTURES` set to a folder it keeps what it sees there;
//! `docs/pictures` was made so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

mod window;

use std::path::PathBuf;

use eframe::egui::{Key, Modifiers};
use totp_rs::{Builder, Secret};
use window::Window;

const PASSWORD: &str = "correct horse battery staple";

/// Keeps pictures, if somebody wants them.
struct Album(Option<PathBuf>);

impl Album {
    fn open() -> Self {
        Self(std::env::var_os("SEALWIRE_PICTURES").map(PathBuf::from))
    }

    fn keep(&self, window: &mut Window, name: &str) {
        if let Some(folder) = &self.0 {
            window.picture(&folder.join(format!("{name}.png")));
        }
    }

    /// At both sizes, in both themes.
    fn keep_all(&self, window: &mut Window, name: &str) {
        if self.0.is_none() {
            return;
        }
        for (theme, word) in [("dark", "Dark"), ("light", "Light")] {
            window.jump(&format!("{word} theme"));
            for (width, height, size) in [(1440, 900, ""), (1024, 700, "-small")] {
                window.resize(width, height);
                self.keep(window, &format!("{name}-{theme}{size}"));
            }
            window.resize(1440, 900);
        }
        window.jump("Dark theme");
    }
}

/// The code that an authenticator app shows for this secret now.
fn code_of(secret: &str) -> String {
    let secret = Secret::try_from_base32(secret.replace(' ', "")).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate_current().to_string()
}

/// Fills in the form for a new account.
fn create_account(window: &mut Window, name: &str, role: Option<&str>) {
    window.see("Create your account");
    window.fill("Username", name);
    window.fill("Password", PASSWORD);
    window.fill("Password again", PASSWORD);
    if let Some(role) = role {
        window.click_text(role);
    }
    window.click("Create account");
}

/// Puts the one-time codes off and keeps the recovery codes.
fn later_and_kept(window: &mut Window) {
    window.click("Later");
    window.click("I have kept them in a safe place");
    window.click("Continue");
}

#[test]
fn a_person_alone_sees_a_sealed_reading_and_two_windows_pass_one_on() {
    let album = Album::open();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    // The first account, with one-time codes.
    let mut ada = Window::open(&data);
    ada.see("Create your account");
    album.keep(&mut ada, "1-create");
    create_account(&mut ada, "ada", None);
    let secret = ada.see_value(|value| {
        value.len() >= 32 && value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')
    });
    album.keep(&mut ada, "2-one-time-codes");
    ada.fill("The code that the app shows now", "000000");
    ada.click("Turn on");
    ada.see("wrong");
    ada.fill("The code that the app shows now", &code_of(&secret));
    ada.click("Turn on");
    ada.see("I have kept them in a safe place");
    album.keep(&mut ada, "3-recovery-codes");
    ada.click("I have kept them in a safe place");
    ada.click("Continue");

    // Alone, within a minute of the start: a living, sealed reading.
    ada.see("Start the sample sensor");
    album.keep_all(&mut ada, "4-watch-empty");
    ada.click("Start the sample sensor");
    ada.see("celsius");
    // Its admin sees the station from outside: this very window is connected.
    ada.click("Station");
    ada.see("this window");
    ada.see("1 session");
    album.keep_all(&mut ada, "11-station");
    ada.close();

    // A publisher's window and a subscriber's window, side by side on one computer.
    let mut anna = Window::open(&data);
    anna.click("Create account");
    create_account(&mut anna, "anna", Some("Publisher"));
    later_and_kept(&mut anna);
    anna.see("Publish");
    assert!(!anna.has("Watch"), "a publisher is not offered Watch");

    let mut ben = Window::open(&data);
    ben.click("Create account");
    create_account(&mut ben, "ben", Some("Subscriber"));
    later_and_kept(&mut ben);
    assert!(!ben.has("Publish"), "a subscriber is not offered Publish");

    // The key is made in one and carried over to the other as its line of text.
    anna.click("Keys");
    anna.click("Make a key…");
    anna.fill("Name", "Plant");
    anna.fill("Topic filters", "plant/#");
    anna.click("Make key");
    anna.click("Give to someone…");
    anna.click("Show the key");
    let line = anna.see_value(|value| value.starts_with("sealwire-key:"));
    album.keep(&mut anna, "6-give-key");
    anna.click("Close");
    album.keep_all(&mut anna, "6-keys");
    ben.click("Keys");
    ben.click("Import a key…");
    ben.fill("Key line", &line);
    ben.click("Import");
    ben.see("plant/#");
    ben.click("Watch");

    // Published here, opened there.
    anna.click("Publish");
    anna.fill("Topic", "plant/press/temperature");
    anna.fill("Payload", r#"{"celsius":71.3,"state":"RUNNING"}"#);
    anna.key(Key::Enter, Modifiers::COMMAND);
    anna.see("The broker has it");
    ben.see("71.3");
    for (topic, payload) in
        [("plant/press/vibration", r#"{"mm_s":2.01}"#), ("plant/hvac/co2", r#"{"ppm":412}"#)]
    {
        anna.fill("Topic", topic);
        anna.fill("Payload", payload);
        anna.key(Key::Enter, Modifiers::COMMAND);
    }
    anna.fill("Topic", "plant/press/temperature");
    for n in 0..10 {
        let degrees = 71.0 + f64::from(n * 7 % 5) * 0.7;
        anna.fill("Payload", &format!(r#"{{"celsius":{degrees:.1},"state":"RUNNING"}}"#));
        anna.key(Key::Enter, Modifiers::COMMAND);
    }
    album.keep_all(&mut anna, "7-publish");

    // Opened, beside what the broker sees.
    ben.click("Close the next steps");
    ben.click("1m");
    ben.click_text("RUNNING");
    ben.see("WHAT THE BROKER SEES");
    album.keep_all(&mut ben, "8-watch");

    // The log of what was done holds.
    anna.click("Audit");
    anna.click("Verify the chain");
    anna.see("holds");
    album.keep_all(&mut anna, "9-audit");
    anna.click("Settings");
    album.keep_all(&mut anna, "10-settings");
}

#[test]
fn what_was_queued_in_a_window_that_is_killed_with_its_station_arrives_after_the_next_login() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut ada = Window::open(&data);
    create_account(&mut ada, "ada", None);
    later_and_kept(&mut ada);
    ada.click("Keys");
    ada.click("Make a key…");
    ada.fill("Name", "Plant");
    ada.fill("Topic filters", "plant/#");
    ada.click("Make key");
    ada.see("seals and opens");
    ada.click("Publish");
    ada.fill("Topic", "plant/press");
    ada.fill("Payload", "before the kill");
    ada.key(Key::Enter, Modifiers::COMMAND);
    ada.see("The broker has it");

    kill_station(&data);
    for n in 1..=3 {
        ada.fill("Payload", &format!("queued {n}"));
        ada.key(Key::Enter, Modifiers::COMMAND);
        ada.see(&format!("{n} waiting"));
    }
    ada.see("Queued on this computer");
    // As `kill -9`: no good-bye, nothing flushed.
    ada.close();

    let mut ada = Window::open(&data);
    ada.fill("Password", PASSWORD);
    ada.click("Log in");
    ada.click("Watch");
    for n in 1..=3 {
        ada.see(&format!("queued {n}"));
    }
}

/// Ends the station of a data folder without warning.
fn kill_station(data: &std::path::Path) {
    let record = std::fs::read_to_string(data.join("station.json")).unwrap();
    let pid = record.split("\"pid\":").nth(1).unwrap().split([',', '}']).next().unwrap().trim().to_owned();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
}
