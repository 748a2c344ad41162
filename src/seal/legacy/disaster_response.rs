//! System 000: calls for help, from whoever needs it to those who coordinate.
//!
//! `ID:` ‖ UUIDv4 ‖ ` Coordinates:` ‖ x ‖ `,` ‖ y, with a fresh UUID for every message, so that two calls of one person
//! cannot be told from those of two. The numbers run from 1 to 100: then every text has 55 to 59 bytes, and every token
//! 164.

use super::{Place, ShapeError, Spoken};

const GRID: std::ops::RangeInclusive<i64> = 1..=100;

pub(super) fn compose(spoken: &Spoken, random: [u8; 16]) -> Result<String, ShapeError> {
    let Place { x, y } = spoken.place.ok_or(ShapeError::NoPlace)?;
    if let Some(off) = [x, y].into_iter().find(|number| !GRID.contains(number)) {
        return Err(ShapeError::OffTheGrid(off));
    }
    Ok(format!("ID:{} Coordinates:{x},{y}", uuid(random)))
}

pub(super) fn parse(text: &str) -> Result<Spoken, ShapeError> {
    let read = || {
        let (id, place) = text.strip_prefix("ID:")?.split_once(" Coordinates:")?;
        let (x, y) = place.split_once(',')?;
        let number = |text: &str| text.trim().parse::<i64>().ok();
        let place = Place { x: number(x)?, y: number(y)? };
        is_uuid(id).then(|| Spoken { place: Some(place), id: Some(id.to_owned()), ..Spoken::default() })
    };
    read().ok_or(ShapeError::NotACall)
}

/// A UUID of version 4 (RFC 9562 §5.4): 122 random bits, version and variant.
fn uuid(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in random.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::legacy::Profile;

    fn call(x: i64, y: i64) -> Spoken {
        Spoken { place: Some(Place { x, y }), ..Spoken::default() }
    }

    #[test]
    fn a_call_is_written_to_the_byte() {
        let random =
            [0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0xf2, 0xd3, 0x24, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00];
        let text = compose(&call(42, 7), random).unwrap();
        assert_eq!(text, "ID:123e4567-e89b-42d3-a456-426614174000 Coordinates:42,7");
        let read = parse(&text).unwrap();
        assert_eq!(read.id.as_deref(), Some("123e4567-e89b-42d3-a456-426614174000"));
        assert_eq!(read.place, Some(Place { x: 42, y: 7 }));
    }

    #[test]
    fn every_call_fills_the_same_four_blocks() {
        for (x, y) in [(1, 1), (100, 100), (9, 10)] {
            let length = compose(&call(x, y), [0xff; 16]).unwrap().len();
            assert!((55..=59).contains(&length), "{length}");
        }
        assert_eq!(compose(&call(0, 5), [0; 16]), Err(ShapeError::OffTheGrid(0)));
        assert_eq!(compose(&call(5, 101), [0; 16]), Err(ShapeError::OffTheGrid(101)));
        assert_eq!(compose(&Spoken::default(), [0; 16]), Err(ShapeError::NoPlace));
    }

    #[test]
    fn a_call_sent_again_has_another_id_and_the_same_place() {
        let first = compose(&call(3, 4), [1; 16]).unwrap();
        let again = Profile::DisasterResponse.renew(first.as_bytes(), [2; 16]).unwrap();
        let (first, again) = (parse(&first).unwrap(), parse(&again).unwrap());
        assert_ne!(first.id, again.id);
        assert_eq!(first.place, again.place);
    }

    #[test]
    fn what_is_no_call_is_told() {
        for text in
            ["", "help", "ID: Coordinates:1,2", "ID:123e4567-e89b-42d3-a456-426614174000 Coordinates:1"]
        {
            assert_eq!(parse(text), Err(ShapeError::NotACall), "{text}");
        }
    }
}
