//! A person's side against a real station: what a user would see, from sign-up to a station that was swapped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod admin;
#[cfg(not(target_os = "macos"))] // That system answers on 127.0.0.1 only.
mod exactly_once;
#[cfg(not(target_os = "macos"))]
mod front;
mod harness;
mod hostile;
mod keyring;
mod keys;
mod link;
mod mosquitto;
mod other_broker;
mod records;
mod traffic;
mod will;
