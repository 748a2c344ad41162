//! Online, waiting, given up; and what a lost connection means.

use tokio::time::Instant;

use super::{
    super::{
        Event, LinkState, OutboxState,
        clock::now_ms,
        http,
        mqtt::{Connection, Happening, Lost},
    },
    GOODBYE, Link, Note, Turn,
    backoff::{self, Cause},
};

/// A connection that lasted this long was a good one: the next wait is short again.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(10);

/// How often the desk looks whether another computer has changed the keys, while the link is online.
const VAULT_EVERY: std::time::Duration = std::time::Duration::from_secs(50);
/// How soon after that an unknown key may make it look again: what anybody may send must not keep the station busy.
const VAULT_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Where the link is.
pub(super) enum Phase {
    /// Not begun.
    Idle,
    /// An attempt, or online.
    Line { connection: Connection, online_since: Option<Instant> },
    /// Until the next attempt.
    Waiting { retry_at: Instant },
    /// The desk asks the station whether the session still lives.
    Checking,
    /// The session is over.
    Over,
    /// No broker can be used until a person has chosen one.
    Choosing,
}

impl Phase {
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Line { connection, .. } => Some(connection),
            _ => None,
        }
    }

    pub(super) fn take_connection(&mut self) -> Option<Connection> {
        match std::mem::replace(self, Self::Idle) {
            Self::Line { connection, .. } => Some(connection),
            other => {
                *self = other;
                None
            }
        }
    }

    /// The next happening; never, where there is no connection.
    pub(super) async fn happening(&mut self) -> Happening {
        match self.connection() {
            Some(connection) => connection.next().await,
            None => std::future::pending().await,
        }
    }

    /// A happening that waits already.
    pub(super) fn waiting_happening(&mut self) -> Option<Happening> {
        self.connection()?.try_next()
    }

    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Waiting { retry_at } => Some(*retry_at),
            _ => None,
        }
    }
}

impl Link {
    /// Begins the next attempt.
    pub(super) fn connect(&mut self) {
        self.attempt += 1;
        let will = self.announce_will();
        let session = self.carrier.session(will, self.receives_exactly_once);
        let connection = Connection::begin(&self.carrier.server, session);
        self.phase = Phase::Line { connection, online_since: None };
        self.teller.tell(Event::Link(LinkState::Connecting { attempt: self.attempt }));
    }

    /// It is time to look at the vault.
    pub(super) fn look_at_vault(&mut self) {
        let now = Instant::now();
        self.vault_due = self.phase.connection().is_some().then_some(now + VAULT_EVERY);
        self.vault_looked = Some(now);
        let _ = self.notes.send(Note::VaultDue);
    }

    /// Something came under a key that is not known here: another computer of this account may have it.
    pub(super) fn missed_key(&mut self) {
        if self.vault_looked.is_none_or(|at| at.elapsed() >= VAULT_AGAIN) {
            self.look_at_vault();
        }
    }

    pub(super) async fn retry_now(&mut self) {
        match self.phase {
            Phase::Waiting { .. } | Phase::Checking => self.connect(),
            Phase::Choosing => self.load_again().await,
            Phase::Idle | Phase::Line { .. } | Phase::Over => {}
        }
    }

    /// Ends the connection in good order and begins the next.
    pub(super) async fn connect_anew(&mut self, turn: &mut Turn) {
        let announced = self.will.is_announced();
        let Some(connection) = self.phase.take_connection() else {
            self.retry_now().await;
            return;
        };
        self.gather_back(turn);
        connection.disconnect(announced, GOODBYE).await;
        self.connect();
    }

    pub(super) async fn online(&mut self, session_present: bool) {
        let Phase::Line { connection, online_since } = &mut self.phase else { return };
        let Some(takes) = connection.takes else { return };
        *online_since = Some(Instant::now());
        self.may_send().await;
        self.vault_due = Some(Instant::now() + VAULT_EVERY);
        self.subscriptions.ask_all();
        self.ask_figures_again();
        self.teller.tell(Event::Subscriptions(self.subscriptions.view()));
        self.teller.tell(Event::Link(LinkState::Online {
            broker: self.carrier.address.clone(),
            protocol: self.carrier.version.name().to_owned(),
            tls: self.carrier.tls.clone(),
            max_packet: takes.packet,
        }));
        self.will_is_there();
        if !session_present {
            self.forget_unreleased().await;
        }
        if std::mem::replace(&mut self.was_online, true) {
            let _ = self.notes.send(Note::OnlineAgain);
        }
    }

    /// The connection is gone: everything unacknowledged goes back to the outbox.
    pub(super) fn gather_back(&mut self, turn: &mut Turn) {
        if let Phase::Line { online_since: Some(since), .. } = &self.phase
            && since.elapsed() >= SETTLED
        {
            self.attempt = 0;
        }
        self.phase = Phase::Idle;
        self.vault_due = None;
        // Packet ids of this connection mean nothing on the next: what is not acknowledged is sent again, and known.
        turn.acks.clear();
        self.strange.retain(|(_, message)| message.qos == 0);
        turn.entries.extend(self.outgoing.back().iter().map(|row| row.entry(OutboxState::Queued)));
        self.will_is_gone();
        self.subscriptions.forget_answers();
    }

    pub(super) fn lost(&mut self, lost: &Lost, turn: &mut Turn) {
        self.gather_back(turn);
        self.will_refused_by(lost);
        match Cause::of(lost, self.carrier.who()) {
            Cause::Transient(reason) => self.wait(reason),
            // The station is not asked about another broker's login.
            _ if self.carrier.is_other() => self.wait(lost.told(self.carrier.who())),
            Cause::Credentials(reason) => {
                self.phase = Phase::Checking;
                let _ = self.notes.send(Note::CheckSession { reason });
            }
            Cause::Identity => {
                let seen =
                    http::identity(&self.seen).map(|identity| identity.fingerprint.as_str().to_owned());
                match seen {
                    Some(seen) if seen != self.pinned => {
                        let address = self.broker.address.to_string();
                        let pinned = self.pinned.clone();
                        self.teller.tell(Event::StationChanged { address, pinned, seen });
                        self.over(
                            "another station than the pinned one answers; nothing was sent".to_owned(),
                            turn,
                        );
                    }
                    _ => self.wait("the station's certificate does not hold".to_owned()),
                }
            }
        }
    }

    /// Gives the connection up for a reason on this side, and tries again later.
    pub(super) fn drop_connection(&mut self, reason: String, turn: &mut Turn) {
        let announced = self.will.is_announced();
        if let Some(connection) = self.phase.take_connection() {
            self.gather_back(turn);
            // This computer has not vanished: its will is not to be published.
            tokio::spawn(connection.disconnect(announced, GOODBYE));
            self.wait(reason);
        }
    }

    fn wait(&mut self, reason: String) {
        let wait = backoff::wait(self.attempt.max(1));
        self.phase = Phase::Waiting { retry_at: Instant::now() + wait };
        let retry_at_ms = now_ms() + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.teller.tell(Event::Link(LinkState::Waiting {
            attempt: self.attempt.max(1),
            retry_at_ms,
            reason,
        }));
    }

    /// The desk found the session alive after all, or could not ask.
    pub(super) fn refused(&mut self, reason: String) {
        if matches!(self.phase, Phase::Checking) {
            self.will_may_be_why();
            self.wait(reason);
        }
    }

    /// Which broker was chosen is not known, or it cannot be used: what waits for it goes to no other by itself.
    pub(super) fn choose_broker(&mut self, reason: String) {
        self.phase = Phase::Choosing;
        self.teller.tell(Event::Link(LinkState::ChooseBroker { reason }));
    }

    /// The session is over: the outbox is kept, and nothing more is tried.
    pub(super) fn over(&mut self, reason: String, turn: &mut Turn) {
        self.gather_back(turn);
        self.end_exactly_once(turn);
        self.phase = Phase::Over;
        self.teller.tell(Event::Link(LinkState::LogInAgain { reason }));
    }
}
