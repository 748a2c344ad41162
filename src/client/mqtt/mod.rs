//! One MQTT connection to any broker: 3.1.1 or 5.0, over TCP, TLS, WebSocket or both.
//!
//! It knows nothing of a station, an account, a vault, an outbox or a data folder: whoever holds a [`Connection`] decides
//! what is sent, what is kept and when to try again. No type of rumqttc stands in its face, so that both versions of the
//! protocol look alike; what 3.1.1 cannot say is `None`, or the kindest reading of its silence.
//!
//! # Using it alone
//!
//! ```text
//! let endpoint = Endpoint::parse("mqtts://anna@broker.example")?;      // then .password, .ca, .identity, .version
//! let server = Server::of(&endpoint)?;                                  // reads the PEM files, makes the TLS settings
//! let mut connection = Connection::begin(&server, Session::ending(endpoint.client_id()?));
//! loop {
//!     match connection.next().await {
//!         Happening::Online(_) => { let _ = connection.subscribe(vec![(filter, 1)], None); }
//!         Happening::Incoming(message, _room) => connection.acknowledge([(message.packet_id, message.qos)]),
//!         Happening::Subscribed(answers) => { /* per filter: the QoS, or why not */ }
//!         Happening::Sent(_) | Happening::Answered(..) | Happening::Completed(_) => { /* see below */ }
//!         Happening::Lost(lost) => break lost.told("the broker"),
//!         _ => {}
//!     }
//! }
//! connection.disconnect(false, Duration::from_secs(2)).await;
//! ```
//!
//! - Nothing is taken before `Online`; then [`Connection::publish`] hands a message over, and answers `None` where it must
//!   wait for an answer to an earlier one. `open` is how many of your messages at QoS 1 and 2 have no answer yet, `oldest` the
//!   number of the oldest of them, as `publish` gave it.
//! - Messages leave in the order handed over: the n-th `Sent(packet_id)` is the n-th message. QoS 0 ends there, with packet
//!   id 0. QoS 1 ends with `Answered`; QoS 2 has `Answered` (PUBREC) and, if taken, ends with `Completed`. Publish at QoS 2 only
//!   where the session ends with the connection ([`Session::ending`]).
//! - `next` may be dropped while it waits (in a `select!`); nothing is lost. A connection never comes back: after `Lost`
//!   begin a new one.
//!
//! | file | subject |
//! |---|---|
//! | `endpoint` | what a person writes down about a broker, and its URL |
//! | `server` | an endpoint made ready, with its TLS settings |
//! | `connection` | the connection's face: packet ids, what was asked, acknowledgements |
//! | `packet` | what goes in and what happens |
//! | `lost` | why a connection is gone, in words |
//! | `v5`, `v4` | rumqttc's two clients |

mod connection;
mod endpoint;
mod lost;
mod packet;
mod server;
mod v4;
mod v5;

pub(super) use connection::Connection;
pub use endpoint::{ClientIdentity, Endpoint, EndpointError, Transport, Version};
pub(super) use lost::{Ended, Lost, Refusal, Why};
pub(super) use packet::{Answer, Granted, Happening, Incoming, LastWill, Outgoing, Session, Takes};
pub(super) use server::Server;
