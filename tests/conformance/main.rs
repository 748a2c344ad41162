//! MQTT 3.1, 3.1.1 and 5.0, statement by statement, from outside.
//!
//! The lists `mqtt-3.1.toml`, `mqtt-3.1.1.toml`, `mqtt-5.0.toml` and `mqtt-5.0-unnumbered.toml` name what the standards demand
//! and the test that holds each demand; [`lists`] reads them. The client of [`peer`] writes bytes and reads packets with
//! [`wire`] and [`reading`], a reading of the standards of its own that shares nothing with the broker's codec.
//!
//! Each test starts a broker in its own process. `SEALWIRE_CONFORMANCE_BROKER=host:port` points the tests at any
//! broker that lets everybody in, to see whether a test or a broker is wrong; those that need a setting of ours start
//! ours all the same.
#![cfg(feature = "station")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aliases;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod expiry;
mod flow;
mod framing;
mod lists;
mod order;
mod peer;
mod properties;
mod publish;
mod qos1;
mod qos2;
mod reading;
mod retained;
mod sessions;
mod shared;
mod strings;
mod subscribe;
mod topics;
mod unsubscribe;
mod v31;
mod wills;
mod wire;
