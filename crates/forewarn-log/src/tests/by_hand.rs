//! A log without a thread of its own: nothing happens but by the caller's word.

use super::*;

fn by_hand(dir: &Path) -> Arc<LocalLog> {
    LocalLog::open(LogOptions { writer: WriterMode::ByHand, ..options(dir) }).unwrap()
}

#[test]
fn nothing_is_written_before_the_word() {
    let dir = TempDir::new().unwrap();
    let log = by_hand(dir.path());
    assert!(!log.write_waiting(), "nothing is in line");
    let tickets: Vec<_> = (0..30).map(|number| log.submit(record(number, 3)).unwrap()).collect();
    assert_eq!(log.end(), Offset(0));
    assert!(log.write_waiting());
    assert_eq!(log.end(), Offset(10), "one group fills one segment");
    while log.write_waiting() {}
    for ticket in tickets {
        block_on(ticket.durable).unwrap();
    }
    assert_eq!(read_all(&log, 7), (0..30).collect::<Vec<_>>());
}

#[test]
fn closing_writes_what_is_in_line_and_dropping_does_not() {
    let dir = TempDir::new().unwrap();
    let log = by_hand(dir.path());
    let ticket = log.submit(record(0, 3)).unwrap();
    log.close().unwrap();
    block_on(ticket.durable).unwrap();
    assert!(!log.write_waiting());
    drop(log);

    let log = by_hand(dir.path());
    let ticket = log.submit(record(1, 3)).unwrap();
    drop(log);
    assert!(matches!(block_on(ticket.durable), Err(JournalError::Stopped(_))));
    assert_eq!(read_all(&by_hand(dir.path()), 1), [0]);
}

/// A disk that fails from the first fsync on.
#[derive(Clone)]
struct FailingDisk(Arc<AtomicBool>);

impl Hooks for FailingDisk {
    fn syncing(&self, _: &Path) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(io::Error::other("no such disk")) } else { Ok(()) }
    }
}

#[test]
fn a_failed_disk_stops_a_log_by_hand_as_it_does_any_other() {
    let dir = TempDir::new().unwrap();
    let failing = Arc::new(AtomicBool::new(false));
    let options = LogOptions { writer: WriterMode::ByHand, ..options(dir.path()) };
    let log = LocalLog::open_on(options, Arc::new(Hooked(FailingDisk(Arc::clone(&failing))))).unwrap();
    let mut follower = Follower::new(Arc::clone(&log) as Arc<dyn Log>, Offset(0));
    let ticket = log.submit(record(0, 3)).unwrap();
    failing.store(true, Ordering::SeqCst);
    assert!(!log.write_waiting());
    assert!(
        matches!(block_on(ticket.durable), Err(JournalError::Stopped(text)) if text.contains("no such disk"))
    );
    assert!(matches!(log.submit(record(1, 3)), Err(JournalError::Stopped(_))));
    assert!(matches!(block_on(follower.next(1)), Err(LogError::Stopped(_))));
    assert_eq!(log.end(), Offset(0));
}
