//! The terminal commands as people and scripts meet them: the real program, a real station, a real mosquitto.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../support/mod.rs"]
mod support;

mod brokers;
mod ends;
mod harness;
mod keys;
mod legacy;
mod prompt;
mod station;
