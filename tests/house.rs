//! Holds the walls of the house: which module may use which, over the sources themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room, and the rooms that it may use directly. `station::host` stands for that one module.
const WALLS: &[(&str, &[&str])] = &[
    ("topic", &[]),
    ("acl", &["topic"]),
    ("seal", &["topic"]),
    ("keys", &["seal", "topic"]),
    ("api", &["acl", "topic"]),
    ("files", &[]),
    ("audit", &["files"]),
    ("broker", &["topic"]),
    ("station", &["broker", "api", "acl", "audit", "topic", "files"]),
    ("client", &["keys", "seal", "api", "acl", "audit", "topic", "files"]),
    ("desktop", &["client", "topic", "acl", "station::host"]),
    ("bench", &["keys", "seal", "topic"]),
    ("cli", &["client", "station", "station::host", "topic", "acl", "audit", "bench"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a source names after `crate::`, alone or in a group.
fn rooms_used(source: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `othercrate::` are not ours to judge.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.insert(room_of(item.trim()));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            used.insert(room_of(item.trim()));
        } else {
            used.insert(room_of(rest));
        }
    }
    used.remove("");
    used
}

/// `station::host::find` -> `station::host`; `topic::TopicName` -> `topic`.
fn room_of(path: &str) -> String {
    let mut parts = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default();
    if path.starts_with("station::host") { "station::host".to_owned() } else { first.to_owned() }
}

#[test]
fn no_room_reaches_through_a_wall() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    let mut checked = 0;
    for (room, may_use) in WALLS {
        let mut files = Vec::new();
        sources(&src.join(room), &mut files);
        assert!(!files.is_empty(), "the room {room} has no source");
        for file in files {
            checked += 1;
            for used in rooms_used(&fs::read_to_string(&file).unwrap()) {
                let its_own = used == *room || used.starts_with(&format!("{room}::"));
                let is_room = WALLS.iter().any(|(name, _)| used.split("::").next() == Some(name));
                if is_room && !its_own && !may_use.contains(&used.as_str()) {
                    broken.push(format!("{} uses {used}", file.strip_prefix(&src).unwrap().display()));
                }
            }
        }
    }
    assert!(checked > 20, "only {checked} sources were found");
    assert!(broken.is_empty(), "walls broken:\n{}", broken.join("\n"));
}

#[test]
fn the_check_itself_sees_a_room_in_every_way_of_writing_it() {
    let used =
        rooms_used("use crate::{acl::{Role, Rule}, seal};\nfn f() { crate::keys::x(); }\n// crate::api\n");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["acl", "keys", "seal"]);
    assert_eq!(
        rooms_used("use crate::station::host::find;").into_iter().collect::<Vec<_>>(),
        ["station::host"]
    );
    assert_eq!(rooms_used("use crate::{station::Config};").into_iter().collect::<Vec<_>>(), ["station"]);
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let silent: Vec<_> =
        files.into_iter().filter(|f| !fs::read_to_string(f).unwrap().starts_with("//!")).collect();
    assert!(silent.is_empty(), "no opening words in {silent:?}");
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let code: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let is_test = |name: &&str| {
        name.len() > 30 && name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "SECURITY.md names a test that there is not: {name}");
    }
}
