//! Who signs under which key, as this account has learned it.
//!
//! The first key that a name comes with is remembered; a name that comes with another key later is told as changed and
//! not taken over by itself. Comparing digits, person to person, is what makes certain.

use serde::{Deserialize, Serialize};

use crate::seal::SenderKey;

/// The most people that are remembered; a station may not fill a vault with names.
pub const MAX_PEOPLE: usize = 4_096;

/// Somebody whose signatures this account can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The account's name at the station.
    pub name: String,
    /// The key that it signs with.
    pub key: SenderKey,
    /// Since when it is known, in milliseconds since 1970.
    pub since_ms: u64,
    /// Whether the two people compared their digits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
}

/// What became of a name and key that the station told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// Neither was known; they are now.
    New,
    /// They were known together.
    Same,
    /// The name is known with this other key. Nothing was changed: the person has to say.
    Changed {
        /// The key that is known.
        known: SenderKey,
    },
    /// The key is known under this other name. Nothing was changed.
    Renamed {
        /// The name that is known.
        known: String,
    },
    /// There is no room for more people.
    Full,
}

/// The people that an account knows. A name has one key here, and a key one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People(Vec<Sender>);

impl People {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes over what rested; of a name or key that is there twice, the first.
    #[must_use]
    pub fn of(senders: Vec<Sender>) -> Self {
        let mut people = Self::new();
        for sender in senders.into_iter().take(MAX_PEOPLE) {
            if people.get(&sender.key).is_none() && people.named(&sender.name).is_none() {
                people.0.push(sender);
            }
        }
        people
    }

    /// All of them, in the order in which they were learned.
    #[must_use]
    pub fn all(&self) -> &[Sender] {
        &self.0
    }

    /// Whose key it is.
    #[must_use]
    pub fn get(&self, key: &SenderKey) -> Option<&Sender> {
        self.0.iter().find(|sender| sender.key == *key)
    }

    /// Who has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Sender> {
        self.0.iter().find(|sender| sender.name == name)
    }

    /// Remembers a name and its key, if neither is known otherwise.
    pub fn learn(&mut self, name: &str, key: SenderKey, now_ms: u64) -> Learned {
        match (self.named(name), self.get(&key)) {
            (Some(known), _) if known.key == key => Learned::Same,
            (Some(known), _) => Learned::Changed { known: known.key },
            (None, Some(known)) => Learned::Renamed { known: known.name.clone() },
            (None, None) if self.0.len() >= MAX_PEOPLE => Learned::Full,
            (None, None) => {
                self.0.push(Sender { name: name.to_owned(), key, since_ms: now_ms, compared: false });
                Learned::New
            }
        }
    }

    /// Takes a name's new key in the place of the old one, because the person said so.
    pub fn replace(&mut self, name: &str, key: SenderKey, now_ms: u64) {
        self.0.retain(|sender| sender.name != name && sender.key != key);
        self.0.push(Sender { name: name.to_owned(), key, since_ms: now_ms, compared: false });
    }

    /// Notes that the digits were compared, or takes that back. False if the key is not known.
    pub fn set_compared(&mut self, key: &SenderKey, compared: bool) -> bool {
        let found = self.0.iter_mut().find(|sender| sender.key == *key);
        found.map(|sender| sender.compared = compared).is_some()
    }

    /// Forgets somebody. False if the key is not known.
    pub fn forget(&mut self, key: &SenderKey) -> bool {
        let before = self.0.len();
        self.0.retain(|sender| sender.key != *key);
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SenderKey {
        SenderKey::from_bytes([byte; 32])
    }

    #[test]
    fn the_first_key_of_a_name_stays_until_a_person_says_otherwise() {
        let mut people = People::new();
        assert_eq!(people.learn("anna", key(1), 5), Learned::New);
        assert_eq!(people.learn("anna", key(1), 6), Learned::Same);
        assert!(people.set_compared(&key(1), true));
        assert_eq!(people.learn("anna", key(2), 7), Learned::Changed { known: key(1) });
        assert_eq!(people.learn("bert", key(1), 7), Learned::Renamed { known: "anna".into() });
        assert_eq!(people.get(&key(1)).map(|anna| (anna.since_ms, anna.compared)), Some((5, true)));
        people.replace("anna", key(2), 8);
        assert_eq!(people.get(&key(1)), None);
        assert_eq!(people.named("anna").map(|anna| (anna.key, anna.compared)), Some((key(2), false)));
        assert!(people.forget(&key(2)) && !people.forget(&key(2)));
    }

    #[test]
    fn what_rested_is_taken_over_once_and_within_bounds() {
        let sender =
            |name: &str, byte| Sender { name: name.into(), key: key(byte), since_ms: 1, compared: false };
        let people =
            People::of(vec![sender("anna", 1), sender("anna", 2), sender("bert", 1), sender("carl", 3)]);
        assert_eq!(
            people.all().iter().map(|sender| sender.name.as_str()).collect::<Vec<_>>(),
            ["anna", "carl"]
        );
        let mut full = People::of(
            (0..MAX_PEOPLE)
                .map(|at| {
                    let mut bytes = [0; 32];
                    bytes[..8].copy_from_slice(&(at as u64).to_be_bytes());
                    Sender {
                        name: at.to_string(),
                        key: SenderKey::from_bytes(bytes),
                        since_ms: 1,
                        compared: false,
                    }
                })
                .collect(),
        );
        assert_eq!(full.learn("one more", key(9), 1), Learned::Full);
    }
}
