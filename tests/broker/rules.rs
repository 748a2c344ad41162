//! An authority that a test tells what to say, and an observer that writes everything down.

use std::{collections::HashMap, sync::mpsc};

use parking_lot::Mutex;
use sealwire::{
    broker::{Authority, BoxFuture, ConnectRefusal, ConnectRequest, Event, Identity, Observer, Verdict},
    topic::{TopicFilter, TopicName},
};
use tokio::{sync::Notify, time::timeout};

use crate::harness::PATIENCE;

/// Lets everyone in under their username; denies what it is told, by account ("*" is all).
#[derive(Default)]
pub struct Rules {
    pub publish: Mutex<HashMap<String, TopicFilter>>,
    pub subscribe: Mutex<HashMap<String, TopicFilter>>,
    pub deliver: Mutex<HashMap<String, TopicFilter>>,
    /// The account "late" is asked about, and let in once `admit` is told.
    pub asked: Notify,
    pub admit: Notify,
    stall: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Rules {
    /// The next that is asked about a publish says so by `asked`, and has no answer before it is told to go on.
    pub fn stall(&self) -> mpsc::Sender<()> {
        let (go_on, stall) = mpsc::channel();
        *self.stall.lock() = Some(stall);
        go_on
    }
}

pub fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

fn denied(
    rules: &Mutex<HashMap<String, TopicFilter>>,
    account: &str,
    test: impl Fn(&TopicFilter) -> bool,
) -> bool {
    let rules = rules.lock();
    [account, "*"].into_iter().filter_map(|name| rules.get(name)).any(test)
}

impl Authority for Rules {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'_, Result<Identity, ConnectRefusal>> {
        Box::pin(async move {
            if request.password.as_ref().is_some_and(|password| password.as_slice() == b"wrong") {
                return Err(ConnectRefusal::BadCredentials);
            }
            if request.username.as_deref() == Some("late") {
                self.asked.notify_one();
                self.admit.notified().await;
            }
            Ok(Identity {
                account: request.username.unwrap_or_default().into(),
                client_id: request.client_id,
                role: "any".into(),
                credential: 1,
            })
        })
    }

    fn publish(&self, identity: &Identity, topic: &TopicName) -> Verdict {
        let stall = self.stall.lock().take();
        if let Some(stall) = stall {
            self.asked.notify_one();
            // Everything else goes on.
            let told = tokio::task::block_in_place(|| stall.recv_timeout(PATIENCE));
            told.expect("nobody says go on");
        }
        match denied(&self.publish, &identity.account, |filter| filter.matches(topic)) {
            true => Verdict::Deny("the role may not publish here".into()),
            false => Verdict::Allow,
        }
    }

    fn subscribe(&self, identity: &Identity, wanted: &TopicFilter) -> Verdict {
        match denied(&self.subscribe, &identity.account, |filter| filter.covers(wanted)) {
            true => Verdict::Deny("the role may not subscribe here".into()),
            false => Verdict::Allow,
        }
    }

    fn deliver(&self, identity: &Identity, topic: &TopicName) -> bool {
        !denied(&self.deliver, &identity.account, |filter| filter.matches(topic))
    }
}

/// Every event as one line.
#[derive(Default)]
pub struct Log(pub Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: Event<'_>) {
        self.0.lock().push(format!("{event:?}"));
    }
}

impl Log {
    pub fn has(&self, words: &[&str]) -> bool {
        self.0.lock().iter().any(|line| words.iter().all(|word| line.contains(word)))
    }

    pub async fn until(&self, words: &[&str]) {
        let found = async {
            while !self.has(words) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {words:?} among {:#?}", self.0.lock()));
    }
}
