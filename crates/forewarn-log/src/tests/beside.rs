//! A look at the files of a log that is written to meanwhile.

use super::*;
use crate::segment::HEADER_BYTES;

/// A frame of a record with three readings.
const FRAME: u64 = 93;

/// Shows the second half of one frame as zeros so many times: the reader came while the frame was being
/// written.
#[derive(Clone)]
struct EarlyReader {
    frame: u64,
    times: Arc<std::sync::atomic::AtomicUsize>,
}

impl Hooks for EarlyReader {
    fn reading(&self, _: &Path, bytes: &mut [u8], position: u64) {
        let end = HEADER_BYTES + (self.frame + 1) * FRAME;
        let seen = (end - FRAME / 2).max(position)..end.min(position + bytes.len() as u64);
        let is_early = |times: usize| times.checked_sub(1);
        if !seen.is_empty() && self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_early).is_ok() {
            let place = |at: u64| usize::try_from(at - position).unwrap();
            bytes[place(seen.start)..place(seen.end)].fill(0);
        }
    }
}

/// What a look finds in a log of five records that is open, if `frame` is seen before it is whole so many
/// `times`.
fn look(frame: u64, times: usize) -> SegmentReport {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) }).unwrap();
    append_many(&log, 5, 3);
    let reader = EarlyReader { frame, times: Arc::new(times.into()) };
    let mut reports = inspect_on(dir.path(), &Hooked(reader.clone())).unwrap();
    assert_eq!(reader.times.load(Ordering::SeqCst), 0, "it was seen so");
    reports.remove(0)
}

#[test]
fn a_frame_that_is_seen_while_it_is_written_is_looked_at_again_and_is_no_damage() {
    for frame in 0..5 {
        let report = look(frame, 1);
        assert_eq!((report.problem, report.torn, report.end), (None, false, Offset(5)), "frame {frame}");
    }
}

#[test]
fn what_is_still_not_whole_at_the_second_look_is_told() {
    // The third look is that for whole frames behind it.
    let report = look(2, 3);
    assert_eq!(
        (report.problem.map(|(position, _)| position), report.torn, report.end),
        (Some(HEADER_BYTES + 2 * FRAME), false, Offset(2))
    );
    let report = look(4, 3);
    assert_eq!(
        (report.problem.map(|(position, _)| position), report.torn, report.end),
        (Some(HEADER_BYTES + 4 * FRAME), true, Offset(4))
    );
}
