//! Files are small, and any reader can read them.

use forewarn_types::Timestamp;

use super::*;
use crate::testing::NEW_YEAR;

#[test]
fn regular_times_and_offsets_take_next_to_nothing() {
    let rows = 200_000_i64;
    let table = TableSchema::new("t", &[("time", ColumnType::Time), ("offset", ColumnType::Int)], false);
    // Every second, with some milliseconds of jitter.
    let time = (0..rows).map(|row| Some(Timestamp(row * 1_000_000 + row * 7_919 % 8 * 1_000))).collect();
    let columns = [
        ColumnData::Time(time),
        ColumnData::Int((0..rows).map(|row| Some(5_000_000_000 + 3 * row)).collect()),
    ];
    let file = file_of_columns(&table, &columns).unwrap();
    assert!(file.bytes.len() < 400_000, "{} bytes for {rows} rows", file.bytes.len());
}

/// The encodings of the columns of a file, and whether there are statistics.
fn forms(file: &NewFile) -> Vec<(String, bool, bool)> {
    let metadata =
        parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file.bytes).unwrap();
    let form = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        let packed = column
            .encodings()
            .any(|encoding| [Encoding::RLE_DICTIONARY, Encoding::DELTA_BINARY_PACKED].contains(&encoding));
        (column.column_path().string(), packed, column.statistics().is_some())
    };
    metadata.row_group(0).columns().iter().map(form).collect()
}

#[test]
fn each_column_of_a_small_file_is_encoded_as_suits_it() {
    let columns = [("time", ColumnType::Time), ("name", ColumnType::Text), ("level", ColumnType::Float)];
    let table = TableSchema::new("t", &columns, false);
    let file = |rows: i64, levels: i64| {
        let time = (0..rows)
            .map(|row| Some(Timestamp(NEW_YEAR + row * 300_000_000 + row * row * 7_919 % 999_983)))
            .collect();
        let name = (0..rows).map(|_| Some("vibration_rms".to_owned())).collect();
        let level = (0..rows).map(|row| Some((row * row * 7_919 % 999_983 % levels) as f64 / 7.0)).collect();
        file_of_columns(&table, &[ColumnData::Time(time), ColumnData::Text(name), ColumnData::Float(level)])
            .unwrap()
    };
    let packed = |file: &NewFile| forms(file).into_iter().map(|(_, packed, _)| packed).collect::<Vec<_>>();
    assert_eq!(packed(&file(300, 1 << 40)), [true, false, false]);
    assert_eq!(packed(&file(8_000, 31)), [true, false, true]);
    let (small, large) = (file(8_192, 31), file(8_193, 31));
    assert!(
        forms(&small).iter().all(|(_, _, statistics)| !statistics)
            && forms(&large).iter().all(|(_, _, statistics)| *statistics)
    );
    assert_eq!(packed(&large), [true, true, false]);
    let read = |file: &NewFile| {
        let reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone())
                .unwrap();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    };
    assert_eq!(read(&small), read(&large).slice(0, 8_192), "all forms say the same");
}
