//! The work of a frame job: the rows of one data interval, portion by portion, put in the place of those of
//! an earlier run in one commit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray as _, PrimitiveArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int32Type, TimestampMicrosecondType};
use forewarn_lake::{Bounds, IntervalOf, Lake, Limit, READINGS, RowsInParts, TableSnapshot};
use forewarn_spec::FrameJob;
use forewarn_types::{BoxFuture, JobKind, SignalName};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::compute::{Rows, Steps, compute};
use super::output;
use super::portions::{Counts, DAY_US, Portion};
use super::readings::{COLUMNS, Readings, Wanted};
use crate::{Job, Late, Outcome, RunContext, Trigger, Work};

/// Readings of one portion, about: some 200 MB while it is computed.
const PORTION_READINGS: u64 = 4_000_000;
/// Portions that a run computes at the same time.
const AT_ONCE: usize = 2;
/// As many are computed by all runs together, so that their memory has one bound.
static AT_WORK: Semaphore = Semaphore::const_new(AT_ONCE);
/// A portion that cannot be made smaller may have so many times what is meant.
const MOST_TIMES: u64 = 8;
/// Rows of a batch.
const BATCH_ROWS: usize = 16_384;
/// Longest time one interval may take: well below that after which the vacuum takes files that no table has.
const TIMEOUT: Duration = Duration::from_hours(1);

/// Runs a pipeline's frame job.
pub struct FrameWork {
    lake: Lake,
    job: Arc<FrameJob>,
    portion_readings: u64,
}

impl FrameWork {
    /// The work of `job` on `lake`.
    #[must_use]
    pub fn new(lake: Lake, job: FrameJob) -> Self {
        Self { lake, job: Arc::new(job), portion_readings: PORTION_READINGS }
    }

    /// With portions of about `readings`.
    #[cfg(test)]
    pub(super) fn in_portions_of(self, readings: u64) -> Self {
        Self { portion_readings: readings, ..self }
    }

    /// The job as the scheduler takes it.
    #[must_use]
    pub fn into_job(self) -> Job {
        Job {
            name: self.job.name.clone(),
            kind: JobKind::Frame,
            trigger: Trigger::Cron { expr: self.job.schedule.clone(), tz: self.job.timezone },
            catch_up: self.job.catch_up,
            late: Late { delay_us: self.job.delay_us, recompute_us: self.job.recompute_us },
            description: format!("writes a frame to the table {}", self.job.into),
            work: Arc::new(self),
        }
    }

    async fn compute(&self, context: RunContext) -> Result<Outcome, String> {
        let name = &self.job.name;
        let interval = IntervalOf { job: name.clone(), from: context.from, to: context.to };
        let columns = output::schema(&self.job.frame);
        let begun = self.lake.rows_in_parts(&self.job.into, columns, interval).await;
        let mut parts =
            begun.map_err(|error| format!("the rows of job {name} cannot be written: {error}"))?;
        // What is still at work when the run ends early stops at its next batch.
        let stop = CancellationToken::new();
        let _stopped_at_the_end = stop.clone().drop_guard();
        self.write(&context, &mut parts, &stop).await.map_err(|problem| {
            format!("job {name} failed from {} to {}: {problem}", context.from, context.to)
        })?;
        let written = parts.commit().await;
        let rows =
            written.map_err(|error| format!("the rows of job {name} could not be written: {error}"))?;
        Ok(Outcome { rows, details: None })
    }

    /// Computes the rows of an interval and writes them to `parts`.
    async fn write(
        &self,
        context: &RunContext,
        parts: &mut RowsInParts,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let snapshot = self.lake.snapshot().await.map_err(|error| error.to_string())?;
        let Some(table) = snapshot.table(READINGS) else { return Ok(()) };
        let source = Source { table, job: Arc::clone(&self.job), stop: stop.clone() };
        let whole = Portion { assets: None, from: context.from.0, to: context.to.0, readings: 0 };
        if source.steps(&whole).rows.is_empty() {
            return Ok(());
        }
        let mut portions: VecDeque<Portion> = self.portions(&source, whole).await?.into();
        let most = self.portion_readings.saturating_mul(MOST_TIMES);
        let mut at_work: VecDeque<(SemaphorePermit<'_>, JoinHandle<Result<Rows, String>>)> = VecDeque::new();
        loop {
            while at_work.len() < AT_ONCE && !portions.is_empty() {
                let Some(permit) = permit(at_work.is_empty()).await else { break };
                let Some(portion) = portions.pop_front() else { break };
                let source = source.clone();
                at_work.push_back((permit, tokio::task::spawn_blocking(move || source.rows(portion, most))));
            }
            // The permit goes once the rows are written.
            let Some((_permit, next)) = at_work.pop_front() else { break };
            let rows = Arc::new(next.await.map_err(|error| format!("a portion was cut off: {error}"))??);
            for number in 0..rows.parts() {
                let (rows, job) = (Arc::clone(&rows), Arc::clone(&self.job));
                let part = tokio::task::spawn_blocking(move || rows.part(number, &job.frame));
                let part = part.await.map_err(|error| format!("a part was cut off: {error}"))??;
                parts.push(part).await.map_err(|error| error.to_string())?;
            }
        }
        if portions.is_empty() { Ok(()) } else { Err("the server is stopping".to_owned()) }
    }

    /// The portions of the work; only the whole if it is small.
    async fn portions(&self, source: &Source, whole: Portion) -> Result<Vec<Portion>, String> {
        let files = source.table.files(&source.bounds(&whole));
        let of_files = files.iter().try_fold(0, |sum: u64, file| Some(sum.saturating_add(file.rows?)));
        let in_tail = self.lake.tail_rows() as u64;
        let readings = of_files.map(|rows| rows.saturating_add(in_tail));
        if let Some(readings) = readings.filter(|readings| *readings <= self.portion_readings) {
            return Ok(vec![Portion { readings, ..whole }]);
        }
        let (source, most) = (source.clone(), self.portion_readings);
        let count = move || {
            let counts = source.count(&whole)?;
            Ok(counts.portions(whole.from, whole.to, source.steps(&whole).beyond_us(), most))
        };
        tokio::task::spawn_blocking(count).await.map_err(|error| format!("counting was cut off: {error}"))?
    }
}

impl Work for FrameWork {
    fn definition(&self) -> String {
        format!("{:?}", self.job)
    }

    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let done = tokio::time::timeout(TIMEOUT, self.compute(context)).await;
            done.unwrap_or_else(|_| {
                let (name, minutes) = (&self.job.name, TIMEOUT.as_secs() / 60);
                Err(format!(
                    "job {name} took longer than {minutes} min and was given up, nothing was written: run it \
                     over shorter intervals"
                ))
            })
        })
    }
}

/// A permit to compute a portion. A run that has none waits for one; another that has one must not, as it
/// would wait for runs that wait for it.
async fn permit(may_wait: bool) -> Option<SemaphorePermit<'static>> {
    if may_wait { AT_WORK.acquire().await.ok() } else { AT_WORK.try_acquire().ok() }
}

/// Where the readings of a run come from.
#[derive(Clone)]
struct Source {
    table: TableSnapshot,
    job: Arc<FrameJob>,
    stop: CancellationToken,
}

impl Source {
    fn steps(&self, portion: &Portion) -> Steps {
        Steps::ending_within(&self.job.frame, portion.from, portion.to)
    }

    fn signals(&self) -> impl Iterator<Item = &SignalName> {
        self.job.frame.signals.iter().map(|signal| &signal.name)
    }

    /// What the readings of a portion have in common.
    fn bounds(&self, portion: &Portion) -> Bounds {
        let (from, to) = self.steps(portion).times();
        let mut bounds = Bounds::default();
        bounds.and("time", Limit::Time(from, to.saturating_sub(1)));
        bounds.and("signal", Limit::Text(self.signals().map(ToString::to_string).collect()));
        if let Some(assets) = &portion.assets {
            bounds.and("asset", Limit::Text(assets.clone()));
        }
        bounds
    }

    /// The rows of a portion. Blocks.
    fn rows(&self, portion: Portion, most: u64) -> Result<Rows, String> {
        let steps = self.steps(&portion);
        let (from, to) = steps.times();
        let bounds = self.bounds(&portion);
        let expected = usize::try_from(portion.readings.min(most)).unwrap_or(0);
        let wanted = Wanted {
            is_asset: is_asset(&self.job, portion.assets),
            signals: self.signals().cloned().collect(),
            from,
            to,
        };
        let mut readings = Readings::new(wanted, expected);
        if steps.rows.is_empty() {
            return compute(&self.job.frame, steps, readings);
        }
        self.each_batch(bounds, &COLUMNS, |batch| {
            readings.take(batch)?;
            if readings.count() as u64 > most {
                return Err(format!(
                    "one asset has more than {most} readings in what a step of the frame looks at; use fewer \
                     signals, or a shorter `every` or `fill`"
                ));
            }
            Ok(())
        })?;
        compute(&self.job.frame, steps, readings)
    }

    /// How many readings there are, by asset and time. Blocks.
    fn count(&self, whole: &Portion) -> Result<Counts, String> {
        let (from, to) = self.steps(whole).times();
        let mut counts = Counts::new(from, to);
        let is_asset = is_asset(&self.job, None);
        let signals: BTreeSet<&str> = self.signals().map(|name| &**name).collect();
        let time = if counts.by_day() { "date" } else { "time" };
        self.each_batch(self.bounds(whole), &[time, "asset", "signal"], |batch| {
            count(batch, &mut counts, |asset, signal| signals.contains(signal) && is_asset(asset))
                .ok_or_else(|| "the readings have odd columns".to_owned())
        })?;
        Ok(counts)
    }

    /// Hands the batches of readings within `bounds` to `take`. Blocks.
    fn each_batch(
        &self,
        bounds: Bounds,
        columns: &[&str],
        mut take: impl FnMut(&RecordBatch) -> Result<(), String>,
    ) -> Result<(), String> {
        let columns = columns.iter().map(ToString::to_string).collect();
        let mut batches = self.table.rows(bounds, columns, BATCH_ROWS);
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(async {
            while let Some(batch) = batches.next().await.map_err(|error| error.to_string())? {
                if self.stop.is_cancelled() {
                    return Err("the run has ended".to_owned());
                }
                take(&batch)?;
            }
            Ok(())
        })
    }
}

/// Whether an asset is in the frame, and among `only` if these are given.
fn is_asset(job: &Arc<FrameJob>, only: Option<BTreeSet<String>>) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let job = Arc::clone(job);
    match only {
        Some(only) => Arc::new(move |asset| only.contains(asset)),
        None => Arc::new(move |asset| job.frame.assets.matches(asset)),
    }
}

/// When readings are, or only on which days.
enum Times<'a> {
    Exact(&'a PrimitiveArray<TimestampMicrosecondType>),
    Days(&'a PrimitiveArray<Date32Type>),
}

impl<'a> Times<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        match batch.column_by_name("date") {
            Some(days) => days.as_primitive_opt().map(Self::Days),
            None => batch.column_by_name("time")?.as_primitive_opt().map(Self::Exact),
        }
    }

    fn at(&self, row: usize) -> i64 {
        match self {
            Self::Exact(times) => times.value(row),
            Self::Days(days) => i64::from(days.value(row)).saturating_mul(DAY_US),
        }
    }
}

/// Counts the readings of `batch` whose asset and signal `is_wanted`; `None` if its columns are odd.
fn count(batch: &RecordBatch, counts: &mut Counts, is_wanted: impl Fn(&str, &str) -> bool) -> Option<()> {
    let times = Times::of(batch)?;
    let names = |name: &str| {
        let column = batch.column_by_name(name)?.as_dictionary_opt::<Int32Type>()?;
        Some((column.keys(), column.values().as_string_opt::<i32>()?))
    };
    let ((asset_keys, assets), (signal_keys, signals)) = (names("asset")?, names("signal")?);
    let mut row = 0;
    while row < batch.num_rows() {
        let key = (asset_keys.value(row), signal_keys.value(row));
        let same = |row: &usize| (asset_keys.value(*row), signal_keys.value(*row)) == key;
        let end = (row..batch.num_rows()).find(|row| !same(row)).unwrap_or(batch.num_rows());
        // A name that is null has a key that means nothing. One too many is counted then, not read.
        let name = |key: i32, names: &arrow::array::StringArray| {
            let key = usize::try_from(key).ok().filter(|key| *key < arrow::array::Array::len(names))?;
            Some(names.value(key).to_owned())
        };
        if let (Some(asset), Some(signal)) = (name(key.0, assets), name(key.1, signals))
            && is_wanted(&asset, &signal)
        {
            counts.add(&asset, (row..end).map(|row| times.at(row)));
        }
        row = end;
    }
    Some(())
}
