//! Which snapshot serves, which ones are kept, and that those of earlier releases open.

use std::fs;

use forewarn_ingest::IntakeState;
use forewarn_lake::ObjectFiles;
use forewarn_types::{Definitions, Timestamp};
use tempfile::TempDir;

use super::form::{self, Fixed};
use super::*;
use crate::StateError;

fn snapshot(offset: u64) -> Snapshot {
    let parts = [("engine", vec![1, 2, 3]), ("intake", Vec::new()), ("read_model", vec![4])];
    let parts = parts.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    Snapshot { offset: Offset(offset), parts }
}

/// The snapshot at `offset` as earlier releases had it.
fn fixed(offset: u64) -> Fixed {
    Fixed {
        offset: Offset(offset),
        emitted: Some((Offset(3), 1)),
        definitions: Definitions::default(),
        intake: IntakeState { next: Offset(offset + 2), ..IntakeState::default() },
        engine: vec![1, 2, 3],
        state: vec![4],
    }
}

async fn store(dir: &TempDir, log: &str) -> SnapshotStore {
    let files =
        ObjectFiles::open(&format!("file://{}/lake", dir.path().display()), Timestamp(0)).await.unwrap();
    SnapshotStore::new(files, log, Some(dir.path().join("snapshots")))
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
        let unusable = StateError::Snapshot("another version".to_owned());
        if snapshot.offset == Offset(70) { Err(unusable) } else { Ok(snapshot.offset) }
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
    let former = store.former.clone().unwrap();
    let body = rmp_serde::to_vec(&fixed(40)).unwrap();
    fs::create_dir(&former).unwrap();
    let bytes = form::sealed(*b"FWSNAP\0\x01", &body);
    fs::write(former.join(format!("{:020}.snap", 40)), bytes).unwrap();
    assert_eq!(newest(&store).await, Some((Offset(40), None)));
    let saved = store.save(snapshot(50), None).await.unwrap();
    assert_eq!((newest(&store).await, former.exists()), (Some(in_store(saved.clone())), true));
    store.save(snapshot(60), Some(&saved)).await.unwrap();
    assert!(!former.exists(), "nothing rests on them any more");
}

#[tokio::test]
async fn a_snapshot_with_fixed_fields_opens_as_one_part_for_each_fold() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, "one").await;
    let bytes = form::sealed(*b"FWSNAP\0\x02", &rmp_serde::to_vec(&("one", fixed(40))).unwrap());
    store.files.put(&store.path(Offset(40)), bytes.into(), false).await.unwrap();
    let (found, saved) = store.newest(Ok).await.unwrap().unwrap();
    assert_eq!((found.offset, saved.unwrap()), (Offset(40), first(&store, 40)));
    let names: Vec<&String> = found.parts.keys().collect();
    assert_eq!(names, ["definitions", "engine", "intake", "read_model"]);
    assert_eq!(found.parts["read_model"], [4]);
    assert_eq!(found.parts["engine"][found.parts["engine"].len() - 3..], [1, 2, 3]);
    assert_eq!(crate::IntakeFold::memory_in(&found.parts).unwrap().next, Offset(42));
    // A second copy of it is made as it stands.
    let second = store.save_again(&first(&store, 40)).await.unwrap();
    assert_eq!(second.path, store.second_path(Offset(40)));
}

#[test]
fn a_snapshot_is_read_as_it_was_written_and_no_part_of_it_as_a_whole() {
    let bytes = form::encode(&snapshot(7), "one").unwrap();
    assert_eq!(form::decode(&bytes, "one").unwrap(), snapshot(7));
    for length in 0..bytes.len() {
        assert!(form::decode(&bytes[..length], "one").is_err(), "{length} bytes");
    }
    assert!(form::decode(&bytes, "other").unwrap_err().to_string().contains("one of the log one"));
}
