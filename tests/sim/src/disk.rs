//! A disk in memory that forgets as real ones do. Each file has what the system's memory holds and what the
//! platter holds; so has the folder. Only an fsync moves the one to the other, and after a failed one the
//! system takes its pages for clean although the platter never got them, as Linux does.
//!
//! A power cut keeps any of the pages of 4 KiB that were not synced, and any of the sectors of 512 bytes of
//! one of them; of a file's growth it keeps all or nothing. Of the creations, renamings and removals that
//! were not synced it keeps the first so many: file systems journal them in order. A killed program loses
//! nothing of what it had written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarn_log::{Access, Disk, DiskFile};
use parking_lot::Mutex;

use crate::world::{Device, Fate, World};

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// What the disk holds; it outlives every life of the program.
#[derive(Debug, Default)]
pub struct Platter {
    files: Vec<Content>,
    /// The folder as the program sees it, and as a power cut leaves it.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of the folder that are not durable, in order.
    changes: Vec<Change>,
}

/// A file.
#[derive(Debug, Default, Clone)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Pages of `seen` that the system knows it has yet to write.
    dirty: BTreeSet<usize>,
}

/// A change of the folder.
#[derive(Debug, Clone)]
enum Change {
    Name(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Name(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(path) => drop(names.remove(path)),
        }
    }
}

impl Content {
    fn write(&mut self, bytes: &[u8], position: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = position + bytes.len();
        if end > self.seen.len() {
            // What lies between the old end and the beginning of the write is zeros, and new too.
            let first_new = self.seen.len() / PAGE;
            self.seen.resize(end, 0);
            self.dirty.extend(first_new..=end.saturating_sub(1) / PAGE);
        }
        self.seen[position..end].copy_from_slice(bytes);
        self.dirty.extend(position / PAGE..end.div_ceil(PAGE));
    }

    fn set_length(&mut self, length: usize) {
        let from = self.seen.len().min(length) / PAGE;
        self.seen.resize(length, 0);
        self.dirty.extend(from..length.div_ceil(PAGE));
        // A cut that ends with a page leaves no page to write, only a length.
        self.dirty.insert(length / PAGE);
    }

    /// Brings one page to the platter, or only the `sectors` of it.
    fn flush(&mut self, page: usize, sectors: impl Fn(usize) -> bool) {
        let pages_end = ((page + 1) * PAGE).min(self.seen.len()).min(self.durable.len());
        for start in (page * PAGE..pages_end).step_by(SECTOR) {
            if sectors(start) {
                let end = (start + SECTOR).min(pages_end);
                self.durable[start..end].copy_from_slice(&self.seen[start..end]);
            }
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            self.flush(page, |_| true);
        }
    }

    /// Some of what is not synced gets to the platter, who knows what.
    fn sync_some(&mut self, chance: &mut fastrand::Rng) {
        if chance.bool() {
            self.durable.resize(self.seen.len(), 0);
        }
        let torn = chance.usize(0..self.dirty.len().max(1));
        for (place, page) in std::mem::take(&mut self.dirty).into_iter().enumerate() {
            let (whole, mask) = (chance.bool(), chance.u64(..));
            self.flush(
                page,
                |start| if place == torn { mask >> (start / SECTOR % 64) & 1 == 1 } else { whole },
            );
        }
    }
}

impl Platter {
    /// An empty disk, but for the file `path` with `bytes`.
    #[must_use]
    pub fn with_file(path: &Path, bytes: &[u8]) -> Self {
        let content = Content { seen: bytes.to_vec(), durable: bytes.to_vec(), dirty: BTreeSet::new() };
        let names = BTreeMap::from([(path.to_owned(), 0)]);
        Self { files: vec![content], names: names.clone(), durable_names: names, changes: Vec::new() }
    }

    /// The power is cut: only what is durable is left, and by chance some of what was on its way.
    pub fn cut_power(&mut self, chance: &mut fastrand::Rng) {
        let kept = chance.usize(0..=self.changes.len());
        for change in self.changes.drain(..).take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names = self.durable_names.clone();
        for content in &mut self.files {
            content.sync_some(chance);
            content.seen = content.durable.clone();
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }
}

/// How much of an operation happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    /// Any part of it, if it has parts.
    Part,
    Nothing,
}

/// The disk as one life of the program sees it.
#[derive(Clone)]
pub struct SimDisk {
    world: Arc<World>,
    platter: Arc<Mutex<Platter>>,
    life: u64,
}

impl SimDisk {
    /// `platter` as the program sees it in its life number `life`.
    #[must_use]
    pub const fn new(world: Arc<World>, platter: Arc<Mutex<Platter>>, life: u64) -> Self {
        Self { world, platter, life }
    }

    /// Asks the world for the fate of an operation: how much of it happens, and what the program hears.
    fn ask(&self, kind: &'static str, path: &Path) -> (Extent, io::Result<()>) {
        let failed = || Err(io::Error::other("simulated"));
        match self.world.judge(self.life, Device::Disk, kind, &path.to_string_lossy()) {
            Fate::Works | Fate::Twice | Fate::Late => (Extent::All, Ok(())),
            Fate::Lost | Fate::DiesAfter => (Extent::All, failed()),
            Fate::Full => (Extent::Part, Err(ErrorKind::StorageFull.into())),
            Fate::Fails | Fate::DiesBefore => (Extent::Part, failed()),
            Fate::Dead => (Extent::Nothing, failed()),
        }
    }

    fn read(&self, kind: &'static str, path: &Path) -> io::Result<()> {
        self.ask(kind, path).1
    }

    fn change(&self, kind: &'static str, path: &Path, change: Change) -> io::Result<()> {
        let (extent, answer) = self.ask(kind, path);
        if extent == Extent::All {
            self.platter.lock().change(change);
        }
        answer
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.read("create_dir", dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.read("lock", dir)?;
        Ok(Box::new(()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.read("list", dir)?;
        let platter = self.platter.lock();
        Ok(platter
            .names
            .iter()
            .map(|(path, file)| (path.clone(), platter.files[*file].seen.len() as u64))
            .collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let (extent, answer) = self.ask(if access == Access::Create { "create" } else { "open" }, path);
        let creates = access == Access::Create && extent == Extent::All;
        let mut platter = self.platter.lock();
        let file = match platter.names.get(path).copied() {
            Some(file) => {
                if creates {
                    platter.files[file].set_length(0);
                }
                Some(file)
            }
            None if creates => {
                let file = platter.files.len();
                platter.files.push(Content::default());
                platter.change(Change::Name(path.to_owned(), file));
                Some(file)
            }
            None => None,
        };
        drop(platter);
        answer?;
        let file = file.ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change("rename", from, Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.platter.lock().names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        self.change("remove", path, Change::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (extent, answer) = self.ask("sync_dir", dir);
        let mut platter = self.platter.lock();
        let done = match extent {
            Extent::All => platter.changes.len(),
            Extent::Part => self.world.chance("sync_dir").usize(0..=platter.changes.len()),
            Extent::Nothing => 0,
        };
        let Platter { changes, durable_names, .. } = &mut *platter;
        changes.drain(..done).for_each(|change| change.apply(durable_names));
        answer
    }
}

/// An open file.
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    file: usize,
}

impl SimFile {
    fn with<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
        work(&mut self.disk.platter.lock().files[self.file])
    }
}

fn at(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

impl DiskFile for SimFile {
    fn length(&mut self) -> io::Result<u64> {
        self.disk.read("length", &self.path)?;
        Ok(self.with(|content| content.seen.len() as u64))
    }

    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.read("read", &self.path)?;
        Ok(self.with(|content| {
            let rest = content.seen.get(at(position)..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            length
        }))
    }

    fn write_at(&mut self, bytes: &[u8], position: u64) -> io::Result<()> {
        let (extent, answer) = self.disk.ask("write", &self.path);
        let written = match extent {
            Extent::All => bytes.len(),
            Extent::Part => self.disk.world.chance("write").usize(0..=bytes.len()),
            Extent::Nothing => 0,
        };
        self.disk.world.note_content(&bytes[..written]);
        self.with(|content| content.write(&bytes[..written], at(position)));
        answer
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let (extent, answer) = self.disk.ask("set_length", &self.path);
        if extent == Extent::All {
            self.with(|content| content.set_length(at(length)));
        }
        answer
    }

    fn sync(&mut self) -> io::Result<()> {
        let (extent, answer) = self.disk.ask("sync", &self.path);
        match extent {
            Extent::All => self.with(Content::sync),
            Extent::Part => self.with(|content| content.sync_some(&mut self.disk.world.chance("sync"))),
            Extent::Nothing => {}
        }
        answer
    }
}
