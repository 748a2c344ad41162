//! The pages after login.

mod ends;
pub mod keys;
pub mod publish;
pub mod sealing;
pub mod watch;
