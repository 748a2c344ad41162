//! What is told, on its way to the window: gathered for at most 10 ms, bounded, never waited for.
//!
//! The link must not wait for a window that is busy. When the queue to it is full, what is told gathers here: of an
//! outbox entry only the newest state stays, and of messages the newest [`MAX_MESSAGES`]; what falls out is counted
//! in [`Event::LeftOut`] and is still in the history.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::Notify;

use super::{Asked, Event, Failure, Message, OutboxEntry};

/// How long events gather before they go as one batch.
const GATHER: Duration = Duration::from_millis(10);
/// Batches that may lie before the window; what comes then gathers here. Each may be as large as what gathers.
const BATCHES_AHEAD: usize = 2;
/// Messages that wait for the window: a second of 20,000.
const MAX_MESSAGES: usize = 20_000;
/// Their bytes in memory, about.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Outbox entries that wait for the window.
const MAX_ENTRIES: usize = 20_000;

/// Tells the window. Cheap to clone.
#[derive(Clone)]
pub(super) struct Teller {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    something: Notify,
    events: Sender<Vec<Event>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    /// In order; messages and outbox entries apart.
    others: Vec<Event>,
    messages: VecDeque<Message>,
    message_bytes: usize,
    entries: Vec<OutboxEntry>,
    /// Where in `entries` a row is.
    entry_at: HashMap<i64, usize>,
    repeats: u64,
    dropped: u64,
    left_out_changed: bool,
}

impl Teller {
    pub(super) fn new(events: Sender<Vec<Event>>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            shared: Arc::new(Shared { waiting: Mutex::default(), something: Notify::new(), events, wake }),
        }
    }

    /// Tells one thing.
    pub(super) fn tell(&self, event: Event) {
        let mut waiting = self.waiting();
        match event {
            Event::Messages(messages) if !messages.is_empty() => waiting.add_messages(messages),
            Event::Outbox(entries) if !entries.is_empty() => waiting.add_entries(entries),
            // What was told of one session must not arrive in the next.
            edge @ (Event::LoggedIn(_) | Event::LoggedOut { .. }) => {
                let before = waiting.take();
                waiting.others = before;
                waiting.others.push(edge);
            }
            other => waiting.others.push(other),
        }
        drop(waiting);
        self.shared.something.notify_one();
    }

    /// Tells what one turn of the link came to, and empties it.
    pub(super) fn tell_all(&self, messages: &mut Vec<Message>, entries: &mut Vec<OutboxEntry>, repeats: u64) {
        if messages.is_empty() && entries.is_empty() && repeats == 0 {
            return;
        }
        let mut waiting = self.waiting();
        waiting.add_messages(std::mem::take(messages));
        waiting.add_entries(std::mem::take(entries));
        waiting.repeats += repeats;
        waiting.left_out_changed |= repeats > 0;
        drop(waiting);
        self.shared.something.notify_one();
    }

    /// Tells that a command failed.
    pub(super) fn fail(&self, asked: Asked, failure: Failure) {
        tracing::info!(?asked, what = %failure.what, why = %failure.why, "failed");
        self.tell(Event::Failed(asked, failure));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes batches on for ever.
    pub(super) async fn run(self) {
        loop {
            self.shared.something.notified().await;
            while !self.flush() {
                tokio::time::sleep(GATHER).await;
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Passes on what waits. `false` where the window has no room for it now.
    pub(super) fn flush(&self) -> bool {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            return true;
        }
        if self.shared.events.is_full() || self.shared.events.len() >= BATCHES_AHEAD {
            return false;
        }
        let batch = waiting.take();
        drop(waiting);
        match self.shared.events.try_send(batch) {
            Ok(()) => (self.shared.wake)(),
            // Only this task sends, so there was room; a window that is gone needs nothing.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
        true
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.others.is_empty()
            && self.messages.is_empty()
            && self.entries.is_empty()
            && !self.left_out_changed
    }

    fn add_messages(&mut self, messages: Vec<Message>) {
        self.message_bytes += messages.iter().map(size).sum::<usize>();
        self.messages.extend(messages);
        while self.messages.len() > MAX_MESSAGES
            || (self.message_bytes > MAX_MESSAGE_BYTES && self.messages.len() > 1)
        {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.message_bytes -= size(&oldest);
            self.dropped += 1;
            self.left_out_changed = true;
        }
    }

    fn add_entries(&mut self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            match self.entry_at.get(&entry.id) {
                Some(&at) => self.entries[at] = entry,
                None => {
                    self.entry_at.insert(entry.id, self.entries.len());
                    self.entries.push(entry);
                }
            }
        }
        if self.entries.len() > MAX_ENTRIES {
            let over = self.entries.len() - MAX_ENTRIES;
            self.entries.drain(..over);
            self.entry_at = self.entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
            self.dropped += over as u64;
            self.left_out_changed = true;
        }
    }

    fn take(&mut self) -> Vec<Event> {
        let mut batch = std::mem::take(&mut self.others);
        if !self.entries.is_empty() {
            self.entry_at.clear();
            batch.push(Event::Outbox(std::mem::take(&mut self.entries)));
        }
        if !self.messages.is_empty() {
            self.message_bytes = 0;
            batch.push(Event::Messages(std::mem::take(&mut self.messages).into()));
        }
        if std::mem::take(&mut self.left_out_changed) {
            batch.push(Event::LeftOut { repeats: self.repeats, dropped: self.dropped });
        }
        batch
    }
}

/// What a message keeps in memory, about.
fn size(message: &Message) -> usize {
    let body = match &message.opening {
        super::Opening::Opened { body, .. } | super::Opening::InTheClear { body } => body.len(),
        super::Opening::Refused { .. } => 0,
    };
    // The message itself, and the few small texts that it points at.
    let around = size_of::<Message>() + 128;
    around + body + message.wire.len() + message.topic.as_str().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{Opening, OutboxState},
        topic::TopicName,
    };

    fn message(serial: i64) -> Message {
        Message {
            serial,
            arrived_ms: 0,
            topic: TopicName::new("t").unwrap(),
            qos: 0,
            retained: false,
            wire: bytes::Bytes::new(),
            opening: Opening::InTheClear { body: bytes::Bytes::new() },
        }
    }

    #[test]
    fn what_belongs_to_one_session_is_told_before_its_end() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let teller = Teller::new(sender, Arc::new(|| {}));
        teller.tell(Event::Messages(vec![message(1)]));
        teller.tell(Event::LoggedOut { reason: String::new() });
        teller.tell(Event::Messages(Vec::new()));
        assert!(teller.flush());
        let batch = receiver.recv().unwrap();
        let [Event::Messages(first), Event::LoggedOut { .. }, Event::Messages(none)] = &batch[..] else {
            panic!("{batch:?}")
        };
        assert_eq!((first.len(), none.len()), (1, 0));
    }

    fn entry(id: i64, state: OutboxState) -> OutboxEntry {
        OutboxEntry {
            id,
            queued_ms: 0,
            topic: TopicName::new("t").unwrap(),
            qos: 1,
            retain: false,
            sealed_with: None,
            plain_len: 0,
            wire_len: 0,
            state,
        }
    }

    #[test]
    fn a_window_that_is_behind_gets_the_newest_messages_and_the_count_of_the_others() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let teller = Teller::new(sender, Arc::new(|| {}));
        teller.tell(Event::Messages(vec![message(0)]));
        assert!(teller.flush());
        for serial in 1..=MAX_MESSAGES as i64 + 7 {
            teller.tell(Event::Messages(vec![message(serial)]));
        }
        assert!(!teller.flush(), "the window has not taken the first batch");
        receiver.recv().unwrap();
        assert!(teller.flush());
        let batch = receiver.recv().unwrap();
        let [Event::Messages(messages), Event::LeftOut { repeats: 0, dropped: 7 }] = &batch[..] else {
            panic!("{batch:?}")
        };
        assert_eq!((messages.len(), messages[0].serial), (MAX_MESSAGES, 8));
    }

    #[test]
    fn a_window_that_takes_nothing_leaves_only_a_few_batches_before_it() {
        let (sender, receiver) = crossbeam_channel::bounded(1_000);
        let teller = Teller::new(sender, Arc::new(|| {}));
        for serial in 0..3 * MAX_MESSAGES as i64 {
            teller.tell(Event::Messages(vec![message(serial)]));
            teller.flush();
        }
        let before_it: usize = receiver.try_iter().flatten().map(|event| messages(&event)).sum();
        assert_eq!(
            before_it, BATCHES_AHEAD,
            "one message in each, and the others wait where they are bounded"
        );
        assert!(teller.flush());
        let gathered = receiver.recv().unwrap();
        assert_eq!(gathered.iter().map(messages).sum::<usize>(), MAX_MESSAGES);
        let left_out = 2 * MAX_MESSAGES as u64 - BATCHES_AHEAD as u64;
        assert!(
            matches!(gathered[1], Event::LeftOut { dropped, .. } if dropped == left_out),
            "{:?}",
            gathered[1]
        );
    }

    fn messages(event: &Event) -> usize {
        if let Event::Messages(messages) = event { messages.len() } else { 0 }
    }

    #[test]
    fn what_waits_is_also_bounded_in_bytes_and_one_message_always_passes() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let teller = Teller::new(sender, Arc::new(|| {}));
        let large = |serial| Message { wire: vec![0; MAX_MESSAGE_BYTES / 4].into(), ..message(serial) };
        (0..10).for_each(|serial| teller.tell(Event::Messages(vec![large(serial)])));
        assert!(teller.flush());
        let batch = receiver.recv().unwrap();
        assert_eq!(messages(&batch[0]), 3);
        teller.tell(Event::Messages(vec![Message {
            wire: vec![0; 2 * MAX_MESSAGE_BYTES].into(),
            ..message(11)
        }]));
        assert!(teller.flush());
        assert_eq!(messages(&receiver.recv().unwrap()[0]), 1);
    }

    #[test]
    fn of_one_outbox_entry_only_the_newest_state_waits() {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let teller = Teller::new(sender, Arc::new(|| {}));
        teller.tell(Event::Outbox(vec![entry(1, OutboxState::Queued), entry(2, OutboxState::Queued)]));
        teller.tell(Event::Outbox(vec![entry(1, OutboxState::Sent)]));
        assert!(teller.flush());
        let batch = receiver.recv().unwrap();
        let [Event::Outbox(entries)] = &batch[..] else { panic!("{batch:?}") };
        assert_eq!(entries[..], [entry(1, OutboxState::Sent), entry(2, OutboxState::Queued)]);
    }
}
