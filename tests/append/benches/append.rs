//! Appends, each durable before its sender goes on, against what the disk allows and against another log.
//!
//! `cargo bench --manifest-path tests/append/Cargo.toml` prints MB a second for groups of three sizes. `disk,
//! growing` is a bare loop of write and fdatasync of that size to a file that grows, as logs do (`dd
//! oflag=dsync` to a new file); `disk, written before` is the same over blocks that have been written (`dd
//! conv=notrunc` to an old one): the file system then has nothing to note. `forewarn` and `writeahead` encode
//! readings, append them and wait: one sender with records of the group's size; two of these, of which one
//! can encode while the other's record is written; or 64 senders with records of a 32nd of it, half of which
//! fill a group while that of the others is written. Both logs are given the same readings to encode;
//! `forewarn` also keeps them for its readers and can tell a torn group from damage, `writeahead` also writes
//! a 128-bit hash a record. Each figure is the median of `FOREWARN_BENCH_ROUNDS` rounds (default 5), in which
//! all take turns. `FOREWARN_BENCH_ONLY=1024` measures groups of 1024 KiB only.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark \
    measures, and a broken one may end")]

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_log::{Compression, LocalLog, Log as _, LogOptions};
use forewarn_types::{
    Journal as _, Quality, ReadingBatch, ReadingFlags, Record, SeriesId, Timestamp, encode_record,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use writeahead::{SimpleFile, WriteAhead, WriteAheadOptions};

/// Bytes of a row in the log.
const ROW_BYTES: usize = 21;
/// Bytes of a group, and how many of them one round writes.
const GROUPS: [(usize, usize); 3] = [(4 << 10, 1_000), (64 << 10, 500), (1 << 20, 128)];
const SENDERS: usize = 64;

fn main() {
    let rounds: usize = std::env::var("FOREWARN_BENCH_ROUNDS").map_or(5, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    report_cpu();
    let only = std::env::var("FOREWARN_BENCH_ONLY").ok();
    let wanted = |bytes: usize| only.as_ref().is_none_or(|only| *only == (bytes >> 10).to_string());
    for (bytes, count) in GROUPS.into_iter().filter(|(bytes, _)| wanted(*bytes)) {
        let large = record(bytes / ROW_BYTES);
        let small = record((2 * bytes / SENDERS / ROW_BYTES).max(1));
        let one = Load { record: &large, senders: 1, each: count };
        let two = Load { record: &large, senders: 2, each: count / 2 };
        let many = Load { record: &small, senders: SENDERS, each: count / 2 };
        let mut found: Vec<(&str, Vec<f64>)> = Vec::new();
        for _ in 0..rounds {
            let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let mut note = |name, figure| match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, figures)) => figures.push(figure),
                None => found.push((name, vec![figure])),
            };
            note("disk, growing", raw(dir.path(), bytes, count, false));
            note("disk, written before", raw(dir.path(), bytes, count, true));
            note("forewarn, 1 sender", forewarn(&runtime, &dir.path().join("a"), one, Compression::None));
            note("forewarn, 1 sender, lz4", forewarn(&runtime, &dir.path().join("b"), one, Compression::Lz4));
            note("writeahead, 1 sender", writeahead(&runtime, &dir.path().join("c"), one));
            note("forewarn, 2 senders", forewarn(&runtime, &dir.path().join("g"), two, Compression::None));
            note("writeahead, 2 senders", writeahead(&runtime, &dir.path().join("h"), two));
            note("forewarn, 64 senders", forewarn(&runtime, &dir.path().join("d"), many, Compression::None));
            note("forewarn, 64 senders, \
                lz4", forewarn(&runtime, &dir.path().join("e"), many, Compression::Lz4));
            note("writeahead, 64 senders", writeahead(&runtime, &dir.path().join("f"), many));
        }
        report(bytes, &mut found);
    }
}

/// Who sends what.
#[derive(Clone, Copy)]
struct Load<'a> {
    record: &'a Record,
    senders: usize,
    /// Records of each sender.
    each: usize,
}

impl Load<'_> {
    /// MB of encoded records a second.
    fn rate(self, elapsed: Duration) -> f64 {
        (encoded(self.record).len() * self.senders * self.each) as f64 / 1e6 / elapsed.as_secs_f64()
    }
}

fn report(bytes: usize, found: &mut [(&str, Vec<f64>)]) {
    println!("groups of {} KiB", bytes >> 10);
    for (_, figures) in found.iter_mut() {
        figures.sort_by(f64::total_cmp);
    }
    let median = |figures: &[f64]| figures[figures.len() / 2];
    let limits = [median(&found[0].1), median(&found[1].1)];
    for (name, figures) in &*found {
        let rate = median(figures);
        println!("  {name:<26} {rate:>9.2} MB/s   {:>6.3} of growing {:>6.3} of written \
            before", rate / limits[0], rate / limits[1]);
    }
}

/// What the processor alone takes to make a group of 1 MiB.
fn report_cpu() {
    let record = record((1 << 20) / ROW_BYTES);
    let bytes = encoded(&record);
    let rate = |name: &str, work: &dyn Fn() -> usize| {
        let start = Instant::now();
        let done: usize = (0..64).map(|_| std::hint::black_box(work())).sum();
        println!("  {name:<26} {:>9.0} MB/s", done as f64 / 1e6 / start.elapsed().as_secs_f64());
    };
    println!("without a disk");
    rate("copy", &|| std::hint::black_box(bytes.clone()).len());
    rate("encode", &|| encoded(&record).len());
    rate("checksum", &|| {
        std::hint::black_box(crc32fast::hash(&bytes));
        bytes.len()
    });
    rate("lz4", &|| {
        std::hint::black_box(lz4_flex::block::compress(&bytes));
        bytes.len()
    });
    println!("  {:<26} {:>9.3} of the bytes", "lz4 \
        leaves", lz4_flex::block::compress(&bytes).len() as f64 / bytes.len() as f64);
}

/// Readings of some machines as they come: a second apart, their values noisy.
fn record(rows: usize) -> Record {
    let mut batch = ReadingBatch::with_capacity(Timestamp(1_767_225_600_000_000), rows);
    let mut noise: u32 = 1;
    for row in 0..rows {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = f64::from(noise >> 20) / 100.0;
        let time = Timestamp(1_767_225_600_000_000 + i64::try_from(row / 50).unwrap() * 1_000_000);
        let series = SeriesId(u32::try_from(row % 50).unwrap());
        batch.push(series, time, value, ReadingFlags::new(Quality::Good, false));
    }
    Record::Readings(batch)
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_record(record, &mut bytes).unwrap();
    bytes
}

/// MB a second of a bare loop.
fn raw(dir: &Path, bytes: usize, count: usize, written_before: bool) -> f64 {
    let block = encoded(&record(bytes / ROW_BYTES));
    let mut file = File::create(dir.join("raw")).unwrap();
    if written_before {
        for _ in 0..count {
            file.write_all(&vec![0; block.len()]).unwrap();
        }
    }
    file.sync_all().unwrap();
    let start = Instant::now();
    for index in 0..count {
        file.write_all_at(&block, (index * block.len()) as u64).unwrap();
        file.sync_data().unwrap();
    }
    (block.len() * count) as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn forewarn(runtime: &Runtime, dir: &Path, load: Load<'_>, compression: Compression) -> f64 {
    let log = LocalLog::open(LogOptions { compression, ..LogOptions::new(dir) }).unwrap();
    // A log takes the records over. To make them is not its work, as to fill the block is not the disk's.
    let sent: Vec<Vec<Record>> = (0..load.senders).map(|_| vec![load.record.clone(); load.each]).collect();
    let start = Instant::now();
    runtime.block_on(async {
        let senders = sent.into_iter().map(|records| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for record in records {
                    log.append(record).await.unwrap();
                }
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await.unwrap();
        }
    });
    let elapsed = start.elapsed();
    assert_eq!(log.end().0, (load.senders * load.each) as u64);
    load.rate(elapsed)
}

fn writeahead(runtime: &Runtime, dir: &Path, load: Load<'_>) -> f64 {
    let options = WriteAheadOptions { log_dir: dir.to_owned(), ..Default::default() };
    let mut wal = WriteAhead::<SimpleFile>::with_options(options);
    wal.start().unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let senders = (0..load.senders).map(|_| {
            let (handle, record) = (wal.writer().unwrap(), load.record.clone());
            tokio::spawn(async move {
                for _ in 0..load.each {
                    handle.write(encoded(&record)).await.unwrap();
                }
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await.unwrap();
        }
    });
    load.rate(start.elapsed())
}
