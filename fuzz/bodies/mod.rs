//! What the fuzzer runs, and a stable test replays: a broker in this process, met over streams in memory, and the parsers of
//! envelopes, keys and older systems' messages.
//!
//! | file | what |
//! |---|---|
//! | `packets` | arbitrary bytes into one connection |
//! | `session` | a sequence of operations by several clients |
//! | `envelope` | arbitrary payloads, and arbitrary bytes under a seal that holds, into a keyring |
//! | `keyline` | arbitrary key lines, key files, recovery codes and vault contents |
//! | `keyfile` | arbitrary `age` files, and arbitrary contents of one that opens |
//! | `legacy` | arbitrary messages of the four older systems' programs, read and written |
//! | `wire` | whatever the broker writes, read strictly and by no code of its own |
//! | `client` | one of the clients of `session` |
//! | `world` | the broker, who it asks, streams into it |

#![allow(dead_code, reason = "each target uses its part of this")]

mod client;
pub mod envelope;
pub mod keyfile;
pub mod keyline;
pub mod legacy;
pub mod packets;
pub mod session;
mod wire;
mod world;

#[path = "../../tests/broker/shelf.rs"]
#[allow(dead_code, reason = "shared with the tests of the broker, which use all of it")]
mod shelf;
