//! What the tests share: a log in memory, a lake in a temporary folder, and a branch between them.

mod odd_store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use forewarn_log::{Log, LogError, LogHealth, Ticket};
use forewarn_types::{
    BoxFuture, Clock, Journal, JournalError, ManualClock, Offset, Quality, ReadingBatch, ReadingFlags,
    Record, SeriesId, SeriesTable, Timestamp,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::odd_store::OddStore;
use crate::{Bounds, Branch, Cell, ColumnData, Lake, LakeError, LakeOptions, ResultSet};

/// 2026-01-01T00:00:00Z.
pub(crate) const NEW_YEAR: i64 = 1_767_225_600_000_000;

/// A log in memory: durable at once.
pub(crate) struct MemoryLog {
    id: &'static str,
    /// Checkpoints fail, as on a full disk.
    pub(crate) full: AtomicBool,
    records: Mutex<Vec<Arc<Record>>>,
    end: watch::Sender<Offset>,
    pub(crate) checkpoints: Mutex<Vec<Offset>>,
}

impl MemoryLog {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_id("memory")
    }

    pub(crate) fn with_id(id: &'static str) -> Arc<Self> {
        let end = watch::Sender::new(Offset(0));
        Arc::new(Self {
            id,
            full: AtomicBool::new(false),
            records: Mutex::default(),
            end,
            checkpoints: Mutex::default(),
        })
    }

    pub(crate) fn push(&self, record: Record) -> Offset {
        let mut records = self.records.lock();
        let offset = Offset(records.len() as u64);
        records.push(Arc::new(record));
        self.end.send_replace(offset.next());
        offset
    }
}

impl Journal for MemoryLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        let offset = self.push(record);
        Box::pin(async move { Ok(offset) })
    }
}

impl Log for MemoryLog {
    fn id(&self) -> &str {
        self.id
    }

    fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError> {
        let offset = records
            .into_iter()
            .map(|record| self.push(record))
            .last()
            .ok_or_else(|| JournalError::Refused("no record".into()))?;
        Ok(Ticket { durable: Box::pin(async move { Ok(offset) }) })
    }

    fn health(&self) -> LogHealth {
        LogHealth::Ok
    }

    fn start(&self) -> Offset {
        Offset(0)
    }

    fn end(&self) -> Offset {
        *self.end.borrow()
    }

    fn watch(&self) -> watch::Receiver<Offset> {
        self.end.subscribe()
    }

    fn read(
        &self,
        from: Offset,
        max_records: usize,
        _max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        let records = self.records.lock();
        let from = usize::try_from(from.0).unwrap();
        Ok(records
            .iter()
            .enumerate()
            .skip(from)
            .take(max_records)
            .map(|(i, record)| (Offset(i as u64), Arc::clone(record)))
            .collect())
    }

    fn checkpoint(&self, _consumer: &str, offset: Offset) -> Result<(), LogError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(LogError::Stopped("no space left on device".into()));
        }
        self.checkpoints.lock().push(offset);
        Ok(())
    }
}

/// A lake, its log and what they share.
pub(crate) struct Plant {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) series: Arc<RwLock<SeriesTable>>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Plant {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            log: MemoryLog::new(),
            series: Arc::new(RwLock::new(SeriesTable::new(1000))),
            clock: Arc::new(ManualClock::new(Timestamp(NEW_YEAR))),
        }
    }

    pub(crate) fn options(&self) -> LakeOptions {
        LakeOptions { url: format!("file://{}", self.folder.path().display()), ..LakeOptions::default() }
    }

    pub(crate) async fn open(&self, options: LakeOptions) -> Lake {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Lake::open(options, Arc::clone(&self.series), clock).await.unwrap()
    }

    /// A lake on another store.
    pub(crate) async fn open_on(&self, files: crate::ObjectFiles) -> Lake {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Lake::open_on(self.options(), files, Arc::clone(&self.series), clock).await.unwrap()
    }

    /// Opens the lake and runs a branch into it.
    pub(crate) async fn start(&self) -> Running {
        let lake = self.open(self.options()).await;
        self.run(lake)
    }

    pub(crate) fn run(&self, lake: Lake) -> Running {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let branch = Branch::build(lake.clone(), Arc::clone(&self.log) as Arc<dyn Log>, clock);
        let stop = CancellationToken::new();
        let task = tokio::spawn(branch.run(stop.clone()));
        Running { lake, stop, task }
    }

    pub(crate) fn series(&self, asset: &str, signal: &str) -> SeriesId {
        self.series.write().intern(asset, signal).unwrap().0
    }

    /// Appends readings `(asset, signal, µs after the new year, value)` as one record.
    pub(crate) fn push(&self, rows: &[(&str, &str, i64, f64)]) -> Offset {
        let mut batch = ReadingBatch::with_capacity(Timestamp(NEW_YEAR), rows.len());
        for &(asset, signal, time, value) in rows {
            let flags = ReadingFlags::new(Quality::Good, false);
            batch.push(self.series(asset, signal), Timestamp(NEW_YEAR + time), value, flags);
        }
        self.log.push(Record::Readings(batch))
    }
}

/// A lake with a branch that runs.
pub(crate) struct Running {
    pub(crate) lake: Lake,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), LakeError>>,
}

impl Running {
    /// Ends the branch as a crash would: nothing more is committed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends the branch in order.
    pub(crate) async fn shut_down(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn sql(&self, query: &str) -> Result<ResultSet, LakeError> {
        sql(&self.lake, query).await
    }

    /// The one integer that `query` answers.
    pub(crate) async fn int(&self, query: &str) -> i64 {
        let result = self.sql(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        match result.cell(0, 0) {
            Cell::Int(x) => x,
            other => panic!("{query} answered {other:?}"),
        }
    }

    /// The rows of `query` as CSV without the header.
    pub(crate) async fn csv(&self, query: &str) -> String {
        let result = self.sql(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        csv(&result)
    }
}

/// The answer to `query` over all rows that a reader sees, computed by stock DataFusion in memory.
pub(crate) async fn sql(lake: &Lake, query: &str) -> Result<ResultSet, LakeError> {
    let snapshot = lake.snapshot().await?;
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let session = SessionContext::new_with_config(config);
    for name in snapshot.table_names() {
        let table = snapshot.table(name).unwrap();
        let schema = table.schema();
        let mut wanted: Vec<String> = schema.columns.iter().map(|column| column.name.clone()).collect();
        wanted.extend(schema.by_date.then(|| "date".to_owned()));
        let (rows, mut batches) = (table.row_schema(&wanted), Vec::new());
        let mut found = table.rows(Bounds::default(), wanted, 8_192);
        while let Some(batch) = found.next().await? {
            batches.push(batch);
        }
        let table = MemTable::try_new(rows, vec![batches]).unwrap();
        session.register_table(name, Arc::new(table)).unwrap();
    }
    let failed = |error: datafusion::error::DataFusionError| LakeError::Query(error.to_string());
    let frame = session.sql(query).await.map_err(failed)?;
    let schema = frame.schema().as_arrow().clone();
    let batches = frame.collect().await.map_err(failed)?;
    let whole = arrow::compute::concat_batches(&Arc::new(schema), &batches).unwrap();
    let schema = whole.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(whole.columns())
        .map(|(field, column)| (field.name().clone(), data(column)));
    ResultSet::new(columns.collect())
}

fn data(column: &ArrayRef) -> ColumnData {
    let to = |ty: &DataType| cast(column, ty).unwrap();
    match column.data_type() {
        DataType::Boolean => ColumnData::Bool(column.as_boolean().iter().collect()),
        ty if ty.is_integer() => {
            ColumnData::Int(to(&DataType::Int64).as_primitive::<Int64Type>().iter().collect())
        }
        ty if ty.is_floating() => {
            ColumnData::Float(to(&DataType::Float64).as_primitive::<Float64Type>().iter().collect())
        }
        DataType::Timestamp(..) => {
            let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, None));
            let times = micros.as_primitive::<TimestampMicrosecondType>();
            ColumnData::Time(times.iter().map(|time| time.map(Timestamp)).collect())
        }
        _ => {
            let texts = to(&DataType::Utf8);
            ColumnData::Text(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
        }
    }
}

pub(crate) fn csv(result: &ResultSet) -> String {
    let mut out = Vec::new();
    result.write_csv(&mut out);
    let text = String::from_utf8(out).unwrap();
    text.lines().skip(1).collect::<Vec<_>>().join("\n")
}
