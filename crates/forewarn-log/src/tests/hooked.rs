//! The real disk with its calls in a test's hands.

use std::path::PathBuf;

use super::*;

/// What a test does to a disk. Calls go through untouched unless it says otherwise.
pub(super) trait Hooks: Send + Sync + 'static {
    /// Before a file is opened.
    fn opening(&self, _: &Path, _: Access) -> io::Result<()> {
        Ok(())
    }

    /// After bytes were read from a position of a file, and before the caller sees them.
    fn reading(&self, _: &Path, _: &mut [u8], _: u64) {}

    /// Before bytes are written at a position of a file: how many of them get there, and what the caller
    /// hears then.
    fn writing(&self, _: &Path, bytes: &[u8], _: u64) -> (usize, io::Result<()>) {
        (bytes.len(), Ok(()))
    }

    /// Before a file is removed.
    fn removing(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Before a file is made durable.
    fn syncing(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// The real disk behind hooks.
pub(super) struct Hooked<H>(pub(super) H);

struct HookedFile<H> {
    hooks: H,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl<H: Hooks + Clone> Disk for Hooked<H> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        RealDisk.lock(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        RealDisk.list(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.0.opening(path, access)?;
        let file = RealDisk.open(path, access)?;
        Ok(Box::new(HookedFile { hooks: self.0.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.removing(path)?;
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl<H: Hooks> DiskFile for HookedFile<H> {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, position)?;
        self.hooks.reading(&self.path, &mut buffer[..read], position);
        Ok(read)
    }

    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let (taken, outcome) = self.hooks.writing(&self.path, bytes, position);
        self.file.write_at(&bytes[..taken], position)?;
        outcome
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.hooks.syncing(&self.path)?;
        self.file.sync()
    }
}
