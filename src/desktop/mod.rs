//! The window: what a person sees and touches.
//!
//! Holds view state only. It draws what the session tells it and sends commands; it never acts by itself, has no
//! runtime and opens no files. The design system comes first: [`theme`] has every colour and size, [`widgets`] every
//! control, and the [`screens`] before login and the panels after it are made of nothing else.

pub mod fonts;
pub mod icons;
pub mod messages;
pub mod model;
pub mod panels;
pub mod screens;
pub mod theme;
pub mod when;
pub mod widgets;
