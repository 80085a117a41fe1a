//! Snapshots of folded state: what a restart begins with instead of the whole log.
//!
//! A snapshot at offset `o` holds the fold of every record before `o`. One file a snapshot, written beside and renamed into place, with
//! a checksum; the newest that reads well is used, the two newest are kept. A snapshot is a cache: without any, the log is folded from
//! its beginning.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::IntakeState;
use forewarn_types::{Definitions, Offset};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"FWSNAP\0\x01";
const KEEP: usize = 2;

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

    /// The newest snapshot that reads well. One that does not is passed over with a warning.
    pub(crate) fn load(&self) -> Result<Option<Snapshot>> {
        for path in self.files()?.into_iter().rev() {
            match read(&path) {
                Ok(snapshot) => return Ok(Some(snapshot)),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "this snapshot is passed over; an older one or the log serves");
                }
            }
        }
        Ok(None)
    }

    /// Writes `snapshot` durably, then deletes all but the newest two.
    pub(crate) fn save(&self, snapshot: &Snapshot) -> Result<()> {
        let body = rmp_serde::to_vec(snapshot).context("cannot encode the snapshot")?;
        let path = self.dir.join(format!("{:020}.snap", snapshot.offset.0));
        let beside = path.with_extension("tmp");
        let mut file = File::create(&beside).with_context(|| format!("cannot create {}", beside.display()))?;
        file.write_all(MAGIC)?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        file.write_all(&body)?;
        file.sync_all().with_context(|| format!("cannot make {} durable", beside.display()))?;
        fs::rename(&beside, &path)?;
        File::open(&self.dir)?.sync_all()?;
        let mut files = self.files()?;
        files.truncate(files.len().saturating_sub(KEEP));
        for old in files {
            fs::remove_file(&old).with_context(|| format!("cannot delete the old snapshot {}", old.display()))?;
        }
        Ok(())
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
    fn the_newest_good_snapshot_is_loaded_and_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = SnapshotStore::open(dir.path()).unwrap();
        assert!(store.load().unwrap().is_none());
        for offset in [5, 70, 600] {
            store.save(&snapshot(offset)).unwrap();
        }
        assert_eq!(store.files().unwrap().len(), 2);
        assert_eq!(store.load().unwrap().unwrap().offset, Offset(600));
        let newest = store.files().unwrap().pop().unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&newest, bytes).unwrap();
        let loaded = store.load().unwrap().unwrap();
        assert_eq!((loaded.offset, loaded.emitted), (Offset(70), Some((Offset(3), 1))));
    }
}
