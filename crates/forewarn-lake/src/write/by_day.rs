//! Readings of the tail as files: one a day, sorted.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use forewarn_types::SeriesDef;

use crate::error::LakeError;
use crate::table::{DAY_US, MinMax, NewFile, TableSchema, day_of, encode, ends};
use crate::tail::{Columns, Names, SeriesNames, array};

/// One file a day, or several where one would have more than about `file_bytes`: rows sorted by asset,
/// signal, time and then as they came. `series` are those of [`series_of`](crate::tail::series_of).
pub(super) fn files_by_day(
    table: &TableSchema,
    columns: &Columns,
    series: &[SeriesDef],
    file_bytes: u64,
) -> Result<Vec<NewFile>, LakeError> {
    let names = SeriesNames::of(series);
    let (assets, signals) = (&names.assets.key_of_series, &names.signals.key_of_series);
    // Keys ascend with names, so this orders series by asset and then signal.
    let rank = |(asset, signal): (&i32, &i32)| {
        u64::from(asset.unsigned_abs()) << 32 | u64::from(signal.unsigned_abs())
    };
    let rank: Vec<u64> = assets.iter().zip(signals).map(rank).collect();
    let mut order: Vec<u32> = (0..u32::try_from(columns.len()).unwrap_or(u32::MAX)).collect();
    let key = |row: &u32| {
        let row = *row as usize;
        (columns.time[row].div_euclid(DAY_US), rank[columns.series[row].index()], columns.time[row])
    };
    order.sort_by_cached_key(key);
    let days = order.chunk_by(|a, b| key(a).0 == key(b).0);
    let mut files = Vec::new();
    for rows in days {
        let whole = file(table, columns, rows, &names)?;
        // How small rows become is known only once they are written.
        let parts = usize::try_from((whole.bytes.len() as u64).div_ceil(file_bytes.max(1)))
            .unwrap_or(1)
            .clamp(1, rows.len().max(1));
        if parts == 1 {
            files.push(whole);
            continue;
        }
        for rows in rows.chunks(rows.len().div_ceil(parts)) {
            files.push(file(table, columns, rows, &names)?);
        }
    }
    Ok(files)
}

fn file(
    table: &TableSchema,
    columns: &Columns,
    rows: &[u32],
    names: &SeriesNames,
) -> Result<NewFile, LakeError> {
    let failed = |error: ArrowError| LakeError::table(&table.name, error);
    let at = || rows.iter().map(|&row| row as usize);
    let arrays: Result<Vec<ArrayRef>, ArrowError> =
        table.columns.iter().map(|column| array(column, columns, &at(), names)).collect();
    let batch = arrays
        .and_then(|arrays| RecordBatch::try_new(table.to_arrow_dictionaries(), arrays))
        .map_err(failed)?;
    let ends = |values: &[i64]| ends(at().map(|row| values[row]));
    let name_ends = |names: &Names| {
        let keys = || at().map(|row| names.key_of_series[columns.series[row].index()]);
        let name = |key: Option<i32>| {
            key.map_or_else(|| Arc::from(""), |key| Arc::clone(&names.names[key.unsigned_abs() as usize]))
        };
        MinMax::Text(name(keys().min()), name(keys().max()))
    };
    let (times, offsets, arrived) = (ends(&columns.time), ends(&columns.offset), ends(&columns.arrived));
    let bounds = vec![
        ("time".to_owned(), MinMax::Time(times.0, times.1)),
        ("asset".to_owned(), name_ends(&names.assets)),
        ("signal".to_owned(), name_ends(&names.signals)),
        ("arrived".to_owned(), MinMax::Time(arrived.0, arrived.1)),
        ("offset".to_owned(), MinMax::Int(offsets.0, offsets.1)),
    ];
    Ok(NewFile::new(Some(day_of(times.0)), encode(table, &batch)?, bounds))
}
