//! Where a command takes its secrets from: a file, the environment, or whoever sits there. Never the command line, which
//! everybody on the computer can read.

use std::{
    fs::{File, Metadata},
    io::{IsTerminal, Read},
    path::Path,
};

use anyhow::Context;
use zeroize::Zeroizing;

use crate::client::Password;

use super::{
    exit::{Ended, INTERRUPTED},
    prompt::{self, NotTyped},
};

/// Longer than any password, key line or keyring: 4 MiB.
const MAX_SECRET_BYTES: u64 = 4 << 20;

/// One secret and the ways in which it may come, in this order: the file, the variable, the prompt.
pub(super) struct Secret<'a> {
    /// “the password of anna”.
    pub what: &'a str,
    pub option: &'static str,
    pub file: Option<&'a Path>,
    pub variable: &'static str,
}

impl Secret<'_> {
    /// The secret; asks for it where neither file nor variable has it.
    pub(super) fn read(&self) -> anyhow::Result<Password> {
        match self.given()? {
            Some(secret) => Ok(secret),
            None => self.ask(&format!("{}: ", sentence_case(self.what))),
        }
    }

    /// As [`Self::read`], and asked for twice, because it is new.
    pub(super) fn read_new(&self) -> anyhow::Result<Password> {
        if let Some(secret) = self.given()? {
            return Ok(secret);
        }
        let first = self.ask(&format!("{} (new): ", sentence_case(self.what)))?;
        let second = self.ask("The same again: ")?;
        if first != second {
            return Err(Ended::misused("the two are not the same: try again"));
        }
        Ok(first)
    }

    /// From file or variable; `None` where neither is given.
    pub(super) fn given(&self) -> anyhow::Result<Option<Password>> {
        if let Some(path) = self.file {
            let bytes = secret_file(path)
                .with_context(|| format!("{} cannot be read from {}", self.what, path.display()))?;
            let text = std::str::from_utf8(&bytes)
                .with_context(|| format!("{} is no text: it must be UTF-8", path.display()))?;
            return Ok(Some(Password::new(text.lines().next().unwrap_or_default())));
        }
        match std::env::var(self.variable) {
            Ok(text) => Ok(Some(Password::new(text))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Ended::misused(format!("{} is no text: it must be UTF-8", self.variable)))
            }
        }
    }

    fn ask(&self, prompt: &str) -> anyhow::Result<Password> {
        let how_else = || format!("set {}, or give {} FILE", self.variable, self.option);
        prompt::ask(prompt).map(|typed| Password::new(typed.as_str())).map_err(|not| match not {
            NotTyped::NoTerminal => {
                Ended::misused(format!("there is no terminal to ask for {} at: {}", self.what, how_else()))
            }
            NotTyped::Nothing => Ended::misused(format!(
                "{} was not given: type it when you are asked, or {}",
                self.what,
                how_else()
            )),
            other => said_otherwise(&other, self.what),
        })
    }
}

/// What is the same for whatever was asked for.
fn said_otherwise(not: &NotTyped, what: &str) -> anyhow::Error {
    match not {
        NotTyped::Interrupted => Ended::with(INTERRUPTED, "ended before all was done"),
        NotTyped::TooLong => Ended::misused(format!("what was typed is longer than 4 KiB: it is not {what}")),
        NotTyped::NotText => Ended::misused(format!(
            "what was typed as {what} is no text: the terminal must send UTF-8 (see `locale`)"
        )),
        NotTyped::NoTerminal | NotTyped::Nothing => Ended::misused(format!("{what} was not given")),
    }
}

/// The one-time code: from the variable, or asked for where somebody sits there. `None`: none is given.
pub(super) fn one_time_code() -> anyhow::Result<Option<Password>> {
    let secret = Secret { what: "the one-time code", option: "", file: None, variable: "SEALWIRE_OTP" };
    if let Some(code) = secret.given()? {
        return Ok(Some(code));
    }
    if !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    match prompt::ask("One-time code (empty for none): ") {
        Ok(typed) => Ok(Some(Password::new(typed.trim())).filter(|code| !code.reveal().is_empty())),
        Err(NotTyped::NoTerminal | NotTyped::Nothing) => Ok(None),
        Err(not) => Err(said_otherwise(&not, secret.what)),
    }
}

/// A file that holds nothing but a secret. One that others on the computer may read is refused.
fn secret_file(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    if readable_by_others(&file.metadata()?) {
        return Err(Ended::misused(format!(
            "others on this computer may read it; make it yours alone first: chmod 600 {}",
            path.display()
        )));
    }
    read_to_end(file)
}

/// A key file, which other programs may have written: one that others may read gets a warning. `-` is standard input.
pub(super) fn key_file(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if path.as_os_str() == "-" {
        return read_to_end(std::io::stdin().lock());
    }
    let file = File::open(path).with_context(|| format!("the key cannot be read from {}", path.display()))?;
    if readable_by_others(&file.metadata()?) {
        super::note(&format!(
            "warning: others on this computer may read the key in {0} (chmod 600 {0})",
            path.display()
        ));
    }
    read_to_end(file).with_context(|| format!("the key cannot be read from {}", path.display()))
}

#[cfg(unix)]
fn readable_by_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // The group's right to read, and everybody's.
    metadata.is_file() && metadata.mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_metadata: &Metadata) -> bool {
    false
}

fn read_to_end(from: impl Read) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_SECRET_BYTES, "it has more than 4 MiB: it is another file");
    Ok(bytes)
}

/// The first letter as a capital one.
fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
