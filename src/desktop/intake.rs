//! What the session told, taken in a bounded piece at a time.
//!
//! A frame must not wait for a burst: [`Intake::next`] gives event after event until the frame's time for it is over, and
//! cuts long lists of messages into pieces. What is left comes with the next frame; what gathers behind it the session
//! bounds, counts and tells as left out.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::client::{Event, Message, Session};

/// The most time that taking in events may cost a frame.
pub const TAKING_IN: Duration = Duration::from_millis(8);
/// Messages of one piece: well under a millisecond.
const PIECE: usize = 250;

/// What was received and is not taken in yet.
#[derive(Default)]
pub struct Intake {
    waiting: VecDeque<Event>,
    /// The rest of a list that is being cut.
    messages: std::vec::IntoIter<Message>,
}

impl Intake {
    /// The next event, with at most `PIECE` messages; `None` when there is none now or `until` has come.
    pub fn next(&mut self, session: &Session, until: Instant) -> Option<Event> {
        if Instant::now() >= until {
            return None;
        }
        if self.messages.len() > 0 {
            return Some(self.piece());
        }
        if self.waiting.is_empty() {
            self.waiting = session.next_batch()?.into();
        }
        match self.waiting.pop_front()? {
            Event::Messages(messages) if messages.len() > PIECE => {
                self.messages = messages.into_iter();
                Some(self.piece())
            }
            event => Some(event),
        }
    }

    fn piece(&mut self) -> Event {
        Event::Messages(self.messages.by_ref().take(PIECE).collect())
    }

    /// Whether more waits for the next frame.
    #[must_use]
    pub fn has_more(&self, session: &Session) -> bool {
        self.messages.len() > 0 || !self.waiting.is_empty() || session.has_more()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::messages::tests::message;
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[test]
    fn a_long_list_comes_in_pieces_and_in_order_and_nothing_overtakes_it() {
        let (session, far) = Session::pair(Arc::new(|| {}));
        let list = (0..PIECE as i64 * 2 + 7).map(|n| message(n, "a", "1")).collect();
        far.events.send(vec![Event::Messages(list), Event::LoggedOut { reason: String::new() }]).unwrap();
        let mut intake = Intake::default();
        let mut serials = Vec::new();
        for length in [PIECE, PIECE, 7] {
            let Some(Event::Messages(piece)) = intake.next(&session, later()) else { panic!("a piece") };
            assert_eq!(piece.len(), length);
            serials.extend(piece.iter().map(|message| message.serial));
        }
        assert!(serials.iter().copied().eq(0..PIECE as i64 * 2 + 7));
        assert!(matches!(intake.next(&session, later()), Some(Event::LoggedOut { .. })));
        assert!(intake.next(&session, later()).is_none() && !intake.has_more(&session));
    }

    #[test]
    fn when_the_time_of_a_frame_is_over_the_rest_waits_for_the_next() {
        let (session, far) = Session::pair(Arc::new(|| {}));
        far.events.send(vec![Event::Messages((0..600).map(|n| message(n, "a", "1")).collect())]).unwrap();
        let mut intake = Intake::default();
        assert!(intake.next(&session, later()).is_some());
        assert!(intake.next(&session, Instant::now()).is_none(), "no time, no event");
        assert!(intake.has_more(&session), "so that the window asks for another frame");
        assert!(intake.next(&session, later()).is_some() && intake.next(&session, later()).is_some());
        assert!(!intake.has_more(&session));
    }
}
