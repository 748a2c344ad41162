//! The broker, met from outside: raw sockets, both packet layouts, and clients of others.
#![cfg(feature = "station")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod abuse;
mod bounds;
mod delivery;
mod exactly_once;
mod harness;
mod hostile;
mod keeping;
mod model;
mod others;
mod outside;
mod permissions;
mod pressure;
mod rules;
mod sessions;
mod shared;
mod shelf;
mod websocket;
mod wills;
