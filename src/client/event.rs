//! What a person is told.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    acl::Role,
    seal::SenderKey,
    topic::{TopicFilter, TopicName},
};

use super::{AccountLine, AuditLog, OtherBrokerView, Password, Profile, RoleLine, SessionView, Suite};

mod keys;

pub use keys::{
    EpochView, KeyConsequences, KeyOutcome, KeyReport, KeyView, PeopleView, PersonView, Standing,
};

/// Which command a failure belongs to, so that it is shown where the eye already is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the command of the same name")]
pub enum Asked {
    OpenStation,
    SignUp,
    Otp,
    LogIn,
    Reset,
    ChangePassword,
    RecoveryCodes,
    LogOut,
    Subscribe,
    History,
    Publish,
    Clear,
    Sample,
    CreateKey,
    ImportKey,
    ExportKey,
    DeleteKey,
    RotateKey,
    RetireKey,
    EditKey,
    KeyConsequences,
    ExportKeys,
    ImportKeys,
    Passphrase,
    Audit,
    Devices,
    Will,
    Figures,
    Sessions,
    EndSession,
    People,
    Accounts,
    ChangeAccount,
    Broker,
    TestBroker,
}

/// What went wrong, why, and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// "The message was not sent."
    pub what: String,
    /// "No key covers plant/press."
    pub why: String,
    /// "Make one in Keys, or import it."
    pub next: String,
    /// Seconds to wait before trying again makes sense.
    pub retry_after: Option<Duration>,
}

/// A station, as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationView {
    /// Its name.
    pub name: String,
    /// `host:port` of its API.
    pub address: String,
    /// SHA-256 of its CA's public key, 64 hex digits.
    pub fingerprint: String,
    /// Its version.
    pub version: String,
    /// Whether the next account is its first, hence its admin.
    pub needs_first_account: bool,
    /// Whether later accounts may be made.
    pub sign_up_open: bool,
    /// Role and one sentence, to choose from at sign-up.
    pub roles: Vec<(String, String)>,
    /// Whether one-time codes cannot be put off.
    pub otp_required: bool,
    /// How far this computer's clock is ahead of the station's, in milliseconds.
    pub clock_ahead_ms: i64,
    /// Accounts that used this station from this computer: the newest first, for the login form.
    pub known_accounts: Vec<String>,
}

/// The account that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Its name.
    pub username: String,
    /// Its role with the rules.
    pub role: Role,
    /// Whether one-time codes are on.
    pub otp: bool,
    /// Recovery codes not yet used.
    pub recovery_codes_left: u8,
    /// The MQTT client id in use.
    pub client_id: String,
    /// Where this account's state rests on this computer.
    pub folder: String,
    /// Whether an earlier login on this computer exists.
    pub first_time_here: bool,
}

/// For the authenticator app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentView {
    /// Base32, for typing.
    pub secret: Password,
    /// `otpauth://…`, for the QR code.
    pub uri: Password,
}

/// The live connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not logged in.
    Off,
    /// Trying, for the nth time since it was last online.
    Connecting {
        /// From 1.
        attempt: u32,
    },
    /// Connected.
    Online {
        /// `mqtts://127.0.0.1:8883`.
        broker: String,
        /// `MQTT 5`.
        protocol: String,
        /// `TLS 1.3`, or that the way is not encrypted.
        tls: String,
        /// The largest packet that the broker takes, in bytes.
        max_packet: usize,
    },
    /// Waiting to try again.
    Waiting {
        /// Tries so far.
        attempt: u32,
        /// When the next try comes, milliseconds since 1970.
        retry_at_ms: u64,
        /// Why the last try failed.
        reason: String,
    },
    /// The session ended at the station; the outbox is kept.
    LogInAgain {
        /// Why.
        reason: String,
    },
    /// Another broker was set on this computer, or may have been, and cannot be used. Nothing goes to any until a person has
    /// chosen one by [`Command::SetBroker`](super::Command::SetBroker); [`Command::RetryNow`](super::Command::RetryNow)
    /// looks again.
    ChooseBroker {
        /// Why.
        reason: String,
    },
}

/// Where a sent message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxState {
    /// On this disk, waiting for the link.
    Queued,
    /// Handed to the network, not yet acknowledged. QoS 0 ends here.
    Sent,
    /// At QoS 2: the broker has it (PUBREC); the exchange that keeps it from taking it twice is not over.
    Received,
    /// The broker has it. Not: somebody has read it.
    Acknowledged {
        /// Whether the broker said that nobody subscribes (MQTT 5 reason 0x10).
        no_subscribers: bool,
    },
    /// The broker has no room for it now (MQTT 5 reason 0x97): it stays in the outbox and is sent again.
    Postponed {
        /// Why.
        why: String,
        /// When, milliseconds since 1970.
        again_ms: u64,
    },
    /// Not sent, because what is decided about its topic has changed since it was queued without a seal: see
    /// [`super::Command::ReleaseHeld`].
    Held {
        /// What has changed.
        why: String,
    },
    /// The station said no.
    Refused {
        /// Why.
        why: String,
    },
    /// Taken back.
    Discarded,
}

/// What sealed a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedWith {
    /// The key's label.
    pub label: String,
    /// The key id, hex.
    pub kid: String,
    /// The suite.
    pub suite: Suite,
    /// The older system whose programs the key is for: such a message is labelled “legacy” wherever it shows.
    pub profile: Option<Profile>,
    /// Whether its sender signed it inside the seal.
    pub signed: bool,
}

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its row.
    pub id: i64,
    /// When it was queued, milliseconds since 1970.
    pub queued_ms: u64,
    /// Where to.
    pub topic: TopicName,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether retained.
    pub retain: bool,
    /// `None`: in the clear.
    pub sealed_with: Option<SealedWith>,
    /// Payload in the open, bytes.
    pub plain_len: usize,
    /// Payload on the wire, bytes.
    pub wire_len: usize,
    /// Where it is.
    pub state: OutboxState,
}

/// What opening a message told. Always shown, never guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Opened and verified.
    Opened {
        /// By what.
        with: SealedWith,
        /// The payload.
        body: Bytes,
        /// As told inside the seal.
        content_type: Option<String>,
        /// When it was sealed, milliseconds since 1970, by the sender's clock. 0: nobody tells (suite `aes-cbc-hmac`).
        sealed_at_ms: u64,
        /// Whether its sender sealed it as a will: the broker published it, because that computer vanished.
        will: bool,
        /// Who signed it: the signature was verified. Whose key it is, [`PeopleView`] tells. `None`: it is not signed.
        signer: Option<SenderKey>,
        /// What is notable: "repeated", "replayed as retained", "clock ahead". Empty when all is well.
        notes: Vec<String>,
    },
    /// No seal, on a topic that needs none.
    InTheClear {
        /// The payload.
        body: Bytes,
    },
    /// Not opened: the error's name and its explanation with the next step.
    Refused {
        /// Two or three words: "No key", "Altered", "Not sealed as required".
        name: String,
        /// What, why, and the next step.
        why: String,
    },
}

/// One message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Counts up on this computer.
    pub serial: i64,
    /// Milliseconds since 1970.
    pub arrived_ms: u64,
    /// Where from.
    pub topic: TopicName,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// What the broker sees.
    pub wire: Bytes,
    /// What opening it told.
    pub opening: Opening,
}

/// A filter that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionView {
    /// Which.
    pub filter: TopicFilter,
    /// The quality of service that was asked for: 0, 1 or 2.
    pub qos: u8,
    /// `None`: asked, not answered yet. `Some(Err(why))`: refused.
    pub granted: Option<Result<u8, String>>,
}

/// The will of this account on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WillView {
    /// As it was written, also while it is off.
    pub will: Option<super::Will>,
    /// Where it is.
    pub state: WillState,
}

/// Where a will is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WillState {
    /// None, or turned off.
    #[default]
    Off,
    /// To be handed over when the link connects.
    Waiting,
    /// The broker has it.
    InForce {
        /// `None`: in the clear.
        sealed_with: Option<SealedWith>,
    },
    /// It is on, and the broker does not have it.
    Problem {
        /// Why, and the next step.
        why: String,
    },
}

/// One line of an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of `audit::Record`")]
pub struct AuditLine {
    pub number: u64,
    pub time_ms: u64,
    pub action: String,
    pub topic: Option<String>,
    pub outcome: String,
    pub ok: bool,
    pub kid: Option<String>,
    pub suite: Option<String>,
    pub plain_len: Option<u64>,
    pub wire_len: Option<u64>,
    pub hash: String,
}

/// What verifying a log told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Lines that hold.
    pub lines: u64,
    /// Up to which line the station's anchor confirms the log.
    pub anchored: Option<u64>,
    /// The first thing that is wrong, with its line.
    pub broken: Option<String>,
    /// Where the file is.
    pub path: String,
    /// Earlier logs of this account that did not hold and were moved aside as evidence.
    pub set_aside: Vec<String>,
}

/// A credential for a plain MQTT program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// For revoking.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// The sample sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleState {
    /// Not running.
    Off,
    /// Publishing.
    Running,
}

/// What a person is told.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are what the event's own line says")]
pub enum Event {
    /// What is remembered on this computer, by name: the first event of a session, and after each change.
    Preferences(Vec<(String, String)>),
    /// A command failed.
    Failed(Asked, Failure),
    /// The station answers.
    Station(StationView),
    /// A station never met: compare the fingerprint, then [`super::Command::TrustStation`].
    StationUnknown { address: String, fingerprint: String },
    /// Another identity than the pinned one. Nothing was sent.
    StationChanged { address: String, pinned: String, seen: String },
    /// The account exists. Show the codes once; `enrolment` leads on to one-time codes.
    SignedUp { recovery_codes: Vec<Password>, enrolment: EnrolmentView, otp_required: bool },
    /// For turning one-time codes on: asked for in the settings, or, in answer to a login where the station requires
    /// them and the sign-up was left before the first code.
    Enrolment(EnrolmentView),
    /// One-time codes are on.
    OtpOn,
    /// Logged in; keys, subscriptions and outbox follow.
    LoggedIn(AccountView),
    /// Something about the account changed.
    Account(AccountView),
    /// Not logged in any more; empty when asked for.
    LoggedOut { reason: String },
    /// The password is new: log in. `recovery_codes` where new ones were made.
    PasswordReset { recovery_codes: Vec<Password> },
    /// The password is new; still logged in.
    PasswordChanged,
    /// New recovery codes; the old ones are void.
    RecoveryCodes(Vec<Password>),
    /// The connection.
    Link(LinkState),
    /// New or changed messages on their way out.
    Outbox(Vec<OutboxEntry>),
    /// Topics whose message is sent again and again, and how often.
    Repeating(Vec<(TopicName, Duration)>),
    /// Messages that arrived, oldest first.
    Messages(Vec<Message>),
    /// Counted and not shown: legal repeats, and what the bounded queue to the window left out.
    LeftOut { repeats: u64, dropped: u64 },
    /// The filters that are watched.
    Subscriptions(Vec<SubscriptionView>),
    /// The will.
    Will(WillView),
    /// The broker that carries the messages; `None` is the station's.
    Broker(Option<Box<OtherBrokerView>>),
    /// Another broker answered: its address, and what it takes.
    BrokerTested { address: String, told: String },
    /// The filters that go in the clear.
    ClearTopics(Vec<TopicFilter>),
    /// The keyring.
    Keys(Vec<KeyView>),
    /// Whose signatures this account can tell.
    People(PeopleView),
    /// A key came in; the filters that another key still seals, for a question.
    KeyImported { key: KeyView, covered: Vec<(TopicFilter, String)> },
    /// A key, written down.
    KeyExported { id: String, form: super::KeyForm, text: Password },
    /// A key was edited; or, where `covered` names filters that other keys seal, nothing was, for a question.
    KeyEdited { key: KeyView, covered: Vec<(TopicFilter, String)> },
    /// What deleting or retiring a key would mean.
    KeyConsequences { id: String, consequences: KeyConsequences },
    /// Messages were sealed anew, because the key that had sealed them was rotated; `left`: retained messages that could
    /// not be, and why.
    Resealed { retained: usize, outbox: usize, left: Vec<(TopicName, String)> },
    /// Keys, in an armored `age` file.
    KeysExported { file: Vec<u8>, keys: usize },
    /// Keys came in from a file.
    KeysImported { reports: Vec<KeyReport> },
    /// Six words that nobody else has.
    Passphrase(Password),
    /// Lines of a log, newest first.
    AuditLines { log: AuditLog, lines: Vec<AuditLine>, total: u64 },
    /// A log was verified.
    AuditVerified { log: AuditLog, verdict: AuditVerdict },
    /// The credentials.
    Devices(Vec<DeviceView>),
    /// A new credential; its password is shown once.
    DeviceMade {
        device: DeviceView,
        username: String,
        password: Password,
        mqtt: String,
        ca_pem: Option<Arc<str>>,
    },
    /// The sample sensor.
    Sample(SampleState),
    /// The broker's own figures that are new, by the name below `$SYS/broker/`.
    Figures(Vec<(String, String)>),
    /// Sessions of the broker: how many the search has, and the first of them.
    Sessions { find: String, total: usize, sessions: Vec<SessionView> },
    /// A session's connection was ended, or the session.
    SessionEnded { id: u64, forgotten: bool },
    /// Every account, and the roles that there are.
    Accounts { accounts: Vec<AccountLine>, roles: Vec<RoleLine> },
    /// An account has another role, or is gone.
    AccountChanged { username: String },
}
