//! Messages at QoS 2, on a connection of their own whose session begins and ends with it.
//!
//! Within one connection MQTT delivers them exactly once: PUBLISH, PUBREC, PUBREL, PUBCOMP. Where the connection breaks
//! before PUBCOMP, the session that knew of the exchange is gone, so MQTT cannot tell whether the broker passed the
//! message on. The outbox sends the identical bytes again. What a reader sees twice it drops: a sealed message carries
//! its session and sequence number, which the replay guard knows. In the clear nothing tells the second from the first.
//!
//! The connection is opened when a message waits and closed when none has for a while. It has a client id of its own, so
//! that the account's session, and what the broker keeps for it, are not touched.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{
        Asked, AuditLog, Failure, OutboxState,
        mqtt::{Answer, Connection, Happening},
        store::OutboxRow,
    },
    GOODBYE, Link, Turn, backoff,
    carrier::Carrier,
    outgoing::{Hold, Outgoing, Pumped},
};

/// How long the connection stays open with nothing to send.
const IDLE: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct ExactlyOnce {
    pub(super) outgoing: Outgoing,
    connection: Option<Connection>,
    /// Attempts since the last that came online.
    attempt: u32,
    retry_at: Option<Instant>,
    /// Since when nothing is under way.
    idle_since: Option<Instant>,
    /// rumqttc 0.25 loses a place in its table with every refused PUBREC: the connection is replaced when what is under
    /// way on it is done.
    worn: bool,
}

impl ExactlyOnce {
    pub(super) fn of(rows: Vec<OutboxRow>) -> Self {
        Self {
            outgoing: Outgoing::of(rows),
            connection: None,
            attempt: 0,
            retry_at: None,
            idle_since: None,
            worn: false,
        }
    }

    /// The next happening; never, where there is no connection.
    pub(super) async fn happening(&mut self) -> Happening {
        match &mut self.connection {
            Some(connection) => connection.next().await,
            None => std::future::pending().await,
        }
    }

    /// A happening that waits already.
    pub(super) fn waiting_happening(&mut self) -> Option<Happening> {
        self.connection.as_mut()?.try_next()
    }

    pub(super) fn next_clock(&self) -> Option<Instant> {
        let idle = self.idle_since.map(|since| since + IDLE);
        let retry = self.retry_at.filter(|_| self.outgoing.has_waiting());
        [idle, retry, self.outgoing.next_due()].into_iter().flatten().min()
    }

    pub(super) fn take_connection(&mut self) -> Option<Connection> {
        self.connection.take()
    }

    /// Opens the connection where a message waits and the account's own is `online`, hands over what it takes, and
    /// closes it where it is idle or worn.
    pub(super) fn pump(&mut self, carrier: &Carrier, online: bool, now: Instant, hold: Hold<'_>) -> Pumped {
        let due = self.outgoing.has_waiting() || self.outgoing.next_due().is_some_and(|due| due <= now);
        if due && online && self.connection.is_none() && self.retry_at.is_none_or(|at| at <= now) {
            self.attempt += 1;
            self.retry_at = None;
            let session = carrier.exactly_once_session();
            self.connection = Some(Connection::begin(&carrier.server, session));
        }
        let mut pumped = Pumped::default();
        if let Some(connection) = self.connection.as_mut().filter(|_| !self.worn) {
            pumped = self.outgoing.pump(connection, now, hold);
        }
        let done = !self.outgoing.is_under_way() && self.connection.as_ref().is_some_and(is_online);
        self.idle_since = done.then(|| self.idle_since.unwrap_or(now));
        let is_over = self.worn || self.idle_since.is_some_and(|since| now - since >= IDLE);
        if done
            && is_over
            && let Some(connection) = self.connection.take()
        {
            (self.worn, self.idle_since) = (false, None);
            tokio::spawn(connection.disconnect(false, GOODBYE));
        }
        pumped
    }

    /// Without the connection: what is not completed is queued again, and given.
    fn back(&mut self) -> Vec<OutboxRow> {
        (self.connection, self.worn, self.idle_since) = (None, false, None);
        self.outgoing.back()
    }
}

fn is_online(connection: &Connection) -> bool {
    connection.takes.is_some()
}

impl Link {
    pub(super) fn happening_at_2(&mut self, happening: Happening, turn: &mut Turn) {
        match happening {
            Happening::Online(_) => self.exactly_once.attempt = 0,
            Happening::Sent(packet_id) => self.sent(2, packet_id, turn),
            Happening::Answered(packet_id, answer, told) => {
                self.received(packet_id, answer, told.as_deref(), turn);
            }
            Happening::Completed(packet_id) => {
                if let Some((row, no_subscribers)) = self.exactly_once.outgoing.answered(packet_id) {
                    self.settle(&row, OutboxState::Acknowledged { no_subscribers }, turn);
                }
            }
            Happening::Lost(lost) => self.lost_at_2(&lost.told(self.carrier.who()), turn),
            // Nothing is subscribed here and nothing published at QoS 1.
            _ => {}
        }
    }

    /// PUBREC: rumqttc has answered one that is a success with PUBREL.
    fn received(&mut self, packet_id: u16, answer: Answer, told: Option<&str>, turn: &mut Turn) {
        if let Answer::Taken { no_subscribers } = answer {
            if let Some(row) = self.exactly_once.outgoing.received(packet_id, no_subscribers) {
                turn.entries.push(row.entry(OutboxState::Received));
            }
            return;
        }
        self.exactly_once.worn = true;
        self.answered(2, packet_id, answer, told, turn);
    }

    /// The account's own connection shows whether the station is there; this tells only what concerns messages at QoS 2.
    fn lost_at_2(&mut self, reason: &str, turn: &mut Turn) {
        let lane = &mut self.exactly_once;
        let was_online = lane.connection.as_ref().is_some_and(is_online);
        let again = lane.back();
        turn.entries.extend(again.iter().map(|row| row.entry(OutboxState::Queued)));
        lane.retry_at = Some(Instant::now() + backoff::wait(lane.attempt.max(1)));
        // Once, and not with every attempt.
        if !was_online && lane.attempt == 2 && lane.outgoing.has_waiting() {
            let what = "Messages at QoS 2 wait: their connection could not be made.";
            let next = "They go out when it can. QoS 1 needs no connection of its own.";
            self.teller.fail(Asked::Publish, Failure::new(what, reason, next));
        }
    }

    /// The session is over, or another broker carries the messages from now on.
    pub(super) fn end_exactly_once(&mut self, turn: &mut Turn) {
        let again = self.exactly_once.back();
        (self.exactly_once.attempt, self.exactly_once.retry_at) = (0, None);
        turn.entries.extend(again.iter().map(|row| row.entry(OutboxState::Queued)));
    }

    /// A message has come to its end.
    pub(super) fn settle(&mut self, row: &OutboxRow, state: OutboxState, turn: &mut Turn) {
        turn.changes.done.push(row.id);
        if matches!(state, OutboxState::Acknowledged { .. }) {
            self.note_retained(row, turn);
        }
        let outcome = match &state {
            OutboxState::Refused { why } => Err(why.as_str()),
            _ => Ok(()),
        };
        turn.audit.push((AuditLog::Publisher, self.outbox_record(row, outcome)));
        turn.entries.push(row.entry(state));
    }
}
