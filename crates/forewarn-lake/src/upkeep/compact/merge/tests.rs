//! In whatever pieces a series is put in order, the same rows come out; and how much memory a large one
//! takes.

use arrow::array::AsArray as _;
use proptest::prelude::*;

use super::*;
use crate::table::file_of_columns;
use crate::tail::{READINGS, built_in};
use crate::{Cell, ColumnData};

fn readings() -> TableSchema {
    built_in().into_iter().find(|schema| schema.name == READINGS).unwrap()
}

/// A sorted file of `(asset, time, value)`; `place` makes offsets differ between files.
fn file(rows: &[(u8, i64, u8)], place: usize) -> Bytes {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let table = readings();
    let mut columns: Vec<ColumnData> =
        table.columns.iter().map(|column| ColumnData::empty(column.ty)).collect();
    for (number, (asset, time, value)) in rows.into_iter().enumerate() {
        let (asset, offset) = (format!("p{asset}"), i64::try_from(place * 1_000 + number).unwrap());
        let time = Cell::Time(forewarn_types::Timestamp(time));
        let row = [
            time,
            Cell::Text(&asset),
            Cell::Text("t"),
            Cell::Float(f64::from(value)),
            Cell::Text("good"),
            Cell::Bool(false),
            time,
            Cell::Int(offset),
        ];
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    file_of_columns(&table, &columns).unwrap().bytes
}

/// The rows of `merged` as text, in order, and how many were left out.
fn told(merged: &Merged) -> (Vec<String>, u64) {
    let mut lines = Vec::new();
    for file in &merged.files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap().build().unwrap();
        for batch in reader.map(Result::unwrap) {
            let (asset, time) =
                (batch["asset"].as_string::<i32>(), batch["time"].as_primitive::<TimestampMicrosecondType>());
            let (value, offset) =
                (batch["value"].as_primitive::<Float64Type>(), batch["offset"].as_primitive::<Int64Type>());
            let line = |row: usize| {
                format!("{} {} {} {}", asset.value(row), time.value(row), value.value(row), offset.value(row))
            };
            lines.extend((0..batch.num_rows()).map(line));
        }
    }
    (lines, merged.duplicates)
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_rows(
        inputs in prop::collection::vec(prop::collection::vec((0..3_u8, 0..40_i64, 0..3_u8), 1..60), 1..6),
        piece_rows in 1..80_usize,
    ) {
        let files: Vec<Bytes> = inputs.iter().enumerate().map(|(place, rows)| file(rows, place)).collect();
        let whole = merge_by(&readings(), &files, Some(0), 1 << 20, usize::MAX).unwrap();
        let pieces = merge_by(&readings(), &files, Some(0), 1 << 20, piece_rows).unwrap();
        prop_assert_eq!(told(&pieces), told(&whole));
        let mut expected: Vec<(u8, i64, u8)> = inputs.concat();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(whole.rows, expected.len() as u64);
        prop_assert_eq!(whole.duplicates, (inputs.concat().len() - expected.len()) as u64);
    }
}

#[test]
fn the_file_that_is_at_fault_is_named() {
    let good = file(&[(1, 1, 1), (1, 2, 2)], 0);
    let cut = good.slice(..good.len() / 2);
    let fault = merge(&readings(), &[good.clone(), cut, good.clone()], Some(0), 1 << 20).unwrap_err();
    assert_eq!(fault.file, Some(1), "{fault:?}");
    merge(&readings(), &[good.clone(), good], Some(0), 1 << 20).unwrap();
}

/// Peak memory of this process, bytes.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}

#[test]
#[ignore = "takes a minute and half a gigabyte"]
fn a_series_of_twenty_million_rows_takes_little_more_memory_than_its_files() {
    let table = readings();
    let mut files = Vec::new();
    for place in 0..20_i64 {
        let n = 1_000_000;
        let time = || (0..n).map(|i| Some(forewarn_types::Timestamp((place * n + i) * 1_000)));
        let text = |text: &str| ColumnData::Text(vec![Some(text.to_owned()); 1_000_000]);
        let value = |i: i64| Some(((i * 7_919) % 65_521) as f64 / 64.0);
        let columns = [
            ColumnData::Time(time().collect()),
            text("p1"),
            text("t"),
            ColumnData::Float((0..n).map(value).collect()),
            text("good"),
            ColumnData::Bool(vec![Some(false); 1_000_000]),
            ColumnData::Time(time().collect()),
            ColumnData::Int((0..n).map(|i| Some(place * n + i)).collect()),
        ];
        files.push(file_of_columns(&table, &columns).unwrap().bytes);
    }
    let inputs: usize = files.iter().map(Bytes::len).sum();
    // The peak so far is that of making one file of texts; it is made to matter no more.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_bytes();
    let merged = merge(&table, &files, Some(0), 1 << 30).unwrap();
    let outputs: usize = merged.files.iter().map(|file| file.bytes.len()).sum();
    let grown = peak_bytes() - before;
    println!(
        "20 M rows of one series: inputs {} MB, outputs {} MB, growth at the peak {} MB",
        inputs >> 20,
        outputs >> 20,
        grown >> 20
    );
    assert_eq!(merged.rows, 20_000_000);
    assert!(grown < outputs + (400 << 20), "{grown}");
}
