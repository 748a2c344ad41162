//! The platform's file dialogs, each in a thread of its own: the window goes on painting while one is open.
//!
//! This is the only place where the window touches files, and only those that a person points at.

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::mpsc,
};

use eframe::egui::{Context, OpenUrl};

use super::widgets::{Problem, SecretText};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SavePurpose {
    /// The eight recovery codes.
    RecoveryCodes,
    /// The certificate of the station's CA, for plain MQTT programs.
    Certificate,
    /// A topic key, as one line of text.
    KeyLine,
    /// A Fernet key, as Python writes it.
    FernetKey,
    /// Keys in an age file, under a passphrase.
    KeysFile,
}

impl SavePurpose {
    const fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryCodes => "sealwire-recovery-codes.txt",
            Self::Certificate => "sealwire-ca.pem",
            Self::KeyLine => "sealwire-key.txt",
            Self::FernetKey => "fernet.key",
            Self::KeysFile => "sealwire-keys.age",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::RecoveryCodes => "Save the recovery codes",
            Self::Certificate => "Save the station's certificate",
            Self::KeyLine => "Save the key's line",
            Self::FernetKey => "Save the Fernet key",
            Self::KeysFile => "Save the keys",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    /// What was to be saved.
    pub(super) purpose: SavePurpose,
    /// The file's path, or why not.
    pub(super) outcome: Result<PathBuf, Problem>,
}

/// One of the platform's file dialogs, open in a thread of its own so that the window goes on, and what came of it.
#[derive(Debug)]
pub(super) struct InThread<T> {
    running: Option<mpsc::Receiver<Option<T>>>,
}

impl<T> Default for InThread<T> {
    fn default() -> Self {
        Self { running: None }
    }
}

impl<T: Send + 'static> InThread<T> {
    /// Opens the dialog; a second one waits until the first is closed.
    fn open(&mut self, ctx: &Context, ask: impl FnOnce() -> Option<T> + Send + 'static) {
        if self.running.is_some() {
            return;
        }
        let (told, result) = mpsc::channel();
        let waker = ctx.clone();
        let thread = std::thread::Builder::new().name("file-dialog".to_owned()).spawn(move || {
            // The window may have been closed while the dialog was open.
            let _ = told.send(ask());
            waker.request_repaint();
        });
        match thread {
            Ok(_) => self.running = Some(result),
            Err(error) => tracing::error!(%error, "no thread for the file dialog"),
        }
    }

    /// Whether a dialog is open.
    #[must_use]
    pub(super) fn is_open(&self) -> bool {
        self.running.is_some()
    }

    /// What came of the dialog, once; nothing where it was cancelled.
    pub(super) fn poll(&mut self) -> Option<T> {
        let outcome = match self.running.as_ref()?.try_recv() {
            Err(mpsc::TryRecvError::Empty) => return None,
            Ok(outcome) => outcome,
            Err(mpsc::TryRecvError::Disconnected) => None,
        };
        self.running = None;
        outcome
    }
}

/// Asks where to, and writes a text there.
pub(super) type TextSaver = InThread<Saved>;

impl TextSaver {
    /// Opens the dialog.
    pub(super) fn begin(&mut self, ctx: &Context, purpose: SavePurpose, text: SecretText) {
        self.open(ctx, move || {
            let dialog = rfd::FileDialog::new().set_title(purpose.title()).set_file_name(purpose.file_name());
            dialog.save_file().map(|path| Saved { purpose, outcome: write(path, &text) })
        });
    }
}

/// The largest key file that is read; a key has a few hundred bytes.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

/// What came of choosing a key file: its name and text, or why not.
pub(super) type OpenedKey = Result<(String, SecretText), Problem>;

/// Asks for a key file, and reads it.
pub(super) type KeyOpener = InThread<OpenedKey>;

impl KeyOpener {
    /// Opens the dialog.
    pub(super) fn begin(&mut self, ctx: &Context) {
        self.open(ctx, || {
            rfd::FileDialog::new().set_title("Choose a key file").pick_file().map(|path| read_key(&path))
        });
    }
}

/// The largest file of keys that is read: a whole keyring, each key with many epochs, stays far below.
const LARGEST_KEYS_FILE: u64 = 8 * 1024 * 1024;

/// What came of choosing a file of keys: its name and bytes, or why not. The bytes are sealed under a passphrase.
pub(super) type OpenedKeys = Result<(String, Vec<u8>), Problem>;

/// Asks for a file of keys, and reads it.
pub(super) type KeysOpener = InThread<OpenedKeys>;

impl KeysOpener {
    /// Opens the dialog.
    pub(super) fn begin(&mut self, ctx: &Context) {
        self.open(ctx, || {
            let dialog = rfd::FileDialog::new().set_title("Choose a file of keys");
            let dialog = dialog.add_filter("age files", &["age", "txt"]).add_filter("All files", &["*"]);
            dialog.pick_file().map(|path| read_keys(&path))
        });
    }
}

/// Why a file was not read.
fn unread(path: &Path, why: &str, next: &str) -> Problem {
    let why = format!("{}: {why}", file_name(path));
    Problem::new("The file was not read.", why, next.to_owned())
}

/// Reads a file of at most so many bytes.
fn read_within(
    path: &Path,
    largest: u64,
    too_large: &str,
    next: &str,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Problem> {
    let file = std::fs::File::open(path).map_err(|error| unread(path, &error.to_string(), next))?;
    // All the room at once: a key that moves in memory would leave a copy behind.
    let room = file.metadata().map_or(largest, |data| data.len().min(largest)) + 1;
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(usize::try_from(room).unwrap_or(0)));
    file.take(largest + 1).read_to_end(&mut bytes).map_err(|error| unread(path, &error.to_string(), next))?;
    if bytes.len() as u64 > largest {
        return Err(unread(path, too_large, next));
    }
    Ok(bytes)
}

/// Reads a key file, within a bound.
fn read_key(path: &Path) -> OpenedKey {
    read_text(
        path,
        LARGEST_KEY_FILE,
        "it is larger than any key",
        "Choose the key's file, or paste its text.",
    )
}

/// A PEM file that another broker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PemFile {
    /// The certificate of the broker's authority.
    Ca,
    /// Who we are.
    Certificate,
    /// The private key that belongs to it.
    Key,
}

impl PemFile {
    const fn title(self) -> &'static str {
        match self {
            Self::Ca => "Choose the certificate of the broker's authority",
            Self::Certificate => "Choose your client certificate",
            Self::Key => "Choose the private key of your client certificate",
        }
    }
}

/// The largest PEM file that is read: a system's whole list of authorities fits.
const LARGEST_PEM_FILE: u64 = 1024 * 1024;

/// Asks for a PEM file, and reads it.
pub(super) type PemOpener = InThread<(PemFile, OpenedKey)>;

impl PemOpener {
    /// Opens the dialog.
    pub(super) fn begin(&mut self, ctx: &Context, file: PemFile) {
        self.open(ctx, move || {
            let path = rfd::FileDialog::new().set_title(file.title()).pick_file()?;
            Some((
                file,
                read_text(
                    &path,
                    LARGEST_PEM_FILE,
                    "it is larger than any list of certificates",
                    "Choose a PEM file.",
                ),
            ))
        });
    }
}

/// Reads a file of text that a person chose, within a bound.
fn read_text(path: &Path, largest: u64, too_large: &str, next: &str) -> OpenedKey {
    let bytes = read_within(path, largest, too_large, next)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok((file_name(path), SecretText::from(text.trim()))),
        Err(_) => Err(unread(path, "it is not text", next)),
    }
}

/// Reads a file of keys, within a bound.
fn read_keys(path: &Path) -> OpenedKeys {
    let next = "Choose a file of keys, as “Export” writes it.";
    read_within(path, LARGEST_KEYS_FILE, "it is larger than any file of keys", next)
        .map(|bytes| (file_name(path), bytes.to_vec()))
}

/// Writes a file for its owner alone.
fn write(path: PathBuf, text: &SecretText) -> Result<PathBuf, Problem> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_str().as_bytes()).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(Problem::new(
            "The file was not saved.",
            format!("{}: {error}", path.display()),
            "Choose another folder, or copy the text instead.",
        )),
    }
}

/// The last part of a path, for people.
#[must_use]
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Shows a folder in the system's file manager.
pub(super) fn show_folder(ctx: &Context, folder: &Path) {
    let mut url = String::from("file://");
    let path = folder.to_string_lossy().replace('\\', "/");
    if !path.starts_with('/') {
        url.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~:".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    ctx.open_url(OpenUrl::new_tab(url));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_file_is_its_owners_alone_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path().join("codes.txt"), &SecretText::from("AAAAA-BBBBB\n")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "AAAAA-BBBBB\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let problem = write(dir.path().join("none/codes.txt"), &SecretText::new()).unwrap_err();
        assert!(problem.why.contains("codes.txt"), "{problem:?}");
    }

    #[test]
    fn a_key_file_is_read_within_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fernet.key");
        std::fs::write(&path, "  c2VjcmV0\n").unwrap();
        let (name, text) = read_key(&path).unwrap();
        assert_eq!((name.as_str(), text.as_str()), ("fernet.key", "c2VjcmV0"));
        for (bytes, why) in [(vec![b'x'; 70_000], "larger"), (vec![0xff], "not text")] {
            std::fs::write(&path, bytes).unwrap();
            assert!(read_key(&path).unwrap_err().why.contains(why));
        }
        assert!(read_key(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_folder_is_shown_by_an_address_that_keeps_its_odd_letters() {
        let ctx = Context::default();
        let output = ctx.run_ui(eframe::egui::RawInput::default(), |ui| {
            show_folder(ui.ctx(), Path::new("/data/Zoë's files"));
        });
        let opened = output.platform_output.commands.iter().any(|command| {
            matches!(command, eframe::egui::OutputCommand::OpenUrl(open)
                if open.url == "file:///data/Zo%C3%AB%27s%20files")
        });
        output.drop_without_applying_deltas();
        assert!(opened);
    }
}
