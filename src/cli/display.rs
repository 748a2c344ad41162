//! Whether a window can open here, and what is missing if not.

/// Whether this machine offers a screen to draw on.
pub(super) fn is_there() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos"))
        || set("WAYLAND_DISPLAY")
        || set("WAYLAND_SOCKET")
        || set("DISPLAY")
}

/// What to say where there is none.
pub(super) const NO_DISPLAY: &str = "\
There is no display here (neither WAYLAND_DISPLAY nor DISPLAY is set), so here is the demo in the terminal.
On a computer with a screen, `sealwire` opens the app; `sealwire --help` lists the terminal commands.
";
