//! Whatever form an answer takes, the same rows are in it.

use arrow::array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use forewarn_types::Timestamp;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::ColumnType;

fn rows(count: usize) -> ResultSet {
    let row = |index: usize| i64::try_from(index).unwrap();
    let some = |index: usize| index % 3 != 1;
    ResultSet::new(vec![
        ("t".into(), ColumnData::Time((0..count).map(|i| some(i).then(|| Timestamp(row(i)))).collect())),
        ("n".into(), ColumnData::Int((0..count).map(|i| some(i).then(|| row(i))).collect())),
        ("x".into(), ColumnData::Float((0..count).map(|i| some(i).then(|| row(i) as f64 / 4.0)).collect())),
        ("s".into(), ColumnData::Text((0..count).map(|i| some(i).then(|| format!("é{i}"))).collect())),
        ("b".into(), ColumnData::Bool((0..count).map(|i| some(i).then_some(i % 2 == 0)).collect())),
    ])
    .unwrap()
}

#[test]
fn parquet_and_arrow_hold_the_rows() {
    for count in [0, 1, 1_000] {
        let rows = rows(count);
        let expected: Vec<_> = rows.data.iter().map(ColumnData::to_arrow).collect();
        let check = |batches: Vec<RecordBatch>, schema: arrow::datatypes::SchemaRef| {
            let whole = arrow::compute::concat_batches(&schema, &batches).unwrap();
            assert_eq!((whole.columns(), whole.num_rows()), (expected.as_slice(), count));
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(names, ["t", "n", "x", "s", "b"]);
            assert_eq!(*schema.field(0).data_type(), ColumnType::Time.to_arrow());
        };
        let stream = rows.to_arrow_stream().unwrap();
        let reader = StreamReader::try_new(stream.as_ref(), None).unwrap();
        let schema = reader.schema();
        check(reader.map(Result::unwrap).collect(), schema);
        let builder = ParquetRecordBatchReaderBuilder::try_new(rows.to_parquet().unwrap()).unwrap();
        let schema = builder.schema().clone();
        check(builder.build().unwrap().map(Result::unwrap).collect(), schema);
    }
}
