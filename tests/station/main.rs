//! The station from outside: real TLS over loopback, real HTTP, a real database in a folder of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod harness;

mod accounts;
mod authority;
mod host;
mod outside;
mod recovery;
mod surface;
mod transports;
mod trouble;
