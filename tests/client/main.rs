//! A person's side against a real station: what a user would see, from sign-up to a station that was swapped.

mod account;
mod harness;
mod hostile;
mod keys;
mod link;
mod records;
mod traffic;
