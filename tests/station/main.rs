//! The station from outside: real TLS over loopback, real HTTP, a real database in a folder of its own.

mod harness;

mod accounts;
mod authority;
mod host;
mod recovery;
mod surface;
mod trouble;
