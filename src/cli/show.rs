//! What arrived, on standard output and standard error: the body where it holds, a line of JSON with everything, or the bytes
//! on the wire.
//!
//! Standard output gets a body only where its seal holds and it was not here before (or where it may be in the clear); what
//! is withheld is told on standard error. On a terminal, control characters of strangers are escaped.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    client::direct::{Arrived, Opened, Reading, SenderView},
    topic::TopicName,
};

use super::{legacy, note, printable};

/// How messages are shown.
pub(super) struct Show {
    pub json: bool,
    pub raw: bool,
    pub newline: bool,
    pub verbose: bool,
    pub in_the_clear: bool,
    /// Nothing is taken on the station's word alone.
    pub strict: bool,
}

impl Show {
    /// Shows a message. The answer is whether it holds: opened, fresh, and nothing about it to be told, or in the clear where
    /// that was asked for.
    pub(super) fn message(&self, arrived: &Arrived) -> anyhow::Result<bool> {
        let holds = self.holds(arrived);
        if self.json {
            self.line(self.object(arrived).as_bytes(), true)?;
            return Ok(holds);
        }
        if self.raw {
            self.line(&arrived.wire, self.newline)?;
            return Ok(holds);
        }
        let topic = printable(arrived.topic.as_str());
        match &arrived.reading {
            Reading::Opened(opened) => {
                for told in opened.notes.iter().chain(&unknown_signer(opened)) {
                    note(&format!("{topic}: {}", printable(told)));
                }
                match (self.doubt(opened), &opened.sender) {
                    (None, _) => self.body(&heading(&topic, opened), &self.words(opened))?,
                    (Some(doubt @ "unknown-signer"), Some(sender)) => note(&format!(
                        "{topic}: {doubt}: not shown; once you have compared the identity with its owner, --known {}={} shows it",
                        sender.name.as_deref().map_or("NAME".into(), printable),
                        sender.key
                    )),
                    (Some(doubt), _) => note(&format!("{topic}: {doubt}: not shown; --json shows it")),
                }
            }
            Reading::InTheClear if self.in_the_clear => {
                self.body(&format!("{topic} (in the clear)"), &arrived.wire)?;
            }
            Reading::InTheClear => note(&format!(
                "{topic}: in the clear ({} bytes): not shown; --in-the-clear shows it",
                arrived.wire.len()
            )),
            Reading::Refused { name, why } => note(&format!("{topic}: {name}: {}", printable(why))),
        }
        Ok(holds)
    }

    /// A repeat, which is nothing new: only JSON has a line for it.
    pub(super) fn repeat(&self, topic: &TopicName, qos: u8) -> anyhow::Result<()> {
        if self.json {
            let told = json!({ "topic": topic.as_str(), "qos": qos, "verdict": "repeated" });
            self.line(json_line(&told).as_bytes(), true)?;
        }
        Ok(())
    }

    /// The body; of a program of an older system as that would show it, and marked where no heading does.
    fn words<'o>(&self, opened: &'o Opened) -> Cow<'o, [u8]> {
        let Some(profile) = opened.with.profile else { return Cow::Borrowed(&opened.body) };
        let words = legacy::words(profile, opened.spoken().as_ref(), &opened.body);
        let mark: &[u8] = if self.verbose { b"" } else { b"(legacy) " };
        Cow::Owned([mark, &words[..]].concat())
    }

    fn holds(&self, arrived: &Arrived) -> bool {
        match &arrived.reading {
            Reading::Opened(opened) => self.doubt(opened).is_none(),
            Reading::InTheClear => self.in_the_clear,
            Reading::Refused { .. } => false,
        }
    }

    pub(super) fn doubt(&self, opened: &Opened) -> Option<&'static str> {
        if self.strict { opened.strict_doubt() } else { opened.doubt() }
    }

    fn body(&self, heading: &str, body: &[u8]) -> io::Result<()> {
        let mut shown = Vec::new();
        if self.verbose {
            shown.extend_from_slice(heading.as_bytes());
            shown.extend_from_slice(b": ");
        }
        if io::stdout().is_terminal() {
            shown.extend_from_slice(printable(&String::from_utf8_lossy(body)).as_bytes());
        } else {
            shown.extend_from_slice(body);
        }
        self.line(&shown, self.newline)
    }

    fn line(&self, bytes: &[u8], newline: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        if newline {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    fn object(&self, arrived: &Arrived) -> String {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("topic", json!(arrived.topic.as_str()));
        put("qos", json!(arrived.qos));
        put("retained", json!(arrived.retained));
        put("arrived", json!(stamp(arrived.arrived_ms)));
        put("wire_length", json!(arrived.wire.len()));
        match &arrived.reading {
            Reading::Opened(opened) => {
                put("verdict", json!(self.doubt(opened).unwrap_or("fresh")));
                put("suite", json!(opened.with.suite));
                put("key", json!(opened.with.label));
                put("kid", json!(opened.with.kid));
                put("profile", json!(opened.with.profile));
                put("content_type", json!(opened.content_type));
                put("sealed_at", json!(opened.sealed_at_ms.map(stamp)));
                put("will", json!(opened.will));
                put("signature", json!(signature(opened.sender.as_ref())));
                put("sender", json!(opened.sender.as_ref().and_then(|sender| sender.name.as_ref())));
                put("sender_key", json!(opened.sender.as_ref().map(|sender| &sender.key)));
                put("notes", json!(opened.notes));
                if let Some(said) = opened.spoken() {
                    put("author", json!(said.author));
                    put("text", json!(said.text));
                    put("place", json!(said.place.map(|place| [place.x, place.y])));
                    put("call_id", json!(said.id));
                    put("leaves", json!(said.leaves));
                }
                let (name, body) = text_or_base64("body", &opened.body);
                put(name, body);
            }
            Reading::InTheClear => {
                put("verdict", json!("in-the-clear"));
                if self.in_the_clear {
                    let (name, body) = text_or_base64("body", &arrived.wire);
                    put(name, body);
                }
            }
            Reading::Refused { name, why } => {
                put("verdict", json!(name));
                put("why", json!(why));
            }
        }
        if self.raw {
            put("wire_base64", json!(STANDARD.encode(&arrived.wire)));
        }
        json_line(&Value::Object(object))
    }
}

/// JSON in one line, also for a terminal: what JSON lets stand, and a terminal might obey, is escaped. Such characters stand
/// in strings only, where `\u` means the same.
pub(super) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for character in value.to_string().chars() {
        if printable(character.encode_utf8(&mut [0; 4])).starts_with('\\') && character != '\\' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(character);
        }
    }
    line
}

/// RFC 3339, in UTC, with milliseconds.
pub(super) fn stamp(ms: u64) -> String {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX));
    time.map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn text_or_base64(name: &'static str, body: &[u8]) -> (&'static str, Value) {
    match std::str::from_utf8(body) {
        Ok(text) => (name, json!(text)),
        Err(_) => ("body_base64", json!(STANDARD.encode(body))),
    }
}

/// What is known of the signature, which holds where there is one.
fn signature(sender: Option<&SenderView>) -> &'static str {
    match sender {
        None => "none",
        Some(sender) if sender.compared => "compared",
        Some(sender) if sender.known => "known",
        Some(sender) if sender.changed => "changed",
        Some(SenderView { name: Some(_), .. }) => "told",
        Some(_) => "unknown",
    }
}

fn unknown_signer(opened: &Opened) -> Option<String> {
    let sender = opened.sender.as_ref().filter(|sender| sender.name.is_none())?;
    Some(format!("signed by somebody unknown (identity {}): compare it with the sender's", sender.key))
}

/// Topic, key, sender and verdict, for `--verbose`.
fn heading(topic: &str, opened: &Opened) -> String {
    let with = &opened.with;
    let sender = match &opened.sender {
        None => "not signed".to_owned(),
        Some(sender) => match &sender.name {
            Some(name) if sender.compared => format!("signed by {name}, compared"),
            Some(name) if sender.known => format!("signed by {name}"),
            Some(name) => format!("signed by {name}, says the station"),
            None => format!("signed by {:.8}…", sender.key),
        },
    };
    let will = if opened.will { ", a will" } else { "" };
    let older = with.profile.map_or_else(String::new, |profile| format!(", legacy {profile}"));
    let heading = format!("({} “{}”{older}, {sender}, {}{will})", with.suite, with.label, opened.verdict);
    format!("{topic} {}", printable(&heading))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_means_the_same_and_steers_no_terminal() {
        let value = json!({ "body": "a\u{9b}2J\u{7f}\u{202e}b \\ \"°C\" \n", "topic": "温度" });
        let line = json_line(&value);
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line}");
        assert!(line.contains("温度") && line.contains("°C"));
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }

    #[test]
    fn a_stamp_is_utc_with_milliseconds() {
        assert_eq!(stamp(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }
}
