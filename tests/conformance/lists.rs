//! The lists of what the standards demand name tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

use serde::Deserialize;

const LISTS: [&str; 4] = ["mqtt-3.1.toml", "mqtt-3.1.1.toml", "mqtt-5.0.toml", "mqtt-5.0-unnumbered.toml"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    /// What it demands, in our words.
    says: String,
    binds: Binds,
    /// `module::name` here, `folder/module::name` in another test of the project.
    #[serde(default)]
    test: Vec<String>,
    /// Why there is no test.
    not: Option<String>,
    /// What the broker does otherwise on purpose, and why; the tests hold what it does.
    differs: Option<String>,
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Binds {
    Server,
    Client,
    Both,
}

fn tests_of(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = path.file_stem().unwrap().to_str().unwrap();
        let source = fs::read_to_string(&path).unwrap();
        let mut marked = false;
        for line in source.lines().map(str::trim_start) {
            if line.starts_with("#[tokio::test") || line == "#[test]" {
                marked = true;
            } else if let Some(rest) = line.split_once("fn ").map(|(_, rest)| rest).filter(|_| marked) {
                found.insert(format!("{prefix}{module}::{}", rest.split('(').next().unwrap()));
                marked = false;
            }
        }
    }
}

/// `MQTT-3.10.1-1` by its numbers, so that 3.10 comes after 3.9.
fn numbers(id: &str) -> Vec<u32> {
    id.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[test]
fn every_statement_names_a_test_that_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut tests = BTreeSet::new();
    tests_of(&here.join("conformance"), "", &mut tests);
    for other in ["broker", "crash", "station"] {
        tests_of(&here.join(other), &format!("{other}/"), &mut tests);
    }
    assert!(tests.len() > 100, "{} tests were found", tests.len());
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for list in LISTS {
        let text = fs::read_to_string(here.join("conformance").join(list)).unwrap();
        // One line for each, so the order in the file can be seen; the same id twice is an error of the format.
        let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix('"')?.split('"').next()).collect();
        let statements: std::collections::BTreeMap<String, Statement> =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{list}: {error}"));
        assert_eq!(ids.len(), statements.len(), "{list}: one line for each statement");
        for pair in ids.windows(2) {
            if numbers(pair[0]) >= numbers(pair[1]) {
                wrong.push(format!("{list}: {} stands before {}", pair[0], pair[1]));
            }
        }
        let (mut tested, mut reasoned, mut clients, mut differing) = (0, 0, 0, 0);
        for (id, statement) in &statements {
            assert!(!statement.says.is_empty(), "{list}: {id} says nothing");
            if statement.differs.is_some() {
                differing += 1;
                if statement.test.is_empty() {
                    wrong.push(format!("{list}: {id} differs and no test holds how"));
                }
            }
            match (&statement.test[..], &statement.not) {
                ([], None) => wrong.push(format!("{list}: {id} has neither test nor reason")),
                ([], Some(reason)) if reason.is_empty() => wrong.push(format!("{list}: {id} has no reason")),
                ([], Some(_)) if statement.binds == Binds::Client => clients += 1,
                ([], Some(_)) => reasoned += 1,
                (_, Some(_)) => wrong.push(format!("{list}: {id} has a test and a reason for none")),
                (_, None) => tested += 1,
            }
            for test in &statement.test {
                named.insert(test.clone());
                if !tests.contains(test) {
                    wrong.push(format!("{list}: {id} names {test}, which is not there"));
                }
            }
        }
        let all = statements.len();
        println!(
            "{list}: {all} statements, {tested} tested ({differing} where we differ on purpose), {clients} for clients \
             only, {reasoned} not tested for a reason"
        );
    }
    let ours: BTreeSet<_> =
        tests.iter().filter(|test| !test.contains('/') && !test.starts_with("lists::")).collect();
    let idle: Vec<_> = ours.into_iter().filter(|test| !named.contains(*test)).collect();
    assert!(idle.is_empty(), "tests that no statement names: {idle:#?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
