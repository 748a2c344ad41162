//! The terminal commands. [`plan`] reads the arguments: a window, or one command to run here.
//!
//! | file | subject |
//! |---|---|
//! | `args` | the one definition of all commands: it makes the parser, the help, the manual and the completions |
//! | `exit` | the exit codes |
//! | `publish`, `subscribe`, `show` | `pub` and `sub`, over `client::direct` |
//! | `key` | `key …` |
//! | `legacy` | what programs of older systems have and lack, for those three |
//! | `way`, `secrets`, `prompt` | what those three share: station, broker, keys; where secrets come from; asking for them |
//! | `manual` | `man` and `completions`, and docs/cli.md |
//! | `station`, `bench`, `audit`, `demo` | the commands of these names |

mod args;
mod audit;
#[cfg(feature = "client")]
mod bench;
#[cfg(all(feature = "client", feature = "station"))]
mod demo;
mod display;
mod exit;
#[cfg(feature = "client")]
mod key;
#[cfg(feature = "client")]
mod legacy;
mod manual;
#[cfg(feature = "client")]
mod prompt;
#[cfg(feature = "client")]
mod publish;
#[cfg(feature = "client")]
mod secrets;
#[cfg(feature = "client")]
mod show;
#[cfg(feature = "station")]
mod station;
#[cfg(any(feature = "client", feature = "station"))]
mod stop;
#[cfg(feature = "client")]
mod subscribe;
#[cfg(feature = "client")]
mod way;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;

use crate::station::host::DataFolders;
use args::{Args, Command, StationOptions};
use exit::DOES_NOT_HOLD;

/// What the arguments ask for.
pub enum Plan {
    /// Open the window on this data.
    Desktop(DataFolders),
    /// Do a terminal command.
    Terminal(Terminal),
    /// Say why not, and end.
    Refuse(anyhow::Error),
}

/// A terminal command, ready to run.
pub struct Terminal {
    command: Command,
    data: Option<PathBuf>,
    /// Said first.
    notice: Option<&'static str>,
}

/// Reads the arguments. Wrong ones end the program here, with the usage.
#[must_use]
pub fn plan() -> Plan {
    let Args { data, command } = Args::parse();
    match command {
        None if !display::is_there() => {
            Plan::Terminal(Terminal { command: Command::Demo, data, notice: Some(display::NO_DISPLAY) })
        }
        None | Some(Command::Desktop) => match DataFolders::find(data.as_deref()) {
            Ok(folders) => Plan::Desktop(folders),
            Err(error) => Plan::Refuse(error.into()),
        },
        Some(command) => Plan::Terminal(Terminal { command, data, notice: None }),
    }
}

impl Terminal {
    /// Runs it.
    ///
    /// # Errors
    /// What went wrong, for [`finish`].
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(notice) = self.notice {
            say(notice)?;
        }
        #[cfg(feature = "client")]
        let folders = {
            let data = self.data.clone();
            move || Ok(DataFolders::find(data.as_deref())?)
        };
        match self.command {
            // `plan` has made a window of it.
            Command::Desktop => Ok(ExitCode::SUCCESS),
            Command::Demo => demo(),
            Command::Station(options) => station(DataFolders::find(self.data.as_deref())?, *options),
            #[cfg(feature = "client")]
            Command::Bench(options) => bench::run(*options),
            #[cfg(feature = "client")]
            Command::Pub(options) => publish::run(folders, &options),
            #[cfg(feature = "client")]
            Command::Sub(options) => subscribe::run(folders, &options),
            #[cfg(feature = "client")]
            Command::Key(command) => key::run(folders, *command),
            Command::Audit(command) => audit::run(&command),
            Command::Completions { shell } => manual::completions(shell),
            Command::Man { folder } => manual::pages(folder.as_deref()),
        }
    }
}

#[cfg(all(feature = "client", feature = "station"))]
fn demo() -> anyhow::Result<ExitCode> {
    demo::run()
}

#[cfg(not(all(feature = "client", feature = "station")))]
fn demo() -> anyhow::Result<ExitCode> {
    anyhow::bail!("the demo needs a build with both a station and a client: build with the default features")
}

#[cfg(feature = "station")]
fn station(folders: DataFolders, options: StationOptions) -> anyhow::Result<ExitCode> {
    station::run(folders, options)
}

#[cfg(not(feature = "station"))]
fn station(_folders: DataFolders, _options: StationOptions) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build has no station: build with the default features")
}

/// Prints a line. A reader that went away (`| head`) ends the command without a fuss.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{line}").and_then(|()| out.flush())?)
}

/// Tells a line on standard error, where nothing reads it that works with the output.
#[cfg(feature = "client")]
fn note(line: &str) {
    // Nowhere is left to say that standard error is closed.
    let _ = writeln!(io::stderr().lock(), "sealwire: {line}");
}

/// One line of text by strangers, safe for a terminal: no control characters, which could move the cursor, rename the
/// window or fake a line, and none that turn the direction of writing.
fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The end of the program: says what went wrong, if anything did.
#[must_use]
pub fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(io::stderr().lock(), "sealwire: {}", whole(&error));
            ExitCode::from(exit::code_of(&error))
        }
    }
}

/// The error with those of its causes that it does not tell already.
fn whole(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.is_empty() {
        true => cause,
        false if said.contains(&cause) => said,
        false => format!("{said}: {cause}"),
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_cannot_steer_the_terminal() {
        assert_eq!(
            printable("plant/\u{1b}]0;x\u{7}\u{9b}2J\r\n1 ok\u{202e}"),
            r"plant/\u{1b}]0;x\u{7}\u{9b}2J\r\n1 ok\u{202e}"
        );
        assert_eq!(printable("plant/größe “°C” 温度"), "plant/größe “°C” 温度");
    }

    #[test]
    fn an_error_tells_each_cause_once() {
        let cause = io::Error::other("the disk is full");
        let told =
            anyhow::Error::new(cause).context("cannot write a: the disk is full").context("the log stopped");
        assert_eq!(whole(&told), "the log stopped: cannot write a: the disk is full");
    }
}
