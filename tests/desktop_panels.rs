//! The pages of the window after login, by what a person sees and does. The far end is played by the test.

#[path = "desktop_panels/scene.rs"]
mod scene;
