//! The vertical slice: create, append once, list again.

use super::*;
use crate::ColumnData;
use crate::parquet::file_of_columns;

#[test]
fn a_table_takes_each_version_once_and_lists_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url)).unwrap();
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
    assert_eq!(listed[0].bounds[1], ("name".to_owned(), Bounds::Text("a".into(), "b".into())));
    let Bounds::Time(low, high) = listed[0].bounds[0].1 else { panic!("time has bounds") };
    assert!(low <= 5 && high >= 1_000_001, "{low} {high}");
}

#[test]
fn many_files_are_uploaded_in_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let store = store::runtime().unwrap().block_on(ObjectFiles::open(&url)).unwrap();
    let engine = engine(&store).unwrap();
    let schema = TableSchema::new("t", &[("time", ColumnType::Time)], true);
    let mut table = DeltaTable::create(&schema, &engine, &store).unwrap();
    let file = |day: i32| {
        let time = ColumnData::Time(vec![Some(Timestamp(i64::from(day) * 86_400_000_000))]);
        NewFile { date: Some(day), ..file_of_columns(&schema, &[time]).unwrap() }
    };
    assert_eq!(table.append((0..300).map(file).collect(), "app", 1, None, Timestamp(0)).unwrap(), Appended::Added);
    let listed = DeltaTable::open("t", &engine, &store).unwrap().files();
    assert_eq!(listed.len(), 300);
    for file in listed.iter() {
        let size = std::fs::metadata(store::local_path(&file.location)).unwrap().len();
        assert_eq!(size, file.size_bytes);
    }
}
