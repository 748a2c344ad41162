//! The settings of a station: a file in its data folder, and arguments that go before it.
//!
//! `station.toml` lies in the data folder itself, because every `*.toml` in `users/` is a role pack. Nothing of it is
//! guessed: an unknown setting and an impossible value are errors that name the line. Start at [`from_file`]; which
//! settings there are is `table`'s to say.

mod table;
mod value;

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::{Config, StationError, roles};
use crate::{
    acl::RolePack,
    files::{DataFolders, FilesError, read_bounded},
};
use table::{SETTINGS, Setting, full_name};

/// The file's name in the data folder.
pub const FILE: &str = "station.toml";

/// The file is never larger.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where the settings of a data folder are, or would be.
#[must_use]
pub fn path(data: &DataFolders) -> PathBuf {
    data.root().join(FILE)
}

/// `base` with what the file in its data folder says. Without a file, `base` as it is.
///
/// # Errors
/// What is wrong, with its line.
pub fn from_file(base: Config) -> Result<Config, StationError> {
    let path = path(&base.data);
    let text = match read_bounded(&path, MAX_FILE_BYTES) {
        Ok(text) => text,
        Err(FilesError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(base);
        }
        Err(error) => return Err(error.into()),
    };
    let place = path.display().to_string();
    match std::str::from_utf8(&text) {
        Ok(text) => from_text(base, text, &place),
        Err(_) => {
            Err(StationError::Setting { place, reason: "it is not UTF-8 text: write it anew".to_owned() })
        }
    }
}

/// `base` with what `text` says; `place` is what errors call it.
fn from_text(mut base: Config, text: &str, place: &str) -> Result<Config, StationError> {
    let fault = |at: usize, reason: String| StationError::Setting {
        place: format!("{place}, line {}", line_of(text, at)),
        reason,
    };
    let whole = DeTable::parse(text)
        .map_err(|error| fault(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    for (name, value) in whole.get_ref() {
        let Some(section) = value.get_ref().as_table() else {
            let at = name.span().start;
            set(&mut base, "", name.get_ref(), value.get_ref()).map_err(|reason| fault(at, reason))?;
            continue;
        };
        if !SETTINGS.iter().any(|setting| setting.section == name.get_ref()) {
            let known: Vec<_> = table::sections().map(|section| format!("[{section}]")).collect();
            let reason =
                format!("there is no section [{}]: the sections are {}", name.get_ref(), known.join(", "));
            return Err(fault(name.span().start, reason));
        }
        for (key, value) in section {
            let at = key.span().start;
            set(&mut base, name.get_ref(), key.get_ref(), value.get_ref())
                .map_err(|reason| fault(at, reason))?;
        }
    }
    Ok(base)
}

/// `base` with one setting as an argument gives it: `section.name=value`, the value as in the file, or bare text.
///
/// # Errors
/// What is wrong with it.
pub fn with(mut base: Config, argument: &str) -> Result<Config, StationError> {
    let fault = |reason| StationError::Setting { place: format!("--set {argument}"), reason };
    let Some((name, value)) = argument.split_once('=') else {
        return Err(fault("write it as SECTION.NAME=VALUE, such as limits.max_connections=100".to_owned()));
    };
    let (section, key) = name.trim().rsplit_once('.').unwrap_or(("", name.trim()));
    let value = value.trim();
    let parsed = DeValue::parse(value).map(toml::Spanned::into_inner);
    let value = parsed.unwrap_or_else(|_| DeValue::String(value.into()));
    set(&mut base, section, key, &value).map_err(fault)?;
    Ok(base)
}

/// Sets one, or says why not.
fn set(config: &mut Config, section: &str, key: &str, value: &DeValue<'_>) -> Result<(), String> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.section == section && setting.name == key)
    else {
        return Err(unknown(section, key));
    };
    (setting.write)(config, value).map_err(|reason| format!("{} {reason}", full_name(section, key)))
}

fn unknown(section: &str, key: &str) -> String {
    let near = SETTINGS
        .iter()
        .min_by_key(|setting| (value::distance(setting.name, key), setting.section != section));
    let near = near.filter(|setting| value::distance(setting.name, key) * 3 <= key.len().max(3));
    let hint = near.map(|near| format!("did you mean {}? ", full_name(near.section, near.name)));
    format!(
        "there is no setting {}: {}`sealwire station --print-settings` shows all",
        full_name(section, key),
        hint.unwrap_or_default()
    )
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// All settings as they are in `config`, as a file that says the same, with what each is for and its default.
#[must_use]
pub fn print(config: &Config) -> String {
    let default = Config::by_hand(config.data.clone());
    let mut out = format!(
        "# The settings of a Sealwire station. Save this as {} and change what you like;\n\
         # a line that begins with # says what holds without it. The station reads it when it starts.\n",
        path(&config.data).display()
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            out.push_str(&format!("\n[{section}]\n"));
        }
        print_one(setting, config, &default, &mut out);
    }
    out
}

fn print_one(setting: &Setting, config: &Config, default: &Config, out: &mut String) {
    let (now, usual) = ((setting.read)(config), (setting.read)(default));
    for line in value::wrap(setting.about, 100) {
        out.push_str(&format!("# {line}\n"));
    }
    match (now, usual) {
        (Some(now), Some(usual)) if now == usual => out.push_str(&format!("#{} = {now}\n", setting.name)),
        (Some(now), usual) => {
            let usual = usual.unwrap_or_else(|| "not set".to_owned());
            out.push_str(&format!("# Default: {usual}\n{} = {now}\n", setting.name));
        }
        (None, _) => out.push_str(&format!("#{} = {}\n", setting.name, setting.example)),
    }
}

/// Whether a station could have that configuration: its settings, its role pack and the certificates that it was given.
/// What else may keep it from running is [`super::check`]'s to see.
pub(super) fn check(config: &Config) -> Result<(), StationError> {
    config.check()?;
    // Nothing is made here that is not there.
    let pack = match config.data.root().is_dir() {
        true => roles::load_pack(&config.data.users()?)?,
        false => RolePack::parse(RolePack::DEFAULT).map_err(|error| StationError::RolePack {
            path: config.data.root().to_owned(),
            reason: error.to_string(),
        })?,
    };
    roles::RoleBook::new(pack, config.anonymous.as_deref())?;
    config.certificates.check(&config.clock)
}

#[cfg(test)]
mod tests;
