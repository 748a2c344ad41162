//! `sealwire key` on a keyring file.

use crate::harness::{Desk, Done, Mosquitto, PASSPHRASE};

const RING: [&str; 2] = ["--keyring", "ring.age"];

fn key(desk: &Desk, args: &[&str]) -> Done {
    let all = [&["key"], args, &RING[..]].concat();
    Done::of(desk.sealwire(&all).env("SEALWIRE_KEYRING_PASSPHRASE", PASSPHRASE).output().unwrap())
}

fn listed(desk: &Desk) -> Vec<(String, bool)> {
    let keys = key(desk, &["list", "--json"]).ok().lines().remove(0);
    let one =
        |key: &serde_json::Value| (key["name"].as_str().unwrap().to_owned(), key["seals"].as_bool().unwrap());
    keys.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_keyring_is_made_listed_rotated_retired_and_emptied_with_consent() {
    let desk = Desk::new();
    key(&desk, &["new", "Press", "-t", "press/#", "-t", "°C/+", "--signatures", "require"]).ok();
    key(&desk, &["new", "News", "-t", "news", "--suite", "fernet"]).ok();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(desk.path("ring.age")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let file = std::fs::read_to_string(desk.path("ring.age")).unwrap();
    assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    assert_eq!(listed(&desk), [("Press".into(), true), ("News".into(), true)]);
    let first = key(&desk, &["fingerprint", "Press"]).ok().text();
    assert_eq!(first.trim().split(' ').count(), 4);
    key(&desk, &["rotate", "Press"]).ok();
    assert_ne!(key(&desk, &["fingerprint", "Press"]).ok().text(), first);
    let shown = key(&desk, &["show", "Press", "--json"]).ok().lines().remove(0);
    assert_eq!(shown["epochs"].as_array().unwrap().len(), 2);
    assert_eq!(shown["signatures"], "require");
    // By the beginning of its key id, too.
    let id = shown["id"].as_str().unwrap();
    key(&desk, &["retire", &id[..8]]).ok();
    assert_eq!(listed(&desk)[0], ("Press".into(), false));
    // Told twice, it is retired since the first time.
    let shown = key(&desk, &["show", "Press"]).ok().text();
    assert!(shown.contains("retired 2"), "{shown}");
    key(&desk, &["retire", "Press"]).ok();
    assert_eq!(key(&desk, &["show", "Press"]).ok().text(), shown);
    key(&desk, &["retire", "Press", "--undo"]).ok();
    assert_eq!(listed(&desk)[0], ("Press".into(), true));
    key(&desk, &["delete", "Press"]).ends(2);
    key(&desk, &["delete", "Press", "--yes"]).ok();
    assert_eq!(listed(&desk), [("News".into(), true)]);
    key(&desk, &["show", "Press"]).ends(1);
    key(&desk, &["new", "News", "-t", "news"]).ends(1);
    key(&desk, &["delete", "News", "--yes"]).ends(1);
}

#[test]
fn a_wrong_or_weak_passphrase_and_a_keyring_in_use_are_refused() {
    let desk = Desk::new();
    let with = |passphrase: &str, args: &[&str]| {
        let all = [&["key"], args, &RING[..]].concat();
        Done::of(desk.sealwire(&all).env("SEALWIRE_KEYRING_PASSPHRASE", passphrase).output().unwrap())
    };
    let weak = with("password", &["new", "a", "-t", "a"]).ends(1);
    assert!(weak.err.contains("weak") && !desk.path("ring.age").exists(), "{weak:?}");
    with(PASSPHRASE, &["new", "a", "-t", "a"]).ok();
    let before = std::fs::read(desk.path("ring.age")).unwrap();
    let wrong = with("lantern gravel otter", &["new", "b", "-t", "b"]).ends(4);
    assert!(wrong.err.contains("does not open"), "{wrong:?}");
    let lock = std::fs::File::open(desk.path("ring.age.lock")).unwrap();
    lock.lock().unwrap();
    let busy = with(PASSPHRASE, &["new", "b", "-t", "b"]).ends(1);
    assert!(busy.err.contains("another program"), "{busy:?}");
    drop(lock);
    assert_eq!(std::fs::read(desk.path("ring.age")).unwrap(), before);
    // No terminal to ask at, and nothing given.
    let asked = desk.run(&["key", "list", "--keyring", "ring.age"]);
    assert!(asked.err.contains("SEALWIRE_KEYRING_PASSPHRASE"), "{asked:?}");
    asked.ends(2);
}

#[test]
fn keys_are_handed_over_as_lines_fernet_files_and_age_files() {
    let desk = Desk::new();
    key(&desk, &["new", "Press", "-t", "press/#", "--out", "press.key"]).ok();
    key(&desk, &["new", "News", "-t", "news", "--suite", "fernet"]).ok();
    let line = std::fs::read_to_string(desk.path("press.key")).unwrap();
    assert_eq!(key(&desk, &["show", "Press", "--secret"]).ok().text(), line);
    assert!(!key(&desk, &["show", "Press"]).ok().text().contains("sealwire-key:"));
    assert_eq!(key(&desk, &["export", "Press", "--form", "line", "--out", "-"]).ok().text(), line);
    let fernet = key(&desk, &["export", "News", "--form", "fernet", "--out", "news.fernet"]).ok();
    assert!(fernet.out.is_empty());
    assert_eq!(std::fs::read_to_string(desk.path("news.fernet")).unwrap().len(), 45);
    key(&desk, &["export", "Press", "--form", "fernet", "--out", "x"]).ends(1);
    // What is there is not overwritten.
    key(&desk, &["export", "News", "--form", "line", "--out", "press.key"]).ends(1);
    // And found before a key is made that nobody would know of.
    key(&desk, &["new", "Third", "-t", "third", "--out", "press.key"]).ends(1);
    key(&desk, &["new", "Third", "-t", "third", "--out", "none/third.key"]).ends(1);
    key(&desk, &["show", "Third"]).ends(1);
    assert_eq!(std::fs::read_to_string(desk.path("press.key")).unwrap(), line);

    let words = desk.file("words", "orchid ladder thunder canoe\n");
    let words = words.to_str().unwrap();
    key(&desk, &["export", "--out", "all.age", "--file-passphrase-file", words]).ok();
    let other = |args: &[&str]| {
        let all = [&["key"], args, &["--keyring", "other.age"][..]].concat();
        Done::of(desk.sealwire(&all).env("SEALWIRE_KEYRING_PASSPHRASE", PASSPHRASE).output().unwrap())
    };
    let imported = other(&["import", "press.key"]).ok().text();
    assert!(imported.contains("“Press” seals and opens"), "{imported}");
    let imported = other(&["import", "all.age", "--file-passphrase-file", words]).ok().text();
    assert!(imported.contains("“Press” was there already"), "{imported}");
    assert!(imported.contains("“News” seals and opens"), "{imported}");
    let imported = other(&["import", "news.fernet", "--fernet", "Post", "-t", "post"]).ok().text();
    assert!(imported.contains("was there already"), "{imported}");
    other(&["import", "news.fernet"]).ends(1);
    // A second key for the same topics opens only, until it is said that it may take over.
    desk.key_line("Second", "press/#", "cose-chacha20");
    assert!(other(&["import", "Second"]).ok().text().contains("opens only"));
    other(&["import", "Second", "--take-over"]).ok();
    let shown = other(&["show", "Second", "--json"]).ok().lines().remove(0);
    assert_eq!(shown["seals"], true);
}

#[test]
fn a_room_s_key_is_the_same_wherever_it_is_made_and_six_words_are_suggested() {
    let desk = Desk::new();
    let made = |passphrase: &str| {
        let args = ["key", "new", "R", "-t", "r", "--passphrase-room", "R", "--out", "-"];
        Done::of(desk.sealwire(&args).env("SEALWIRE_PASSPHRASE", passphrase).output().unwrap())
    };
    let fingerprint = |done: &Done| done.err.rsplit("made: ").next().unwrap().to_owned();
    let (one, two) = (made(PASSPHRASE).ok(), made(PASSPHRASE).ok());
    assert_eq!(fingerprint(&one), fingerprint(&two));
    made("password1").ends(1);
    // Spaces around a room's name are nobody's secret.
    let args = ["key", "new", "R", "-t", "r", "--passphrase-room", " R ", "--out", "-"];
    let spaced = Done::of(desk.sealwire(&args).env("SEALWIRE_PASSPHRASE", PASSPHRASE).output().unwrap()).ok();
    assert_eq!(fingerprint(&one), fingerprint(&spaced));
    let args = ["key", "new", "R", "-t", "r", "--passphrase-room", "R", "--suggest", "--out", "r.key"];
    let suggested = desk.run(&args).ok().text();
    assert_eq!(suggested.split_whitespace().count(), 6, "{suggested}");
}

#[test]
fn a_keyring_seals_and_opens_also_what_was_sealed_before_a_rotation() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    key(&desk, &["new", "A", "-t", "a/#"]).ok();
    let words = desk.file("words", PASSPHRASE);
    let url = broker.url();
    let common =
        ["--broker", &url, "--keyring", "ring.age", "--keyring-passphrase-file", words.to_str().unwrap()];
    desk.run(&[&["pub", "-t", "a/old", "-r", "-m", "old"], &common[..]].concat()).ok();
    key(&desk, &["rotate", "A"]).ok();
    desk.run(&[&["pub", "-t", "a/new", "-r", "-m", "new"], &common[..]].concat()).ok();
    let sub = [&["sub", "-t", "a/#", "--count", "2", "--strict", "--json"], &common[..]].concat();
    let messages = desk.run(&sub).ok().lines();
    let mut bodies: Vec<&str> = messages.iter().map(|message| message["body"].as_str().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["new", "old"]);
    assert_ne!(messages[0]["kid"], messages[1]["kid"]);
    key(&desk, &["retire", "A"]).ok();
    let refused = desk.run(&[&["pub", "-t", "a/x", "-m", "x"], &common[..]].concat()).ends(1);
    assert!(refused.err.contains("retire --undo"), "{refused:?}");
}

#[test]
fn a_suite_without_room_for_signatures_is_not_made_to_promise_them() {
    let desk = Desk::new();
    for suite in ["fernet", "aes-cbc-hmac"] {
        let new =
            ["key", "new", "F", "-t", "f/#", "--suite", suite, "--signatures", "require", "--out", "f.key"];
        let refused = desk.run(&new).ends(2);
        assert!(refused.err.contains("no room for signatures"), "{}", refused.err);
        assert!(!desk.path("f.key").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_keyring_by_another_name_is_the_same_keyring() {
    let desk = Desk::new();
    let words = desk.file("words", PASSPHRASE);
    let words = words.to_str().unwrap();
    let new = |label: &str, keyring: &str| {
        let filter = format!("{label}/#");
        let args =
            ["key", "new", label, "-t", &filter, "--keyring", keyring, "--keyring-passphrase-file", words];
        desk.run(&args).ok();
    };
    new("A", "ring.age");
    std::os::unix::fs::symlink("ring.age", desk.path("link.age")).unwrap();
    new("B", "link.age");
    new("C", "ring.age");
    assert!(desk.path("link.age").is_symlink(), "it is still a link");
    let list =
        desk.run(&["key", "list", "--json", "--keyring", "link.age", "--keyring-passphrase-file", words]);
    assert_eq!(list.ok().lines()[0].as_array().unwrap().len(), 3);
}
