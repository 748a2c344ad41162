//! The server side.
pub mod host;
