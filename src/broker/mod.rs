//! The MQTT server core. Knows topics and connections, nothing of accounts: see [`seam`].

mod seam;

pub use seam::{
    Authority, BoxFuture, ConnectRefusal, ConnectRequest, Event, Identity, Observer, Protocol, Transport,
    Verdict,
};
