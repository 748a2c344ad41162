//! What a person asks for.

use std::{fmt, time::Duration};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    seal::SenderKey,
    topic::{TopicFilter, TopicName},
};

use super::{Signatures, Suite, legacy::Profile, other_broker::OtherBroker};

/// A secret that a person typed: a password, a recovery code, a key line. Wiped when dropped, never printed.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, where it is needed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How a station's identity is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// This SHA-256 of its CA's public key, 64 hex digits: from the data folder or an invite link.
    Pinned(String),
    /// As pinned before; a station never met is shown ([`super::Event::StationUnknown`]) and waits for
    /// [`Command::TrustStation`].
    AsKnown,
}

/// What stands beside the password at login.
#[derive(Debug, Clone)]
pub enum SecondStep {
    /// Six digits from the authenticator app.
    Code(Password),
    /// A recovery code instead; it is spent.
    Recovery(Password),
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where to.
    pub topic: TopicName,
    /// The payload in the open.
    pub body: Vec<u8>,
    /// `text/plain; charset=utf-8`, `application/json`, … told inside the seal.
    pub content_type: Option<String>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

/// What the broker publishes for a person whose computer vanishes without saying goodbye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// What is published. It is sealed afresh at every connect.
    pub draft: Draft,
    /// How long the broker waits first: a computer that is back within it has not vanished. At most [`Self::MOST_DELAY`].
    pub delay: Duration,
}

impl Will {
    /// As long as the broker keeps the session: with its end it publishes the will in any case (MQTT 5.0 §3.1.3.2.2).
    pub const MOST_DELAY: Duration = Duration::from_secs(3_600);
    /// The most bytes of its payload: it goes with every CONNECT, which brokers keep small.
    pub const MOST_BYTES: usize = 16 * 1024;
}

/// How a key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// One line, `sealwire-key:…`.
    Line,
    /// A Fernet key file as Python's `cryptography` writes it. Only for the suite `fernet`.
    FernetFile,
}

/// Which of an account's two audit logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditLog {
    /// `publisher_audit.log`.
    Publisher,
    /// `subscriber_audit.log`.
    Subscriber,
}

/// What a person asks for. Each that can fail answers [`super::Event::Failed`] with the matching
/// [`super::Asked`].
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are what the command's own line says")]
pub enum Command {
    /// Reaches a station's API: `host:port` or an invite link `sealwire://host:port/#fingerprint`.
    /// Answer: `Station`, `StationUnknown` or `StationChanged`.
    OpenStation { address: String, trust: Trust },
    /// Pins the station that was shown.
    TrustStation { fingerprint: String },
    /// Makes an account. `setup_code` for the first account of a station. Answer: `SignedUp`.
    SignUp { username: String, password: Password, role: Option<String>, setup_code: Option<Password> },
    /// Begins to turn one-time codes on, logged in. Answer: `Enrolment`.
    BeginOtp,
    /// Turns them on by the first code, at sign-up or later. Answer: `OtpOn`, and `LoggedIn` where sign-up waited.
    ConfirmOtp { code: Password },
    /// Logs in. Answer: `LoggedIn`; or `Enrolment` where the first code is still to be typed.
    LogIn { username: String, password: Password, second: Option<SecondStep>, remember: bool },
    /// A new password by recovery code; the vault stays. Answer: `PasswordReset`.
    ResetByRecovery { username: String, recovery: Password, code: Option<Password>, new_password: Password },
    /// A new password by one-time code; the vault is a new, empty one. Answer: `PasswordReset` with new codes.
    ResetByCode { username: String, code: Password, new_password: Password },
    /// Changes the password, logged in. Answer: `PasswordChanged`.
    ChangePassword { old: Password, new: Password },
    /// Makes eight new recovery codes. Answer: `RecoveryCodes`.
    NewRecoveryCodes { password: Password },
    /// Ends the session; the outbox stays on disk. Answer: `LoggedOut`.
    LogOut,
    /// Does not wait for the next try.
    RetryNow,
    /// Remembers a choice on this computer, whoever is logged in: `theme`, `station`. No secrets.
    /// Answer: `Preferences`.
    SetPreference { name: String, value: String },

    /// Watches a filter from now on, also after the next login. Answer: `Subscriptions`.
    Subscribe(TopicFilter),
    /// As [`Self::Subscribe`], which asks for QoS 1, at another quality of service: 0, 1 or 2. A filter that is watched
    /// already changes to it.
    SubscribeAt { filter: TopicFilter, qos: u8 },
    /// Stops.
    Unsubscribe(TopicFilter),
    /// Opens history again from disk: the newest `limit` messages. Answer: `Messages`.
    LoadHistory { limit: u32 },
    /// Forgets the history on this computer.
    ClearHistory,

    /// Seals and queues a message; with `every`, again and again until [`Command::StopRepeat`].
    /// Answer: `Outbox`.
    Publish { draft: Draft, every: Option<Duration> },
    /// Stops the repeated message to this topic.
    StopRepeat { topic: TopicName },
    /// Takes a queued message back, if it has not been sent.
    Discard { id: i64 },
    /// Lets a held message go: sealed with the key that its topic has now, or as it was queued. Answer: `Outbox`.
    ReleaseHeld { id: i64, seal: bool },
    /// Writes the will down, or turns it off. The link connects anew, so that the broker learns of it. Answer: `Will`.
    SetWill { will: Will, on: bool },
    /// Forgets the will. Answer: `Will`.
    ForgetWill,
    /// Lets messages to `filter` go without a seal, or no longer. They are marked wherever they show.
    /// Answer: `ClearTopics`.
    SetClear { filter: TopicFilter, clear: bool },
    /// Makes the key "Sample" for `sample/#` if it is not there, subscribes and publishes two readings a second.
    StartSample,
    /// Stops it.
    StopSample,

    /// Makes a key. Answer: `Keys`.
    CreateKey { label: String, filters: Vec<TopicFilter>, suite: Suite, signatures: Signatures },
    /// Makes the key that everybody gets who names the same room and passphrase. A weak passphrase is refused.
    /// Takes some tenths of a second. Answer: `Keys`.
    CreateFromPassphrase {
        label: String,
        filters: Vec<TopicFilter>,
        suite: Suite,
        room: String,
        passphrase: Password,
        signatures: Signatures,
    },
    /// Draws a passphrase of six words. Answer: `Passphrase`.
    SuggestPassphrase,
    /// Gives a key a new secret to seal with; the old ones open for ever. What this account has retained, and what in the
    /// outbox was never on the network, is sealed anew. Answer: `Keys`, then `Resealed` where there was something to seal.
    RotateKey { id: String },
    /// Retires a key, so that it seals no more and opens for ever; or takes it back into use, to seal again.
    /// Answer: `Keys`.
    RetireKey { id: String, retired: bool },
    /// Gives a key another label, other filters, other demands on signatures. Where new filters would take over topics
    /// that another key seals, nothing changes without `take_over`. Answer: `KeyEdited`, `Keys`.
    EditKey { id: String, label: String, filters: Vec<TopicFilter>, signatures: Signatures, take_over: bool },
    /// What would be lost or change if this key were deleted or retired. Answer: `KeyConsequences`.
    AskConsequences { id: String },
    /// Writes keys, or all of them, with all their epochs into an `age` file under a passphrase. A weak passphrase is
    /// refused. Takes some tenths of a second. Answer: `KeysExported`.
    ExportKeys { ids: Option<Vec<String>>, passphrase: Password },
    /// Takes keys from an `age` file, armored or not. `take_over` as with [`Self::ImportKey`]. Takes some tenths of a
    /// second. Answer: `KeysImported`, `Keys`.
    ImportKeys { file: Vec<u8>, passphrase: Password, take_over: bool },
    /// Takes a key from its line of text. `take_over`: may seal topics that another key covers already.
    /// Answer: `KeyImported`, `Keys`.
    ImportKey { line: Password, take_over: bool },
    /// Takes a Fernet key from the text of its file. Answer: `KeyImported`, `Keys`.
    ImportFernet { text: Password, label: String, filters: Vec<TopicFilter>, take_over: bool },
    /// Makes the key for programs of an older system: `secret` is the text of their key file or their passphrase, where they
    /// have one; `filters` and `label` are the profile's own where not said. Answer: `KeyImported`, `Keys`.
    AddLegacy {
        profile: Profile,
        filters: Option<Vec<TopicFilter>>,
        secret: Option<Password>,
        label: Option<String>,
        take_over: bool,
    },
    /// Writes a key down. `id` from [`super::KeyView`]. Answer: `KeyExported`.
    ExportKey { id: String, form: KeyForm },
    /// Deletes a key: what it sealed can never be opened again. Answer: `Keys`.
    DeleteKey { id: String },

    /// Notes that this person and the one who signs with `key` compared their digits, or takes it back. Answer: `People`.
    SetCompared { key: SenderKey, compared: bool },
    /// Takes the new key of somebody whose key has changed. Answer: `People`.
    AcceptSender { key: SenderKey },
    /// Forgets whose key it is. Answer: `People`.
    ForgetSender { key: SenderKey },

    /// Reads the newest `limit` lines of a log. Answer: `AuditLines`.
    ReadAudit { log: AuditLog, limit: u32 },
    /// Verifies a log against its own chain and the anchor at the station. Answer: `AuditVerified`.
    VerifyAudit { log: AuditLog },

    /// Lists the credentials for plain MQTT programs. Answer: `Devices`.
    ListDevices,
    /// Makes one. Answer: `DeviceMade`, `Devices`.
    NewDevice { label: String },
    /// Revokes one. Answer: `Devices`.
    RevokeDevice { id: i64 },

    /// Carries the messages through another broker than the station's from now on, or through the station's again. What
    /// waits in the outbox goes to the broker that is set. Answer: `Broker`.
    SetBroker(Option<Box<OtherBroker>>),
    /// Connects to another broker once, to see whether it answers; nothing is kept or sent. Answer: `BrokerTested`.
    TestBroker(Box<OtherBroker>),

    /// An admin's page shows the broker's own figures from now on, or no longer. Answer: `Figures`, again and again.
    WatchBroker(bool),
    /// Lists the broker's sessions whose client id, account or address holds `find`. Answer: `Sessions`.
    ListSessions { find: String },
    /// Ends a session's connection; with `forget` the session too, with what is queued in it.
    /// Answer: `SessionEnded`.
    EndSession { id: u64, forget: bool },
    /// Lists the accounts and the roles that there are. Answer: `Accounts`.
    ListAccounts,
    /// Gives an account another role, at once. Answer: `AccountChanged`, `Accounts`.
    SetRole { username: String, role: String },
    /// Removes an account, its vault and all that waits for it. Answer: `AccountChanged`, `Accounts`.
    RemoveAccount { username: String },
}
