//! Large objects arrive whole, in parts, or not at all.

use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::testing::OddStore;

/// So many bytes, none like its neighbours.
fn bytes(count: usize) -> Bytes {
    (0..count).map(|n| u8::try_from((n ^ (n >> 8) ^ (n >> 16)) & 255).unwrap()).collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_a_small_one_whole() {
    let store = OddStore::default();
    let files = store.files();
    for (path, count, parts) in [("a", PART_BYTES, 0), ("b", PART_BYTES + 1, 2), ("c", 5 * PART_BYTES, 5)] {
        let before = store.odd.parts.load(SeqCst);
        assert!(files.put(path, bytes(count), false).await.unwrap());
        assert_eq!(store.odd.parts.load(SeqCst) - before, parts, "{path}");
        assert_eq!(files.get(path).await.unwrap().unwrap(), bytes(count), "{path}");
    }
    assert_eq!(store.odd.largest_put.load(SeqCst), PART_BYTES);
    let before = store.odd.parts.load(SeqCst);
    assert!(
        !files.put("c", bytes(2 * PART_BYTES), true).await.unwrap(),
        "what must not be there yet goes in one request, which can ask for that"
    );
    assert_eq!(store.odd.parts.load(SeqCst), before);
    let other = OddStore::default();
    let (size, crc) = files.copy("c", &other.files(), "d").await.unwrap();
    assert_eq!((size, crc), (5 * PART_BYTES as u64, crc32fast::hash(&bytes(5 * PART_BYTES))));
    assert_eq!(other.files().get("d").await.unwrap().unwrap(), bytes(5 * PART_BYTES));
    assert_eq!(other.odd.parts.load(SeqCst), 5);
    let (size, _) = files.copy("a", &other.files(), "e").await.unwrap();
    assert_eq!(
        (size, other.files().get("e").await.unwrap().unwrap()),
        (PART_BYTES as u64, bytes(PART_BYTES))
    );
    assert!(files.room.is_free());
}

#[tokio::test]
async fn a_large_object_is_read_in_ranges_and_a_small_one_whole() {
    let (store, other) = (OddStore::default(), OddStore::default());
    let files = store.files();
    for (path, count) in [("a", 0), ("b", PART_BYTES), ("c", PART_BYTES + 1), ("d", 5 * PART_BYTES)] {
        assert!(files.put(path, bytes(count), false).await.unwrap());
        let (size, crc) = files.copy(path, &other.files(), path).await.unwrap();
        assert_eq!((size, crc), (count as u64, crc32fast::hash(&bytes(count))), "{path}");
        assert!(other.files().get(path).await.unwrap().unwrap() == bytes(count), "{path}");
        let (reader, location) = (files.clone(), files.location(path));
        let find = move || reader.find_blocking(&location, count as u64).unwrap().unwrap();
        assert!(tokio::task::spawn_blocking(find).await.unwrap() == bytes(count), "{path}");
    }
    assert_eq!(store.odd.largest_get.load(SeqCst), PART_BYTES);
    let (reader, location) = (files.clone(), files.location("e"));
    let find = move || reader.find_blocking(&location, 5 * PART_BYTES as u64).unwrap();
    assert!(tokio::task::spawn_blocking(find).await.unwrap().is_none(), "there is none");
    assert!(files.room.is_free());
}

#[tokio::test]
async fn a_large_object_that_is_replaced_while_it_is_read_is_no_mixture() {
    let files = OddStore::default().files();
    assert!(files.put("x", bytes(3 * PART_BYTES), false).await.unwrap());
    let meta = files.store.head(&files.location("x")).await.unwrap();
    let mut parts = std::pin::pin!(files.download_parts(&meta));
    assert_eq!(parts.try_next().await.unwrap().unwrap().len(), PART_BYTES);
    assert!(files.put("x", bytes(4 * PART_BYTES), false).await.unwrap());
    let error = parts.try_next().await.unwrap_err();
    assert!(matches!(error, StoreError::Precondition { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_of_which_a_part_fails_is_given_up() {
    let store = OddStore::default();
    let files = store.files();
    store.odd.failing_part.store(3, SeqCst);
    let error = files.put("x", bytes(4 * PART_BYTES), false).await.unwrap_err().to_string();
    assert!(error.contains("writing x") && error.contains("this part does not arrive"), "{error}");
    assert_eq!(store.odd.aborted.load(SeqCst), 1);
    assert!(files.get("x").await.unwrap().is_none());
    assert!(files.put("x", bytes(4 * PART_BYTES), false).await.unwrap(), "the next attempt begins anew");
    assert_eq!(files.get("x").await.unwrap().unwrap().len(), 4 * PART_BYTES);
    store.odd.failing_part.store(store.odd.parts.load(SeqCst) + 2, SeqCst);
    let error = files.copy("x", &files, "y").await.unwrap_err().to_string();
    assert!(error.contains("writing y"), "{error}");
    assert_eq!(store.odd.aborted.load(SeqCst), 2);
    assert!(files.room.is_free(), "those that failed are not on the way any more");
}
