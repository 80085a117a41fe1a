//! Free space, taken from the disk ahead of need: it is neither content nor damage, and it never takes more
//! than the log may.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::segment::recover;

/// One segment that takes free space.
fn roomy(dir: &Path) -> LogOptions {
    LogOptions { segment_bytes: 1 << 19, max_bytes: 1 << 22, ..options(dir) }
}

/// What a killed process leaves of a log with `records` records: nobody has cut the free space off.
fn left_behind(dir: &Path, records: i64) -> std::path::PathBuf {
    let log = LocalLog::open(LogOptions { writer: WriterMode::ByHand, ..roomy(dir) }).unwrap();
    for number in 0..records {
        let _ticket = log.submit(record(number, 2)).unwrap();
        assert!(log.write_waiting());
    }
    segment_files(dir)[0].clone()
}

fn length(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

#[test]
fn small_groups_do_not_change_the_length_of_the_file() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(roomy(dir.path())).unwrap();
    append(&log, record(0, 2));
    let path = segment_files(dir.path())[0].clone();
    let taken = length(&path);
    assert!(taken >= 1 << 18, "{taken}");
    for number in 1..50 {
        append(&log, record(number, 2));
        assert_eq!(length(&path), taken);
    }
    assert_eq!(log.metrics().disk_bytes, taken, "free space takes room too");
    assert_eq!(read_all(&log, 7), (0..50).collect::<Vec<_>>());
    log.close().unwrap();
    assert!(length(&path) < 5_000, "a closed log keeps none: {}", length(&path));
    assert_eq!(log.metrics().disk_bytes, length(&path));
}

#[test]
fn a_sealed_segment_keeps_no_free_space() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    append_many(&log, 60, 3);
    let files = segment_files(dir.path());
    assert!(files.len() > 4);
    for (path, next) in files.iter().zip(&files[1..]) {
        let base = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(
            length(path),
            crate::segment::HEADER_BYTES + 93 * (base(next) - base(path)),
            "frames of 93 bytes and nothing else"
        );
    }
}

#[test]
fn free_space_is_no_damage() {
    let dir = TempDir::new().unwrap();
    let path = left_behind(dir.path(), 4);
    assert!(length(&path) > 10_000);
    let reports = inspect(dir.path()).unwrap();
    assert_eq!((reports[0].end, &reports[0].problem, reports[0].torn), (Offset(4), &None, false));
    assert_eq!(recover(&RealDisk, dir.path(), Offset(0)).unwrap().cut_bytes, 0);
    let log = LocalLog::open(roomy(dir.path())).unwrap();
    append(&log, record(4, 2));
    assert_eq!(read_all(&log, 7), [0, 1, 2, 3, 4]);
}

#[test]
fn a_wrong_byte_in_free_space_costs_nothing_and_one_before_durable_records_is_told() {
    let dir = TempDir::new().unwrap();
    let path = left_behind(dir.path(), 4);
    let whole = std::fs::read(&path).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for position in [used + 100, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[position] = 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let reports = inspect(dir.path()).unwrap();
        assert!(reports[0].torn && reports[0].problem.is_some(), "{:?}", reports[0]);
        assert_eq!(read_all(&LocalLog::open(roomy(dir.path())).unwrap(), 7), [0, 1, 2, 3], "byte {position}");
    }
    let mut bytes = whole.clone();
    bytes[used / 2] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    let error = LocalLog::open(roomy(dir.path())).map(drop).unwrap_err();
    assert!(matches!(&error, LogError::Corrupt { path: found, .. } if *found == path), "{error}");
    let reports = inspect(dir.path()).unwrap();
    assert!(!reports[0].torn && reports[0].problem.is_some(), "{:?}", reports[0]);
}

#[test]
fn a_hole_of_zeros_before_durable_records_is_no_free_space() {
    let dir = TempDir::new().unwrap();
    let path = left_behind(dir.path(), 100);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512..1_024].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(LocalLog::open(roomy(dir.path())).map(drop), Err(LogError::Corrupt { .. })));
    let reports = inspect(dir.path()).unwrap();
    assert!(!reports[0].torn && reports[0].problem.is_some(), "{:?}", reports[0]);
}

#[test]
fn a_torn_group_leaves_nothing_that_a_later_start_could_take_for_records() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { writer: WriterMode::ByHand, ..roomy(dir.path()) }).unwrap();
    for number in 0..3 {
        let _ticket = log.submit(record(number, 2)).unwrap();
    }
    assert!(log.write_waiting(), "one group");
    drop(log);
    let path = segment_files(dir.path())[0].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[24 + 72 + 30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let log = LocalLog::open(LogOptions { writer: WriterMode::ByHand, ..roomy(dir.path()) }).unwrap();
    assert_eq!(read_all(&log, 7), [0]);
    let _ticket = log.submit(record(7, 2)).unwrap();
    assert!(log.write_waiting());
    drop(log);
    assert_eq!(
        read_all(&LocalLog::open(roomy(dir.path())).unwrap(), 7),
        [0, 7],
        "the third frame of the torn group is gone"
    );
}

/// A disk on which no file may grow past a length.
#[derive(Clone)]
struct NarrowDisk(Arc<AtomicU64>);

impl Hooks for NarrowDisk {
    fn writing(&self, _: &Path, bytes: &[u8], position: u64) -> (usize, io::Result<()>) {
        let left = usize::try_from(self.0.load(Ordering::SeqCst).saturating_sub(position)).unwrap();
        if bytes.len() <= left {
            (bytes.len(), Ok(()))
        } else {
            (left, Err(io::ErrorKind::StorageFull.into()))
        }
    }
}

#[test]
fn where_there_is_no_room_for_free_space_the_log_does_without() {
    let dir = TempDir::new().unwrap();
    let limit = Arc::new(AtomicU64::new(2_000));
    let options = LogOptions { writer: WriterMode::ByHand, ..roomy(dir.path()) };
    let log = LocalLog::open_on(options, Arc::new(Hooked(NarrowDisk(Arc::clone(&limit))))).unwrap();
    let mut number = 0;
    let mut submit = || {
        number += 1;
        log.submit(record(number - 1, 2)).unwrap()
    };
    for _ in 0..(2_000 - 24) / 72 {
        let ticket = submit();
        assert!(log.write_waiting());
        block_on(ticket.durable).unwrap();
    }
    let waiting = submit();
    assert!(!log.write_waiting());
    assert!(log.metrics().disk_bytes <= 2_000 + 72);
    limit.store(4_000, Ordering::SeqCst);
    assert!(log.write_waiting());
    block_on(waiting.durable).unwrap();
    assert_eq!(read_all(&log, 7), (0..28).collect::<Vec<_>>());
}

#[test]
fn the_files_never_take_more_than_max_bytes() {
    let dir = TempDir::new().unwrap();
    let options = LogOptions { segment_bytes: 30_000, max_bytes: 80_000, ..options(dir.path()) };
    let log = LocalLog::open(options).unwrap();
    let on_disk = || segment_files(dir.path()).iter().map(|path| length(path)).sum::<u64>();
    let mut taken = 0;
    while block_on(log.append(record(taken, 3))).is_ok() {
        taken += 1;
        assert!(on_disk() <= 80_000, "{} after {taken} records", on_disk());
        assert_eq!(log.metrics().disk_bytes, on_disk());
    }
    assert!(on_disk() > 70_000, "{}", on_disk());
}

#[test]
fn a_log_of_the_first_version_goes_on_in_a_new_segment() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(roomy(dir.path())).unwrap();
    append_many(&log, 3, 2);
    drop(log);
    let as_first_version = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(path, &bytes).unwrap();
        bytes
    };
    let path = segment_files(dir.path())[0].clone();
    let before = as_first_version(&path);
    let log = LocalLog::open(LogOptions { compression: Compression::Lz4, ..roomy(dir.path()) }).unwrap();
    append(&log, record(3, 40));
    assert_eq!(read_all(&log, 1), [0, 1, 2, 3]);
    drop(log);
    assert_eq!(std::fs::read(&path).unwrap(), before, "the program that wrote it can still read it");
    let files = segment_files(dir.path());
    assert_eq!(files.len(), 2);

    // An empty one is replaced.
    let dir = TempDir::new().unwrap();
    drop(LocalLog::open(roomy(dir.path())).unwrap());
    as_first_version(&segment_files(dir.path())[0]);
    let log = LocalLog::open(roomy(dir.path())).unwrap();
    append(&log, record(0, 2));
    assert_eq!((segment_files(dir.path()).len(), read_all(&log, 1)), (1, vec![0]));
}
