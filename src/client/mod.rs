//! A person.
