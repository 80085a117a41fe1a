//! Snapshots of folded state: what a restart begins with instead of the whole log.
//!
//! A snapshot at offset `o` holds the fold of every record before `o`. One file a snapshot, written beside and renamed into place, with
//! a checksum. Two are kept, and the log is trimmed up to the *older* one only: where the newer cannot be used, the older one and the log
//! behind it give the same state. A log that has been trimmed cannot do without any of them.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::IntakeState;
use forewarn_types::{Definitions, Offset, crash_point};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"FWSNAP\0\x01";

/// Everything that is folded from the log, as of one offset.
#[derive(Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Every record before this one is folded in.
    pub(crate) offset: Offset,
    /// The newest transition of the engine that was in the log: its cause and its ordinal.
    pub(crate) emitted: Option<(Offset, u32)>,
    /// The definitions in force.
    pub(crate) definitions: Definitions,
    /// The intake's memory: all series, their newest times, recent readings.
    pub(crate) intake: IntakeState,
    /// The engine's own snapshot.
    pub(crate) engine: Vec<u8>,
    /// The read model's own snapshot.
    pub(crate) state: Vec<u8>,
}

/// The folder of snapshots.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotStore {
    dir: PathBuf,
}

impl SnapshotStore {
    /// Opens the folder; creates it if it is missing.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create the snapshot folder {}", dir.display()))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// What `restore` makes of the newest snapshot that can be used. One that cannot is passed over with a warning.
    pub(crate) fn newest<T>(&self, restore: impl Fn(Snapshot) -> Result<T>) -> Result<Option<T>> {
        for path in self.files()?.into_iter().rev() {
            match read(&path).and_then(&restore) {
                Ok(restored) => return Ok(Some(restored)),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(path = %path.display(), error, "this snapshot is passed over; an older one and the log have to serve");
                }
            }
        }
        Ok(None)
    }

    /// Writes `snapshot` durably, then deletes all others but the one at `before`, which is known to be good.
    pub(crate) fn save(&self, snapshot: &Snapshot, before: Option<Offset>) -> Result<()> {
        let body = rmp_serde::to_vec(snapshot).context("cannot encode the snapshot")?;
        let path = self.path(snapshot.offset);
        let beside = path.with_extension("tmp");
        let mut file = File::create(&beside).with_context(|| format!("cannot create {}", beside.display()))?;
        file.write_all(MAGIC)?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        file.write_all(&body)?;
        file.sync_all().with_context(|| format!("cannot make {} durable", beside.display()))?;
        crash_point("lake.snapshot.before");
        fs::rename(&beside, &path)?;
        crash_point("lake.snapshot.after");
        File::open(&self.dir)?.sync_all()?;
        let before = before.map(|before| self.path(before));
        for old in self.files()?.into_iter().filter(|old| *old != path && Some(old) != before.as_ref()) {
            crash_point("lake.old_snapshot.before");
            fs::remove_file(&old).with_context(|| format!("cannot delete the old snapshot {}", old.display()))?;
            crash_point("lake.old_snapshot.after");
        }
        Ok(())
    }

    /// The folder, for messages.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, offset: Offset) -> PathBuf {
        self.dir.join(format!("{:020}.snap", offset.0))
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "snap") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

fn read(path: &Path) -> Result<Snapshot> {
    let bytes = fs::read(path)?;
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else { bail!("it is shorter than its header") };
    if magic != MAGIC {
        bail!("it is no snapshot of this version");
    }
    let Some((crc, body)) = rest.split_first_chunk::<4>() else { bail!("it is shorter than its header") };
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        bail!("its checksum does not match");
    }
    rmp_serde::from_slice(body).context("it cannot be decoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(offset: u64) -> Snapshot {
        Snapshot {
            offset: Offset(offset),
            emitted: Some((Offset(3), 1)),
            definitions: Definitions::default(),
            intake: IntakeState::default(),
            engine: vec![1, 2, 3],
            state: vec![4],
        }
    }

    #[test]
    fn the_newest_good_snapshot_serves_and_the_one_before_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = SnapshotStore::open(dir.path()).unwrap();
        let newest = || store.newest(|snapshot| Ok((snapshot.offset, snapshot.emitted))).unwrap();
        let kept = || store.files().unwrap().len();
        assert_eq!(newest(), None);
        store.save(&snapshot(5), None).unwrap();
        store.save(&snapshot(70), Some(Offset(5))).unwrap();
        store.save(&snapshot(600), Some(Offset(70))).unwrap();
        assert_eq!((newest().map(|(offset, _)| offset), kept()), (Some(Offset(600)), 2));
        let damaged = store.path(Offset(600));
        let mut bytes = fs::read(&damaged).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&damaged, bytes).unwrap();
        assert_eq!(newest(), Some((Offset(70), Some((Offset(3), 1)))));
        // A damaged one does not count as one of the two that are kept.
        store.save(&snapshot(900), Some(Offset(70))).unwrap();
        assert_eq!(store.files().unwrap(), [70, 900].map(|offset| store.path(Offset(offset))));
    }

    #[test]
    fn a_snapshot_that_cannot_be_restored_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = SnapshotStore::open(dir.path()).unwrap();
        store.save(&snapshot(5), None).unwrap();
        store.save(&snapshot(70), Some(Offset(5))).unwrap();
        let older = |snapshot: Snapshot| if snapshot.offset == Offset(70) { bail!("another version") } else { Ok(snapshot.offset) };
        assert_eq!(store.newest(older).unwrap(), Some(Offset(5)));
    }
}
