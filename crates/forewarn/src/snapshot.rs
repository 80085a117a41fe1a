//! Snapshots of folded state: what a restart begins with instead of the whole log.
//!
//! A snapshot at offset `o` holds the fold of every record before `o`. They are objects in the lake's store,
//! so that the machine's own disk holds nothing but the log, and each stands in the folder of its log: a
//! snapshot of another log means nothing to this one. Two are kept, and the log is trimmed up to the *older*
//! one only: where the newer cannot be used, the older one and the log behind it give the same state. A log
//! that has been trimmed cannot do without any of them. Where nothing can happen behind the newest, as the
//! log is full, a second copy of it takes the place of the older one. Then two objects have the same offset
//! and one may be damaged, so what is known to be good goes by its path.
//!
//! There is no second copy on the disk. The server does not start without the lake's store, so a copy would
//! only spare a start the reading of one object; and while the store is away nothing may be trimmed, with or
//! without a copy, as the store has none of the records either.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use forewarn_api::SavedSnapshot;
use forewarn_ingest::IntakeState;
use forewarn_lake::ObjectFiles;
use forewarn_types::{Definitions, Offset};
use serde::{Deserialize, Serialize};

/// Where snapshots are in the lake's store: `FOLDER/LOG/OFFSET.snap`.
const FOLDER: &str = "_forewarn/snapshots";
/// The present form: this, the CRC-32 of what follows, and the log's id and the snapshot as one value.
const MAGIC: &[u8; 8] = b"FWSNAP\0\x02";
/// The form of the files in the data folder, which do not name their log.
const FORMER_MAGIC: &[u8; 8] = b"FWSNAP\0\x01";

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

/// The snapshots of one log.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotStore {
    files: ObjectFiles,
    log: String,
    /// The folder in which earlier releases kept snapshots. It is read where the store has none, and goes
    /// once the store has two.
    former: PathBuf,
}

impl SnapshotStore {
    /// The snapshots of the log `log` in the store `files`; `former` is the folder of earlier releases.
    pub(crate) fn new(files: ObjectFiles, log: &str, former: PathBuf) -> Self {
        Self { files, log: log.to_owned(), former }
    }

    /// What `restore` makes of the newest snapshot that can be used. One that cannot is passed over with a
    /// warning. Beside it, which one it is if it is one in the store.
    ///
    /// # Errors
    /// A store or a folder that cannot be read: whether there is a snapshot is not known then.
    pub(crate) async fn newest<T>(
        &self,
        restore: impl Fn(Snapshot) -> Result<T>,
    ) -> Result<Option<(T, Option<SavedSnapshot>)>> {
        let pass_over = |path: &str, error: anyhow::Error| {
            let error = format!("{error:#}");
            tracing::warn!(
                path,
                error,
                "this snapshot is passed over; an older one and the log have to serve"
            );
        };
        for path in self.paths().await?.into_iter().rev() {
            let Some(bytes) = self.files.get(&path).await? else { continue };
            let read =
                decode(&bytes, &self.log).and_then(|snapshot| Ok((snapshot.offset, restore(snapshot)?)));
            match read {
                Ok((offset, restored)) => return Ok(Some((restored, Some(SavedSnapshot { offset, path })))),
                Err(error) => pass_over(&path, error),
            }
        }
        for path in former_files(&self.former)?.into_iter().rev() {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read the snapshot {}", path.display()))?;
            match decode_former(&bytes).and_then(&restore) {
                Ok(restored) => return Ok(Some((restored, None))),
                Err(error) => pass_over(&path.display().to_string(), error),
            }
        }
        Ok(None)
    }

    /// Writes `snapshot` durably, then deletes all others but `before`, which is known to be good. If that is
    /// at the same offset the new one is a second copy of it.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) async fn save(
        &self,
        snapshot: Snapshot,
        before: Option<&SavedSnapshot>,
    ) -> Result<SavedSnapshot> {
        let (offset, log) = (snapshot.offset, self.log.clone());
        let bytes = tokio::task::spawn_blocking(move || encode(&snapshot, &log))
            .await
            .context("encoding a snapshot was cut off")??;
        self.put(offset, bytes, before).await
    }

    /// Makes a second copy of `good`, and deletes all others: for want of a state that could be saved.
    ///
    /// # Errors
    /// If `good` cannot be read, is not whole any more, or the copy could not be written.
    pub(crate) async fn save_again(&self, good: &SavedSnapshot) -> Result<SavedSnapshot> {
        let bytes = self.files.get(&good.path).await?.with_context(|| format!("{} is gone", good.path))?;
        checked(&bytes, *MAGIC).with_context(|| format!("{} is damaged", good.path))?;
        self.put(good.offset, bytes.to_vec(), Some(good)).await
    }

    /// Puts the snapshot at `offset` where it does not overwrite `before`, and leaves no others beside these
    /// two.
    async fn put(
        &self,
        offset: Offset,
        bytes: Vec<u8>,
        before: Option<&SavedSnapshot>,
    ) -> Result<SavedSnapshot> {
        let before = before.map(|before| before.path.as_str());
        let first = self.path(offset);
        let path = if before == Some(first.as_str()) { self.second_path(offset) } else { first };
        self.files.put(&path, bytes.into(), false).await?;
        if let Err(error) = self.tidy(&path, before).await {
            let error = format!("{error:#}");
            tracing::warn!(error, "old snapshots could not be deleted; the next one tries again");
        }
        Ok(SavedSnapshot { offset, path })
    }

    async fn tidy(&self, newest: &str, before: Option<&str>) -> Result<()> {
        for old in self.paths().await?.iter().filter(|old| *old != newest && Some(old.as_str()) != before) {
            self.files.delete(old).await?;
        }
        if before.is_some() && self.former.exists() {
            fs::remove_dir_all(&self.former)
                .with_context(|| format!("cannot delete {}", self.former.display()))?;
        }
        Ok(())
    }

    /// Where the snapshots are, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{} of the lake", self.folder())
    }

    /// The path in the store of the snapshot at `offset`.
    fn path(&self, offset: Offset) -> String {
        format!("{}/{:020}.snap", self.folder(), offset.0)
    }

    /// The path of the other one, where two copies are kept. By name it comes before the first.
    fn second_path(&self, offset: Offset) -> String {
        format!("{}/{:020}-2.snap", self.folder(), offset.0)
    }

    fn folder(&self) -> String {
        format!("{FOLDER}/{}", self.log)
    }

    async fn paths(&self) -> Result<Vec<String>> {
        let files = self.files.list(&self.folder()).await?;
        Ok(files
            .into_iter()
            .map(|file| file.path)
            .filter(|path| path.rsplit('.').next() == Some("snap"))
            .collect())
    }
}

fn encode(snapshot: &Snapshot, log: &str) -> Result<Vec<u8>> {
    let body = rmp_serde::to_vec(&(log, snapshot)).context("cannot encode the snapshot")?;
    Ok([MAGIC.as_slice(), &crc32fast::hash(&body).to_le_bytes(), &body].concat())
}

fn decode(bytes: &[u8], log: &str) -> Result<Snapshot> {
    let (of_log, snapshot): (String, Snapshot) =
        rmp_serde::from_slice(checked(bytes, *MAGIC)?).context("it cannot be decoded")?;
    if of_log != log {
        bail!("it is one of the log {of_log}, and this is the log {log}");
    }
    Ok(snapshot)
}

fn decode_former(bytes: &[u8]) -> Result<Snapshot> {
    rmp_serde::from_slice(checked(bytes, *FORMER_MAGIC)?).context("it cannot be decoded")
}

/// What stands behind the magic number and the checksum, if both are right.
fn checked(bytes: &[u8], magic: [u8; 8]) -> Result<&[u8]> {
    let Some((found, rest)) = bytes.split_first_chunk::<8>() else { bail!("it is shorter than its header") };
    if *found != magic {
        bail!("it is no snapshot of this version");
    }
    let Some((crc, body)) = rest.split_first_chunk::<4>() else { bail!("it is shorter than its header") };
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        bail!("its checksum does not match");
    }
    Ok(body)
}

/// The files of earlier releases, in order.
fn former_files(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read the folder {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "snap") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use forewarn_types::Timestamp;
    use tempfile::TempDir;

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

    async fn store(dir: &TempDir, log: &str) -> SnapshotStore {
        let files =
            ObjectFiles::open(&format!("file://{}/lake", dir.path().display()), Timestamp(0)).await.unwrap();
        SnapshotStore::new(files, log, dir.path().join("snapshots"))
    }

    async fn newest(store: &SnapshotStore) -> Option<(Offset, Option<SavedSnapshot>)> {
        store.newest(|snapshot| Ok(snapshot.offset)).await.unwrap()
    }

    /// The snapshot at `offset` where it is put first.
    fn first(store: &SnapshotStore, offset: u64) -> SavedSnapshot {
        SavedSnapshot { offset: Offset(offset), path: store.path(Offset(offset)) }
    }

    fn in_store(saved: SavedSnapshot) -> (Offset, Option<SavedSnapshot>) {
        (saved.offset, Some(saved))
    }

    async fn damage(store: &SnapshotStore, path: &str) {
        store.files.put(path, "damaged".into(), false).await.unwrap();
    }

    #[tokio::test]
    async fn the_newest_good_snapshot_serves_and_the_one_before_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, "one").await;
        assert_eq!(newest(&store).await, None);
        let saved = store.save(snapshot(5), None).await.unwrap();
        let saved = store.save(snapshot(70), Some(&saved)).await.unwrap();
        store.save(snapshot(600), Some(&saved)).await.unwrap();
        assert_eq!(
            (newest(&store).await, store.paths().await.unwrap().len()),
            (Some(in_store(first(&store, 600))), 2)
        );
        let damaged = store.path(Offset(600));
        let mut bytes = store.files.get(&damaged).await.unwrap().unwrap().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        store.files.put(&damaged, bytes.into(), false).await.unwrap();
        assert_eq!(newest(&store).await, Some(in_store(first(&store, 70))));
        // A damaged one does not count as one of the two that are kept.
        store.save(snapshot(900), Some(&saved)).await.unwrap();
        assert_eq!(store.paths().await.unwrap(), [70, 900].map(|offset| store.path(Offset(offset))));
    }

    #[tokio::test]
    async fn a_second_copy_serves_where_the_first_is_damaged_and_goes_with_the_next_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, "one").await;
        let saved = store.save(snapshot(5), None).await.unwrap();
        let saved = store.save(snapshot(70), Some(&saved)).await.unwrap();
        store.save(snapshot(70), Some(&saved)).await.unwrap();
        let copies = store.paths().await.unwrap();
        assert_eq!(
            copies,
            [store.second_path(Offset(70)), store.path(Offset(70))],
            "the older one is not needed any more"
        );
        for damaged in &copies {
            let whole = store.files.get(damaged).await.unwrap().unwrap();
            damage(&store, damaged).await;
            let good = copies.iter().find(|path| *path != damaged).unwrap();
            assert_eq!(
                newest(&store).await,
                Some(in_store(SavedSnapshot { offset: Offset(70), path: good.clone() })),
                "the path of it"
            );
            store.files.put(damaged, whole, false).await.unwrap();
        }
        store.save(snapshot(90), Some(&saved)).await.unwrap();
        assert_eq!(store.paths().await.unwrap(), [70, 90].map(|offset| store.path(Offset(offset))));
    }

    #[tokio::test]
    async fn of_two_copies_the_good_one_is_kept_and_the_damaged_one_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, "one").await;
        let saved = store.save(snapshot(70), None).await.unwrap();
        let second = store.save_again(&saved).await.unwrap();
        assert_eq!(second.path, store.second_path(Offset(70)));
        damage(&store, &saved.path).await;
        let (_, good) = newest(&store).await.unwrap();
        assert_eq!(good.as_ref(), Some(&second));
        // The next copy of the same state takes the place of the damaged one, whether it is made of the state
        // or of the other object.
        assert_eq!(store.save(snapshot(70), good.as_ref()).await.unwrap(), saved);
        assert_eq!(newest(&store).await, Some(in_store(saved.clone())));
        damage(&store, &saved.path).await;
        assert_eq!(store.save_again(&second).await.unwrap(), saved);
        assert_eq!(newest(&store).await, Some(in_store(saved.clone())));
        // The next snapshot leaves the good one beside it.
        damage(&store, &saved.path).await;
        let next = store.save(snapshot(90), good.as_ref()).await.unwrap();
        assert_eq!(store.paths().await.unwrap(), [&second, &next].map(|kept| kept.path.clone()));
        damage(&store, &next.path).await;
        assert_eq!(newest(&store).await, Some(in_store(second)));
        // What has been damaged since it was saved is not copied.
        assert!(store.save_again(&next).await.unwrap_err().to_string().contains("is damaged"));
    }

    #[tokio::test]
    async fn a_snapshot_that_cannot_be_restored_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, "one").await;
        let saved = store.save(snapshot(5), None).await.unwrap();
        store.save(snapshot(70), Some(&saved)).await.unwrap();
        let older = |snapshot: Snapshot| {
            if snapshot.offset == Offset(70) { bail!("another version") } else { Ok(snapshot.offset) }
        };
        assert_eq!(store.newest(older).await.unwrap(), Some(in_store(saved)));
    }

    #[tokio::test]
    async fn a_snapshot_of_another_log_is_neither_used_nor_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (store(&dir, "one").await, store(&dir, "other").await);
        one.save(snapshot(70), None).await.unwrap();
        assert_eq!(newest(&other).await, None);
        other.save(snapshot(5), None).await.unwrap();
        // Whoever copies one into the folder of another log is not believed.
        let foreign = one.files.get(&one.path(Offset(70))).await.unwrap().unwrap();
        other.files.put(&other.path(Offset(70)), foreign, false).await.unwrap();
        assert_eq!(
            (newest(&one).await, newest(&other).await),
            (Some(in_store(first(&one, 70))), Some(in_store(first(&other, 5))))
        );
    }

    #[tokio::test]
    async fn snapshots_of_an_earlier_release_serve_until_the_store_has_two() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, "one").await;
        let body = rmp_serde::to_vec(&snapshot(40)).unwrap();
        let former = [FORMER_MAGIC.as_slice(), &crc32fast::hash(&body).to_le_bytes(), &body].concat();
        fs::create_dir(&store.former).unwrap();
        fs::write(store.former.join(format!("{:020}.snap", 40)), former).unwrap();
        assert_eq!(newest(&store).await, Some((Offset(40), None)));
        let saved = store.save(snapshot(50), None).await.unwrap();
        assert_eq!((newest(&store).await, store.former.exists()), (Some(in_store(saved.clone())), true));
        store.save(snapshot(60), Some(&saved)).await.unwrap();
        assert!(!store.former.exists(), "nothing rests on them any more");
    }
}
