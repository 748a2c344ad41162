//! Arbitrary texts into what reads the messages of older systems' programs, and arbitrary words into what writes them.
//!
//! The first byte says which profile, and which way.

use sealwire::seal::legacy::{Place, Profile, Spoken};

/// One case.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let profile = Profile::ALL[usize::from(kind % 4)];
    match kind / 4 % 2 {
        0 => reads(profile, bytes),
        _ => writes(profile, bytes),
    }
}

/// What is read and can be said is said so that it reads the same.
fn reads(profile: Profile, text: &[u8]) {
    let read = match profile.parse(text) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(profile.renew(text, [7; 16]), None, "what cannot be read is not sent once more");
            return;
        }
    };
    match profile.compose(&read, [7; 16]) {
        Ok(written) => assert_eq!(same(profile, &written), without_id(read)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Some(renewed) = profile.renew(text, [8; 16]) {
        let again = profile.parse(renewed.as_bytes()).expect("what was written can be read");
        assert_eq!(without_id(again), same(profile, std::str::from_utf8(text).expect("it was read")));
    }
}

/// Name and words, divided by the first NUL; a flag and two numbers before them.
fn writes(profile: Profile, bytes: &[u8]) {
    let [flags, x, y, rest @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(rest);
    let (author, words) = text.split_once('\0').unwrap_or((&text, ""));
    let leaves = flags & 1 == 1 && profile == Profile::RoomChat;
    let spoken = match profile {
        Profile::DisasterResponse => {
            let place = Place { x: i64::from(*x as i8), y: i64::from(*y as i8) };
            Spoken { place: Some(place), ..Spoken::default() }
        }
        Profile::IndustrialIot => Spoken { text: words.to_owned(), ..Spoken::default() },
        Profile::RoomChat | Profile::WindowChat => Spoken {
            author: Some(author.to_owned()),
            // Who leaves says nothing else.
            text: if leaves { String::new() } else { words.to_owned() },
            leaves,
            ..Spoken::default()
        },
    };
    match profile.compose(&spoken, [7; 16]) {
        Ok(written) => assert_eq!(same(profile, &written), spoken),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn same(profile: Profile, written: &str) -> Spoken {
    without_id(profile.parse(written.as_bytes()).expect("what was written can be read"))
}

/// Each message that is written gets an id of its own.
fn without_id(spoken: Spoken) -> Spoken {
    Spoken { id: None, ..spoken }
}
