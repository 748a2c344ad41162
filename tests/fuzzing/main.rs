//! The fuzzer's cases without a fuzzer: its corpus, what it once found, and a fixed number of mutations of them.
#![cfg(all(feature = "station", feature = "client"))]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

/// Mutations of each file, unless [`MUTATIONS_VARIABLE`] says another number.
const MUTATIONS: usize = 20;
const MUTATIONS_VARIABLE: &str = "SEALWIRE_TEST_MUTATIONS";

/// Panics of this process: one in a connection's task ends nothing but the connection.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, SeqCst);
            told(panic);
        }));
    });
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }

    /// A few changes: bytes set, flipped, cut out, put in, doubled, or taken from another case.
    fn mutate(&mut self, case: &[u8], other: &[u8]) -> Vec<u8> {
        let mut case = case.to_vec();
        for _ in 0..=self.roll(4) {
            let (at, length) = (self.roll(case.len()), self.roll(8) + 1);
            let end = (at + length).min(case.len());
            match self.roll(6) {
                _ if case.is_empty() => case.push(self.roll(256) as u8),
                0 => case[at] = self.roll(256) as u8,
                1 => case[at] ^= 1 << self.roll(8),
                2 => drop(case.drain(at..end)),
                3 => case.insert(at, [0, 1, 0x7F, 0x80, 0xFF][self.roll(5)]),
                4 => {
                    let piece = case[at..end].to_vec();
                    case.splice(at..at, piece);
                }
                _ => {
                    let from = self.roll(other.len());
                    let piece = other[from..].iter().take(length * 4).copied().collect::<Vec<_>>();
                    case.splice(at..end, piece);
                }
            }
        }
        case
    }
}

/// Runs every file that there is for a target, and mutations of it.
fn replay(target: &str, run: impl Fn(&[u8])) {
    count_panics();
    let mutations = std::env::var(MUTATIONS_VARIABLE).map_or(MUTATIONS, |text| text.parse().unwrap());
    let mut files = files_in(&format!("corpus/{target}"));
    let regressions = files_in("regressions").into_iter();
    regressions.filter(|folder| folder.ends_with(target)).for_each(|folder| {
        files.extend(files_in(&format!("regressions/{}", folder.file_name().unwrap().display())));
    });
    let cases: Vec<_> = files.iter().map(|file| (file, fs::read(file).unwrap())).collect();
    assert!(cases.len() > 20, "the corpus of {target} is not there");
    let mut dice = Dice(1);
    for (file, case) in &cases {
        hold(file, case, &run);
        for _ in 0..mutations {
            let other = &cases[dice.roll(cases.len())].1;
            hold(file, &dice.mutate(case, other), &run);
        }
    }
}

fn hold(file: &Path, case: &[u8], run: &impl Fn(&[u8])) {
    let before = PANICS.load(SeqCst);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(case)));
    let fine = ended.is_ok() && PANICS.load(SeqCst) == before;
    // To be put into fuzz/regressions once it is mended.
    assert!(fine, "from {}: {}", file.display(), hex(case));
}

fn hex(case: &[u8]) -> String {
    case.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn whatever_bytes_come_in_one_connection_the_broker_answers_in_mqtt_and_serves_the_others() {
    replay("packets", bodies::packets::run);
}

#[test]
fn whatever_bytes_come_as_an_envelope_they_open_for_a_reason_or_are_refused_by_name() {
    replay("envelope", bodies::envelope::run);
}

#[test]
fn whatever_bytes_come_as_a_key_they_are_one_that_can_be_written_again_or_are_refused() {
    replay("keyline", bodies::keyline::run);
}

#[test]
fn whatever_bytes_come_as_a_key_file_they_are_keys_that_can_be_written_again_or_are_refused() {
    replay("keyfile", bodies::keyfile::run);
}

#[test]
fn whatever_a_program_of_an_older_system_says_is_read_and_said_again_the_same_or_refused() {
    replay("legacy", bodies::legacy::run);
}

#[test]
fn whatever_clients_do_that_keep_to_the_standard_the_broker_keeps_to_it_too() {
    replay("session", bodies::session::run);
}
