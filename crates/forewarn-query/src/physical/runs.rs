//! Where the key of a group changes from one row to the next.
//!
//! Rows of a file are sorted by asset, signal and time, so that rows of one group mostly stand together:
//! a run. Finding the ends of runs takes one comparison of neighbours a row and column, which is much
//! less than hashing each row.

use arrow::array::{
    Array as _, ArrayRef, ArrowNativeTypeOp as _, AsArray as _, PrimitiveArray, StringViewArray,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use datafusion::common::Result;

/// The texts of views up to this length stand in the view itself, bytes.
const INLINE_BYTES: u32 = 12;

/// The first row of each run of rows that are equal in all `columns`, which have `rows` rows each.
pub(super) fn starts(columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
    let mut changes = vec![false; rows];
    if let Some(first) = changes.first_mut() {
        *first = true;
    }
    for column in columns {
        mark(column, &mut changes)?;
    }
    let places = changes.iter().zip(0_u32..).filter(|(change, _)| **change);
    Ok(places.map(|(_, row)| row).collect())
}

/// Marks the rows that differ from the row before them. Two that differ are never held equal.
fn mark(column: &ArrayRef, changes: &mut [bool]) -> Result<()> {
    if column.null_count() == 0 && mark_known(column, changes) {
        return Ok(());
    }
    let pairs = column.len().saturating_sub(1);
    let differs = distinct(&column.slice(0, pairs), &column.slice(column.len() - pairs, pairs))?;
    for (change, place) in changes.iter_mut().skip(1).zip(0..) {
        *change |= differs.value(place);
    }
    Ok(())
}

/// As [`mark`], for columns without nulls of the types that keys usually have; whether it is one of them.
fn mark_known(column: &ArrayRef, changes: &mut [bool]) -> bool {
    match column.data_type() {
        DataType::Utf8View => mark_views(column.as_string_view(), changes),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            mark_values::<TimestampMicrosecondType>(column.as_primitive(), changes);
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            mark_values::<TimestampNanosecondType>(column.as_primitive(), changes);
        }
        DataType::Date32 => mark_values::<Date32Type>(column.as_primitive(), changes),
        DataType::Int64 => mark_values::<Int64Type>(column.as_primitive(), changes),
        DataType::Float64 => mark_values::<Float64Type>(column.as_primitive(), changes),
        _ => return false,
    }
    true
}

fn mark_values<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, changes: &mut [bool]) {
    for (change, pair) in changes.iter_mut().skip(1).zip(column.values().windows(2)) {
        // Bit by bit: zeros of different signs are for what comes behind to judge.
        *change |= pair[0].is_ne(pair[1]);
    }
}

fn mark_views(column: &StringViewArray, changes: &mut [bool]) {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half of a view's word is the length")]
    let length = |view: u128| view as u32;
    for ((change, pair), row) in changes.iter_mut().skip(1).zip(column.views().windows(2)).zip(1..) {
        // Neighbours out of one dictionary page share their view. Others may hold the same text elsewhere.
        *change |= pair[0] != pair[1]
            && (length(pair[0]) != length(pair[1])
                || length(pair[0]) <= INLINE_BYTES
                || column.value(row - 1) != column.value(row));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn a_run_ends_where_any_column_changes() {
        let long = "a text of more than twelve bytes";
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values([long, long, "b", "b", "b", long]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1, 2, 2, 2]));
        let gaps: ArrayRef = Arc::new(Int64Array::from(vec![None, None, None, None, Some(0), Some(0)]));
        let table = [
            (vec![&texts], vec![0, 2, 5]),
            (vec![&numbers], vec![0, 3]),
            (vec![&texts, &numbers], vec![0, 2, 3, 5]),
            (vec![&gaps], vec![0, 4]),
            (vec![&texts, &numbers, &gaps], vec![0, 2, 3, 4, 5]),
        ];
        for (columns, expected) in table {
            let columns: Vec<ArrayRef> = columns.into_iter().cloned().collect();
            assert_eq!(starts(&columns, 6).unwrap(), expected, "{columns:?}");
        }
    }

    #[test]
    fn texts_that_stand_in_two_places_are_one_run() {
        let half = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values([text, text])) };
        let text = "a text of more than twelve bytes";
        let joined = arrow::compute::concat(&[half(text).as_ref(), half(text).as_ref()]).unwrap();
        assert_eq!(starts(&[joined], 4).unwrap(), [0]);
    }

    #[test]
    fn no_rows_have_no_runs_and_odd_numbers_are_told_apart_by_their_bits() {
        assert!(starts(&[Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef], 0).unwrap().is_empty());
        let values: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::NAN, 0.0, -0.0, -0.0]));
        assert_eq!(starts(&[values], 5).unwrap(), [0, 2, 3]);
    }
}
