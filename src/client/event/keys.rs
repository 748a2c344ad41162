//! What a person is told of keys, and of the people who sign.

use crate::{
    client::{Profile, Signatures, Suite},
    seal::SenderKey,
    topic::TopicFilter,
};

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyView {
    /// Names it in commands.
    pub id: String,
    /// Its label.
    pub label: String,
    /// What it covers.
    pub filters: Vec<TopicFilter>,
    /// Its suite.
    pub suite: Suite,
    /// The key id that seals now, hex.
    pub kid: String,
    /// For comparing by eye: the same on both sides.
    pub fingerprint: String,
    /// When it came here, milliseconds since 1970.
    pub created_ms: u64,
    /// Whether it may seal, or only open because another key had its topics first, or because it is retired.
    pub seals: bool,
    /// Whether its owner retired it.
    pub retired: bool,
    /// What it asks of signatures.
    pub signatures: Signatures,
    /// The legacy profile that it follows.
    pub profile: Option<Profile>,
    /// Why it keeps little or nothing secret, where that is so: "no secrecy: …".
    pub weak: Option<String>,
    /// Its secrets over time, the newest first.
    pub epochs: Vec<EpochView>,
}

/// One secret of a key and the time it sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochView {
    /// Counts up from 1.
    pub number: u32,
    /// Its key id, hex.
    pub kid: String,
    /// For comparing by eye.
    pub fingerprint: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
    /// When the next one took over, milliseconds since 1970.
    pub retired_ms: Option<u64>,
}

/// What would be lost or change if a key were deleted; and, but for the first two, if it were retired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyConsequences {
    /// Messages of the history on this computer that nothing else opens.
    pub history: u64,
    /// Messages in the outbox that are sealed with it: they still go out, and this account cannot open them any more.
    pub outbox: u64,
    /// Retained messages that this account sealed with it on this computer and that, as far as is known, the broker has.
    pub retained: u64,
    /// Whether the will is sealed with it: it would go out with what seals its topic then, or be lost.
    pub will: bool,
    /// Filters of which at least some topics would have no key that seals them: nothing more could be sent there.
    pub filters_uncovered: Vec<TopicFilter>,
    /// Filters whose topics other keys would seal then, at least in part, and the label of each such key.
    pub others_cover: Vec<(TopicFilter, String)>,
}

/// What became of one key of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The label that it has in the file.
    pub label: String,
    /// The key as it is here now; `None` where it was refused.
    pub key: Option<KeyView>,
    /// What it does.
    pub outcome: KeyOutcome,
}

/// What a key from a file does here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOutcome {
    /// It seals and opens; before, nothing sealed its topics.
    Seals,
    /// It seals and opens, and took over from keys with these labels.
    TookOver(Vec<String>),
    /// It only opens: keys with these labels go on sealing. Empty where its owner had retired it.
    OpensOnly(Vec<String>),
    /// It was here already.
    AlreadyThere,
    /// It was here, and now has this many more epochs.
    Completed(usize),
    /// It was not taken, and why.
    Refused(String),
}

/// Whose signatures this account can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeopleView {
    /// What this account itself signs with.
    pub own: Option<SenderKey>,
    /// Everybody whom the vault knows, then those who were met and are not known.
    pub people: Vec<PersonView>,
}

impl PeopleView {
    /// Whose key it is.
    #[must_use]
    pub fn of(&self, key: &SenderKey) -> Option<&PersonView> {
        self.people.iter().find(|person| person.key == *key)
    }
}

/// Somebody who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    /// The public key.
    pub key: SenderKey,
    /// Sixty digits, to compare person to person.
    pub digits: String,
    /// What is known.
    pub standing: Standing,
    /// Since when, milliseconds since 1970; 0 where they are not known.
    pub since_ms: u64,
}

/// What is known of somebody who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The key that this account first met under this name.
    Known {
        /// The account at the station.
        name: String,
        /// Whether the two people compared their digits.
        compared: bool,
    },
    /// The station says that it is this account, which was known with another key: a new computer after a reset, or
    /// somebody who speaks as that account.
    Changed {
        /// The account at the station.
        name: String,
        /// The key that is known.
        known: SenderKey,
    },
    /// The station gives this key, which is known, another name now.
    Renamed {
        /// What the station says.
        name: String,
        /// The name that is known.
        known: String,
    },
    /// The station says this name, and the vault could not remember it.
    Told {
        /// The account at the station.
        name: String,
    },
    /// No account of the station signs with this key.
    Stranger,
}
