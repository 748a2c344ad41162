//! How a setting's value is written and read: text, numbers, sizes, times, addresses, yes and no.

use std::{net::SocketAddr, time::Duration};

use toml::de::DeValue;

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "is a text: write it in quotes".to_owned())
}

pub(super) fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wrong = || "is a list of texts, such as [\"https://example.org\"]".to_owned();
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

pub(super) fn yes_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "is true or false, without quotes".to_owned())
}

pub(super) fn address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let wrong = || "is an address with its port, such as \"127.0.0.1:1883\" or \"[::]:8883\"".to_owned();
    value.as_str().ok_or_else(wrong)?.parse().map_err(|_| wrong())
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn within(found: u64, least: u64, most: u64) -> Result<u64, String> {
    match found {
        _ if found < least => Err(format!("is at least {least}, and {found} was given")),
        _ if found > most => Err(format!("is at most {most}, and {found} was given")),
        _ => Ok(found),
    }
}

/// A whole number.
pub(super) fn number(value: &DeValue<'_>, least: u64, most: u64) -> Result<u64, String> {
    let found = integer(value).ok_or_else(|| format!("is a whole number from {least} to {most}"))?;
    within(found, least, most)
}

/// Bytes: a number, or a text such as "16 MiB".
pub(super) fn size(value: &DeValue<'_>, least: u64, most: u64) -> Result<u64, String> {
    let wrong = || "is a number of bytes, or a text such as \"64 KiB\", \"16 MiB\" or \"1 GiB\"".to_owned();
    let found = match value.as_str() {
        None => integer(value).ok_or_else(wrong)?,
        Some(text) => {
            let (unit, factor) =
                UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
            let number: u64 = text.trim_end_matches(unit).trim().parse().map_err(|_| wrong())?;
            number.saturating_mul(factor)
        }
    };
    within(found, least, most)
}

pub(super) fn written_size(bytes: u64) -> String {
    match UNITS.into_iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("\"{} {unit}\"", bytes / factor),
        None => bytes.to_string(),
    }
}

/// A time in seconds, with or without a decimal point.
pub(super) fn seconds(value: &DeValue<'_>, least: f64, most: f64) -> Result<Duration, String> {
    let wrong = || format!("is a number of seconds from {least} to {most}");
    let found = match value.as_float() {
        Some(float) => float.as_str().parse().map_err(|_| wrong())?,
        None => integer(value).ok_or_else(wrong)? as f64,
    };
    if !(least..=most).contains(&found) {
        return Err(format!("{}, and {found} was given", wrong()));
    }
    Duration::try_from_secs_f64(found).map_err(|_| wrong())
}

/// How many letters two names differ by (Levenshtein).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (to, wanted) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != wanted);
            diagonal = row[to + 1];
            row[to + 1] = replaced.min(row[to] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// Lines of at most so many characters.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(last) if line == 0 => last.push_str(word),
            Some(last) if line + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
