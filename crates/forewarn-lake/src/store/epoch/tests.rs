//! Of several that take a lake over the newest alone may write.

use bytes::Bytes;
use forewarn_types::Timestamp;

use crate::error::LakeError;
use crate::store::ObjectFiles;
use crate::testing::{NEW_YEAR, Plant};
use forewarn_log::Log as _;

const NOW: Timestamp = Timestamp(NEW_YEAR);

async fn files(plant: &Plant) -> ObjectFiles {
    ObjectFiles::open(&plant.options().url, NOW).await.unwrap()
}

async fn put(files: &ObjectFiles, path: &str) -> Result<bool, LakeError> {
    files.put(path, Bytes::from_static(b"x"), false).await
}

#[tokio::test]
async fn only_the_newest_that_has_taken_over_may_write() {
    let plant = Plant::new();
    let (tool, first, second) = (files(&plant).await, files(&plant).await, files(&plant).await);
    assert_eq!(first.take_over("the first", NOW).await.unwrap(), 1);
    let clone = first.clone();
    put(&clone, "a").await.unwrap();
    assert_eq!(second.take_over("the second", NOW).await.unwrap(), 2);
    put(&second, "a").await.unwrap();
    put(&tool, "a").await.unwrap();
    assert_eq!(clone.taken_over(), None);
    let error = put(&first, "b").await.unwrap_err();
    assert!(matches!(&error, LakeError::TakenOver(why) if why.contains("the second")), "{error}");
    assert!(!error.is_retryable(), "no attempt may help");
    assert!(clone.until_taken_over().await.contains("it holds epoch 2, and this one 1"));
    assert_eq!(tool.get("b").await.unwrap(), None);
    let left = tool.list("_forewarn/epochs").await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn servers_that_start_at_once_get_epochs_of_their_own() {
    let plant = Plant::new();
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(files(&plant).await);
    }
    let taken = futures::future::join_all(all.iter().map(|files| files.take_over("one", NOW))).await;
    let taken: std::collections::BTreeSet<u64> = taken.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.len(), 8, "{taken:?}");
    let mut may_write = 0;
    for files in &all {
        may_write += usize::from(put(files, "a").await.is_ok());
    }
    assert_eq!(may_write, 1);
}

#[tokio::test]
async fn what_an_older_server_has_in_its_tail_is_not_committed_behind_a_newer_one() {
    let plant = Plant::new();
    let older = plant.start().await;
    older.lake.store().take_over("the older", NOW).await.unwrap();
    plant.push(&[("p1", "t", 0, 0.0)]);
    older.lake.flush().await.unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    older.lake.wait_applied(plant.log.end()).await.unwrap();
    files(&plant).await.take_over("the newer", NOW).await.unwrap();
    let error = older.lake.flush().await.unwrap_err().to_string();
    assert!(error.contains("the newer") || error.contains("not running"), "{error}");
    let ended = older.task.await.unwrap().unwrap_err();
    assert!(matches!(ended, LakeError::TakenOver(_)), "{ended}");
    let seen = plant.open(plant.options()).await;
    let rows =
        seen.reader.view.read().tables["readings"].files.iter().filter_map(|file| file.rows).sum::<u64>();
    assert_eq!(rows, 1);
}
