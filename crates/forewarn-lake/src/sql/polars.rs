//! Columns, rows and readings in the form of polars, and back.

use forewarn_types::SeriesDef;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, NewChunkedArray as _};

use crate::error::LakeError;
use crate::read::ResultSet;
use crate::table::{ColumnData, ColumnType, TableSchema};
use crate::tail::{Columns, Names, QUALITIES};

impl ColumnType {
    /// The type a Parquet file has in polars: times carry their zone.
    pub(crate) fn to_polars_stored(self) -> pl::DataType {
        match self {
            Self::Time => pl::DataType::Datetime(pl::TimeUnit::Microseconds, Some(pl::TimeZone::UTC)),
            other => other.to_polars(),
        }
    }

    /// The type SQL sees: polars' SQL compares times with literals only if they carry no zone, so they are
    /// naive UTC.
    pub(crate) fn to_polars(self) -> pl::DataType {
        match self {
            Self::Bool => pl::DataType::Boolean,
            Self::Int => pl::DataType::Int64,
            Self::Float => pl::DataType::Float64,
            Self::Text => pl::DataType::String,
            Self::Time => pl::DataType::Datetime(pl::TimeUnit::Microseconds, None),
        }
    }
}

impl TableSchema {
    pub(crate) fn to_polars_stored(&self) -> pl::SchemaRef {
        std::sync::Arc::new(
            self.columns
                .iter()
                .map(|c| pl::Field::new(c.name.as_str().into(), c.ty.to_polars_stored()))
                .collect::<pl::Schema>(),
        )
    }
}

impl ColumnData {
    /// As a polars column; times become naive UTC, as SQL sees them.
    pub(crate) fn to_polars(&self, name: &str) -> pl::Column {
        let name: pl::PlSmallStr = name.into();
        match self {
            Self::Bool(v) => pl::BooleanChunked::from_iter_options(name, v.iter().copied()).into_column(),
            Self::Int(v) => pl::Int64Chunked::from_iter_options(name, v.iter().copied()).into_column(),
            Self::Float(v) => pl::Float64Chunked::from_iter_options(name, v.iter().copied()).into_column(),
            Self::Text(v) => {
                pl::StringChunked::from_iter_options(name, v.iter().map(Option::as_deref)).into_column()
            }
            Self::Time(v) => {
                pl::Int64Chunked::from_iter_options(name, v.iter().map(|time| time.map(|time| time.0)))
                    .into_datetime(pl::TimeUnit::Microseconds, None)
                    .into_column()
            }
        }
    }
}

impl Names {
    fn to_polars(&self, name: &str, columns: &Columns) -> pl::PolarsResult<pl::Column> {
        let names = pl::StringChunked::from_iter_values(name.into(), self.names.iter().map(|name| &**name));
        let keys: Vec<pl::IdxSize> =
            columns.series.iter().map(|id| self.key_of_series[id.index()].unsigned_abs()).collect();
        take(names, keys)
    }
}

fn take(names: pl::StringChunked, keys: Vec<pl::IdxSize>) -> pl::PolarsResult<pl::Column> {
    use pl::IntoSeries as _;
    Ok(names.into_series().take(&pl::IdxCa::from_vec("".into(), keys))?.into_column())
}

/// The columns of `table` that `needed` names, as polars columns with naive UTC times. `series` are those of
/// `series_of`.
pub(crate) fn to_polars(
    table: &TableSchema,
    columns: &Columns,
    series: &[SeriesDef],
    needed: impl Fn(&str) -> bool,
) -> Result<Vec<pl::Column>, LakeError> {
    let failed = |error: pl::PolarsError| LakeError::table(&table.name, error);
    let time = |name: &str, values: &[i64]| {
        pl::Int64Chunked::from_slice(name.into(), values)
            .into_datetime(pl::TimeUnit::Microseconds, None)
            .into_column()
    };
    let mut made = Vec::new();
    for column in table.columns.iter().filter(|column| needed(&column.name)) {
        let name = column.name.as_str();
        made.push(match name {
            "time" => time(name, &columns.time),
            "arrived" => time(name, &columns.arrived),
            "asset" => Names::collect(series, |def| &def.asset).to_polars(name, columns).map_err(failed)?,
            "signal" => Names::collect(series, |def| &def.signal).to_polars(name, columns).map_err(failed)?,
            "value" => pl::Float64Chunked::from_slice(name.into(), &columns.value).into_column(),
            "late" => pl::BooleanChunked::from_iter_values(
                name.into(),
                columns.flags.iter().map(|flags| flags.is_late()),
            )
            .into_column(),
            "offset" => pl::Int64Chunked::from_slice(name.into(), &columns.offset).into_column(),
            "quality" => {
                let names = pl::StringChunked::from_iter_values(
                    name.into(),
                    QUALITIES.iter().map(|quality| quality.as_str()),
                );
                take(
                    names,
                    columns.flags.iter().map(|flags| pl::IdxSize::from(flags.quality() as u8)).collect(),
                )
                .map_err(failed)?
            }
            _ => ColumnData::empty(column.ty).to_polars(name),
        });
    }
    Ok(made)
}

impl ResultSet {
    /// The rows of a polars frame.
    pub(crate) fn from_polars(frame: &pl::DataFrame) -> Result<Self, LakeError> {
        let wrong = |error: pl::PolarsError| LakeError::Query(format!("the answer cannot be read: {error}"));
        let mut columns = Vec::with_capacity(frame.width());
        for column in frame.columns() {
            columns.push((column.name().to_string(), from_polars_column(column).map_err(wrong)?));
        }
        Ok(Self::new(columns)?.with_rows(frame.height()))
    }
}

/// Dates become texts (`2026-01-31`), durations seconds, nested values their printed form.
fn from_polars_column(column: &pl::Column) -> pl::PolarsResult<ColumnData> {
    use pl::DataType as T;
    let ints = |column: &pl::Column| -> pl::PolarsResult<Vec<Option<i64>>> {
        Ok(column.cast(&T::Int64)?.i64()?.iter().collect())
    };
    Ok(match column.dtype() {
        T::Boolean => ColumnData::Bool(column.bool()?.iter().collect()),
        dtype if dtype.is_integer() => ColumnData::Int(ints(column)?),
        dtype if dtype.is_float() => ColumnData::Float(column.cast(&T::Float64)?.f64()?.iter().collect()),
        T::String => ColumnData::Text(column.str()?.iter().map(|text| text.map(str::to_owned)).collect()),
        T::Datetime(..) => {
            let micros = column.cast(&T::Datetime(pl::TimeUnit::Microseconds, None))?;
            ColumnData::Time(
                ints(&micros)?.into_iter().map(|time| time.map(forewarn_types::Timestamp)).collect(),
            )
        }
        T::Duration(_) => {
            let micros = ints(&column.cast(&T::Duration(pl::TimeUnit::Microseconds))?)?;
            ColumnData::Float(micros.into_iter().map(|us| us.map(|us| us as f64 / 1e6)).collect())
        }
        T::Null => ColumnData::Text(vec![None; column.len()]),
        _ => {
            let series = column.as_materialized_series();
            ColumnData::Text(
                series.iter().map(|value| (!value.is_null()).then(|| value.to_string())).collect(),
            )
        }
    })
}
