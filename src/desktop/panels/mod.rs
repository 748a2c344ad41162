//! The pages after login. Each holds view state only: it reads the model, draws, and puts what it wants into an
//! [`Outbound`](super::model::Outbound).
//!
//! `on_event` is called before the model takes an event in; `ui` once a frame while the page is on.

mod audit;
mod ends;
mod keys;
mod publish;
mod sealing;
mod sender;
mod settings;
mod station;
mod watch;

pub use audit::AuditPanel;
pub(super) use ends::ends;
pub use keys::KeysPanel;
pub use publish::PublishPanel;
pub use sealing::{Sealing, sealing};
pub use settings::{Section, SettingsContext, SettingsPanel, SettingsWish};
pub use station::StationPanel;
pub use watch::WatchPanel;

/// The qualities of service, in MQTT's words and in plain ones.
pub(super) const QOS: [(u8, &str, &str); 3] = [
    (0, "QoS 0", "Sent once, with no answer: it may be lost."),
    (
        1,
        "QoS 1",
        "Sent until the broker acknowledges it: never lost. If an acknowledgement is lost it goes out twice, and who opens a sealed message drops the second.",
    ),
    (
        2,
        "QoS 2",
        "Handed over in four steps, so that the broker takes it exactly once. If the connection breaks in the middle it goes out again: who opens a sealed message drops the second, without a seal it may be seen twice.",
    ),
];

/// A count with its noun: "1 line", "1,204 lines".
#[must_use]
pub fn count_text(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// A number with a comma between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(count_text(1, "line"), "1 line");
    }
}
