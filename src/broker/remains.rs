//! The end of a session, and what it leaves behind: its will, and messages that other members of its groups are sent
//! instead (MQTT 5 §4.8.2).
//!
//! Who is sent what is settled first, with no lock held, since the authority is asked; then it is given in one go, so that
//! the end of the session and what others have of it are kept together or not at all.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{
    Limit,
    control::Control,
    core::Core,
    message::Message,
    outbox::{Fanout, Given, Outcome, Readiness, Remains, Room},
    parcels::Parcel,
    router::{Target, may_be_given},
    session::Session,
    shared::SharedFilter,
    stats::Counters,
    ticket::Tickets,
};
use crate::topic::TopicName;

/// So many members at most are looked at for one message before it is given up.
const MOST_LOOKED: usize = 64;
/// So many members of a group at most are thought of.
const MOST_HEIRS: usize = 256;

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Its time is over, or it ended with its connection.
    Expired,
    /// Its client began anew, or somebody ended it.
    Ended,
    /// It is not to be there any more, nor is its will.
    Removed,
}

/// What waited for one client, and which of the heirs is sent it: the second where the first is gone by then.
struct Legacy {
    parcel: Parcel,
    heirs: [Option<usize>; 2],
}

/// A member of a group that may be sent what another has left.
struct Heir {
    target: Target,
    room: Room,
    /// The last topic that was asked about, and the answer.
    asked: Option<(TopicName, bool)>,
}

/// The members of one group, who take turns.
struct Heirs {
    all: Vec<Heir>,
    /// Those who are connected and then those who are away, by their places in `all`, as long as they have room.
    with_room: [Vec<usize>; 2],
    turn: usize,
}

enum Choice {
    Heirs([Option<usize>; 2]),
    NoRoom,
    /// Nobody is there who may have it.
    Nobody,
}

impl Heir {
    fn may_have(&mut self, topic: &TopicName, may: impl Fn(&Target, &TopicName) -> bool) -> bool {
        match &self.asked {
            Some((asked, answer)) if asked == topic => *answer,
            _ => {
                let answer = may(&self.target, topic);
                self.asked = Some((topic.clone(), answer));
                answer
            }
        }
    }
}

impl Heirs {
    fn of(members: Vec<Target>, now: Instant) -> Self {
        let (mut all, mut with_room) = (Vec::new(), [Vec::new(), Vec::new()]);
        for target in members.into_iter().filter(|target| !target.session.is_over(now)) {
            let list = match target.session.readiness() {
                Readiness::Ready | Readiness::Busy => &mut with_room[0],
                Readiness::Away if target.qos > 0 => &mut with_room[1],
                Readiness::Away | Readiness::Gone => continue,
            };
            list.push(all.len());
            all.push(Heir { room: target.session.room_left(), target, asked: None });
        }
        Self { all, with_room, turn: 0 }
    }

    fn choose(&mut self, message: &Message, may: impl Fn(&Target, &TopicName) -> bool) -> Choice {
        let mut no_room = self.with_room.iter().map(Vec::len).sum::<usize>() < self.all.len();
        let mut first = None;
        self.turn += 1;
        for list in &mut self.with_room {
            let (mut place, mut looked) = (self.turn, 0);
            while looked < MOST_LOOKED.min(list.len()) {
                let at = place % list.len();
                let Some(heir) = list.get(at).and_then(|heir| self.all.get_mut(*heir)) else { break };
                if heir.room.messages == 0 {
                    no_room = true;
                    list.swap_remove(at);
                    continue;
                }
                (place, looked) = (place + 1, looked + 1);
                if !heir.may_have(&message.topic, &may) {
                    continue;
                }
                match first {
                    Some(_) => return Choice::Heirs([first, Some(list[at])]),
                    None if heir.room.take(message.weight()) => first = Some(list[at]),
                    None => no_room = true,
                }
            }
            no_room |= looked == MOST_LOOKED;
        }
        match first {
            Some(_) => Choice::Heirs([first, None]),
            None if no_room => Choice::NoRoom,
            None => Choice::Nobody,
        }
    }
}

impl Core {
    /// A session that is no longer among the sessions ends; returns its connection, if it has one.
    pub(super) fn end_session(
        &self,
        session: &Session,
        why: Over,
        tickets: &mut Tickets,
    ) -> Option<Arc<Control>> {
        let remains = session.end();
        self.router.forget(session);
        let control = self.settle(remains, why, tickets);
        let will = session.pending_will.lock().take();
        match will {
            Some((from, will)) if why != Over::Removed => {
                self.publish_will_of(&session.identity(), session, from, *will);
            }
            Some((from, _)) => self.forget_will(session, from),
            None => {}
        }
        control
    }

    /// Hands on what can be, and writes down that the session is over. Where that cannot be kept, a session whose time is
    /// over comes back at the next start, with what it left; one that was ended on purpose does not, whatever is lost by it.
    fn settle(&self, remains: Remains, why: Over, tickets: &mut Tickets) -> Option<Arc<Control>> {
        let Remains { control, page, shared } = remains;
        let (legacies, heirs, lost) = self.divide(shared);
        let mut given = Given { lost, ..Given::default() };
        let _whole = self.journal.as_ref().map(|journal| journal.gate());
        // Where the session was kept, it still has at the next start what it had, until its end is on disk.
        let end = self.journal.as_ref().filter(|_| page.is_some()).map(|journal| journal.batch());
        let handed_on = !legacies.is_empty() && why == Over::Expired;
        for Legacy { parcel, heirs: chosen } in legacies {
            let Parcel { message, share: Some(share), after, .. } = parcel else { continue };
            let Some(of_share) = heirs.get(&share) else { continue };
            let mut outcome = Outcome::Absent;
            for heir in chosen.into_iter().flatten().filter_map(|heir| of_share.all.get(heir)) {
                let delivery = heir.target.delivery(&message);
                let pending = after.clone().filter(|ticket| ticket.outcome() != Some(true));
                let end = end.clone().filter(|_| delivery.qos == 2);
                let after = match (pending, end) {
                    (Some(pending), Some(end)) => Some(pending.and(end)),
                    (pending, end) => pending.or(end),
                };
                let mut fanout = Fanout { after, ..Fanout::default() };
                outcome = heir.target.session.push_within(&message, delivery, &mut fanout);
                tickets.extend(fanout.kept);
                if !matches!(outcome, Outcome::Absent | Outcome::Lost) {
                    break;
                }
            }
            given.note(if outcome == Outcome::Absent { Outcome::Lost } else { outcome });
        }
        if let Some(page) = page {
            tickets.note(page.ended(handed_on));
        }
        Counters::add(&self.counters.dropped, given.lost);
        self.counters.hit(Limit::Queue, given.lost);
        control
    }

    /// Who is sent what of it, and how many find nobody who has room.
    fn divide(&self, left: Vec<Parcel>) -> (Vec<Legacy>, HashMap<Arc<SharedFilter>, Heirs>, u64) {
        let (mut heirs, mut legacies) = (HashMap::new(), Vec::new());
        let (mut lost, now) = (0, Instant::now());
        for parcel in left {
            // What was to be on disk first and is not was never acknowledged to its publisher.
            let never_kept = parcel.after.as_ref().is_some_and(|ticket| ticket.outcome() == Some(false));
            let Some(share) = parcel.share.as_ref().filter(|_| !never_kept) else { continue };
            if parcel.message.is_expired(now) {
                continue;
            }
            let heirs: &mut Heirs = heirs
                .entry(Arc::clone(share))
                .or_insert_with(|| Heirs::of(self.router.members(share, MOST_HEIRS, &*self.authority), now));
            let may = |target: &Target, topic: &TopicName| {
                may_be_given(target, topic, &*self.authority, &*self.observer)
            };
            match heirs.choose(&parcel.message, may) {
                Choice::Heirs(heirs) => legacies.push(Legacy { parcel, heirs }),
                Choice::NoRoom => lost += 1,
                Choice::Nobody => {}
            }
        }
        (legacies, heirs, lost)
    }
}
