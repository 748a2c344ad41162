//! The window: what a person sees and touches.
//!
//! Holds view state only. It draws what the session tells it and sends commands; it never acts by itself, has no
//! runtime and opens no files but those that a person points at. The design system comes first: [`theme`] has every
//! colour and size, [`widgets`] every control, and the [`screens`] before login and the [`panels`] after it are made of
//! nothing else.
//!
//! Start at [`App`]: it drains events into the [`model`], shows `entry` before login and `inside` after it, and sends
//! what they asked for. [`run`] opens the window.

mod app;
mod cards;
mod dialogs;
mod entry;
pub mod fonts;
pub mod icons;
mod inside;
pub mod intake;
mod libraries;
pub mod messages;
pub mod model;
mod palette;
pub mod panels;
pub mod screens;
mod start;
pub mod theme;
mod when;
pub mod widgets;
mod window;

pub use app::{App, AppConfig};
pub use libraries::missing_libraries_text;
pub use start::{OwnStation, StationSource};
pub use window::{DesktopError, run};
