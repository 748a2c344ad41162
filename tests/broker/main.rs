//! The broker, met from outside: raw sockets, both packet layouts, and clients of others.
#![cfg(feature = "station")]
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod harness;
mod hostile;
mod keeping;
mod others;
mod outside;
mod permissions;
mod pressure;
mod sessions;
mod shelf;
mod wills;
