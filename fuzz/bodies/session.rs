//! Several clients that keep to the standard, and whatever sequence of operations the bytes say: subscribe, publish at
//! each QoS, answer or not, lose the connection at any step, come back, lose the broker to a kill.
//!
//! Held against the broker: everything it writes parses, it cuts nobody off, packet ids stand for one message at a
//! time, Receive Maximum is kept, sessions are there when they should be, what was acknowledged arrives, and at QoS 2
//! once.

use std::sync::Arc;

use sealwire::broker::{Broker, Limits};

use super::{
    client::{Client, Open, matches_any},
    shelf::Shelf,
    world,
};

pub const TOPICS: [&str; 4] = ["a", "a/b", "c", "no"];
pub const FILTERS: [&str; 6] = ["a/#", "+/b", "#", "c", "$share/g/a/#", "no/#"];
/// Operations in one case.
const MOST: usize = 250;
const CLIENTS: usize = 4;

/// One case.
pub fn run(data: &[u8]) {
    world::run(async {
        let mut scene = Scene::new().await;
        let mut bytes = data.iter().copied();
        for _ in 0..MOST {
            let (Some(what), Some(who)) = (bytes.next(), bytes.next()) else { break };
            let detail = bytes.next().unwrap_or(0);
            scene.act(what, usize::from(who) % CLIENTS, who / CLIENTS as u8, detail).await;
        }
        scene.settle().await;
        scene.broker.shutdown().await;
    });
}

struct Scene {
    broker: Broker,
    shelf: Arc<Shelf>,
    clients: [Client; CLIENTS],
    next: u32,
}

async fn open(shelf: &Arc<Shelf>) -> Broker {
    let limits = Limits { queue_messages: 100_000, ..Limits::default() };
    world::broker(limits, Arc::clone(shelf) as _).await
}

impl Scene {
    async fn new() -> Self {
        let shelf = Shelf::new();
        let broker = open(&shelf).await;
        let clients = [
            Client::new(4, "stays4", true),
            Client::new(5, "stays5", true),
            Client::new(3, "old", false),
            Client::new(5, "new", false),
        ];
        let mut scene = Self { broker, shelf, clients, next: 0 };
        for who in 0..CLIENTS {
            scene.come(who, false).await;
        }
        scene
    }

    async fn act(&mut self, what: u8, who: usize, how: u8, detail: u8) {
        match what % 12 {
            0 | 1 => {
                self.present(who).await;
                let filter = usize::from(detail) % FILTERS.len();
                self.clients[who].subscribe(filter, how % 3).await;
            }
            2 => {
                self.present(who).await;
                let filter = usize::from(detail) % FILTERS.len();
                self.clients[who].unsubscribe(filter).await;
            }
            3..=6 => {
                self.present(who).await;
                let count = if what % 12 == 6 { 1 + u32::from(what / 12) } else { 1 };
                self.publish(who, how, detail, count).await;
            }
            7 => self.clients[who].answers(how.is_multiple_of(2)).await,
            8 => self.leave(who, how.is_multiple_of(2)).await,
            9 => self.come(who, detail.is_multiple_of(5)).await,
            10 => self.broker.permissions_changed(),
            _ if how.is_multiple_of(4) => self.kill().await,
            _ => self.leave(who, false).await,
        }
        for client in &mut self.clients {
            client.drain().await;
        }
    }

    /// Makes sure that it is connected.
    async fn present(&mut self, who: usize) {
        if !self.clients[who].is_connected() {
            self.come(who, false).await;
        }
    }

    async fn come(&mut self, who: usize, clean: bool) {
        let there = self.clients[who].connect(world::dial(&self.broker), clean).await;
        if !there {
            // What others owe to the session that was is owed no more.
            self.forget(who);
        }
    }

    fn forget(&mut self, who: usize) {
        for client in &mut self.clients {
            client.owes_no_more(who);
        }
    }

    async fn leave(&mut self, who: usize, goodbye: bool) {
        self.clients[who].leave(goodbye).await;
        if !self.clients[who].lasts {
            self.forget(who);
        }
    }

    /// `how` has the QoS, whether it is retained and where the connection is lost; `detail` the topic.
    async fn publish(&mut self, who: usize, how: u8, detail: u8, count: u32) {
        let (qos, retain, cut) = (how % 3, how / 3 % 4 == 3, detail / 4 % 8);
        let topic = usize::from(detail) % TOPICS.len();
        let mut bytes = Vec::new();
        for _ in 0..count {
            self.next += 1;
            let number = self.next;
            // Who must be given it, once it is acknowledged.
            let due =
                (0..CLIENTS).filter(|other| qos > 0 && matches_any(&self.clients[*other], topic)).collect();
            self.clients[who].publish(number, topic, qos, retain, due, &mut bytes);
        }
        self.clients[who].send(&bytes).await;
        match cut {
            // The connection is lost before anything is answered, or after PUBREC.
            6 => self.leave(who, false).await,
            7 if qos == 2 => {
                self.clients[who]
                    .until(|client| !client.open.values().any(|open| matches!(open, Open::Sent { .. })))
                    .await;
                self.note(who);
                self.leave(who, false).await;
            }
            _ => {
                self.clients[who].until(|client| client.open.is_empty()).await;
                self.note(who);
            }
        }
    }

    /// What was acknowledged must arrive.
    fn note(&mut self, who: usize) {
        for (number, due) in std::mem::take(&mut self.clients[who].acknowledged) {
            for other in due {
                self.clients[other].must_have(number);
            }
        }
    }

    /// The broker ends, and another begins with what the first had on disk.
    async fn kill(&mut self) {
        self.shelf = self.shelf.copied();
        let broker = open(&self.shelf).await;
        let killed = std::mem::replace(&mut self.broker, broker);
        for who in 0..CLIENTS {
            self.note(who);
            self.clients[who].leave(false).await;
            if !self.clients[who].lasts {
                self.forget(who);
            }
        }
        killed.shutdown().await;
    }

    /// Everybody comes back, answers everything, and has what was promised.
    async fn settle(&mut self) {
        for who in 0..CLIENTS {
            self.present(who).await;
            self.clients[who].answers(true).await;
        }
        for who in 0..CLIENTS {
            self.clients[who].until(|client| client.open.is_empty()).await;
            self.note(who);
        }
        for client in &mut self.clients {
            client.until(Client::is_settled).await;
        }
    }
}
