//! What the log asks of a disk, so that a test can let one fail. Reading needs no such care: see `segment`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

/// See the module. Each call is one step that a crash can come before or after.
pub(super) trait Disk: Send + Sync + 'static {
    /// A new file, owner only; an error where there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// One that is there, to be cut.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name in the same folder, in the place of any that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names of a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that grows at its end.
pub(super) trait DiskFile: Send {
    /// All of it, or an error and some of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once what was appended survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes it back to this length; what is appended next comes there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// The system's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemDisk;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        Ok(Box::new(options.open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// NTFS writes its names down by itself, and a folder cannot be flushed.
    #[cfg(not(unix))]
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(|_| ())
    }
}
