//! What must hold, kept beside the program: the log as it was seen, what was sent and acknowledged, and the
//! alerts that an engine raises which was never disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use forewarn_engine::{Actions, Engine, EngineOptions};
use forewarn_lake::ReadingsQuery;
use forewarn_log::Log;
use forewarn_state::State;
use forewarn_types::{AlertTransition, Offset, ReadingFlags, Record, SeriesDef, Timestamp};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::server::{Failure, Server};
use crate::store::Objects;

/// A reading: its signal's place in the plan's list, its time, the bits of its value.
pub type Reading = (usize, i64, u64);

/// A row of the lake: offset, series, time, the bits of the value, flags.
type Row = (u64, usize, i64, u64, u8);

/// The model.
pub struct Model {
    names: Vec<(String, String)>,
    /// The log, from its first record on; what was trimmed stays here.
    records: Vec<Arc<Record>>,
    series: Vec<SeriesDef>,
    sent: BTreeSet<Reading>,
    /// Acknowledged, and not yet seen in the log.
    acknowledged: BTreeSet<Reading>,
    /// How often each reading is in the log.
    stored: BTreeMap<Reading, usize>,
    engine: Engine,
    /// What the records add up to for the API.
    state: State,
    /// What the undisturbed engine decides on the log so far.
    alerts: Vec<AlertTransition>,
    /// How many of these are in the log.
    logged: usize,
    /// Readings before this time may have been removed.
    pub retained_from: i64,
}

impl Model {
    /// A model of an empty log and lake; `names` are the series that may be sent.
    #[must_use]
    pub fn new(names: Vec<(String, String)>) -> Self {
        Self {
            names,
            records: Vec::new(),
            series: Vec::new(),
            sent: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            stored: BTreeMap::new(),
            engine: Engine::new(EngineOptions::default()),
            state: State::default(),
            alerts: Vec::new(),
            logged: 0,
            retained_from: i64::MIN,
        }
    }

    /// These readings are about to be sent.
    pub fn send(&mut self, readings: &[Reading]) {
        self.sent.extend(readings);
    }

    /// These readings were acknowledged.
    pub fn acknowledge(&mut self, readings: &[Reading]) {
        self.acknowledged.extend(readings);
    }

    /// The transitions in the log so far.
    #[must_use]
    pub fn logged_alerts(&self) -> &[AlertTransition] {
        &self.alerts[..self.logged]
    }

    /// How many records the log has been seen to hold.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.records.len() as u64)
    }

    /// Reads the log: from its start if it is `all` to be compared with what was seen before, else what is
    /// new. What was acknowledged must be there.
    pub fn read(&mut self, log: &dyn Log, all: bool) -> Result<(), Failure> {
        if log.end() < self.end() {
            return Err(Failure::Broken(format!(
                "the log ends at {}, but it was seen up to {}",
                log.end(),
                self.end()
            )));
        }
        let mut next = if all { log.start() } else { self.end().max(log.start()) };
        if next > self.end() {
            return Err(Failure::Broken(format!(
                "the log begins at {next}, but was seen up to {} only",
                self.end()
            )));
        }
        while next < log.end() {
            for (offset, record) in log.read(next, 64, 1 << 20)? {
                if offset != next {
                    return Err(Failure::Broken(format!("offset {offset} follows where {next} should")));
                }
                next = offset.next();
                self.take(offset, record)
                    .map_err(|problem| Failure::Broken(format!("offset {offset}: {problem}")))?;
            }
        }
        self.check_acknowledged()
    }

    fn take(&mut self, offset: Offset, record: Arc<Record>) -> Result<(), String> {
        if let Some(seen) = self.records.get(usize::try_from(offset.0).unwrap_or(usize::MAX)) {
            return if *seen == record { Ok(()) } else { Err(format!("it was {seen:?}, and is {record:?}")) };
        }
        match record.as_ref() {
            Record::Series(defs) => self.series.extend(defs.iter().cloned()),
            Record::Readings(batch) => {
                for row in batch.rows() {
                    let reading = (self.name_of(row.series.index()), row.time.0, row.value.to_bits());
                    if !self.sent.contains(&reading) {
                        return Err(format!("{reading:?} was never sent"));
                    }
                    let times = self.stored.entry(reading).or_default();
                    *times += 1;
                    if *times > 1 {
                        return Err(format!("{reading:?} is in the log {times} times"));
                    }
                }
            }
            Record::Alert(alert) => match self.alerts.get(self.logged) {
                Some(expected) if expected == alert => self.logged += 1,
                expected => return Err(format!("the alert is {alert:?}, it should be {expected:?}")),
            },
            _ => {}
        }
        let mut actions = Actions::default();
        self.engine.step(offset, &record, &mut actions);
        self.alerts.extend(actions.transitions);
        self.state.apply(offset, &record);
        self.records.push(record);
        Ok(())
    }

    /// The place of a series in the plan's list; beyond it if it is not there.
    fn name_of(&self, series: usize) -> usize {
        let def = self.series.get(series);
        let place = def.and_then(|def| {
            self.names.iter().position(|(asset, signal)| *def.asset == **asset && *def.signal == **signal)
        });
        place.unwrap_or(usize::MAX)
    }

    /// What was once seen in the log is compared whenever all of it is read.
    fn check_acknowledged(&mut self) -> Result<(), Failure> {
        self.acknowledged.retain(|reading| !self.stored.contains_key(reading));
        match self.acknowledged.first() {
            Some(lost) => Err(Failure::Broken(format!("{lost:?} was acknowledged and is not in the log"))),
            None => Ok(()),
        }
    }

    /// Whether every alert that there should be is in the log.
    pub fn check_alerts(&self) -> Result<(), Failure> {
        match self.alerts.get(self.logged) {
            Some(missing) => Err(Failure::Broken(format!("this alert was not raised: {missing:?}"))),
            None => Ok(()),
        }
    }

    /// Whether the read model is that of all records, once the runner has taken them in.
    pub fn check_state(&self, server: &Server) -> Result<(), Failure> {
        if *server.state.read() == self.state {
            return Ok(());
        }
        Err(Failure::Broken("the read model is not that of the log's records".to_owned()))
    }

    /// Asks the lake for all readings, or for those of one series, and compares. The branch must have taken
    /// in all of the log.
    pub async fn check_readings(&self, server: &Server, only: Option<usize>) -> Result<(), Failure> {
        let series: Vec<_> = self
            .series
            .iter()
            .filter(|def| only.is_none_or(|only| def.id.index() == only))
            .map(|def| def.id)
            .collect();
        let query = ReadingsQuery { series, from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
        let mut rows: Vec<Row> = Vec::new();
        for found in server.lake.readings(query).await? {
            let row = |at: usize| {
                (
                    found.offset[at].0,
                    found.id.index(),
                    found.time[at],
                    found.value[at].to_bits(),
                    stored(found.flags[at]),
                )
            };
            rows.extend((0..found.time.len()).map(row));
        }
        rows.sort_unstable();
        let expected = self.rows(|series| only.is_none_or(|only| series == only));
        self.compare("a query", &rows, &expected, |row| row.2)
    }

    /// Compares the number of readings that the lake counts.
    pub fn check_count(&self, count: i64) -> Result<(), Failure> {
        let (rows, kept) = (self.rows(|_| true), |row: &&Row| row.2 >= self.retained_from);
        let (most, least) = (number(rows.len()), number(rows.iter().filter(kept).count()));
        if (least..=most).contains(&count) {
            Ok(())
        } else {
            Err(Failure::Broken(format!("the lake counts {count} of {most} readings")))
        }
    }

    fn rows(&self, wanted: impl Fn(usize) -> bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for (offset, record) in (0..).zip(&self.records) {
            let Record::Readings(batch) = record.as_ref() else { continue };
            for row in batch.rows().filter(|row| wanted(row.series.index())) {
                rows.push((offset, row.series.index(), row.time.0, row.value.to_bits(), stored(row.flags)));
            }
        }
        rows.sort_unstable();
        rows
    }

    /// Both are sorted. Rows whose time is before what was retained may be missing.
    fn compare<T: Ord + std::fmt::Debug>(
        &self,
        who: &str,
        rows: &[T],
        expected: &[T],
        time: impl Fn(&T) -> i64,
    ) -> Result<(), Failure> {
        let broken = |text: String| Err(Failure::Broken(format!("{who} {text}")));
        let mut found = rows.iter().peekable();
        for row in expected {
            if found.next_if(|next| *next == row).is_none() && time(row) >= self.retained_from {
                return broken(format!("does not find {row:?}; next is {:?}", found.peek()));
            }
        }
        match found.next() {
            Some(row) => broken(format!("finds {row:?}, which should not be there")),
            None => Ok(()),
        }
    }

    /// Reads the files that the Delta logs name, and compares with the records before `end`, which all are in
    /// the lake.
    pub fn check_files(&self, objects: &Objects, end: Offset) -> Result<(), Failure> {
        let is_in = |table: &str, record: &Record| match record {
            Record::Readings(batch) if table == "readings" => batch.len(),
            Record::Alert(_) if table == "alert_events" => 1,
            Record::Command(_) if table == "commands" => 1,
            _ => 0,
        };
        for table in ["readings", "alert_events", "commands"] {
            let offsets = sorted_offsets(objects, table)?;
            let records = (0_i64..).zip(&self.records).take(usize::try_from(end.0).unwrap_or(usize::MAX));
            let expected: Vec<i64> = records
                .flat_map(|(offset, record)| std::iter::repeat_n(offset, is_in(table, record)))
                .collect();
            let time = |offset: &i64| if table == "readings" { self.oldest(*offset) } else { i64::MAX };
            self.compare(&format!("a reader of the files of {table}"), &offsets, &expected, time)?;
        }
        Ok(())
    }

    /// Reads the files of the table `table` of a job, each run of which appended one row with its number:
    /// `runs` of them.
    pub fn check_job(&self, objects: &Objects, table: &str, runs: i64) -> Result<(), Failure> {
        let rows = sorted_offsets(objects, table)?;
        self.compare("a reader of the files of a job's table", &rows, &(1..=runs).collect::<Vec<_>>(), |_| {
            i64::MAX
        })
    }

    /// The oldest time in a record of readings.
    fn oldest(&self, offset: i64) -> i64 {
        match self.records.get(usize::try_from(offset).unwrap_or(usize::MAX)).map(AsRef::as_ref) {
            Some(Record::Readings(batch)) => batch.time.iter().copied().min().unwrap_or(i64::MAX),
            _ => i64::MAX,
        }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The column `offset` of all data files of `table`.
fn sorted_offsets(objects: &Objects, table: &str) -> Result<Vec<i64>, Failure> {
    let mut offsets = Vec::new();
    for path in objects.ledger.live(table) {
        offsets.extend(
            offsets_of(objects, path).map_err(|problem| Failure::Broken(format!("{path}: {problem}")))?,
        );
    }
    offsets.sort_unstable();
    Ok(offsets)
}

/// The column `offset` of a data file.
fn offsets_of(objects: &Objects, path: &str) -> Result<Vec<i64>, String> {
    let bytes = objects.get(path).ok_or("it is part of a table, and gone")?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["offset"]);
    let mut offsets = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        offsets.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
    }
    Ok(offsets)
}

/// What the lake keeps of a reading's flags: that its time lay ahead of its arrival is seen from the two
/// times.
const fn stored(flags: ReadingFlags) -> u8 {
    ReadingFlags::new(flags.quality(), flags.is_late()).to_byte()
}
