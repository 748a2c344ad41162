//! Reading with a bound, writing so that a crash leaves the old file or the new, never half of one.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use super::FilesError;

/// Makes a folder, and those above it, that only its owner can enter (on Unix; elsewhere the platform's profile
/// folders are the owner's already).
///
/// # Errors
/// Where it cannot be made, or something else bears its name.
pub fn create_private_dir(path: &Path) -> Result<(), FilesError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|e| FilesError::io("make the folder", path, e))
}

/// Where a file is that somebody named: what a link leads to, so that the link stays one and two names are one lock.
///
/// # Errors
/// A link that leads nowhere.
pub fn real_path(path: &Path) -> Result<PathBuf, FilesError> {
    let path = std::path::absolute(path).map_err(|e| FilesError::io("find", path, e))?;
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => {
            path.canonicalize().map_err(|e| FilesError::io("follow the link", &path, e))
        }
        _ => Ok(path),
    }
}

/// Writes a file whole: beside it, flushed to disk, then put in its place. Owner only.
///
/// # Errors
/// Where the disk is full or the folder cannot be written; the old file is untouched then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    let io = |e| FilesError::io("write", path, e);
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private_dir(folder)?;
    // `tempfile` makes files with mode 0600.
    let mut file: NamedTempFile = Builder::new().prefix(".sealwire-").tempfile_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    // On Unix the new name is safe only once the folder is on disk too.
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
    Ok(())
}

/// Writes a secret: as [`write_atomic`], which is owner-only; named apart so that a reader sees what is at stake.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    write_atomic(path, bytes)
}

/// Reads a file of at most `limit` bytes. What is read is wiped when dropped.
///
/// # Errors
/// Where it cannot be read or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FilesError> {
    let io = |e| FilesError::io("read", path, e);
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let too_large = |size| FilesError::TooLarge { path: path.display().to_string(), size, limit };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0)));
    // One byte more than allowed: a device or a growing file shows itself.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_whole_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/key");
        write_secret(&path, b"one").unwrap();
        write_secret(&path, b"two").unwrap();
        assert_eq!(&**read_bounded(&path, 10).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_to_the_file_and_one_that_leads_nowhere_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (file, link) = (dir.join("file"), dir.join("link"));
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert!(real_path(&link).unwrap_err().to_string().contains("follow the link"));
        write_atomic(&file, b"x").unwrap();
        assert_eq!((real_path(&link).unwrap(), real_path(&file).unwrap()), (file.clone(), file));
        assert_eq!(real_path(&dir.join("new")).unwrap(), dir.join("new"));
    }

    #[test]
    fn a_file_over_its_bound_is_named_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        write_atomic(&path, &[0; 100]).unwrap();
        assert!(matches!(read_bounded(&path, 99), Err(FilesError::TooLarge { size: 100, .. })));
    }
}
