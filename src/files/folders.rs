//! The data folders: the platform's, one that was named, or those beside a portable program.

use std::path::{Path, PathBuf};

use super::{FilesError, create_private_dir};

/// The name of the file that, beside the program, makes its folder the data folder.
const PORTABLE_MARK: &str = "sealwire.portable";

/// One data folder with its four rooms. In a portable install the rooms lie beside the program.
///
/// | room | what |
/// |---|---|
/// | `users/` | the station's database and role packs |
/// | `keys/` | the station's own keys and certificates, owner only |
/// | `logs/` | audit logs and the station's log |
/// | `clients/` | one folder per station and account: outbox, history |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolders {
    root: PathBuf,
}

impl DataFolders {
    /// The folder that was named (`--data`, `SEALWIRE_DATA`), else the one beside a portable program, else the
    /// platform's. Makes nothing.
    ///
    /// # Errors
    /// Where the platform names none.
    pub fn find(named: Option<&Path>) -> Result<Self, FilesError> {
        if let Some(named) = named {
            let root = std::path::absolute(named).map_err(|e| FilesError::io("find", named, e))?;
            return Ok(Self { root });
        }
        if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent)
            && beside.join(PORTABLE_MARK).is_file()
        {
            return Ok(Self { root: beside.to_owned() });
        }
        let platform = directories::ProjectDirs::from("", "", "sealwire").ok_or(FilesError::NoHome)?;
        Ok(Self { root: platform.data_local_dir().to_owned() })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The station's database and role packs. Made, owner only, if it is not there; so are the others.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn users(&self) -> Result<PathBuf, FilesError> {
        self.room("users")
    }

    /// The station's own keys.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn keys(&self) -> Result<PathBuf, FilesError> {
        self.room("keys")
    }

    /// Audit logs and the station's log.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn logs(&self) -> Result<PathBuf, FilesError> {
        self.room("logs")
    }

    /// The state of the clients, a folder per station and account.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn clients(&self) -> Result<PathBuf, FilesError> {
        self.room("clients")
    }

    fn room(&self, name: &str) -> Result<PathBuf, FilesError> {
        let path = self.root.join(name);
        create_private_dir(&path)?;
        Ok(path)
    }
}
