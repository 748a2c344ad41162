//! Asks somebody at the terminal for a secret and shows nothing of it. [`ask`] is all there is; on Unix `unix` does it.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use unix::ask;

/// Why nothing was typed.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere the system ends a program at Ctrl+C by itself"))]
pub(super) enum NotTyped {
    /// Nobody sits there.
    NoTerminal,
    /// Ctrl+D on an empty line, or the terminal went away.
    Nothing,
    /// Ctrl+C.
    Interrupted,
    /// More than any passphrase has.
    TooLong,
    /// No UTF-8.
    NotText,
}

/// Writes the prompt and reads a line, of which nothing is shown.
#[cfg(not(unix))]
pub(super) fn ask(prompt: &str) -> Result<zeroize::Zeroizing<String>, NotTyped> {
    rpassword::prompt_password(prompt).map(zeroize::Zeroizing::new).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => NotTyped::Nothing,
        _ => NotTyped::NoTerminal,
    })
}
