//! A prompt of our own, because one that leaves Ctrl+C and Ctrl+Z to the system ends or stops with the echo still off.
//! Here the terminal hands over each key as it is pressed, also those two; whatever happens, a guard puts its mode back
//! first. Start at [`ask`]; what the keys mean is `Typing`'s to say.
//!
//! A limit: a signal that another program sends (`kill`) ends this one at once, and its terminal stays without echo. To
//! catch signals for the time of a prompt takes unsafe code.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    time::Duration,
};

use rustix::{
    io::retry_on_intr,
    process::{Signal, kill_current_process_group},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr},
};
use zeroize::{Zeroize, Zeroizing};

use super::NotTyped;

/// Longer than any passphrase. What is typed lies in a buffer of this size, which never moves and so leaves no copy.
const MAX_BYTES: usize = 4096;

/// Writes the prompt and reads a line, of which nothing is shown.
pub(in super::super) fn ask(prompt: &str) -> Result<Zeroizing<String>, NotTyped> {
    let terminal =
        OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| NotTyped::NoTerminal)?;
    if !isatty(&terminal) {
        return Err(NotTyped::NoTerminal);
    }
    let mut typing = Typing::new();
    loop {
        let quiet = Quiet::begin(&terminal).map_err(|_| NotTyped::NoTerminal)?;
        let heard = listen(&terminal, prompt, &quiet.keys(), &mut typing);
        // The cursor left the line with the echo off.
        let _ = (&terminal).write_all(b"\n");
        quiet.end(heard);
        match heard {
            Heard::Line => return typing.text(),
            Heard::Stop => stop(),
            Heard::Nothing => return Err(NotTyped::Nothing),
            Heard::Interrupt => return Err(NotTyped::Interrupted),
            Heard::TooMuch => return Err(NotTyped::TooLong),
        }
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Line,
    Nothing,
    Interrupt,
    Stop,
    TooMuch,
}

fn listen(mut terminal: &File, prompt: &str, keys: &Keys, typing: &mut Typing) -> Heard {
    typing.clear();
    let mut byte = Zeroizing::new([0]);
    if terminal.write_all(prompt.as_bytes()).is_err() {
        return Heard::Nothing;
    }
    loop {
        match terminal.read(&mut *byte) {
            // A terminal that hung up has no more to say.
            Ok(0) => return Heard::Nothing,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Heard::Nothing,
        }
        match typing.take(byte[0], keys) {
            Took::It => {}
            // A bell for a key that means nothing here. Nowhere is left to say that it did not ring.
            Took::Not => drop(terminal.write_all(b"\x07")),
            Took::End(heard) => return heard,
        }
    }
}

/// Ctrl+Z: stops the whole job as the system would, since a shell waits until all of a pipeline stand still. Returns when
/// the shell lets it go on, or at once where nobody could.
fn stop() {
    if kill_current_process_group(Signal::TSTP).is_ok() {
        // The signal may reach another thread first; this one must not touch the terminal before all stand still.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The terminal without echo. Dropped on any way out, a panic's too, it is as before.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn begin(terminal: &'t File) -> rustix::io::Result<Self> {
        let before = retry_on_intr(|| tcgetattr(terminal))?;
        let mut mode = before.clone();
        // IEXTEN, too: on some systems it keeps Ctrl+V, Ctrl+O and Ctrl+Y for itself.
        mode.local_modes -= LocalModes::ICANON
            | LocalModes::ECHO
            | LocalModes::ECHONL
            | LocalModes::ISIG
            | LocalModes::IEXTEN;
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        let quiet = Self { terminal, before };
        // What was typed ahead is kept: somebody who knows the prompts does not wait for them.
        retry_on_intr(|| tcsetattr(terminal, OptionalActions::Now, &mode))?;
        Ok(quiet)
    }

    fn keys(&self) -> Keys {
        let code = |index| self.before.special_codes[index];
        Keys {
            interrupt: code(SpecialCodeIndex::VINTR),
            stop: code(SpecialCodeIndex::VSUSP),
            erase: code(SpecialCodeIndex::VERASE),
            kill: code(SpecialCodeIndex::VKILL),
            end: code(SpecialCodeIndex::VEOF),
        }
    }

    /// As before. After anything but a line, the rest of what was typed or pasted is thrown away: the shell would take
    /// it for commands, and show it.
    fn end(self, heard: Heard) {
        if heard != Heard::Line {
            let _ = retry_on_intr(|| tcsetattr(self.terminal, OptionalActions::Flush, &self.before));
        }
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = retry_on_intr(|| tcsetattr(self.terminal, OptionalActions::Now, &self.before));
    }
}

/// The keys that mean something, as this terminal has them (`stty -a`).
struct Keys {
    interrupt: u8,
    stop: u8,
    erase: u8,
    kill: u8,
    end: u8,
}

impl Keys {
    /// Switched off in the terminal's settings (`_POSIX_VDISABLE`): 0 on Linux, 255 on the BSDs.
    fn is(code: u8, byte: u8) -> bool {
        code == byte && code != 0 && code != u8::MAX
    }
}

/// What became of a byte.
#[derive(Debug, PartialEq, Eq)]
enum Took {
    It,
    Not,
    End(Heard),
}

/// A line being typed.
struct Typing {
    line: Zeroizing<Vec<u8>>,
    escape: Escape,
}

/// Where in the sequence that an arrow or function key sends: ESC, `[`, parameters, a letter or `~` (ECMA-48, 5.4).
#[derive(Debug, PartialEq, Eq)]
enum Escape {
    No,
    Begun,
    Inside,
}

impl Typing {
    fn new() -> Self {
        Self { line: Zeroizing::new(Vec::with_capacity(MAX_BYTES)), escape: Escape::No }
    }

    fn clear(&mut self) {
        // Wipes the capacity, and keeps it.
        self.line.zeroize();
        self.escape = Escape::No;
    }

    fn take(&mut self, byte: u8, keys: &Keys) -> Took {
        match self.escape {
            Escape::Begun if byte == b'[' => {
                self.escape = Escape::Inside;
                return Took::It;
            }
            Escape::Inside if matches!(byte, 0x20..=0x3f) => return Took::It,
            Escape::Inside if matches!(byte, 0x40..=0x7e) => {
                self.escape = Escape::No;
                return Took::Not;
            }
            _ => self.escape = Escape::No,
        }
        match byte {
            b'\r' | b'\n' => Took::End(Heard::Line),
            _ if Keys::is(keys.interrupt, byte) => Took::End(Heard::Interrupt),
            _ if Keys::is(keys.stop, byte) => Took::End(Heard::Stop),
            _ if Keys::is(keys.end, byte) && self.line.is_empty() => Took::End(Heard::Nothing),
            _ if Keys::is(keys.kill, byte) => {
                self.clear();
                Took::It
            }
            // Terminals do not agree on what backspace sends.
            0x08 | 0x7f => self.erase(),
            _ if Keys::is(keys.erase, byte) => self.erase(),
            0x1b => {
                self.escape = Escape::Begun;
                Took::It
            }
            b'\t' | 0x20.. if self.line.len() == MAX_BYTES => Took::End(Heard::TooMuch),
            b'\t' | 0x20.. => {
                self.line.push(byte);
                Took::It
            }
            _ => Took::Not,
        }
    }

    /// The last character, with all its bytes.
    fn erase(&mut self) -> Took {
        let end = self.line.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
        if self.line.is_empty() {
            return Took::Not;
        }
        self.line.truncate(end);
        Took::It
    }

    fn text(self) -> Result<Zeroizing<String>, NotTyped> {
        std::str::from_utf8(&self.line)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| NotTyped::NotText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys = Keys { interrupt: 3, stop: 26, erase: 0x7f, kill: 21, end: 4 };

    fn typed(bytes: &[u8]) -> (Typing, Vec<Took>) {
        let mut typing = Typing::new();
        let took = bytes.iter().map(|byte| typing.take(*byte, &KEYS)).collect();
        (typing, took)
    }

    #[test]
    fn keys_edit_the_line_by_whole_characters() {
        let text = |bytes: &[u8]| typed(bytes).0.text().map(|text| text.to_string());
        assert_eq!(text("größe\x7f\x7f\x08ün".as_bytes()), Ok("grün".to_owned()));
        assert_eq!(text("🔑x\x7f\x7f\x7f\x7fa b\tc".as_bytes()), Ok("a b\tc".to_owned()));
        assert_eq!(text(b"wrong\x15right"), Ok("right".to_owned()));
        assert_eq!(text(b"le\x1b[Aft\x1b[3~\x1b[1;5D\x01"), Ok("left".to_owned()));
        assert_eq!(text(b"\x1bx"), Ok("x".to_owned()));
        assert_eq!(text(b"gr\xf6n"), Err(NotTyped::NotText));
    }

    #[test]
    fn a_key_that_ends_the_line_says_how() {
        let last = |bytes: &[u8]| typed(bytes).1.pop();
        assert_eq!(last(b"abc\r"), Some(Took::End(Heard::Line)));
        assert_eq!(last(b"abc\x03"), Some(Took::End(Heard::Interrupt)));
        assert_eq!(last(b"abc\x1a"), Some(Took::End(Heard::Stop)));
        assert_eq!(last(b"\x04"), Some(Took::End(Heard::Nothing)));
        assert_eq!(last(b"abc\x04"), Some(Took::Not));
        let off = Keys { interrupt: 0, stop: u8::MAX, erase: 0, kill: 0, end: 0 };
        assert_eq!(Typing::new().take(0, &off), Took::Not);
        assert_eq!(Typing::new().take(u8::MAX, &off), Took::It);
    }

    #[test]
    fn the_line_is_bounded_and_never_moves_in_memory() {
        let mut typing = Typing::new();
        let place = typing.line.as_ptr();
        for _ in 0..2 {
            for _ in 0..MAX_BYTES {
                assert_eq!(typing.take(b'x', &KEYS), Took::It);
            }
            assert_eq!(typing.take(b'x', &KEYS), Took::End(Heard::TooMuch));
            assert_eq!(typing.line.as_ptr(), place);
            typing.clear();
        }
    }
}
