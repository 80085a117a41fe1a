//! Lake and tail at one moment, for readers in other crates.
//!
//! A [`Snapshot`] sees every record that was durable when it was taken, each exactly once: the files of each
//! table as of one offset, and the log's tail after it. It stays as it is while commits and compaction go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use forewarn_types::{Offset, Record, SeriesId};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::files::{self, Portion};
use super::reader::Reader;
use super::view::{TableView, View};
use crate::error::LakeError;
use crate::table::{Bounds, ColumnData, DATE, DataFile, TableSchema, day_of};
use crate::tail::{Columns, READINGS, SeriesNames, array, columns, series_of};

/// Files that are read at the same time.
const CONCURRENT_FILES: usize = 4;

/// Lake and tail at one moment. Clones share it.
#[derive(Clone)]
pub struct Snapshot {
    reader: Arc<Reader>,
    view: Arc<View>,
}

/// One table of a [`Snapshot`].
#[derive(Clone)]
pub struct TableSnapshot {
    reader: Arc<Reader>,
    view: Arc<View>,
    table: TableView,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("tables", &self.view.tables.keys()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TableSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableSnapshot").field("table", &self.table.schema.name).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// What `reader` sees now.
    pub(crate) fn of(reader: &Arc<Reader>) -> Self {
        Self { reader: Arc::clone(reader), view: Arc::new(reader.view()) }
    }

    /// The names of the tables, in order.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.view.tables.keys().map(String::as_str)
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<TableSnapshot> {
        let table = self.view.tables.get(name)?.clone();
        Some(TableSnapshot { reader: Arc::clone(&self.reader), view: Arc::clone(&self.view), table })
    }
}

impl TableSnapshot {
    /// Its columns, as files hold them.
    #[must_use]
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.table.schema
    }

    /// Its data files that may hold rows within `bounds`. They are counted as scanned.
    #[must_use]
    pub fn files(&self, bounds: &Bounds) -> Vec<Arc<DataFile>> {
        self.reader.scan(&self.view, &self.table, bounds).files
    }

    /// Whether there may be rows that are in no file yet.
    #[must_use]
    pub const fn has_tail(&self) -> bool {
        self.table.committed.is_some()
    }

    /// The columns `wanted` as rows come: texts of readings are dictionaries, those of other tables plain. A
    /// table that is partitioned by date has the column `date` as well.
    #[must_use]
    pub fn row_schema(&self, wanted: &[String]) -> SchemaRef {
        let readings = self.table.schema.name == READINGS;
        let field = |name: &String| match self.table.schema.column(name) {
            Some(column) if readings => Field::new(name, column.ty.to_arrow_dictionary(), true),
            Some(column) => Field::new(name, column.ty.to_arrow(), true),
            None => Field::new(name, DataType::Date32, true),
        };
        Arc::new(Schema::new(wanted.iter().map(field).collect::<Vec<_>>()))
    }

    /// The rows that are in no file yet and may lie within `bounds`, in the order of the log, in batches of
    /// about `batch_rows`: the columns `wanted`, in the form of [`Self::row_schema`].
    #[must_use]
    pub fn tail(&self, bounds: &Bounds, wanted: Vec<String>, batch_rows: usize) -> TailBatches {
        let oldest = bounds.int("offset").map_or(0, |(low, _)| u64::try_from(low).unwrap_or(0));
        TailBatches {
            schema: self.row_schema(&wanted),
            passes: self.passes(bounds),
            time: bounds.time("time").unwrap_or((i64::MIN, i64::MAX)),
            from: self.table.committed.map(|from| from.max(Offset(oldest))),
            table: self.clone(),
            wanted,
            batch_rows: batch_rows.max(1),
            at: (0, 0),
        }
    }

    /// Which series lie within `bounds`, by id; none if all do.
    fn passes(&self, bounds: &Bounds) -> Option<Vec<bool>> {
        let (assets, signals) = (bounds.texts("asset"), bounds.texts("signal"));
        if self.table.schema.name != READINGS || assets.is_none() && signals.is_none() {
            return None;
        }
        let fits =
            |texts: Option<&BTreeSet<String>>, name: &str| texts.is_none_or(|texts| texts.contains(name));
        let series = self.reader.series.read();
        Some(series.defs().iter().map(|def| fits(assets, &def.asset) && fits(signals, &def.signal)).collect())
    }

    /// All rows that may lie within `bounds`, of the files and then of the tail, in batches of at most about
    /// `batch_rows`: the columns `wanted`, in the form of [`Self::row_schema`]. Rows outside of the bounds
    /// may be among them. A batch holds rows of one file, in the order they have there.
    pub fn rows(&self, bounds: Bounds, wanted: Vec<String>, batch_rows: usize) -> RowBatches {
        let tail = stream::iter(self.tail(&bounds, wanted.clone(), batch_rows));
        let wanted: Arc<[String]> = wanted.into();
        let bounds = Arc::new(bounds);
        let this = self.clone();
        let of_files = stream::iter(self.files(&bounds)).map(move |file| {
            let (table, bounds, wanted) = (this.clone(), Arc::clone(&bounds), Arc::clone(&wanted));
            async move { table.rows_of(file, bounds, wanted, batch_rows).await }
        });
        RowBatches { inner: Box::pin(of_files.buffered(CONCURRENT_FILES).try_flatten().chain(tail)) }
    }

    /// The rows of one file. An error names the file if it is damaged.
    async fn rows_of(
        self,
        file: Arc<DataFile>,
        bounds: Arc<Bounds>,
        wanted: Arc<[String]>,
        batch_rows: usize,
    ) -> Result<impl Stream<Item = Result<RecordBatch, LakeError>> + Send, LakeError> {
        let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let portion = Portion { columns: &names, bounds: &bounds, part: (0, 1), batch_rows };
        let opened = match files::open(&self.reader.store, &self.table.schema, &file, portion).await {
            Ok(opened) => opened,
            Err(error) => return Err(self.or_damage(&file, error).await),
        };
        let schema = self.row_schema(&wanted);
        let batches = stream::iter(opened).flatten();
        Ok(batches.then(move |batch| {
            let (table, file, schema) = (self.clone(), Arc::clone(&file), Arc::clone(&schema));
            async move {
                match batch {
                    Ok(batch) => in_schema(&schema, &batch, &file)
                        .map_err(|error| LakeError::table(&table.table.schema.name, error)),
                    Err(error) => Err(table.or_damage(&file, files::broken(&file, &error)).await),
                }
            }
        }))
    }

    async fn or_damage(&self, file: &DataFile, error: LakeError) -> LakeError {
        let damage = self.reader.find_damage(&self.table.schema.name, std::iter::once(file)).await;
        damage.unwrap_or(error)
    }

    /// The damaged file among those within `bounds` that a failure to read the table may come from.
    pub async fn find_damage(&self, bounds: &Bounds) -> Option<LakeError> {
        let files = self.table.files.iter().map(|file| &**file).filter(|file| bounds.may_match(file));
        self.reader.find_damage(&self.table.schema.name, files).await
    }
}

/// The columns of `batch`, which is of `file`, in the form and order of `schema`.
fn in_schema(schema: &SchemaRef, batch: &RecordBatch, file: &DataFile) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None if field.name() == DATE => Ok(Arc::new(Date32Array::from(vec![file.date(); rows]))),
            // The file is older than the column.
            None => Ok(new_null_array(field.data_type(), rows)),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
}

/// Rows of a table. See [`TableSnapshot::rows`].
pub struct RowBatches {
    inner: std::pin::Pin<Box<dyn Stream<Item = Result<RecordBatch, LakeError>> + Send>>,
}

impl RowBatches {
    /// The next rows; none after the last.
    ///
    /// # Errors
    /// [`LakeError::Store`] or [`LakeError::Table`] if a file cannot be read.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        self.inner.try_next().await
    }
}

/// Rows of the tail, batch by batch. See [`TableSnapshot::tail`].
pub struct TailBatches {
    table: TableSnapshot,
    wanted: Vec<String>,
    schema: SchemaRef,
    batch_rows: usize,
    passes: Option<Vec<bool>>,
    time: (i64, i64),
    /// Records from here on; none if the table has no tail.
    from: Option<Offset>,
    /// The next chunk of the tail, and the next record in it.
    at: (usize, usize),
}

impl TailBatches {
    fn readings(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let columns = self.next_readings();
        if columns.len() == 0 {
            return Ok(None);
        }
        let table = &self.table.table.schema;
        let names = SeriesNames::of(&series_of(&columns, &self.table.reader.series)?);
        let rows = 0..columns.len();
        let column = |name: &String| -> Result<ArrayRef, ArrowError> {
            match table.column(name) {
                Some(column) => array(column, &columns, &rows, &names),
                None => {
                    Ok(Arc::new(Date32Array::from_iter_values(columns.time.iter().map(|at| day_of(*at)))))
                }
            }
        };
        let arrays = self.wanted.iter().map(column).collect::<Result<Vec<_>, _>>();
        arrays
            .and_then(|arrays| self.batch(arrays, columns.len()))
            .map(Some)
            .map_err(|error| LakeError::table(&table.name, error))
    }

    fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }

    /// The wanted readings of so many records as make about one batch.
    fn next_readings(&mut self) -> Columns {
        let mut found = Columns::default();
        let (low, high) = self.time;
        let passes = self.passes.as_ref();
        // A series that is not in the table of series is reported where its name is looked up.
        let wanted = |id: SeriesId, time: i64| {
            low <= time
                && time <= high
                && passes.is_none_or(|passes| passes.get(id.index()).copied().unwrap_or(true))
        };
        while found.len() < self.batch_rows {
            let Some((offset, record)) = self.table.view.tail.record_at(self.at) else { break };
            self.at = self.table.view.tail.after(self.at);
            if let Record::Readings(batch) = &**record
                && self.from.is_some_and(|from| *offset >= from)
            {
                found.extend(*offset, batch, wanted);
            }
        }
        found
    }

    /// Rows of a table other than readings: one a record.
    fn others(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let table = Arc::clone(&self.table.table.schema);
        let view = Arc::clone(&self.table.view);
        let mut picked: Vec<(Offset, &Record)> = Vec::new();
        while picked.len() < self.batch_rows {
            let Some((offset, record)) = view.tail.record_at(self.at) else { break };
            self.at = view.tail.after(self.at);
            let is_row = record.kind().table() == Some(table.name.as_str());
            if is_row && self.from.is_some_and(|from| *offset >= from) {
                picked.push((*offset, record));
            }
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let rows = picked.len();
        let data = columns(&table, picked.into_iter());
        let column = |name: &String| {
            let place = table.columns.iter().position(|column| column.name == *name);
            let array = place.and_then(|place| data.get(place)).map(ColumnData::to_arrow);
            array.ok_or_else(|| LakeError::table(&table.name, format!("there is no column {name}")))
        };
        let arrays = self.wanted.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        self.batch(arrays, rows).map(Some).map_err(|error| LakeError::table(&table.name, error))
    }
}

impl Iterator for TailBatches {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.from?;
        let batch = if self.table.table.schema.name == READINGS { self.readings() } else { self.others() };
        batch.transpose()
    }
}
