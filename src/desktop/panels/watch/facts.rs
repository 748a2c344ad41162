//! The facts of the selected message: suite, key, sender and verdict, always, with what needs a look in a banner.

use eframe::egui::Ui;

use crate::{
    client::{
        Message, Opening, SealedWith, SenderKey,
        legacy::{Place, spoken},
        sentence,
    },
    desktop::{
        model::Outbound,
        panels::{
            sealing::{profile_words, suite_words},
            sender::Sender,
        },
        when,
        widgets::{Banner, Severity, key_values, link, size_text},
    },
};

use super::{
    detail::Detail,
    verdict::{Known, profile_of},
};

impl Detail {
    /// What opening told, always.
    pub(super) fn facts(&mut self, ui: &mut Ui, message: &Message, known: Known<'_>, out: &mut Outbound) {
        match &message.opening {
            Opening::Opened { with, sealed_at_ms, signer, notes, .. } => {
                if !notes.is_empty() {
                    Banner::new(Severity::Warning, "Opened, but look").why(&notes.join(". ")).show(ui);
                }
                signer_banner(ui, message, known, signer.as_ref(), out);
                if let Some(profile) = with.profile.filter(|profile| !profile.is_secret()) {
                    Banner::new(Severity::Warning, &sentence(profile_words(profile).2))
                        .why("Anybody could have read this message, and anybody could have made it up.")
                        .show(ui);
                }
                opened(ui, message, known, with, *sealed_at_ms, notes);
            }
            Opening::InTheClear { .. } => {
                Banner::new(Severity::Warning, "In the clear")
                    .why("No key covers this topic, so it needs no seal here, and has none. Anybody on the way can read and change it.")
                    .show(ui);
                let (received, size) = common(message);
                key_values(
                    ui,
                    &[
                        ("Received", &received),
                        ("Suite", "none: in the clear"),
                        ("Sender", "nobody can tell"),
                        ("Size", &size),
                    ],
                );
            }
            Opening::Refused { name, why } => refused(ui, message, name, why, out),
        }
        if link(ui, "What do these words mean?").clicked() {
            self.explain();
        }
    }
}

/// When it came, and its size on the wire.
fn common(message: &Message) -> (String, String) {
    (when::date_time(message.arrived_ms), size_text(message.wire.len()))
}

fn opened(
    ui: &mut Ui,
    message: &Message,
    known: Known<'_>,
    with: &SealedWith,
    sealed_at_ms: u64,
    notes: &[String],
) {
    let (received, wire_size) = common(message);
    let body = crate::desktop::messages::body_of(message).map_or(0, bytes::Bytes::len);
    let suite = format!("{} ({})", suite_words(with.suite), with.suite);
    let key = format!("{} · {}", with.label, short(&with.kid));
    let sealed_at = match sealed_at_ms {
        0 => "no time told".to_owned(),
        told => format!("{}{}", when::date_time(told), delay(told, message.arrived_ms)),
    };
    let replay = if notes.is_empty() { "fresh: not seen here before".to_owned() } else { notes.join(", ") };
    let size = format!("{}, sealed {wire_size}", size_text(body));
    let sender = sender_text(known.sender(message).unwrap_or(Sender::NotSigned));
    let mut values = vec![
        ("Received", received.as_str()),
        ("Sealed", &sealed_at),
        ("Suite", &suite),
        ("Key", &key),
        ("Sender", &sender),
        ("Replay", &replay),
        ("Size", &size),
    ];
    let said = said(message);
    values.extend(said.iter().map(|(name, value)| (*name, value.as_str())));
    key_values(ui, &values);
}

/// Who signed, in one line.
fn sender_text(who: Sender<'_>) -> String {
    match who {
        Sender::NotSigned => "not signed: any holder of the key".to_owned(),
        Sender::You => "you: your own signature".to_owned(),
        Sender::Known { name, compared: true } => format!("{name}, digits compared"),
        Sender::Known { name, compared: false } => format!("{name}, digits not compared yet"),
        Sender::Changed { name } => format!("changed key: says to be {name}"),
        Sender::Renamed { name, known } => format!("{known}, now called {name}"),
        Sender::Told { name } => format!("{name}, says the station; not remembered"),
        Sender::Stranger => "unknown signer".to_owned(),
    }
}

/// A sender that needs a look, with the way there.
fn signer_banner(
    ui: &mut Ui,
    message: &Message,
    known: Known<'_>,
    signer: Option<&SenderKey>,
    out: &mut Outbound,
) {
    let who = known.sender(message).unwrap_or(Sender::NotSigned);
    let why = who.sentence();
    let (severity, what) = match who {
        Sender::NotSigned if known.lacks_signature(message) => {
            Banner::new(Severity::Warning, "Not signed")
                .why("Its key asks for signatures, and this message has none: any holder of the key can have written it.")
                .next("Ask the sender to turn signatures on for this key.")
                .show(ui);
            return;
        }
        Sender::Changed { .. } => (Severity::Error, "Signed with a changed key"),
        Sender::Renamed { .. } => (Severity::Warning, "Signed under another name"),
        Sender::Stranger => (Severity::Warning, "Signed by somebody unknown"),
        Sender::Told { .. } | Sender::NotSigned | Sender::You | Sender::Known { .. } => return,
    };
    if Banner::new(severity, what).why(&why).action("Look at people…").show(ui).acted {
        out.show_people(signer.copied());
    }
}

fn refused(ui: &mut Ui, message: &Message, name: &str, why: &str, out: &mut Outbound) {
    let why = sentence(why);
    let banner = Banner::new(Severity::Error, name).why(&why);
    let (import, people) = match name {
        "No key" | "Altered or other key" => (true, false),
        "Unknown signer" | "Not signed" | "Bad signature" => (false, true),
        _ => (false, false),
    };
    let banner = match (import, people) {
        (true, _) => banner.action("Import a key…"),
        (_, true) => banner.action("Look at people…"),
        _ => banner,
    };
    if banner.show(ui).acted {
        if import {
            out.import_key();
        } else {
            out.show_people(None);
        }
    }
    let (received, size) = common(message);
    key_values(ui, &[("Received", received.as_str()), ("Size", &format!("sealed {size}"))]);
}

/// What a message of an older system says, beside its words.
fn said(message: &Message) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    let Some(profile) = profile_of(message) else { return said };
    said.push(("Program", profile.title().to_owned()));
    let Some(spoken) = spoken(message) else {
        said.push(("Shape", "not as that program writes".to_owned()));
        return said;
    };
    if let Some(author) = spoken.author {
        let left = if spoken.leaves { ", who has left" } else { "" };
        said.push(("Name in it", format!("{author}{left} (anybody can write any name)")));
    }
    if let Some(Place { x, y }) = spoken.place {
        said.push(("Place", format!("{x}, {y}")));
    }
    if let Some(id) = spoken.id {
        said.push(("Call", id));
    }
    said
}

/// The first eight digits of a key id are enough for the eye.
fn short(kid: &str) -> &str {
    kid.get(..8).unwrap_or(kid)
}

/// How long a message took, where both clocks agree enough to say.
fn delay(sealed_ms: u64, arrived_ms: u64) -> String {
    match arrived_ms.checked_sub(sealed_ms) {
        None => " (by a clock ahead of ours)".to_owned(),
        Some(ms) if ms < 1_000 => format!(" ({ms} ms before)"),
        Some(ms) if ms < 120_000 => format!(" ({:.1} s before)", ms as f64 / 1000.0),
        Some(ms) if ms < 7_200_000 => format!(" ({} min before)", ms / 60_000),
        Some(ms) if ms < 172_800_000 => format!(" ({} h before)", ms / 3_600_000),
        Some(ms) => format!(" ({} days before)", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_told_in_the_unit_that_fits() {
        let told = |ms: u64| delay(1_000, 1_000 + ms);
        assert_eq!(
            [11, 2_500, 300_000, 7_300_000, 400_000_000].map(told),
            [" (11 ms before)", " (2.5 s before)", " (5 min before)", " (2 h before)", " (4 days before)"]
        );
        assert_eq!(delay(2_000, 1_000), " (by a clock ahead of ours)");
    }
}
