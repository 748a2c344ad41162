//! The numbers in a payload: the payload itself, or the fields of a JSON object, to the second level.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The most numbers of one payload that are looked at.
pub const MAX_FIELDS: usize = 8;
/// Larger payloads are not looked into: a reading is small.
const LARGEST: usize = 16 * 1024;
/// Longer names are of no reading, and would fill the memory.
const LONGEST_NAME: usize = 128;

/// The numbers in a payload with their names: `value` for a bare number, `celsius`, `motor.rpm` for fields.
#[must_use]
pub fn numbers_in(body: &[u8]) -> Vec<(String, f64)> {
    if body.len() > LARGEST {
        return Vec::new();
    }
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let text = text.trim();
    match text.as_bytes().first() {
        Some(b'{') => {
            let mut found = Vec::new();
            let mut json = serde_json::Deserializer::from_str(text);
            let whole = Fields { prefix: "", inside: 0, found: &mut found }.deserialize(&mut json);
            if whole.is_ok() && json.end().is_ok() { found } else { Vec::new() }
        }
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => vec![("value".to_owned(), number)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Collects numbers while JSON is read, without building it.
struct Fields<'a> {
    prefix: &'a str,
    inside: usize,
    found: &'a mut Vec<(String, f64)>,
}

impl Fields<'_> {
    fn number<E>(self, number: f64) -> Result<(), E> {
        if number.is_finite()
            && (1..=LONGEST_NAME).contains(&self.prefix.len())
            && self.found.len() < MAX_FIELDS
        {
            self.found.push((self.prefix.to_owned(), number));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.number(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.number(number as f64)
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(number as f64)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if self.inside >= 2 || self.found.len() >= MAX_FIELDS {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let path = if self.prefix.is_empty() { name } else { format!("{}.{name}", self.prefix) };
            fields.next_value_seed(Fields {
                prefix: &path,
                inside: self.inside + 1,
                found: &mut *self.found,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<String> {
        numbers_in(body.as_bytes()).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_bare_number_and_the_fields_of_an_object_are_found() {
        assert_eq!(numbers_in(b" 21.5\n"), [("value".to_owned(), 21.5)]);
        let found = numbers_in(
            br#"{"celsius":21.5,"ok":true,"motor":{"rpm":1480,"deep":{"x":1}},"s":"7","a":[1,2]}"#,
        );
        assert_eq!(found, [("celsius".to_owned(), 21.5), ("motor.rpm".to_owned(), 1480.0)]);
    }

    #[test]
    fn what_is_no_reading_has_no_numbers() {
        for body in ["", "on", "12 apples", "1e999", "[1,2]", "{\"a\":1", "{\"a\":1} x", "inf", "-"] {
            assert!(names(body).is_empty(), "{body}");
        }
        assert!(numbers_in(&[0xff, 0x31]).is_empty());
        assert!(names(&format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(20_000))).is_empty());
    }

    #[test]
    fn a_payload_with_many_fields_gives_the_first_eight() {
        let fields: Vec<String> = (0..50).map(|n| format!("\"f{n}\":{n}")).collect();
        assert_eq!(names(&format!("{{{}}}", fields.join(","))).len(), MAX_FIELDS);
    }
}
