//! A disk that fails, or is full: what was acknowledged is there all the same.

use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;

use super::*;

/// What of one file would be left after a power cut. As on Linux, a failed fsync takes what was written for
/// clean: a later fsync does not bring it to the disk.
#[derive(Default)]
struct Platter {
    durable: Vec<u8>,
    dirty: Vec<(u64, Vec<u8>)>,
    failing: bool,
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

#[derive(Clone, Default)]
struct LinuxDisk(Arc<Mutex<Platter>>);

impl Hooks for LinuxDisk {
    fn writing(&self, path: &Path, bytes: &[u8], position: u64) -> (usize, io::Result<()>) {
        if is_segment(path) {
            self.0.lock().dirty.push((position, bytes.to_vec()));
        }
        (bytes.len(), Ok(()))
    }

    fn syncing(&self, path: &Path) -> io::Result<()> {
        if !is_segment(path) {
            return Ok(());
        }
        let mut platter = self.0.lock();
        let dirty = std::mem::take(&mut platter.dirty);
        if platter.failing {
            return Err(io::Error::other("no such disk"));
        }
        for (position, bytes) in dirty {
            let position = usize::try_from(position).unwrap();
            let end = (position + bytes.len()).max(platter.durable.len());
            platter.durable.resize(end, 0);
            platter.durable[position..position + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }
}

#[test]
fn what_a_failed_fsync_left_in_memory_is_written_again_before_it_counts() {
    let dir = TempDir::new().unwrap();
    let disk = LinuxDisk::default();
    let open = || {
        LocalLog::open_on(
            LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) },
            Arc::new(Hooked(disk.clone())),
        )
    };
    drop(open().unwrap());
    let log = open().unwrap();
    append_many(&log, 2, 3);
    disk.0.lock().failing = true;
    let error = block_on(log.append(record(2, 3))).unwrap_err();
    assert!(matches!(error, JournalError::Stopped(_)), "{error}");
    drop(log);
    assert!(matches!(open().map(drop), Err(LogError::Io { .. })), "the disk still fails");
    disk.0.lock().failing = false;
    let log = open().unwrap();
    assert_eq!(read_all(&log, 10), [0, 1, 2], "the refused record is in the system's memory, and may count");
    append(&log, record(3, 3));
    drop(log);

    std::fs::write(&segment_files(dir.path())[0], &disk.0.lock().durable).unwrap();
    assert_eq!(
        read_all(&LocalLog::open(options(dir.path())).unwrap(), 10),
        [0, 1, 2, 3],
        "after a power cut"
    );
}

/// A disk that can run full: it takes half of what is written then, as a file system does, and creates
/// nothing.
#[derive(Clone, Default)]
struct SmallDisk {
    full: Arc<AtomicBool>,
    refusals: Arc<AtomicUsize>,
}

impl SmallDisk {
    fn check(&self) -> io::Result<()> {
        if !self.full.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.refusals.fetch_add(1, Ordering::SeqCst);
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Hooks for SmallDisk {
    fn opening(&self, _: &Path, access: Access) -> io::Result<()> {
        if access == Access::Create { self.check() } else { Ok(()) }
    }

    fn writing(&self, _: &Path, bytes: &[u8], _: u64) -> (usize, io::Result<()>) {
        let outcome = self.check();
        (if outcome.is_ok() { bytes.len() } else { bytes.len() / 2 }, outcome)
    }
}

#[test]
fn a_full_disk_makes_senders_wait_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let disk = SmallDisk::default();
    let log = LocalLog::open_on(options(dir.path()), Arc::new(Hooked(disk.clone()))).unwrap();
    // Frames of 93 bytes in segments of 1,000: some of these meet the full disk when they are written, some
    // in the creation of a file.
    let mut number = 0;
    for _ in 0..12 {
        append(&log, record(number, 3));
        let seen = disk.refusals.load(Ordering::SeqCst);
        disk.full.store(true, Ordering::SeqCst);
        let waiting = log.submit(record(number + 1, 3)).unwrap();
        while disk.refusals.load(Ordering::SeqCst) < seen + 1 {
            std::thread::yield_now();
        }
        let error = loop {
            // Until the writer has said that the disk is full, senders are still put in line.
            match log.submit(Record::Tick(Timestamp(number + 2))) {
                Ok(_) => number += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, JournalError::Full(text) if text.contains("has no room")), "{error}");
        let end = log.end();
        disk.full.store(false, Ordering::SeqCst);
        assert_eq!(block_on(waiting.durable), Ok(end), "nothing became durable before there was room");
        number += 2;
    }
    append(&log, record(number, 3));
    let expected: Vec<_> = (0..=number).collect();
    assert_eq!(read_all(&log, 10), expected);
    assert!(log.metrics().segments > 2);
    drop(log);
    assert_eq!(read_all(&LocalLog::open(options(dir.path())).unwrap(), 10), expected, "after a restart");
}

#[test]
fn a_log_in_a_hurry_does_not_let_senders_wait_for_a_full_disk() {
    let dir = TempDir::new().unwrap();
    let disk = SmallDisk::default();
    let log = LocalLog::open_on(options(dir.path()), Arc::new(Hooked(disk.clone()))).unwrap();
    log.hurry();
    append(&log, record(0, 3));
    disk.full.store(true, Ordering::SeqCst);
    let ticket = log.submit(record(1, 3)).unwrap();
    let error = block_on(ticket.durable).unwrap_err();
    assert!(matches!(&error, JournalError::Stopped(text) if text.contains("no storage space")), "{error}");
    assert!(matches!(log.submit(record(2, 3)), Err(JournalError::Stopped(_))));
    drop(log);
    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(read_all(&LocalLog::open(options(dir.path())).unwrap(), 10), [0]);
}

#[test]
fn a_log_on_a_full_disk_can_be_closed() {
    let dir = TempDir::new().unwrap();
    let disk = SmallDisk::default();
    let log = LocalLog::open_on(options(dir.path()), Arc::new(Hooked(disk.clone()))).unwrap();
    append(&log, record(0, 3));
    disk.full.store(true, Ordering::SeqCst);
    let ticket = log.submit(record(1, 3)).unwrap();
    assert!(matches!(log.close(), Err(LogError::Stopped(_))));
    assert!(
        matches!(block_on(ticket.durable), Err(JournalError::Stopped(_))),
        "its sender is not told that it is safe"
    );
    drop(log);
    assert_eq!(read_all(&LocalLog::open(options(dir.path())).unwrap(), 10), [0]);
}

/// A disk on which no file grows, or none is removed, while it is told so.
#[derive(Clone, Default)]
struct StiffDisk {
    full: Arc<AtomicBool>,
    keeps: Arc<AtomicBool>,
}

impl Hooks for StiffDisk {
    fn writing(&self, path: &Path, bytes: &[u8], position: u64) -> (usize, io::Result<()>) {
        let grows = position + bytes.len() as u64 > std::fs::metadata(path).unwrap().len();
        if grows && self.full.load(Ordering::SeqCst) {
            (0, Err(io::ErrorKind::StorageFull.into()))
        } else {
            (bytes.len(), Ok(()))
        }
    }

    fn removing(&self, _: &Path) -> io::Result<()> {
        if self.keeps.load(Ordering::SeqCst) { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

#[test]
fn a_start_on_a_full_disk_makes_room_first_and_goes_on_with_the_file_there_is() {
    let dir = TempDir::new().unwrap();
    let disk = StiffDisk::default();
    let open = |segment_bytes| {
        let options = LogOptions { segment_bytes, consumers: vec!["lake".into()], ..options(dir.path()) };
        LocalLog::open_on(options, Arc::new(Hooked(disk.clone())))
    };
    let log = open(1_000).unwrap();
    append_many(&log, 40, 3);
    log.close().unwrap();
    drop(log);
    // As if the server had been killed between the lake's word and the removal of what it has taken in.
    std::fs::write(dir.path().join("checkpoints.json"), r#"{"lake": 35}"#).unwrap();
    let files = segment_files(dir.path()).len();
    disk.full.store(true, Ordering::SeqCst);
    // By the bound that is in force now the last segment is long.
    let log = open(500).unwrap();
    assert!(segment_files(dir.path()).len() + 2 < files, "{:?}", segment_files(dir.path()));
    assert_eq!((log.end(), log.start() > Offset(0)), (Offset(40), true));
    let ticket = log.submit(record(40, 3)).unwrap();
    while log.health() == LogHealth::Ok {
        std::thread::yield_now();
    }
    assert!(matches!(log.health(), LogHealth::Full(reason) if reason.contains("has no room; free some")));
    disk.full.store(false, Ordering::SeqCst);
    block_on(ticket.durable).unwrap();
    assert_eq!(read_all(&log, 10).last(), Some(&40));
    drop(log);

    // The creation of the next segment met the full disk, and so does the start.
    let last = dir.path().join(format!("{:020}.log", 41));
    std::fs::write(&last, b"FWLOG").unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let log = open(1_000).unwrap();
    assert_eq!((log.end(), last.exists()), (Offset(41), false));
    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(append(&log, record(41, 3)), Offset(41));
}

#[test]
fn what_cannot_be_removed_at_the_start_does_not_prevent_it() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    append_many(&log, 40, 3);
    drop(log);
    std::fs::write(dir.path().join("checkpoints.json"), r#"{"lake": 35}"#).unwrap();
    let files = segment_files(dir.path());
    let disk = StiffDisk::default();
    disk.keeps.store(true, Ordering::SeqCst);
    let log = LocalLog::open_on(options(dir.path()), Arc::new(Hooked(disk.clone()))).unwrap();
    assert_eq!((segment_files(dir.path()), append(&log, record(40, 3))), (files.clone(), Offset(40)));
    disk.keeps.store(false, Ordering::SeqCst);
    log.checkpoint("lake", Offset(36)).unwrap();
    assert!(segment_files(dir.path()).len() < files.len(), "the next checkpoint removes it");
}

/// A process that, for a while, may open no more files.
#[derive(Clone, Default)]
struct NoFiles(Arc<AtomicBool>, Arc<AtomicUsize>);

impl Hooks for NoFiles {
    fn opening(&self, _: &Path, _: Access) -> io::Result<()> {
        /// `EMFILE`.
        const OUT_OF_FILES: i32 = 24;
        if !self.0.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.1.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from_raw_os_error(OUT_OF_FILES))
    }
}

#[test]
fn a_process_without_descriptors_makes_senders_wait_and_the_log_lives_on() {
    let dir = TempDir::new().unwrap();
    let process = NoFiles::default();
    let log = LocalLog::open_on(options(dir.path()), Arc::new(Hooked(process.clone()))).unwrap();
    append(&log, record(0, 3));
    process.0.store(true, Ordering::SeqCst);
    // Segments hold 1,000 bytes and frames take 93, so one of these begins a segment.
    let tickets: Vec<_> = (1..20).map_while(|n| log.submit(record(n, 3)).ok()).collect();
    while process.1.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let error = loop {
        if let LogHealth::Full(reason) = log.health() {
            break reason;
        }
        std::thread::yield_now();
    };
    assert!(error.contains("as many files open as it may"), "{error}");
    assert!(!log.metrics().disk_full, "the disk has room");
    process.0.store(false, Ordering::SeqCst);
    let waited = tickets.len();
    for ticket in tickets {
        block_on(ticket.durable).unwrap();
    }
    assert!(waited >= 10, "a segment was filled: {waited}");
    assert!(log.metrics().segments > 1);
    append(&log, record(99, 3));
    assert_eq!(log.health(), LogHealth::Ok);
}
