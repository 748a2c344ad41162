//! The pages of the window after login, by what a person sees and does. The far end is played by the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "desktop_panels/keyring.rs"]
mod keyring;
#[path = "desktop_panels/keys.rs"]
mod keys;
#[path = "desktop_panels/legacy.rs"]
mod legacy;
#[path = "desktop_panels/people.rs"]
mod people;
#[path = "desktop_panels/pictures.rs"]
mod pictures;
#[path = "desktop_panels/publish.rs"]
mod publish;
#[path = "desktop_panels/scene.rs"]
mod scene;
#[path = "desktop_panels/station.rs"]
mod station;
#[path = "desktop_panels/verdicts.rs"]
mod verdicts;
#[path = "desktop_panels/watch.rs"]
mod watch;
