//! Choices that are remembered on this computer, whoever is logged in: the theme, which station to use.
//!
//! Kept in `clients/preferences.json`. Nothing here is secret or decides about trust: a damaged file is begun anew.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::files::{FilesError, read_bounded, write_atomic};

/// Some hundred choices.
const MAX_BYTES: u64 = 64 * 1024;
/// The most choices that are kept.
const MAX_CHOICES: usize = 500;
/// The longest name and the longest value, in bytes.
const MAX_TEXT: usize = 512;

/// The choices, on disk.
pub(super) struct Preferences {
    path: PathBuf,
}

impl Preferences {
    /// Those in the clients' folder.
    pub(super) fn in_folder(clients: &Path) -> Self {
        Self { path: clients.join("preferences.json") }
    }

    /// Read at every use: another window may have written it.
    fn read(&self) -> BTreeMap<String, String> {
        let bytes = read_bounded(&self.path, MAX_BYTES).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        self.read().into_iter().collect()
    }

    /// Remembers one. What is too long or too many is left out: a choice is a word, not a document.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), FilesError> {
        let mut choices = self.read();
        let fits = name.len() <= MAX_TEXT && value.len() <= MAX_TEXT;
        if !fits || choices.len() >= MAX_CHOICES && !choices.contains_key(name) {
            tracing::warn!(name, "a preference is not remembered: it is too long, or there are too many");
            return Ok(());
        }
        choices.insert(name.to_owned(), value.to_owned());
        write_atomic(&self.path, &serde_json::to_vec_pretty(&choices).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_remembered_and_a_damaged_file_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let preferences = Preferences::in_folder(dir.path());
        assert!(preferences.all().is_empty());
        preferences.set("theme", "dark").unwrap();
        preferences.set("theme", "light").unwrap();
        preferences.set("station", "own").unwrap();
        let again = Preferences::in_folder(dir.path());
        assert_eq!(again.all(), [("station".into(), "own".into()), ("theme".into(), "light".into())]);
        std::fs::write(dir.path().join("preferences.json"), "{").unwrap();
        assert!(again.all().is_empty());
        again.set("theme", "dark").unwrap();
        assert_eq!(again.all().len(), 1);
    }

    #[test]
    fn the_file_stays_small_whatever_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let preferences = Preferences::in_folder(dir.path());
        preferences.set("long", &"x".repeat(MAX_TEXT + 1)).unwrap();
        assert!(preferences.all().is_empty());
    }
}
