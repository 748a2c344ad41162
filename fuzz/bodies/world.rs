//! A broker that lets everyone in, and streams into it.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use sealwire::{
    broker::{
        Authority, BoxFuture, Broker, ConnectRefusal, ConnectRequest, Event, Identity, Keeper, Limits,
        Observer, Transport, Verdict,
    },
    topic::{TopicFilter, TopicName},
};
use tokio::{io::DuplexStream, runtime::Builder, time::timeout};

/// Longer than any case takes. It bounds a hang; it is no measurement.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a stream holds before its writer waits.
const PIPE: usize = 64 * 1024;

/// The port of whoever is the witness.
const WITNESS: u16 = 1;

struct Everyone;

impl Authority for Everyone {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'_, Result<Identity, ConnectRefusal>> {
        let ConnectRequest { client_id, peer, .. } = request;
        let account = if peer.port() == WITNESS { "witness" } else { "" };
        let identity = Identity { account: account.into(), client_id, role: "any".into(), credential: 0 };
        Box::pin(std::future::ready(Ok(identity)))
    }

    /// Nobody may say what begins with "no".
    fn publish(&self, _: &Identity, topic: &TopicName) -> Verdict {
        if topic.as_str().starts_with("no") { Verdict::Deny("no".into()) } else { Verdict::Allow }
    }

    fn subscribe(&self, _: &Identity, filter: &TopicFilter) -> Verdict {
        if filter.as_str().starts_with("no") { Verdict::Deny("no".into()) } else { Verdict::Allow }
    }

    fn deliver(&self, _: &Identity, _: &TopicName) -> bool {
        true
    }
}

struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: Event<'_>) {}
}

pub async fn broker(limits: Limits, keeper: Arc<dyn Keeper>) -> Broker {
    Broker::new(limits, Arc::new(Everyone), Arc::new(Deaf), keeper).await
}

/// A new connection.
pub fn dial(broker: &Broker) -> DuplexStream {
    dial_from(broker, 50_000)
}

/// A new connection under an account of its own, so that no other takes its session.
pub fn dial_as_witness(broker: &Broker) -> DuplexStream {
    dial_from(broker, WITNESS)
}

fn dial_from(broker: &Broker, port: u16) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let peer = SocketAddr::from(([127, 0, 0, 1], port));
    broker.serve_stream(theirs, peer, Transport::Tcp);
    ours
}

/// Runs a case to its end; panics where that does not come.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let ended = runtime.block_on(async { timeout(PATIENCE, case).await });
    assert!(ended.is_ok(), "the broker hangs");
}
