//! Screens before login.
