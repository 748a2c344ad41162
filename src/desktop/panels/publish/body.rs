//! The payload as it is written: text, a number or JSON, checked while it is typed.
//!
//! The editor lays out little: what is pasted past [`EDITOR`] is kept aside and shown as a preview, and what is past
//! what the broker takes is refused before anything looks at it.

use serde::de::IgnoredAny;

use crate::{client::Suite, desktop::widgets::size_text};

/// The most bytes of a payload, whatever the broker takes: Sealwire's own windows take packets of 16 MiB.
const MOST: usize = 15 << 20;
/// The largest packet that a station takes where nobody changed it: while there is no connection, it is not known.
pub(super) const PACKET: usize = 1 << 20;
/// What the envelope adds to its padded inside, at most (`docs/envelope.md`): header, tag, lengths.
const ENVELOPE: usize = 160;
/// What the inside holds beside the payload, at most: kind, stamp, content type, lengths.
const INSIDE: usize = 96;
/// What a signature adds inside, at most: the COSE_Sign1 around it (RFC 9052 §4.2) with its 64 bytes.
pub(super) const SIGNATURE: usize = 128;
/// What a packet holds beside topic and payload, at most.
const HEADERS: usize = 128;
/// The most that the editor holds.
pub(super) const EDITOR: usize = 32 * 1024;

/// What kind of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// Words.
    #[default]
    Text,
    /// One number.
    Number,
    /// A JSON value.
    Json,
}

impl Kind {
    /// Every kind with its name.
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Text, "Text"), (Self::Number, "Number"), (Self::Json, "JSON")];

    /// The content type that is told inside the seal.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text | Self::Number => "text/plain; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// The most bytes of a payload that this suite seals into a packet of `packet` bytes for a topic of so many bytes.
///
/// COSE pads the inside to a multiple of 2^(E−S), E = ⌊log2 L⌋, S = ⌊log2 E⌋+1, at least 32. Fernet grows by a third, being base64 of version, time, IV, padded blocks and HMAC: 4⌈(57 + 16(⌊n/16⌋ + 1)) / 3⌉; `aes-cbc-hmac` is the same with 48.
pub(super) fn largest(suite: Option<Suite>, topic: usize, packet: usize) -> usize {
    let room = packet.saturating_sub(HEADERS + topic).min(MOST);
    match suite {
        None => room,
        Some(Suite::Fernet) => (((room / 4 * 3).saturating_sub(57) / 16) * 16).saturating_sub(1),
        Some(Suite::AesCbcHmac) => (((room / 4 * 3).saturating_sub(48) / 16) * 16).saturating_sub(1),
        Some(_) => {
            let sealed = room.saturating_sub(ENVELOPE);
            let Some(e) = sealed.checked_ilog2().filter(|e| *e > 0) else { return 0 };
            let block = (1_usize << e.saturating_sub(e.ilog2() + 1)).max(32);
            (sealed / block * block).saturating_sub(INSIDE)
        }
    }
}

/// A payload being written.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) kind: Kind,
    /// The most bytes that may be sent now.
    most: usize,
    /// What the editor holds.
    pub(super) text: String,
    /// What was too long for the editor.
    pasted: Option<String>,
    refused: Option<usize>,
    checked: Option<(Kind, Result<(), String>)>,
    /// Whether text looks like JSON; worked out once per change.
    json: Option<bool>,
}

impl Default for Body {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            most: largest(Some(Suite::default()), 0, PACKET),
            text: String::new(),
            pasted: None,
            refused: None,
            checked: None,
            json: None,
        }
    }
}

impl Body {
    /// What may be sent depends on the broker, the suite and the topic.
    pub(super) fn allow(&mut self, most: usize) {
        if self.most != most {
            self.most = most;
            self.checked = None;
        }
    }

    /// The most bytes that may be sent now.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// A payload to go on from.
    pub(super) fn set(&mut self, kind: Kind, text: String) {
        *self = Self { kind, most: self.most, ..Self::default() };
        if text.len() > EDITOR {
            self.pasted = Some(text);
        } else {
            self.text = text;
        }
    }

    /// Takes a paste that is too long for the editor. True when it did, and the editor must not have it.
    pub(super) fn take_paste(&mut self, paste: &str) -> bool {
        let whole = self.text.len() + paste.len();
        if whole <= EDITOR {
            return false;
        }
        self.changed();
        if whole > self.most {
            self.refused = Some(whole);
        } else {
            let mut text = std::mem::take(&mut self.text);
            text.push_str(paste);
            self.pasted = Some(text);
        }
        true
    }

    /// What was kept aside.
    pub(super) fn pasted(&self) -> Option<&str> {
        self.pasted.as_deref()
    }

    /// Forgets what was kept aside.
    pub(super) fn remove_pasted(&mut self) {
        self.pasted = None;
        self.changed();
    }

    /// Something was typed or chosen: what was found is void.
    pub(super) fn changed(&mut self) {
        self.checked = None;
        self.refused = None;
        self.json = None;
    }

    /// Whether what was written as text is a JSON object or array.
    pub(super) fn looks_like_json(&mut self) -> bool {
        let Self { kind, text, pasted, json, .. } = self;
        *kind == Kind::Text
            && *json.get_or_insert_with(|| {
                let text = pasted.as_deref().unwrap_or(text).trim();
                text.starts_with(['{', '[']) && check(Kind::Json, text, usize::MAX).is_ok()
            })
    }

    /// The payload as it would be sent.
    pub(super) fn as_sent(&self) -> &str {
        let text = self.pasted.as_deref().unwrap_or(&self.text);
        if self.kind == Kind::Number { text.trim() } else { text }
    }

    /// What is wrong with it; worked out once per change.
    pub(super) fn problem(&mut self) -> Option<String> {
        if let Some(size) = self.refused {
            return Some(format!(
                "That has {}. A message may have up to {}: send less, or in parts. Nothing was pasted.",
                size_text(size),
                size_text(self.most)
            ));
        }
        if self.checked.as_ref().is_none_or(|(kind, _)| *kind != self.kind) {
            self.checked = Some((self.kind, check(self.kind, self.as_sent(), self.most)));
        }
        self.checked.as_ref().and_then(|(_, checked)| checked.clone().err())
    }
}

/// That a payload is too large, in sizes that people read.
fn too_large(size: usize, largest: usize) -> String {
    format!("{} are too many: here a message may have up to {}.", size_text(size), size_text(largest))
}

fn check(kind: Kind, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(too_large(text.len(), most));
    }
    match kind {
        Kind::Text => Ok(()),
        Kind::Number if text.is_empty() => Err("Write a number, such as 21.5.".to_owned()),
        Kind::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(()),
            _ if text.contains(',') => {
                Err("Not a number. Write the decimals after a point: 21.5.".to_owned())
            }
            _ => Err("Not a number. Write digits, such as 21.5 or -3e4.".to_owned()),
        },
        Kind::Json if text.trim().is_empty() => Err("Write JSON, such as {\"celsius\": 21.5}.".to_owned()),
        Kind::Json => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Ok(()),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let words = error.to_string();
                let words = words.split(" at line ").next().unwrap_or_default();
                Err(format!("Not JSON: {words}, at line {line}, column {column}."))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: Kind, text: &str) -> Option<String> {
        let mut body = Body::default();
        body.set(kind, text.to_owned());
        body.problem()
    }

    #[test]
    fn a_number_is_a_finite_number_and_a_comma_gets_a_hint() {
        for good in ["0", " 21.5 ", "-3e4"] {
            assert_eq!(problem(Kind::Number, good), None, "{good}");
        }
        for bad in ["", "x", "1e999", "NaN", "inf"] {
            assert!(problem(Kind::Number, bad).is_some(), "{bad}");
        }
        assert!(problem(Kind::Number, "21,5").is_some_and(|why| why.contains("point")));
    }

    #[test]
    fn broken_json_is_told_with_line_and_column() {
        assert_eq!(problem(Kind::Json, "{\"a\": [1, 2]}"), None);
        let why = problem(Kind::Json, "{\n  \"a\": 1,\n}").unwrap();
        assert!(why.contains("line 3, column 1"), "{why}");
        assert!(problem(Kind::Json, "").is_some());
        assert_eq!(problem(Kind::Text, ""), None);
    }

    #[test]
    fn a_long_paste_goes_beside_the_editor_and_a_huge_one_nowhere() {
        let mut body = Body::default();
        assert!(!body.take_paste("short"));
        body.text = "start ".into();
        assert!(body.take_paste(&"x".repeat(EDITOR)));
        assert!(body.pasted().is_some_and(|text| text.starts_with("start x")) && body.text.is_empty());
        body.remove_pasted();
        assert!(body.take_paste(&"x".repeat(10_000_000)));
        assert!(body.pasted().is_none() && body.as_sent().is_empty());
        assert!(body.problem().is_some_and(|why| why.contains("9.5 MiB") && why.contains("1008 KiB")));
        body.changed();
        assert_eq!(body.problem(), None);
    }

    #[test]
    fn text_that_is_a_json_object_or_array_is_recognised_and_a_number_or_a_brace_alone_is_not() {
        let looks = |kind, text: &str| {
            let mut body = Body::default();
            body.set(kind, text.to_owned());
            body.looks_like_json()
        };
        assert!(looks(Kind::Text, " {\"a\": 1}\n") && looks(Kind::Text, "[1, 2]"));
        assert!(!looks(Kind::Text, "21.5") && !looks(Kind::Text, "{") && !looks(Kind::Text, "[note] hello"));
        assert!(!looks(Kind::Json, "[1]"), "it is JSON already");
    }

    #[test]
    fn the_largest_payload_of_a_suite_fits_the_packet_once_sealed_and_one_block_more_does_not() {
        let wire = |body: usize| (57 + 16 * (body / 16 + 1)).div_ceil(3) * 4;
        for packet in [4_096, PACKET, 5_000_000] {
            let most = largest(Some(Suite::Fernet), 20, packet);
            assert!(wire(most) + 20 + HEADERS <= packet && wire(most + 16) + 20 + HEADERS > packet, "{most}");
            let wire = |body: usize| (48 + 16 * (body / 16 + 1)).div_ceil(3) * 4;
            let most = largest(Some(Suite::AesCbcHmac), 20, packet);
            assert!(wire(most) + 20 + HEADERS <= packet && wire(most + 16) + 20 + HEADERS > packet, "{most}");
            let native = largest(Some(Suite::CoseA256Gcm), 20, packet);
            assert!(native > packet / 100 * 85 && native < packet, "{native} of {packet}");
            assert!(largest(None, 2_000, packet) < packet - 2_000);
        }
        assert_eq!(largest(Some(Suite::CoseA256Gcm), 20, 100), 0);
        assert!(largest(None, 20, 256 << 20) <= MOST, "whatever the broker takes");
    }

    #[test]
    fn another_kind_is_judged_anew() {
        let mut body = Body::default();
        body.set(Kind::Text, "hello".into());
        assert_eq!(body.problem(), None);
        body.kind = Kind::Json;
        assert!(body.problem().is_some());
    }
}
