//! What the log asks of the file system; nothing of the log passes it by. Injected, so that tests can hold a
//! disk up, fill it, let it fail, or simulate one that loses what was not synced.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read as _, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::LogError;

/// A file system. Paths are those of [`crate::LogOptions::dir`] and of files in it. Every call blocks.
pub trait Disk: Send + Sync {
    /// Creates the folder `dir` and those above it that are missing, durably: with a folder's entry a power
    /// cut would take the log.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the folder `dir` for this process, until the guard is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has it.
    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>>;

    /// The files in `dir`, with their lengths in bytes, in any order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>>;

    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if it is missing (unless `access` creates it), or what else the system
    /// says.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Gives the file `from` the name `to`, in place of a file that has it. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the creation, renaming and removal of files in `dir` durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read; the process may have no right to do more.
    Read,
    /// To be read and written to.
    Write,
    /// To be read and written to; it is created, or emptied if it is there.
    Create,
}

/// An open file.
pub trait DiskFile: Send {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn length(&mut self) -> io::Result<u64>;

    /// Reads bytes from `position` on into `buffer`, and returns how many: 0 only at the end of the file.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes all of `bytes` from `position` on; the file grows if need be.
    ///
    /// # Errors
    /// What the system says; part of the bytes may have been written then.
    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()>;

    /// [`DiskFile::write_at`] of all `parts`, one behind the other. What `parts` holds afterwards means
    /// nothing.
    ///
    /// # Errors
    /// As there.
    fn write_parts_at(&mut self, parts: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.write_at(&whole, position)
    }

    /// Cuts the file off at `length` bytes, or fills it up with zeros to that length.
    ///
    /// # Errors
    /// What the system says.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Makes what was written to the file, and its length, durable.
    ///
    /// # Errors
    /// What the system says. What was written before may then be lost, also if a later call succeeds.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let missing: Vec<_> =
            dir.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
        std::fs::create_dir_all(dir)?;
        for parent in missing.into_iter().filter_map(Path::parent) {
            self.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().create(true).append(true).open(dir.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(Guard(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        std::fs::read_dir(dir)?
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.metadata()?.len()))))
            .collect()
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let create = access == Access::Create;
        let file = OpenOptions::new()
            .read(true)
            .write(access != Access::Read)
            .create(create)
            .truncate(create)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

/// A folder's lock. It is given back by name: a process that is being started holds a copy of every open file
/// for a moment.
struct Guard(File);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the log's folder stays locked until this process ends");
        }
    }
}

impl DiskFile for File {
    fn length(&mut self) -> io::Result<u64> {
        self.metadata().map(|found| found.len())
    }

    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.seek(SeekFrom::Start(position))?;
        self.read(buffer)
    }

    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(position))?;
        self.write_all(bytes)
    }

    fn write_parts_at(&mut self, mut parts: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(position))?;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file as the standard library's readers want it.
pub(crate) struct Cursor {
    file: Box<dyn DiskFile>,
    position: u64,
}

impl Cursor {
    /// Opens the file at `path` to be read from `position` on.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, position: u64) -> Result<Self, LogError> {
        let file = disk.open(path, Access::Read).map_err(LogError::io("open", path))?;
        Ok(Self { file, position })
    }

    /// The file's length in bytes.
    pub(crate) fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }
}

impl io::Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.length()?.checked_add_signed(distance),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// All of a small file.
///
/// # Errors
/// What the system says.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = disk.open(path, Access::Read)?;
    Cursor { file, position: 0 }.read_to_end(&mut content)?;
    Ok(content)
}

/// Writes a second file and renames it over the one at `path`, so that a crash leaves one of them whole.
pub(crate) fn replace_small(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<(), LogError> {
    let temporary = path.with_extension("tmp");
    let written = disk.open(&temporary, Access::Create).and_then(|mut file| {
        file.write_at(content, 0)?;
        file.sync()
    });
    written.map_err(LogError::io("write", &temporary))?;
    disk.rename(&temporary, path).map_err(LogError::io("replace", path))?;
    path.parent().map_or(Ok(()), |dir| sync_dir(disk, dir))
}

/// [`Disk::sync_dir`], with an error that says what was tried.
pub(crate) fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    disk.sync_dir(dir).map_err(LogError::io("fsync the folder", dir))
}
