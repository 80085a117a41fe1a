//! Groups of readings, taken from the files as they are read.
//!
//! Names come from the files as numbers, and rows stand series by series in the order of time, so rows of one
//! group mostly follow each other: a group is looked up once for such a stretch, and its values are a slice.
//! Nothing depends on the order, though: any stretch may be as short as one row.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};
use futures::StreamExt as _;
use hashbrown::HashMap;
use polars::prelude as pl;
use polars::prelude::{IntoColumn as _, NewChunkedArray as _};
use tokio_util::sync::CancellationToken;

use super::partial::{BUCKET, FIRST, HIGH, LAST, LOW, Partial, ROWS, SUM};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::read::{Portion, Running, Scan, broken, open};
use crate::store::runtime;
use crate::table::{DATE, DataFile};
use crate::tail::{self, Columns};

/// Rows of a file that one thread works on at a time, about.
const PART_ROWS: u64 = 1 << 20;
/// Rows decoded at a time: half a row group.
const BATCH_ROWS: usize = 65_536;
/// With more groups than this there are nearly as many groups as readings, which the general way holds
/// better.
const MAX_GROUPS: usize = 1 << 21;

/// What a group is: numbers of names, 0 if it is not grouped by them, and the start of the bucket.
type Key = (u32, u32, i64);

/// What is known of the readings of a group.
#[derive(Debug, Clone, Copy)]
struct Group {
    rows: i64,
    sum: f64,
    low: f64,
    high: f64,
    first: i64,
    last: i64,
}

impl Default for Group {
    /// A group without readings. The least of nothing is not a number, which any number replaces.
    fn default() -> Self {
        Self { rows: 0, sum: 0.0, low: f64::NAN, high: f64::NAN, first: i64::MAX, last: i64::MIN }
    }
}

/// Why groups cannot be had this way, though the query's shape allows it.
enum Unfit {
    /// Rows without a value, columns of an odd form, too many groups: the general way copes.
    Odd,
    Failed(LakeError),
}

impl From<LakeError> for Unfit {
    fn from(error: LakeError) -> Self {
        Self::Failed(error)
    }
}

/// The groups of the readings of `scan` as a frame, one row or more for each; `None` if the general way has
/// to be gone. Blocks.
pub(super) fn frame(
    lake: &Lake,
    scan: &Scan<'_>,
    partial: &Partial,
    running: &Running,
) -> Result<Option<pl::DataFrame>, LakeError> {
    let parts = parts(&scan.files);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(parts.len());
    // What one thread finds is of no use without what the others do.
    let (next, given_up) = (AtomicUsize::new(0), CancellationToken::new());
    let take_parts = || -> Result<Groups<'_>, Unfit> {
        let mut groups = Groups::new(partial);
        while let Some((file, part)) =
            parts.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !given_up.is_cancelled())
        {
            read(lake, scan, (file, *part), &mut groups, running, &given_up)?;
        }
        Ok(groups)
    };
    let work = || take_parts().inspect_err(|_| given_up.cancel());
    let mut found: Vec<Result<Groups<'_>, Unfit>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let broke_off = || Err(Unfit::Failed(LakeError::Stopped("a thread of a query broke off".into())));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| broke_off())).collect()
    });
    found.push(of_tail(lake, scan, partial));
    let failed = |error: pl::PolarsError| LakeError::table(&scan.table.schema.name, error);
    let mut whole: Option<pl::DataFrame> = None;
    for groups in found {
        let part = match groups {
            Ok(groups) => groups.into_frame().map_err(failed)?,
            Err(Unfit::Odd) => return Ok(None),
            Err(Unfit::Failed(error)) => return Err(error),
        };
        if let Some(whole) = &mut whole {
            whole.vstack_mut(&part).map_err(failed)?;
        } else {
            whole = Some(part);
        }
    }
    Ok(whole)
}

/// What threads work on: files in parts of some row groups.
fn parts(files: &[std::sync::Arc<DataFile>]) -> Vec<(&DataFile, (usize, usize))> {
    let of_file = |file: &DataFile| usize::try_from(file.rows.unwrap_or(0) / PART_ROWS).unwrap_or(0) + 1;
    files
        .iter()
        .flat_map(|file| (0..of_file(file)).map(move |part| (&**file, (part, of_file(file)))))
        .collect()
}

/// Takes one part of a file into `groups`; not all of it if the query is given up meanwhile, or this way of
/// answering it.
fn read(
    lake: &Lake,
    scan: &Scan<'_>,
    (file, part): (&DataFile, (usize, usize)),
    groups: &mut Groups<'_>,
    running: &Running,
    given_up: &CancellationToken,
) -> Result<(), Unfit> {
    let columns = groups.columns();
    let portion = Portion { columns: &columns, bounds: scan.bounds, part, batch_rows: BATCH_ROWS };
    let take = async {
        let Some(mut batches) = open(&lake.reader.store, &scan.table.schema, file, portion).await? else {
            return Ok(());
        };
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| broken(file, &error))?;
            running.check(batch.get_array_memory_size())?;
            groups.take(&batch)?;
        }
        Ok(())
    };
    // The calls of the store go to the lake's own threads; decoding is done on this one.
    let taken = runtime()?.block_on(given_up.run_until_cancelled(running.unless_ended(take)));
    taken.unwrap_or(Ok(()))
}

/// The groups of the readings behind the files.
fn of_tail<'a>(lake: &Lake, scan: &Scan<'_>, partial: &'a Partial) -> Result<Groups<'a>, Unfit> {
    let readings = scan.tail_readings(&lake.reader.series);
    let series = tail::series_of(&readings, &lake.reader.series)?;
    let mut groups = Groups::new(partial);
    let mut names = vec![(0, 0); series.last().map_or(0, |def| def.id.index() + 1)];
    for def in series {
        let number =
            |wanted: bool, names: &mut Names, name: &str| if wanted { names.number(name) } else { 0 };
        let asset = number(partial.by_asset, &mut groups.assets, &def.asset);
        names[def.id.index()] = (asset, number(partial.by_signal, &mut groups.signals, &def.signal));
    }
    let Columns { series, time, value, .. } = &readings;
    for (row, id) in series.iter().enumerate() {
        let (asset, signal) = names[id.index()];
        groups.add((asset, signal, groups.bucket(time[row])), 1, &value[row..=row], &time[row..=row]);
    }
    groups.fits().map(|()| groups)
}

/// Distinct names and their numbers.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// What one thread has found.
struct Groups<'a> {
    partial: &'a Partial,
    /// The first and the last time wanted, µs.
    within: (i64, i64),
    assets: Names,
    signals: Names,
    by_key: HashMap<Key, Group>,
}

/// A column of names in a batch: for each row a key, for each key the number of the name, `None` if it is not
/// wanted.
struct Keys<'a> {
    keys: &'a [i32],
    numbers: Vec<Option<u32>>,
}

impl Keys<'_> {
    /// Behind the last row from `from` on with the same key.
    fn end(&self, from: usize) -> usize {
        let key = self.keys[from];
        from + self.keys[from..].iter().position(|other| *other != key).unwrap_or(self.keys.len() - from)
    }
}

impl<'a> Groups<'a> {
    fn new(partial: &'a Partial) -> Self {
        let within = partial.bounds.time("time").unwrap_or((i64::MIN, i64::MAX));
        Self { partial, within, assets: Names::default(), signals: Names::default(), by_key: HashMap::new() }
    }

    fn needs_asset(&self) -> bool {
        self.partial.by_asset || self.partial.bounds.texts("asset").is_some()
    }

    fn needs_signal(&self) -> bool {
        self.partial.by_signal || self.partial.bounds.texts("signal").is_some()
    }

    fn needs_time(&self) -> bool {
        self.partial.times || self.parts_time()
    }

    /// Whether rows of one series may belong to different groups, or to none.
    fn parts_time(&self) -> bool {
        self.partial.bucket.is_some() || self.within != (i64::MIN, i64::MAX)
    }

    /// The columns that have to be read; the first one has a value in each row in any case.
    fn columns(&self) -> Vec<&'static str> {
        let wanted = [
            ("asset", self.needs_asset()),
            ("signal", self.needs_signal()),
            ("time", self.needs_time()),
            ("value", self.partial.values),
        ];
        let columns: Vec<_> =
            wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect();
        if columns.is_empty() { vec!["time"] } else { columns }
    }

    fn bucket(&self, time: i64) -> i64 {
        self.partial.bucket.map_or(0, |(us, origin)| (time - origin).div_euclid(us) * us + origin)
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), Unfit> {
        let rows = batch.num_rows();
        let column = |name: &str| {
            batch.column_by_name(name).filter(|column| column.null_count() == 0).ok_or(Unfit::Odd)
        };
        let (needs_asset, needs_signal) = (self.needs_asset(), self.needs_signal());
        let bounds = &self.partial.bounds;
        let asset = needs_asset
            .then(|| keys(column("asset")?, &mut self.assets, bounds.texts("asset")))
            .transpose()?;
        let signal = needs_signal
            .then(|| keys(column("signal")?, &mut self.signals, bounds.texts("signal")))
            .transpose()?;
        let (mut time, mut value): (&[i64], &[f64]) = (&[], &[]);
        if self.needs_time() {
            time = column("time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or(Unfit::Odd)?.values();
        }
        if self.partial.values {
            value = column("value")?.as_primitive_opt::<Float64Type>().ok_or(Unfit::Odd)?.values();
        }
        let (by_asset, by_signal) = (self.partial.by_asset, self.partial.by_signal);
        let number = |keys: &Option<Keys<'_>>, by: bool, row: usize| match keys {
            Some(keys) => {
                keys.numbers[keys.keys[row].unsigned_abs() as usize].map(|number| if by { number } else { 0 })
            }
            None => Some(0),
        };
        let mut row = 0;
        while row < rows {
            let ends = [&asset, &signal].map(|keys| keys.as_ref().map_or(rows, |keys| keys.end(row)));
            let end = ends[0].min(ends[1]);
            if let (Some(asset), Some(signal)) =
                (number(&asset, by_asset, row), number(&signal, by_signal, row))
            {
                self.stretch((asset, signal), row..end, value, time);
            }
            row = end;
        }
        self.fits()
    }

    /// Takes rows of one series; `value` and `time` are empty if nobody needs them.
    fn stretch(
        &mut self,
        (asset, signal): (u32, u32),
        rows: std::ops::Range<usize>,
        value: &[f64],
        time: &[i64],
    ) {
        let values = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
        if !self.parts_time() {
            let times = time.get(rows.clone()).unwrap_or_default();
            return self.add((asset, signal, 0), rows.len(), values(rows.start, rows.end), times);
        }
        let mut row = rows.start;
        while row < rows.end {
            let start = self.bucket(time[row]);
            let (low, high) = match self.partial.bucket {
                Some((us, _)) => (start.max(self.within.0), start.saturating_add(us - 1).min(self.within.1)),
                None => self.within,
            };
            let count = time[row..rows.end].iter().take_while(|time| low <= **time && **time <= high).count();
            if count > 0 {
                self.add((asset, signal, start), count, values(row, row + count), &time[row..row + count]);
            }
            // A row that is outside of what is wanted is passed over.
            row += count.max(1);
        }
    }

    fn add(&mut self, key: Key, rows: usize, values: &[f64], times: &[i64]) {
        let group = self.by_key.entry(key).or_default();
        group.rows += i64::try_from(rows).unwrap_or(i64::MAX);
        let (mut sum, mut low, mut high) = (0.0, group.low, group.high);
        for value in values {
            sum += value;
            low = low.min(*value);
            high = high.max(*value);
        }
        (group.sum, group.low, group.high) = (group.sum + sum, low, high);
        if self.partial.times {
            for time in times {
                (group.first, group.last) = (group.first.min(*time), group.last.max(*time));
            }
        }
    }

    fn fits(&self) -> Result<(), Unfit> {
        if self.by_key.len() > MAX_GROUPS { Err(Unfit::Odd) } else { Ok(()) }
    }

    /// One row for each group.
    fn into_frame(self) -> pl::PolarsResult<pl::DataFrame> {
        let Self { partial, by_key, assets, signals, .. } = self;
        let groups: Vec<(Key, Group)> = by_key.into_iter().collect();
        let text = |name: &str, names: &Names, number: fn(&Key) -> u32| {
            let values = groups.iter().map(|(key, _)| names.names[number(key) as usize].as_str());
            pl::StringChunked::from_iter_values(name.into(), values).into_column()
        };
        let float = |name: &str, of: fn(&Group) -> f64| {
            pl::Float64Chunked::from_iter_values(name.into(), groups.iter().map(|(_, group)| of(group)))
                .into_column()
        };
        let time = |name: &str, of: fn(&(Key, Group)) -> i64| {
            let values = pl::Int64Chunked::from_iter_values(name.into(), groups.iter().map(of));
            values.into_datetime(pl::TimeUnit::Microseconds, None).into_column()
        };
        let rows =
            pl::Int64Chunked::from_iter_values(ROWS.into(), groups.iter().map(|(_, group)| group.rows))
                .into_column();
        let mut columns = vec![rows];
        if partial.by_asset {
            columns.push(text("asset", &assets, |key| key.0));
        }
        if partial.by_signal {
            columns.push(text("signal", &signals, |key| key.1));
        }
        if partial.bucket.is_some() {
            let bucket = time(BUCKET, |(key, _)| key.2);
            columns.push(bucket.cast(&pl::DataType::Date)?.with_name(DATE.into()));
            columns.push(bucket);
        }
        if partial.values {
            columns.extend([
                float(SUM, |group| group.sum),
                float(LOW, |group| group.low),
                float(HIGH, |group| group.high),
            ]);
        }
        if partial.times {
            columns.extend([time(FIRST, |(_, group)| group.first), time(LAST, |(_, group)| group.last)]);
        }
        pl::DataFrame::new_infer_height(columns)
    }
}

/// The keys of a column of names, and which names they are.
fn keys<'b>(
    column: &'b arrow::array::ArrayRef,
    names: &mut Names,
    wanted: Option<&std::collections::BTreeSet<String>>,
) -> Result<Keys<'b>, Unfit> {
    let array = column.as_dictionary_opt::<Int32Type>().ok_or(Unfit::Odd)?;
    let values = array.values().as_string_opt::<i32>().ok_or(Unfit::Odd)?;
    let number = |name: Option<&str>| {
        let name = name.filter(|name| wanted.is_none_or(|wanted| wanted.contains(*name)))?;
        Some(names.number(name))
    };
    Ok(Keys { keys: array.keys().values(), numbers: values.iter().map(number).collect() })
}
