//! The log as its users see it: what was acknowledged is there, once, in order, whatever happens in between.

mod ahead;
mod beside;
mod by_hand;
mod crash;
mod damage;
mod disk;
mod groups;
mod hooked;
mod model;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use forewarn_types::{
    AlertId, AlertState, AlertTransition, DefinitionFile, Definitions, Evidence, Journal as _, JournalError,
    Offset, Quality, ReadingBatch, ReadingFlags, Record, SeriesId, Severity, Timestamp, Transition,
};
use tempfile::TempDir;

use self::hooked::{Hooked, Hooks};
use super::*;
use crate::frame::frame_head;
use crate::payload::Payload;

/// A record whose content tells its number.
fn record(number: i64, rows: usize) -> Record {
    let mut batch = ReadingBatch::with_capacity(Timestamp(number), rows);
    for row in 0..rows {
        batch.push(SeriesId(0), Timestamp(number), row as f64, ReadingFlags::new(Quality::Good, false));
    }
    Record::Readings(batch)
}

fn number_of(record: &Record) -> i64 {
    match record {
        Record::Readings(batch) => batch.arrived.0,
        Record::Tick(time) => time.0,
        Record::Definitions(_) => -1,
        other => panic!("not written by a test: {other:?}"),
    }
}

fn options(dir: &Path) -> LogOptions {
    LogOptions { segment_bytes: 1_000, max_bytes: 1 << 20, cache_bytes: 500, ..LogOptions::new(dir) }
}

/// Adds the frame of `payload` to those of `group`.
fn push_frame(group: &mut Vec<u8>, payload: &Payload) {
    group.extend(frame_head(group.len(), payload));
    group.extend(&payload.bytes);
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn append(log: &LocalLog, record: Record) -> Offset {
    block_on(log.append(record)).unwrap()
}

/// Appends the records 0 to `count`, each durable before the next.
fn append_many(log: &LocalLog, count: i64, rows: usize) {
    for number in 0..count {
        append(log, record(number, rows));
    }
}

/// Everything that can be read, by reads of at most `at_once` records.
fn read_all(log: &LocalLog, at_once: usize) -> Vec<i64> {
    let mut found = Vec::new();
    let mut next = log.start();
    while next < log.end() {
        for (offset, record) in log.read(next, at_once, usize::MAX).unwrap() {
            assert_eq!(offset, next);
            next = next.next();
            found.push(number_of(&record));
        }
    }
    found
}

fn segment_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    files
}

#[test]
fn what_was_appended_is_read_back_in_order_also_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let numbers: Vec<i64> = (0..60).collect();
    {
        let log = LocalLog::open(options(dir.path())).unwrap();
        for &number in &numbers {
            assert_eq!(append(&log, record(number, 3)), Offset(u64::try_from(number).unwrap()));
        }
        for at_once in [1, 7, 1_000] {
            assert_eq!(read_all(&log, at_once), numbers);
        }
        assert!(log.metrics().segments > 4);
        log.close().unwrap();
        assert_eq!(read_all(&log, 7), numbers, "a closed log can still be read");
    }
    let log = LocalLog::open(options(dir.path())).unwrap();
    assert_eq!((log.start(), log.end()), (Offset(0), Offset(60)));
    assert_eq!(read_all(&log, 5), numbers);
    assert_eq!(append(&log, record(60, 1)), Offset(60));
    assert_eq!(read_all(&log, 50).last(), Some(&60));
    let on_disk: u64 = segment_files(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(log.metrics().disk_bytes, on_disk);
}

#[test]
fn a_read_is_bounded_in_records_and_bytes_but_never_empty() {
    let dir = TempDir::new().unwrap();
    for cache_bytes in [0, 1 << 20] {
        let log =
            LocalLog::open(LogOptions { cache_bytes, ..options(&dir.path().join(cache_bytes.to_string())) })
                .unwrap();
        append_many(&log, 10, 10);
        let count = |from, records, bytes| log.read(Offset(from), records, bytes).unwrap().len();
        assert_eq!(count(0, 4, usize::MAX), 4);
        assert_eq!(count(3, 100, 0), 1);
        assert_eq!(count(3, 0, 100), 1);
        assert_eq!(count(3, 100, 300), 2, "a record takes 224 bytes");
        assert_eq!(count(8, 100, usize::MAX), 2);
        assert_eq!(count(10, 100, usize::MAX), 0);
        assert_eq!(count(99, 100, usize::MAX), 0);
    }
}

#[test]
fn a_folder_serves_one_log_at_a_time() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    let error = LocalLog::open(options(dir.path())).map(drop).unwrap_err();
    assert!(matches!(error, LogError::Locked(_)), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    drop(log);
    LocalLog::open(options(dir.path())).unwrap();
}

#[test]
fn missing_folders_are_created() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(&dir.path().join("a/b/c"))).unwrap();
    assert_eq!(append(&log, record(0, 1)), Offset(0));
}

#[test]
fn options_that_could_never_trim_are_refused() {
    let dir = TempDir::new().unwrap();
    let error = LocalLog::open(LogOptions { segment_bytes: 600, max_bytes: 1_000, ..options(dir.path()) })
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("half of log.max_bytes"), "{error}");
}

#[test]
fn segments_go_when_every_consumer_has_passed_them() {
    let dir = TempDir::new().unwrap();
    let open =
        || LocalLog::open(LogOptions { consumers: vec!["lake".into()], ..options(dir.path()) }).unwrap();
    let log = open();
    append_many(&log, 40, 3);
    log.checkpoint("engine", Offset(40)).unwrap();
    assert_eq!(log.start(), Offset(0), "the lake has said nothing yet");
    log.checkpoint("lake", Offset(20)).unwrap();
    let start = log.start();
    assert!(Offset(0) < start && start <= Offset(20), "{start}");
    log.checkpoint("lake", Offset(5)).unwrap();
    assert_eq!(log.metrics().checkpoints, [("engine".into(), Offset(40)), ("lake".into(), Offset(20))]);
    let error = log.read(Offset(0), 1, 1).unwrap_err();
    assert!(matches!(error, LogError::Trimmed { from: Offset(0), .. }), "{error}");
    drop(log);

    let log = open();
    assert_eq!((log.start(), log.end()), (start, Offset(40)));
    assert_eq!(read_all(&log, 9), (i64::try_from(start.0).unwrap()..40).collect::<Vec<_>>());
    log.checkpoint("lake", Offset(40)).unwrap();
    assert_eq!(segment_files(dir.path()).len(), 1, "the segment that is written to stays");
    assert_eq!(append(&log, record(40, 3)), Offset(40));
    assert!(matches!(log.checkpoint("lake", Offset(42)), Err(LogError::Beyond { end: Offset(41), .. })));
}

#[test]
fn a_consumer_ahead_of_the_log_stops_the_start() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    append(&log, record(0, 1));
    log.checkpoint("lake", Offset(1)).unwrap();
    drop(log);
    std::fs::remove_file(&segment_files(dir.path())[0]).unwrap();
    let error = LocalLog::open(options(dir.path())).map(drop).unwrap_err();
    assert!(error.to_string().contains("consumer lake stands at offset 1, but the log ends at 0"), "{error}");
}

#[test]
fn a_full_log_refuses_readings_first_and_takes_them_again_after_a_trim() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { max_bytes: 4_000, ..options(dir.path()) }).unwrap();
    let mut taken = 0;
    let error = loop {
        match block_on(log.append(record(taken, 3))) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, JournalError::Full(text) if text.contains("log.max_bytes = 4000")), "{error}");
    assert!(taken > 30, "{taken}");
    while block_on(log.append(Record::Tick(Timestamp(taken)))).is_ok() {}
    assert!(
        matches!(log.health().problem(), Some(JournalError::Full(text)) if text.contains("log.max_bytes")),
        "{:?}",
        log.health()
    );
    append(&log, Record::Definitions(Definitions::default()));
    assert!(log.metrics().disk_bytes <= 4_000, "the clock leaves room for alerts and definitions");
    let error = block_on(log.append(record(0, 200))).unwrap_err();
    assert!(matches!(error, JournalError::Refused(_)), "a record that could never fit: {error}");

    log.checkpoint("lake", log.end()).unwrap();
    append(&log, record(taken + 1, 3));
    assert_eq!(log.health(), LogHealth::Ok);
    assert_eq!(read_all(&log, 10).last(), Some(&(taken + 1)));
}

fn alert() -> Record {
    Record::Alert(AlertTransition {
        alert: AlertId::derive("hot", "plant/pump0", Timestamp(0)),
        rule: "hot".into(),
        asset: "plant/pump0".into(),
        severity: Severity::Major,
        transition: Transition::Raised,
        state: AlertState::Unacknowledged,
        unknown: false,
        time: Timestamp(0),
        started: Timestamp(0),
        value: None,
        score: None,
        message: String::new(),
        actor: None,
        comment: None,
        cause: Offset(0),
        ordinal: 0,
        evidence: Evidence::default(),
    })
}

#[test]
fn definitions_find_room_in_a_log_that_alerts_have_filled() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { max_bytes: 64_000, segment_bytes: 16_000, ..options(dir.path()) })
        .unwrap();
    // Each kind leaves room for the next.
    for record in [record(0, 3), Record::Tick(Timestamp(0)), alert()] {
        append(&log, record.clone());
        while block_on(log.append(record.clone())).is_ok() {}
    }
    let file = DefinitionFile { path: "p.yaml".into(), text: "#".repeat(700).into() };
    append(&log, Record::Definitions(Definitions::of(vec![file])));
}

#[test]
fn a_bound_that_was_lowered_below_what_is_there_does_not_keep_the_log_full() {
    let dir = TempDir::new().unwrap();
    let open = |segment_bytes, max_bytes| {
        let consumers = vec!["lake".to_owned()];
        LocalLog::open(LogOptions { segment_bytes, max_bytes, consumers, ..options(dir.path()) }).unwrap()
    };
    let log = open(1 << 18, 1 << 20);
    append_many(&log, 100, 3);
    log.checkpoint("lake", log.end()).unwrap();
    drop(log);
    let log = open(1_000, 4_000);
    assert_eq!((log.start(), log.end()), (Offset(100), Offset(100)), "the lake has everything");
    assert_eq!(append(&log, record(100, 3)), Offset(100));
}

/// Holds every fsync up until it gets the word.
#[derive(Clone)]
struct HeldDisk {
    held: Arc<parking_lot::Mutex<mpsc::Receiver<io::Result<()>>>>,
    armed: Arc<AtomicBool>,
}

impl Hooks for HeldDisk {
    fn syncing(&self, _: &Path) -> io::Result<()> {
        if self.armed.load(Ordering::SeqCst) { self.held.lock().recv().unwrap_or(Ok(())) } else { Ok(()) }
    }
}

/// A log whose fsyncs wait, each for one word on the channel.
fn held_log(options: LogOptions) -> (Arc<LocalLog>, mpsc::Sender<io::Result<()>>) {
    let (release, held) = mpsc::channel();
    let disk = HeldDisk { held: Arc::new(held.into()), armed: Arc::default() };
    let log = LocalLog::open_on(options, Arc::new(Hooked(disk.clone()))).unwrap();
    disk.armed.store(true, Ordering::SeqCst);
    (log, release)
}

#[test]
fn at_the_bound_of_the_queue_senders_are_asked_to_wait() {
    let dir = TempDir::new().unwrap();
    let (log, release) = held_log(LogOptions { queue_bytes: 400, ..options(dir.path()) });
    let first = log.submit(record(0, 3)).unwrap();
    let mut waiting = 1;
    let error = loop {
        match log.submit(record(waiting, 3)) {
            Ok(_) => waiting += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Full(_)), "{error}");
    assert_eq!(waiting, 4, "frames of 93 bytes");
    assert_eq!((log.end(), read_all(&log, 10)), (Offset(0), vec![]), "nothing is durable yet");
    drop(release);
    block_on(first.durable).unwrap();
    append(&log, record(waiting, 3));
    assert_eq!(read_all(&log, 10), [0, 1, 2, 3, 4], "tickets may be dropped, records stay");
}

#[test]
fn records_that_belong_together_are_taken_together_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let (log, release) = held_log(LogOptions { queue_bytes: 400, max_bytes: 20_000, ..options(dir.path()) });
    let several =
        |first: i64, count: i64| (first..first + count).map(|number| record(number, 3)).collect::<Vec<_>>();
    let first = log.submit_all(several(0, 3)).unwrap();
    assert!(matches!(log.submit_all(several(3, 2)), Err(JournalError::Full(_))), "one of the two would fit");
    let second = log.submit_all(several(3, 1)).unwrap();
    drop(release);
    assert_eq!(block_on(second.durable), Ok(Offset(3)), "what was refused took no offset");
    assert_eq!(block_on(first.durable), Ok(Offset(2)));
    // More than the queue, and than a segment, takes: alone it is let through.
    block_on(log.submit_all(several(4, 20)).unwrap().durable).unwrap();
    assert_eq!(read_all(&log, 10), (0..24).collect::<Vec<_>>());
    let refused = log.submit_all(several(0, 200)).map(drop).unwrap_err();
    assert!(
        matches!(&refused, JournalError::Refused(text) if text.contains("send it in parts")),
        "{refused}"
    );
    assert!(matches!(log.submit_all(Vec::new()), Err(JournalError::Refused(_))));
}

#[test]
fn many_senders_share_an_fsync() {
    let dir = TempDir::new().unwrap();
    let (log, release) = held_log(LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) });
    let tickets: Vec<_> = (0..200).map(|number| log.submit(record(number, 1)).unwrap()).collect();
    drop(release);
    for (offset, ticket) in (0..).zip(tickets) {
        assert_eq!(block_on(ticket.durable), Ok(Offset(offset)));
    }
    assert!(log.metrics().fsyncs <= 2, "{}", log.metrics().fsyncs);
    assert_eq!(log.metrics().queue_bytes, 0);
}

#[test]
fn a_failed_fsync_stops_the_log_for_good() {
    let dir = TempDir::new().unwrap();
    let (log, release) = held_log(options(dir.path()));
    let mut follower = Follower::new(Arc::clone(&log) as Arc<dyn Log>, Offset(0));
    let first = log.submit(record(0, 1)).unwrap();
    let second = log.submit(record(1, 1)).unwrap();
    release.send(Err(io::Error::other("no such disk"))).unwrap();
    for ticket in [first, second] {
        let error = block_on(ticket.durable).unwrap_err();
        assert!(matches!(&error, JournalError::Stopped(text) if text.contains("no such disk")), "{error}");
    }
    assert!(matches!(log.submit(record(2, 1)), Err(JournalError::Stopped(_))));
    assert!(matches!(log.health(), LogHealth::Failed(reason) if reason.contains("no such disk")));
    assert!(matches!(block_on(follower.next(1)), Err(LogError::Stopped(_))));
    assert_eq!(log.end(), Offset(0));
    assert!(matches!(log.close(), Err(LogError::Stopped(_))));
}

#[test]
fn closing_keeps_what_is_in_line_and_takes_nothing_more() {
    let dir = TempDir::new().unwrap();
    let (log, release) = held_log(options(dir.path()));
    let ticket = log.submit(record(0, 1)).unwrap();
    drop(release);
    log.close().unwrap();
    block_on(ticket.durable).unwrap();
    assert!(matches!(log.submit(record(1, 1)), Err(JournalError::Stopped(_))));
    drop(log);
    assert_eq!(read_all(&LocalLog::open(options(dir.path())).unwrap(), 1), [0]);
}

#[test]
fn a_follower_sees_each_record_once_while_others_write() {
    const WRITERS: i64 = 4;
    const EACH: i64 = 100;
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let seen = runtime.block_on(async {
        for writer in 0..WRITERS {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for number in 0..EACH {
                    log.append(record(writer * EACH + number, 2)).await.unwrap();
                }
            });
        }
        let mut follower = Follower::new(Arc::clone(&log) as Arc<dyn Log>, Offset(0));
        let mut seen = Vec::new();
        while seen.len() < usize::try_from(WRITERS * EACH).unwrap() {
            let found =
                tokio::time::timeout(Duration::from_mins(1), follower.next(16)).await.unwrap().unwrap();
            for (offset, record) in found {
                assert_eq!(offset, Offset(seen.len() as u64));
                seen.push(number_of(&record));
            }
        }
        seen
    });
    for writer in 0..WRITERS {
        let own: Vec<i64> = seen.iter().copied().filter(|number| number / EACH == writer).collect();
        assert!(own.is_sorted() && own.len() == usize::try_from(EACH).unwrap(), "writer {writer}");
    }
    assert!(log.metrics().segments > 10);
}

/// Reads only once the gate is open, and counts how often it was asked to.
struct SlowLog {
    log: Arc<LocalLog>,
    gate: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
    reads: std::sync::atomic::AtomicUsize,
}

impl Journal for SlowLog {
    fn append(&self, record: Record) -> forewarn_types::BoxFuture<'_, Result<Offset, JournalError>> {
        self.log.append(record)
    }
}

impl Log for SlowLog {
    fn id(&self) -> &str {
        self.log.id()
    }

    fn submit_all(&self, records: Vec<Record>) -> Result<crate::Ticket, JournalError> {
        self.log.submit_all(records)
    }

    fn health(&self) -> LogHealth {
        self.log.health()
    }

    fn start(&self) -> Offset {
        self.log.start()
    }

    fn end(&self) -> Offset {
        self.log.end()
    }

    fn watch(&self) -> tokio::sync::watch::Receiver<Offset> {
        self.log.watch()
    }

    fn read(
        &self,
        from: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        self.reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // The sender is dropped to let everybody through.
        let _open = self.gate.lock().unwrap().recv();
        self.log.read(from, max_records, max_bytes)
    }

    fn checkpoint(&self, consumer: &str, offset: Offset) -> Result<(), LogError> {
        self.log.checkpoint(consumer, offset)
    }
}

#[test]
fn a_read_that_is_slower_than_its_caller_is_patient_goes_on() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    block_on(log.append(record(7, 1))).unwrap();
    let (open, gate) = std::sync::mpsc::channel();
    let slow = Arc::new(SlowLog {
        log,
        gate: std::sync::Mutex::new(gate),
        reads: std::sync::atomic::AtomicUsize::new(0),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut follower = Follower::new(Arc::clone(&slow) as Arc<dyn Log>, Offset(0));
        for _ in 0..3 {
            tokio::select! {
                biased;
                _ = follower.next(1) => panic!("the gate is closed"),
                () = std::future::ready(()) => {}
            }
        }
        drop(open);
        let found = follower.next(1).await.unwrap();
        assert_eq!(found.iter().map(|(_, record)| number_of(record)).collect::<Vec<_>>(), [7]);
    });
    drop(runtime);
    assert_eq!(slow.reads.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn figures_can_be_asked_for_while_checkpoints_trim() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { consumers: vec!["c".into()], ..options(dir.path()) }).unwrap();
    let tickets: Vec<_> = (0..2_000).map(|number| log.submit(record(number, 8)).unwrap()).collect();
    for ticket in tickets {
        block_on(ticket.durable).unwrap();
    }
    std::thread::scope(|scope| {
        let trimming =
            scope.spawn(|| (1..=100).for_each(|step| log.checkpoint("c", Offset(20 * step)).unwrap()));
        let mut asked = 0;
        while asked == 0 || !trimming.is_finished() {
            asked += log.metrics().segments;
        }
    });
    assert_eq!(log.metrics().checkpoints, [("c".to_owned(), Offset(2_000))]);
}
