//! Readings, in the table `readings`: whole columns instead of row by row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use forewarn_types::{Quality, RecordKind, SeriesDef};

use crate::table::ColumnInfo;
use crate::table::ColumnType::{self, Bool, Float, Int, Text, Time};
use crate::tail::readings::{Columns, Names};

pub(super) const COLUMNS: &[(&str, ColumnType)] = &[
    ("time", Time),
    ("asset", Text),
    ("signal", Text),
    ("value", Float),
    ("quality", Text),
    ("late", Bool),
    ("arrived", Time),
    ("offset", Int),
];

/// The table of readings.
pub const READINGS: &str = match RecordKind::Readings.table() {
    Some(name) => name,
    None => "",
};

/// The qualities in the order of their classes, which is that of their keys in a dictionary.
pub(crate) const QUALITIES: [Quality; 3] = [Quality::Good, Quality::Uncertain, Quality::Bad];

/// The assets and signals of the readings in some columns.
pub(crate) struct SeriesNames {
    pub(crate) assets: Names,
    pub(crate) signals: Names,
}

impl SeriesNames {
    /// Those of `series`.
    pub(crate) fn of(series: &[SeriesDef]) -> Self {
        Self {
            assets: Names::collect(series, |def| &def.asset),
            signals: Names::collect(series, |def| &def.signal),
        }
    }
}

/// The column `column` of the table as Arrow has it, of those rows of `columns` that stand at `rows`; texts
/// are dictionaries.
pub(crate) fn array(
    column: &ColumnInfo,
    columns: &Columns,
    rows: &(impl ExactSizeIterator<Item = usize> + Clone),
    names: &SeriesNames,
) -> Result<ArrayRef, ArrowError> {
    let times = |values: &[i64]| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(rows.clone().map(|row| values[row]));
        Arc::new(times.with_timezone("UTC"))
    };
    let series = || rows.clone().map(|row| columns.series[row]);
    let flags = || rows.clone().map(|row| columns.flags[row]);
    Ok(match column.name.as_str() {
        "time" => times(&columns.time),
        "asset" => names.assets.dictionary(series())?,
        "signal" => names.signals.dictionary(series())?,
        "value" => Arc::new(Float64Array::from_iter_values(rows.clone().map(|row| columns.value[row]))),
        "quality" => {
            let keys: Int32Array = flags().map(|flags| Some(flags.quality() as i32)).collect();
            let names = StringArray::from_iter_values(QUALITIES.iter().map(|quality| quality.as_str()));
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(names))?)
        }
        "late" => Arc::new(flags().map(|flags| Some(flags.is_late())).collect::<BooleanArray>()),
        "arrived" => times(&columns.arrived),
        "offset" => Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| columns.offset[row]))),
        // Another program has added it to the table.
        _ => new_null_array(&column.ty.to_arrow_dictionary(), rows.len()),
    })
}
