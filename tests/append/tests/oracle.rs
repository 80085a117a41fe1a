//! Another log as the judge: after the same appends, restarts and trims, both give the same records.

use std::path::Path;

use forewarn_log::{Compression, LocalLog, Log as _, LogOptions};
use forewarn_types::{Offset, Quality, ReadingBatch, ReadingFlags, Record, SeriesId, Timestamp, encode_record};
use proptest::prelude::*;
use tempfile::TempDir;
use writeahead::{RecordID, SimpleFile, WriteAhead, WriteAheadOptions};

fn record(number: i64, rows: usize) -> Record {
    let mut batch = ReadingBatch::with_capacity(Timestamp(number), rows);
    for row in 0..rows {
        batch.push(SeriesId(0), Timestamp(number), row as f64, ReadingFlags::new(Quality::Good, false));
    }
    Record::Readings(batch)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[derive(Debug, Clone)]
enum Step {
    /// So many records at once, of so many rows.
    Append(i64, usize),
    Reopen,
    /// The only consumer moves to this share of the log, in percent.
    Checkpoint(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1i64..12, 0usize..12).prop_map(|(count, rows)| Step::Append(count, rows)),
        2 => Just(Step::Reopen),
        1 => (0u64..=100).prop_map(Step::Checkpoint),
    ];
    prop::collection::vec(step, 1..20)
}

fn open_judge(dir: &Path) -> WriteAhead<SimpleFile> {
    let options = WriteAheadOptions { log_dir: dir.to_owned(), max_file_size: 20_000, ..Default::default() };
    let mut judge = WriteAhead::with_options(options);
    judge.start().unwrap();
    judge
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_record(record, &mut bytes).unwrap();
    bytes
}

fn run(steps: Vec<Step>) {
    let (dir, judges) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let options = || LogOptions {
        segment_bytes: 1_000,
        max_bytes: 1 << 20,
        cache_bytes: 0,
        ..LogOptions::new(dir.path())
    };
    let open = || LocalLog::open(LogOptions { compression: Compression::Lz4, ..options() }).unwrap();
    let (mut log, mut judge) = (open(), open_judge(judges.path()));
    let mut ids: Vec<RecordID> = Vec::new();
    for step in steps {
        match step {
            Step::Append(count, rows) => {
                let first = i64::try_from(ids.len()).unwrap();
                let records: Vec<_> = (first..first + count).map(|number| record(number, rows)).collect();
                ids.extend(block_on(judge.write_batch(records.iter().map(encoded).collect())).unwrap());
                block_on(log.submit_all(records).unwrap().durable).unwrap();
            }
            Step::Reopen => {
                drop((log, judge));
                (log, judge) = (open(), open_judge(judges.path()));
            }
            Step::Checkpoint(percent) => {
                log.checkpoint("c", Offset(ids.len() as u64 * percent / 100)).unwrap();
            }
        }
        let (start, end) = (log.start(), log.end());
        assert_eq!(end.0, ids.len() as u64);
        let found = log.read(start, usize::MAX, usize::MAX).unwrap();
        assert_eq!(found.len() as u64, end.0 - start.0);
        for (offset, record) in found {
            let id = ids[usize::try_from(offset.0).unwrap()];
            assert_eq!(encoded(&record), judge.read(id.file_id, id.file_offset).unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn both_logs_give_the_same_records(steps in steps()) {
        run(steps);
    }
}
