//! Where the readings come from: a plant that is made up on the fly, and the reference data.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use forewarn_log::{Log, LogError, LogHealth, Ticket};
use forewarn_tests::data;
use forewarn_tests::random::Random;
use forewarn_types::{
    BoxFuture, Journal, JournalError, Offset, Quality, ReadingBatch, ReadingFlags, Record, SeriesId,
    SeriesTable, Timestamp,
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

pub(crate) const DAY_US: i64 = 86_400_000_000;
/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000_000;
const ASSETS: usize = 100;
/// Name, mean, how far it swings in a day, size of its noise, resolution of the sensor in parts of one.
const SIGNALS: [(&str, f64, f64, f64, f64); 10] = [
    ("vibration_rms", 2.8, 0.3, 0.15, 100.0),
    ("vibration_peak", 9.5, 1.0, 0.6, 100.0),
    ("temperature", 68.0, 6.0, 0.15, 10.0),
    ("bearing_temperature", 74.0, 5.0, 0.1, 10.0),
    ("pressure_in", 2.1, 0.1, 0.02, 100.0),
    ("pressure_out", 7.4, 0.3, 0.05, 100.0),
    ("flow", 182.0, 12.0, 1.5, 10.0),
    ("current", 41.0, 3.0, 0.4, 10.0),
    ("speed", 1482.0, 6.0, 1.2, 1.0),
    ("level", 63.0, 15.0, 0.3, 10.0),
];
/// Between two sweeps over all series: 10,000 a day.
const SWEEP_US: i64 = 8_640_000;

/// A log whose records are made when they are read.
pub(crate) struct Source {
    pub(crate) series: Arc<RwLock<SeriesTable>>,
    records: Records,
    count: usize,
    pub(crate) readings: usize,
    /// After the newest reading.
    pub(crate) end: Timestamp,
    watch: watch::Sender<Offset>,
}

enum Records {
    Made(Box<Mutex<Plant>>),
    Kept(Vec<Arc<Record>>),
}

/// The plant at one moment.
struct Plant {
    next: usize,
    random: Random,
    /// How many of the signals each asset has.
    signals: usize,
    noise: Vec<f64>,
}

impl Source {
    /// About `readings` readings of 1,000 series, which wander, swing by the day, and come in the steps of
    /// their sensor; each asset is read at an instant of its own, to the millisecond.
    pub(crate) fn made(readings: usize) -> Self {
        Self::made_of(readings, SIGNALS.len())
    }

    /// The same of the first `signals` signals of each asset.
    pub(crate) fn made_of(readings: usize, signals: usize) -> Self {
        let of_sweep = ASSETS * signals;
        let mut series = SeriesTable::new(of_sweep);
        for asset in 0..ASSETS {
            for (signal, ..) in SIGNALS.iter().take(signals) {
                series.intern(&format!("plant1/line{}/pump{asset:02}", asset % 8), signal).expect("a series");
            }
        }
        let count = readings.div_ceil(of_sweep);
        let plant = Plant { next: 0, random: Random::new(7), signals, noise: vec![0.0; of_sweep] };
        let end = START + count as i64 * SWEEP_US;
        Self::new(series, Records::Made(Box::new(Mutex::new(plant))), count, count * of_sweep, end)
    }

    pub(crate) const fn is_made(&self) -> bool {
        matches!(self.records, Records::Made(_))
    }

    fn new(series: SeriesTable, records: Records, count: usize, readings: usize, end: i64) -> Self {
        let watch = watch::Sender::new(Offset(count as u64));
        Self { series: Arc::new(RwLock::new(series)), records, count, readings, end: Timestamp(end), watch }
    }

    fn kept(series: SeriesTable, batches: Vec<ReadingBatch>) -> Self {
        let readings = batches.iter().map(ReadingBatch::len).sum();
        let end = batches.iter().flat_map(|batch| &batch.time).max().map_or(START, |time| time + 1);
        let records: Vec<_> = batches.into_iter().map(|batch| Arc::new(Record::Readings(batch))).collect();
        let count = records.len();
        Self::new(series, Records::Kept(records), count, readings, end)
    }
}

impl Plant {
    fn sweep(&mut self) -> ReadingBatch {
        let at = START + self.next as i64 * SWEEP_US;
        let mut batch = ReadingBatch::with_capacity(Timestamp(at + 250_000), self.noise.len());
        let good = ReadingFlags::new(Quality::Good, false);
        let swing = ((at % DAY_US) as f64 / DAY_US as f64 * std::f64::consts::TAU).sin();
        for asset in 0..ASSETS {
            let time = at + asset as i64 * 60_000 + self.random.below(4) as i64 * 1_000;
            let signals = SIGNALS.into_iter().take(self.signals).enumerate();
            for (number, (_, mean, by_day, noise, parts)) in signals {
                let series = asset * self.signals + number;
                let word = self.random.below(u64::MAX);
                // The sum of two even numbers is near enough to a bell.
                let shock = f64::from(word as u32) + f64::from((word >> 32) as u32);
                let wander = &mut self.noise[series];
                *wander = 0.9 * *wander + (shock / f64::from(u32::MAX) - 1.0) * noise;
                let value = mean + asset as f64 * 0.01 * mean / 100.0 + by_day * swing + *wander;
                batch.push(SeriesId(series as u32), Timestamp(time), (value * parts).round() / parts, good);
            }
        }
        self.next += 1;
        batch
    }
}

impl Journal for Source {
    fn append(&self, _: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async { Err(JournalError::Refused("nothing is appended here".into())) })
    }
}

impl Log for Source {
    fn id(&self) -> &'static str {
        "bench"
    }

    fn submit_all(&self, _: Vec<Record>) -> Result<Ticket, JournalError> {
        Err(JournalError::Refused("nothing is appended here".into()))
    }

    fn health(&self) -> LogHealth {
        LogHealth::Ok
    }

    fn start(&self) -> Offset {
        Offset(0)
    }

    fn end(&self) -> Offset {
        *self.watch.borrow()
    }

    fn watch(&self) -> watch::Receiver<Offset> {
        self.watch.subscribe()
    }

    fn read(
        &self,
        from: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        let from = from.0 as usize;
        let mut read = Vec::new();
        let mut bytes = 0;
        while from + read.len() < self.count && read.len() < max_records && bytes < max_bytes {
            let offset = from + read.len();
            let record = match &self.records {
                Records::Kept(records) => Arc::clone(&records[offset]),
                Records::Made(plant) => {
                    let mut plant = plant.lock();
                    assert_eq!(plant.next, offset, "records are made in order, and once");
                    Arc::new(Record::Readings(plant.sweep()))
                }
            };
            if let Record::Readings(batch) = &*record {
                bytes += batch.memory_bytes();
            }
            read.push((Offset(offset as u64), record));
        }
        Ok(read)
    }

    fn checkpoint(&self, _: &str, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}

/// The engines of C-MAPSS, an hour a cycle, as `forewarn import` would take them.
pub(crate) fn cmapss() -> Option<Source> {
    let mut series = SeriesTable::new(100_000);
    let mut batches = Vec::new();
    for (file, prefix) in [("cmapss/train_FD001.txt", "unit"), ("cmapss/test_FD001.txt", "test")] {
        let text = std::fs::read_to_string(data::path(file)?).expect("the file is text");
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        // 946,684,800 is the year 2000.
        batches.extend(lines.chunks(200).enumerate().map(|(chunk, lines)| {
            let mut batch =
                ReadingBatch::with_capacity(Timestamp(START + chunk as i64 * 50_000), lines.len() * 24);
            for line in lines {
                let cells: Vec<f64> =
                    line.split_whitespace().map(|cell| cell.parse().expect("a number")).collect();
                let (asset, time) = (
                    format!("fd001/{prefix}{}", cells[0]),
                    Timestamp::from_secs(946_684_800 + cells[1] as i64 * 3_600),
                );
                for (number, value) in cells[2..].iter().enumerate() {
                    let signal = if number < 3 {
                        format!("setting{}", number + 1)
                    } else {
                        format!("s{}", number - 2)
                    };
                    let id = series.intern(&asset, &signal).expect("a series").0;
                    batch.push(id, time, *value, ReadingFlags::new(Quality::Good, false));
                }
            }
            batch
        }));
    }
    Some(Source::kept(series, batches))
}

/// All series of NAB that are there, each an asset.
pub(crate) fn nab() -> Option<Source> {
    let root = data::path("nab")?;
    let list = std::fs::read_to_string(root.join("files.txt")).expect("the list of files");
    let mut series = SeriesTable::new(1_000);
    let mut rows: HashMap<SeriesId, Vec<(Timestamp, f64)>> = HashMap::new();
    for file in list.lines().map(PathBuf::from) {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
        let id = series.intern(&format!("nab/{name}"), "value").expect("a series").0;
        for line in std::fs::read_to_string(root.join(&file)).expect("the file is text").lines().skip(1) {
            let (time, value) = line.split_once(',').expect("two columns");
            let time = Timestamp::parse(&format!("{}Z", time.replace(' ', "T"))).expect("a time");
            rows.entry(id).or_default().push((time, value.parse().expect("a number")));
        }
    }
    let mut batches = Vec::new();
    for id in series.defs().iter().map(|def| def.id) {
        for chunk in rows[&id].chunks(5_000) {
            let mut batch =
                ReadingBatch::with_capacity(Timestamp(START + batches.len() as i64 * 50_000), chunk.len());
            for (time, value) in chunk {
                batch.push(id, *time, *value, ReadingFlags::new(Quality::Good, false));
            }
            batches.push(batch);
        }
    }
    Some(Source::kept(series, batches))
}
