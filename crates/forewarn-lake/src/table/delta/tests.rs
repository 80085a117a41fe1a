//! The vertical slice: create, append once, list again.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::store;
use crate::table::engine::engine;
use crate::table::{ColumnData, ColumnType, MinMax, file_of_columns};

#[test]
fn a_table_takes_each_version_once_and_lists_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let engine = engine(&store).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time), ("name", ColumnType::Text)], false);
    let mut table = DeltaTable::create(&schema, &engine, &store).unwrap();
    let file = || {
        let time = ColumnData::Time(vec![Some(Timestamp(1_000_001)), Some(Timestamp(5))]);
        let name = ColumnData::Text(vec![Some("b".into()), Some("a".into())]);
        file_of_columns(&schema, &[time, name]).unwrap()
    };
    assert_eq!(table.append(vec![file()], "app", 7, None, Timestamp(0)).unwrap(), Appended::Added);
    assert_eq!(table.append(vec![file()], "app", 7, None, Timestamp(0)).unwrap(), Appended::AlreadyThere);
    let mut other = DeltaTable::open("t", &engine, &store).unwrap();
    assert_eq!(*other.schema, schema);
    assert_eq!(other.version_of("app").unwrap(), Some(7));
    assert_eq!(other.append(vec![file()], "app", 6, None, Timestamp(0)).unwrap(), Appended::AlreadyThere);
    assert_eq!(other.append(vec![file()], "app", 8, Some(7), Timestamp(0)).unwrap(), Appended::Added);
    let stale = table.append(vec![file()], "app", 9, Some(7), Timestamp(0)).unwrap();
    assert_eq!(stale, Appended::Overtaken, "the conflict tells that version 8 is there");
    assert_eq!(table.append(vec![file()], "app", 8, None, Timestamp(0)).unwrap(), Appended::AlreadyThere);
    assert_eq!(table.files().len(), 2);
    let listed = DeltaTable::open("t", &engine, &store).unwrap().files();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].bounds[1], ("name".to_owned(), MinMax::Text("a".into(), "b".into())));
    let MinMax::Time(low, high) = listed[0].bounds[0].1 else { panic!("time has bounds") };
    assert!(low <= 5 && high >= 1_000_001, "{low} {high}");
}

#[test]
fn a_refresh_that_breaks_off_hides_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let engine = engine(&store).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time)], false);
    let file = || file_of_columns(&schema, &[ColumnData::Time(vec![Some(Timestamp(5))])]).unwrap();
    let mut table = DeltaTable::create(&schema, &engine, &store).unwrap();
    table.append(vec![file()], "app", 1, None, Timestamp(0)).unwrap();
    // A commit of the same application that this writer has had no answer to.
    let mut other = DeltaTable::open("t", &engine, &store).unwrap();
    other.append(vec![file()], "app", 2, Some(1), Timestamp(0)).unwrap();
    // The newest entry of the log can be read, an older one cannot.
    let entry = folder.path().join("t/_delta_log/00000000000000000001.json");
    let text = std::fs::read(&entry).unwrap();
    std::fs::write(&entry, "no JSON").unwrap();
    assert!(table.append(vec![file()], "app", 2, Some(1), Timestamp(0)).is_err());
    std::fs::write(&entry, text).unwrap();
    assert_eq!(table.append(vec![file()], "app", 2, Some(1), Timestamp(0)).unwrap(), Appended::AlreadyThere);
    assert_eq!(table.files().len(), 2, "whatever is there is listed");
}

#[test]
fn many_files_are_uploaded_in_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let engine = engine(&store).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time)], true);
    let mut table = DeltaTable::create(&schema, &engine, &store).unwrap();
    let file = |day: i32| {
        let time = ColumnData::Time(vec![Some(Timestamp(i64::from(day) * 86_400_000_000))]);
        NewFile { date: Some(day), ..file_of_columns(&schema, &[time]).unwrap() }
    };
    assert_eq!(
        table.append((0..300).map(file).collect(), "app", 1, None, Timestamp(0)).unwrap(),
        Appended::Added
    );
    let listed = DeltaTable::open("t", &engine, &store).unwrap().files();
    assert_eq!(listed.len(), 300);
    for file in listed.iter() {
        let size = std::fs::metadata(store::local_path(&file.location)).unwrap().len();
        assert_eq!(size, file.size_bytes);
    }
}

#[test]
fn statistics_tell_of_floats_and_of_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let engine = engine(&store).unwrap();
    let schema = TableSchema::new(
        "t",
        &[("x", ColumnType::Float), ("odd", ColumnType::Float), ("n", ColumnType::Int)],
        false,
    );
    let mut table = DeltaTable::create(&schema, &engine, &store).unwrap();
    let columns = [
        ColumnData::Float(vec![Some(2.5), None, Some(-1.0)]),
        ColumnData::Float(vec![Some(1.0), Some(f64::NAN), Some(2.0)]),
        ColumnData::Int(vec![None, None, Some(7)]),
    ];
    table.append(vec![file_of_columns(&schema, &columns).unwrap()], "app", 1, None, Timestamp(0)).unwrap();
    let listed = DeltaTable::open("t", &engine, &store).unwrap().files();
    let expected = [("x".to_owned(), MinMax::Float(-1.0, 2.5)), ("n".to_owned(), MinMax::Int(7, 7))];
    assert_eq!(listed[0].bounds, expected, "of a column with a NaN nothing is said");
    let log = std::fs::read_to_string(folder.path().join("t/_delta_log/00000000000000000001.json")).unwrap();
    let add = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|line| line.get("add").is_some())
        .unwrap();
    let stats: serde_json::Value = serde_json::from_str(add["add"]["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["nullCount"], serde_json::json!({ "x": 1, "odd": 0, "n": 2 }), "{stats}");
    assert_eq!(
        (&stats["numRecords"], &stats["maxValues"]["x"]),
        (&serde_json::json!(3), &serde_json::json!(2.5))
    );
}

/// The entry of the Delta log for `version` of the table `t`, as a path on this machine.
fn entry(store: &ObjectFiles, version: u64) -> std::path::PathBuf {
    store::local_path(&commit_location("t", store, version).unwrap())
}

#[test]
fn commits_that_are_found_are_forced_to_disk_before_they_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let open = || store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time)], false);
    let file = || file_of_columns(&schema, &[ColumnData::Time(vec![Some(Timestamp(5))])]).unwrap();
    // For all the others know, the program that wrote these was killed before its fsync.
    let killed = open();
    let mut theirs = DeltaTable::create(&schema, &engine(&killed).unwrap(), &killed).unwrap();
    theirs.append(vec![file()], "app", 1, None, Timestamp(0)).unwrap();
    let store = open();
    let mut table = DeltaTable::open("t", &engine(&store).unwrap(), &store).unwrap();
    let synced = |path: &std::path::Path| store.disk.synced.lock().contains(path);
    assert!(
        synced(&entry(&store, 0)) && synced(&entry(&store, 1)) && synced(entry(&store, 1).parent().unwrap())
    );
    theirs.append(vec![file()], "app", 2, None, Timestamp(0)).unwrap();
    theirs.append(vec![file()], "app", 3, None, Timestamp(0)).unwrap();
    // The first attempt meets them.
    assert_eq!(table.append(vec![file()], "app", 3, Some(1), Timestamp(0)).unwrap(), Appended::AlreadyThere);
    assert!(synced(&entry(&store, 2)) && synced(&entry(&store, 3)));
    theirs.checkpoint();
    theirs.append(vec![file()], "app", 4, None, Timestamp(0)).unwrap();
    let store = open();
    let inode = || std::fs::metadata(entry(&store, 4)).unwrap().ino();
    let before = inode();
    DeltaTable::open("t", &engine(&store).unwrap(), &store).unwrap();
    assert_ne!(inode(), before, "written anew: an fsync may have failed in a former life");
    let checkpoint = entry(&store, 3).with_file_name("00000000000000000003.checkpoint.parquet");
    let synced = store.disk.synced.lock();
    assert!(synced.contains(&checkpoint) && synced.contains(&entry(&store, 4)), "{synced:?}");
    assert!(!synced.contains(&entry(&store, 2)), "the checkpoint has what it says");
}

#[test]
fn a_commit_that_could_not_be_forced_to_disk_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url, Timestamp(0))).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time)], false);
    let file = || file_of_columns(&schema, &[ColumnData::Time(vec![Some(Timestamp(5))])]).unwrap();
    let mut table = DeltaTable::create(&schema, &engine(&store).unwrap(), &store).unwrap();
    store.disk.fails.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut fails = || {
        let error = table.append(vec![file()], "app", 1, None, Timestamp(0)).unwrap_err().to_string();
        assert!(error.contains("the disk is sick"), "{error}");
        assert!(table.version_of("app").is_err());
    };
    fails();
    fails();
    let written = std::fs::metadata(entry(&store, 1)).unwrap().ino();
    store.disk.fails.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(table.append(vec![file()], "app", 1, None, Timestamp(0)).unwrap(), Appended::AlreadyThere);
    assert!(store.disk.synced.lock().contains(&entry(&store, 1)));
    assert_ne!(
        std::fs::metadata(entry(&store, 1)).unwrap().ino(),
        written,
        "an fsync that failed cannot be repeated on the same file"
    );
    assert_eq!(table.files().len(), 1);
}
