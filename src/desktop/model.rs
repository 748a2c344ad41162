//! What the window knows: the last thing that the session told about each subject, and what was asked and not yet
//! answered.
//!
//! [`Model::apply`] is the only place where an event changes it. Panels read it and fill an [`Outbound`]; the app
//! sends what is in there after the frame. Nothing here draws or acts.

mod asked;
mod broker;
mod outbound;

pub use asked::asked_by;
pub use broker::{BrokerState, Pace};
pub use outbound::{Outbound, Place};

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use crate::{
    acl::Right,
    client::{
        AccountLine, AccountView, Asked, AuditLine, AuditLog, AuditVerdict, DeviceView, Event, Failure,
        KeyView, LinkState, OtherBrokerView, OutboxEntry, PeopleView, RoleLine, SampleState, SessionView,
        StationView, SubscriptionView, WillView,
    },
    topic::{TopicFilter, TopicName},
};

use super::{
    messages::{Budget, MessageStore, ROWS_PREFERENCE},
    when,
    widgets::{Problem, Severity},
};

/// How many messages on their way out are shown; the outbox on disk may hold more.
const OUTBOX_SHOWN: usize = 2_000;

/// What is known of one audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditState {
    /// The newest lines, newest first.
    pub lines: Vec<AuditLine>,
    /// How many lines the log has.
    pub total: u64,
    /// What the last verification told; gone when new lines came.
    pub verdict: Option<AuditVerdict>,
    /// Whether it was read at all.
    pub loaded: bool,
}

/// What was counted and is not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Legal repeats of QoS 1.
    pub repeats: u64,
    /// What the bounded queue to the window left out.
    pub dropped: u64,
}

/// Sessions of the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionsState {
    /// What was searched for.
    pub find: String,
    /// How many the search has.
    pub total: usize,
    /// The first of them.
    pub sessions: Vec<SessionView>,
}

/// What an event means beyond the data it carries: something for the app to route or to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// An account is logged in.
    LoggedIn,
    /// Nobody is any more; why, or empty where it was asked for.
    LoggedOut(String),
    /// Something worth a toast.
    Told(Severity, String),
    /// The session at the station ended; the outbox waits for a login.
    LogInAgain,
    /// A command failed; the place that asked shows it.
    Failed(Asked),
}

/// What the window knows.
#[derive(Debug)]
pub struct Model {
    /// What is remembered on this computer; `None` until the session told it.
    pub preferences: Option<HashMap<String, String>>,
    /// The station that answers.
    pub station: Option<StationView>,
    /// Who is logged in.
    pub account: Option<AccountView>,
    /// The live connection.
    pub link: LinkState,
    /// What arrived.
    pub messages: MessageStore,
    /// What is watched.
    pub subscriptions: Vec<SubscriptionView>,
    /// The keyring.
    pub keys: Vec<KeyView>,
    /// Whose signatures are known.
    pub people: PeopleView,
    /// What goes without a seal.
    pub clear_topics: Vec<TopicFilter>,
    /// Another broker that carries the messages; `None`: the station's.
    pub other_broker: Option<Box<OtherBrokerView>>,
    /// The will.
    pub will: WillView,
    /// What is on its way out, the newest last.
    pub outbox: VecDeque<OutboxEntry>,
    /// What is sent again and again.
    pub repeating: Vec<(TopicName, Duration)>,
    /// The sample sensor.
    pub sample: SampleState,
    /// The two audit logs; see [`Self::audit`].
    pub audits: [AuditState; 2],
    /// Credentials for plain MQTT programs; `None` before they were listed.
    pub devices: Option<Vec<DeviceView>>,
    /// The broker's own figures; for an admin.
    pub broker: BrokerState,
    /// The broker's sessions; `None` before they were listed. For an admin.
    pub sessions: Option<SessionsState>,
    /// Every account and role; `None` before they were listed. For an admin.
    pub accounts: Option<(Vec<AccountLine>, Vec<RoleLine>)>,
    /// What was counted and is not shown.
    pub left_out: LeftOut,
    /// What was asked and is not yet answered, for busy buttons.
    pub pending: HashSet<Asked>,
    failures: HashMap<Asked, Failure>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            preferences: None,
            station: None,
            account: None,
            link: LinkState::Off,
            messages: MessageStore::new(),
            subscriptions: Vec::new(),
            keys: Vec::new(),
            people: PeopleView::default(),
            clear_topics: Vec::new(),
            other_broker: None,
            will: WillView::default(),
            outbox: VecDeque::new(),
            repeating: Vec::new(),
            sample: SampleState::Off,
            audits: [AuditState::default(), AuditState::default()],
            devices: None,
            broker: BrokerState::default(),
            sessions: None,
            accounts: None,
            left_out: LeftOut::default(),
            pending: HashSet::new(),
            failures: HashMap::new(),
        }
    }
}

impl Model {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One of the two audit logs.
    #[must_use]
    pub fn audit(&self, log: AuditLog) -> &AuditState {
        &self.audits[index(log)]
    }

    /// The last failure of a kind of command, until it is dismissed, asked again or done.
    #[must_use]
    pub fn failure(&self, asked: Asked) -> Option<&Failure> {
        self.failures.get(&asked)
    }

    /// Forgets a failure.
    pub fn dismiss(&mut self, asked: Asked) {
        self.failures.remove(&asked);
    }

    /// Whether an answer is waited for.
    #[must_use]
    pub fn is_pending(&self, asked: Asked) -> bool {
        self.pending.contains(&asked)
    }

    /// What is remembered under a name.
    #[must_use]
    pub fn preference(&self, name: &str) -> Option<&str> {
        self.preferences.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether the account's role speaks of publishing or of subscribing at all; what it does not, is not offered. The role
    /// governs the station's broker: another one decides for itself.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        let may = |account: &AccountView| !self.role_governs() || account.role.may_ever(right);
        self.account.as_ref().is_some_and(may)
    }

    /// Whether the station's role decides what may be sent and watched: not for another broker, nor for one that is still to be
    /// chosen.
    #[must_use]
    pub fn role_governs(&self) -> bool {
        self.other_broker.is_none() && !matches!(self.link, LinkState::ChooseBroker { .. })
    }

    /// Whether the account's role administers the station.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.role.admin)
    }

    /// The largest packet that the broker takes, in bytes; `None` while it is not known.
    #[must_use]
    pub const fn max_packet(&self) -> Option<usize> {
        match &self.link {
            LinkState::Online { max_packet, .. } => Some(*max_packet),
            _ => None,
        }
    }

    /// Messages that have not reached the broker, or whose exchange with it is not over.
    #[must_use]
    pub fn waiting_to_send(&self) -> usize {
        use crate::client::OutboxState::{Held, Postponed, Queued, Received, Sent};
        self.outbox
            .iter()
            .filter(|entry| match entry.state {
                Queued | Postponed { .. } | Held { .. } | Received => true,
                // QoS 0 is done once it was handed to the network.
                Sent => entry.qos > 0,
                _ => false,
            })
            .count()
    }

    /// Notes that something was asked: it is pending, and its last failure is history.
    pub fn ask(&mut self, asked: Asked) {
        self.failures.remove(&asked);
        self.pending.insert(asked);
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: Event) -> Option<Happened> {
        for asked in asked::answered_by(&event) {
            self.pending.remove(asked);
            self.failures.remove(asked);
        }
        match event {
            Event::Failed(asked, failure) => {
                self.pending.remove(&asked);
                self.failures.insert(asked, failure);
                return Some(Happened::Failed(asked));
            }
            Event::Preferences(list) => {
                self.preferences = Some(list.into_iter().collect());
                if let Some(rows) = self.preference(ROWS_PREFERENCE).and_then(|rows| rows.parse().ok()) {
                    self.messages.set_budget(Budget::of_rows(rows));
                }
            }
            Event::Station(station) => self.station = Some(station),
            Event::LoggedIn(account) => {
                self.account = Some(account);
                return Some(Happened::LoggedIn);
            }
            Event::Account(account) => self.account = Some(account),
            Event::LoggedOut { reason } => {
                self.forget_account();
                return Some(Happened::LoggedOut(reason));
            }
            Event::Link(link) => {
                let again = matches!(link, LinkState::LogInAgain { .. })
                    && !matches!(self.link, LinkState::LogInAgain { .. });
                self.link = link;
                return again.then_some(Happened::LogInAgain);
            }
            Event::Outbox(entries) => self.take_outbox(entries),
            Event::Repeating(repeating) => self.repeating = repeating,
            Event::Messages(messages) => self.messages.push_batch(messages),
            Event::LeftOut { repeats, dropped } => self.left_out = LeftOut { repeats, dropped },
            Event::Subscriptions(subscriptions) => self.subscriptions = subscriptions,
            Event::ClearTopics(filters) => self.clear_topics = filters,
            Event::Broker(other) => self.other_broker = other,
            Event::Will(will) => self.will = will,
            Event::Keys(keys) => self.keys = keys,
            Event::People(people) => self.people = people,
            Event::AuditLines { log, lines, total } => {
                let state = &mut self.audits[index(log)];
                if state.total != total {
                    state.verdict = None;
                }
                *state = AuditState { lines, total, verdict: state.verdict.take(), loaded: true };
            }
            Event::AuditVerified { log, verdict } => self.audits[index(log)].verdict = Some(verdict),
            Event::Devices(devices) => self.devices = Some(devices),
            Event::Sample(sample) => self.sample = sample,
            Event::Figures(figures) => self.broker.take(figures, when::now_ms()),
            Event::Sessions { find, total, sessions } => {
                self.sessions = Some(SessionsState { find, total, sessions });
            }
            Event::SessionEnded { forgotten: true, .. } => return told("The session is gone."),
            Event::SessionEnded { forgotten: false, .. } => return told("The connection was ended."),
            Event::Accounts { accounts, roles } => self.accounts = Some((accounts, roles)),
            Event::AccountChanged { username } => {
                return Some(Happened::Told(
                    Severity::Success,
                    format!("The account {username} was changed."),
                ));
            }
            Event::OtpOn => return told("One-time codes are on."),
            Event::PasswordChanged => return told("The password was changed."),
            // The screens and dialogs that wait for these keep them: each is shown once.
            Event::StationUnknown { .. }
            | Event::StationChanged { .. }
            | Event::SignedUp { .. }
            | Event::Enrolment(_)
            | Event::PasswordReset { .. }
            | Event::RecoveryCodes(_)
            | Event::KeyImported { .. }
            | Event::KeyExported { .. }
            | Event::KeyEdited { .. }
            | Event::KeyConsequences { .. }
            | Event::KeysExported { .. }
            | Event::KeysImported { .. }
            | Event::Resealed { .. }
            | Event::Passphrase(_)
            | Event::DeviceMade { .. }
            // The dialog that asked shows it.
            | Event::BrokerTested { .. } => {}
        }
        None
    }

    /// What belonged to the account that is no longer logged in.
    fn forget_account(&mut self) {
        let (station, preferences) = (self.station.take(), self.preferences.take());
        let messages = MessageStore::with_budget(self.messages.budget());
        *self = Self { station, preferences, messages, ..Self::default() };
    }

    fn take_outbox(&mut self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            // What changes is nearly always among the newest.
            match self.outbox.iter().rposition(|known| known.id == entry.id) {
                Some(at) => self.outbox[at] = entry,
                None => {
                    let at = self.outbox.iter().rposition(|known| known.id < entry.id).map_or(0, |at| at + 1);
                    self.outbox.insert(at, entry);
                }
            }
        }
        while self.outbox.len() > OUTBOX_SHOWN {
            self.outbox.pop_front();
        }
    }
}

/// A failure as a banner shows it.
#[must_use]
pub fn problem_of(failure: &Failure) -> Problem {
    let mut next = failure.next.clone();
    if let Some(wait) = failure.retry_after {
        let seconds = wait.as_secs().max(1);
        let wait = if seconds < 120 {
            format!("{seconds} seconds")
        } else {
            format!("{} minutes", seconds.div_ceil(60))
        };
        let gap = if next.is_empty() { "" } else { " " };
        next.push_str(&format!("{gap}The next try is possible in {wait}."));
    }
    Problem::new(failure.what.clone(), failure.why.clone(), next)
}

const fn index(log: AuditLog) -> usize {
    match log {
        AuditLog::Publisher => 0,
        AuditLog::Subscriber => 1,
    }
}

fn told(text: &str) -> Option<Happened> {
    Some(Happened::Told(Severity::Success, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::OutboxState;

    fn entry(id: i64, state: OutboxState) -> OutboxEntry {
        OutboxEntry {
            id,
            queued_ms: 0,
            topic: TopicName::new("plant/press").unwrap(),
            qos: 1,
            retain: false,
            sealed_with: None,
            plain_len: 1,
            wire_len: 1,
            state,
        }
    }

    fn failure() -> Failure {
        Failure { what: "No".into(), why: "because".into(), next: "try".into(), retry_after: None }
    }

    #[test]
    fn an_outbox_entry_is_replaced_by_its_id_and_the_newest_stays_last() {
        let mut model = Model::new();
        model.apply(Event::Outbox(vec![entry(2, OutboxState::Queued), entry(3, OutboxState::Queued)]));
        model.apply(Event::Outbox(vec![
            entry(1, OutboxState::Queued),
            entry(2, OutboxState::Acknowledged { no_subscribers: false }),
        ]));
        let ids: Vec<_> = model.outbox.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!(model.waiting_to_send(), 2);
    }

    #[test]
    fn the_outbox_that_is_shown_is_bounded() {
        let mut model = Model::new();
        model.apply(Event::Outbox((0..3_000).map(|id| entry(id, OutboxState::Queued)).collect()));
        assert_eq!(model.outbox.len(), OUTBOX_SHOWN);
        assert_eq!(model.outbox.back().map(|entry| entry.id), Some(2_999));
    }

    #[test]
    fn a_failure_stays_until_the_same_thing_is_asked_again() {
        let mut model = Model::new();
        model.ask(Asked::Publish);
        assert!(model.is_pending(Asked::Publish));
        model.apply(Event::Failed(Asked::Publish, failure()));
        assert!(!model.is_pending(Asked::Publish));
        assert!(model.failure(Asked::Publish).is_some());
        model.ask(Asked::Publish);
        assert!(model.failure(Asked::Publish).is_none());
    }

    #[test]
    fn logging_out_forgets_the_account_and_keeps_the_station_shown() {
        let mut model = Model::new();
        model.apply(Event::ClearTopics(vec![TopicFilter::new("a/#").unwrap()]));
        model.apply(Event::Outbox(vec![entry(1, OutboxState::Queued)]));
        assert_eq!(
            model.apply(Event::LoggedOut { reason: String::new() }),
            Some(Happened::LoggedOut(String::new()))
        );
        assert!(model.outbox.is_empty() && model.clear_topics.is_empty());
    }

    #[test]
    fn the_chosen_number_of_rows_holds_for_every_account() {
        let mut model = Model::new();
        model.apply(Event::Preferences(vec![(ROWS_PREFERENCE.to_owned(), "500000".to_owned())]));
        assert_eq!(model.messages.budget().rows, 500_000);
        model.apply(Event::LoggedOut { reason: String::new() });
        assert_eq!(model.messages.budget().rows, 500_000);
    }

    #[test]
    fn new_lines_make_an_earlier_verdict_void() {
        let mut model = Model::new();
        let lines = |total| Event::AuditLines { log: AuditLog::Publisher, lines: Vec::new(), total };
        model.apply(lines(3));
        let verdict = AuditVerdict {
            lines: 3,
            anchored: None,
            broken: None,
            path: "log".into(),
            set_aside: Vec::new(),
        };
        model.apply(Event::AuditVerified { log: AuditLog::Publisher, verdict });
        model.apply(lines(3));
        assert!(model.audit(AuditLog::Publisher).verdict.is_some());
        model.apply(lines(4));
        assert!(model.audit(AuditLog::Publisher).verdict.is_none());
    }
}
