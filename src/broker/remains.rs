//! The end of a session, and what it leaves behind: its will, and messages that other members of its groups are sent
//! instead (MQTT 5 §4.8.2).

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{
    Limit,
    control::Control,
    core::Core,
    outbox::{Fanout, Given, Remains},
    parcels::Parcel,
    session::Session,
    shared::{SharedFilter, SharedTarget},
    stats::Counters,
    ticket::Tickets,
};
use crate::topic::TopicName;

/// Who else may be sent a topic's messages, by group.
type Heirs = HashMap<(Arc<SharedFilter>, TopicName), Option<SharedTarget>>;

impl Core {
    /// A session that is no longer among the sessions ends; returns its connection, if it has one.
    pub(super) fn end_session(
        &self,
        session: &Session,
        publish_will: bool,
        tickets: &mut Tickets,
    ) -> Option<Arc<Control>> {
        let remains = session.end();
        self.router.forget(session);
        let control = self.settle(remains, tickets);
        let will = session.pending_will.lock().take();
        match will {
            Some((from, will)) if publish_will => {
                self.publish_will_of(&session.identity(), session, from, *will);
            }
            Some((from, _)) => self.forget_will(session, from),
            None => {}
        }
        control
    }

    /// Hands on what can be, and writes down that the session is over. All of it is kept together: else a crash
    /// between the two would lose what it left, or have it twice.
    fn settle(&self, remains: Remains, tickets: &mut Tickets) -> Option<Arc<Control>> {
        let Remains { control, page, shared } = remains;
        let heirs = self.heirs(&shared);
        let _whole = self.journal.as_ref().map(|journal| journal.gate());
        self.hand_on(shared, &heirs, tickets);
        if let Some(page) = page {
            tickets.note(page.ended());
        }
        control
    }

    fn heirs(&self, left: &[Parcel]) -> Heirs {
        let mut heirs = Heirs::new();
        for parcel in left {
            let (Some(share), topic) = (&parcel.share, &parcel.message.topic) else { continue };
            heirs
                .entry((Arc::clone(share), topic.clone()))
                .or_insert_with(|| self.router.shared_by(share, topic, &*self.authority, &*self.observer));
        }
        heirs
    }

    fn hand_on(&self, left: Vec<Parcel>, heirs: &Heirs, tickets: &mut Tickets) {
        let (mut given, now) = (Given::default(), Instant::now());
        for parcel in left {
            let Parcel { message, share: Some(share), after, .. } = parcel else { continue };
            let heir = heirs.get(&(share, message.topic.clone())).and_then(Option::as_ref);
            // What was to be on disk first and is not was never acknowledged to its publisher.
            let never_kept = after.as_ref().is_some_and(|ticket| ticket.outcome() == Some(false));
            let Some(heir) = heir.filter(|_| !never_kept && !message.is_expired(now)) else { continue };
            let mut fanout = Fanout { after, ..Fanout::default() };
            given.note(heir.give_on(&message, &mut fanout));
            tickets.extend(fanout.kept);
        }
        Counters::add(&self.counters.dropped, given.lost);
        self.counters.hit(Limit::Queue, given.lost);
    }
}
