//! What a start makes of files that a crash or a failing disk has left.

use std::fs::OpenOptions;
use std::io::Write;

use super::*;
use crate::frame::FRAME_BYTES;
use crate::payload::Payload;
use crate::segment::HEADER_BYTES;

/// Appends records 0, 1, …, each durable before the next, and returns the only segment's bytes.
fn written(dir: &Path, records: i64) -> Vec<u8> {
    let log = LocalLog::open(LogOptions { segment_bytes: 1 << 19, ..options(dir) }).unwrap();
    append_many(&log, records, 2);
    log.close().unwrap();
    std::fs::read(&segment_files(dir)[0]).unwrap()
}

fn open(dir: &Path) -> Result<Arc<LocalLog>, LogError> {
    LocalLog::open(LogOptions { segment_bytes: 1 << 19, ..options(dir) })
}

const PAYLOAD: usize = 2 + 12 + 2 * 21;
const FRAME: usize = FRAME_BYTES + PAYLOAD;

#[test]
fn a_tail_torn_at_any_byte_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let whole = written(dir.path(), 4);
    let path = segment_files(dir.path())[0].clone();
    let last = whole.len() - FRAME;
    for length in last..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let log = open(dir.path()).unwrap();
        assert_eq!(read_all(&log, 10), [0, 1, 2], "cut at byte {length}");
        assert_eq!(path.metadata().unwrap().len(), last as u64);
        assert_eq!(append(&log, record(7, 1)), Offset(3));
        drop(log);
        assert_eq!(
            read_all(&open(dir.path()).unwrap(), 10),
            [0, 1, 2, 7],
            "appended after a cut at byte {length}"
        );
    }
}

#[test]
fn a_tail_with_any_byte_wrong_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let whole = written(dir.path(), 3);
    let path = segment_files(dir.path())[0].clone();
    for position in whole.len() - FRAME..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read_all(&open(dir.path()).unwrap(), 10), [0, 1], "byte {position}");
    }
}

#[test]
fn zeros_at_the_end_are_cut_off() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), 3);
    let mut file = OpenOptions::new().append(true).open(&segment_files(dir.path())[0]).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    assert_eq!(read_all(&open(dir.path()).unwrap(), 10), [0, 1, 2]);
}

#[test]
fn damage_before_durable_records_is_not_cut_off_but_reported() {
    let dir = TempDir::new().unwrap();
    let whole = written(dir.path(), 4);
    let path = segment_files(dir.path())[0].clone();
    let second = usize::try_from(HEADER_BYTES).unwrap() + FRAME;
    for position in second..second + FRAME {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let error = open(dir.path()).map(drop).unwrap_err();
        assert!(
            matches!(&error, LogError::Corrupt { position, .. } if *position == second as u64),
            "byte {position}: {error}"
        );
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "a damaged file is left as it is");
    }
}

#[test]
fn a_group_that_never_became_durable_may_be_torn_in_its_middle() {
    let dir = TempDir::new().unwrap();
    let mut bytes = written(dir.path(), 2);
    let durable = bytes.len();
    let mut group = Vec::new();
    for number in 2..5 {
        let mut payload = Vec::new();
        forewarn_types::encode_record(&record(number, 2), &mut payload).unwrap();
        push_frame(&mut group, &Payload::plain(payload));
    }
    bytes.extend(&group);
    let path = segment_files(dir.path())[0].clone();
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_all(&open(dir.path()).unwrap(), 10), [0, 1, 2, 3, 4], "the group is whole");

    bytes[durable + FRAME + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_all(&open(dir.path()).unwrap(), 10), [0, 1, 2], "the group lost its second frame");
}

#[test]
fn a_segment_whose_creation_was_cut_short_is_begun_again() {
    let dir = TempDir::new().unwrap();
    written(dir.path(), 3);
    for length in 0..HEADER_BYTES {
        std::fs::write(dir.path().join(format!("{:020}.log", 3)), vec![0; usize::try_from(length).unwrap()])
            .unwrap();
        let log = open(dir.path()).unwrap();
        assert_eq!((log.end(), read_all(&log, 10)), (Offset(3), vec![0, 1, 2]));
    }
}

#[test]
fn damage_in_a_sealed_segment_stops_its_reader_only() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { cache_bytes: 0, ..options(dir.path()) }).unwrap();
    append_many(&log, 60, 2);
    drop(log);
    let path = segment_files(dir.path())[1].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    let log = LocalLog::open(LogOptions { cache_bytes: 0, ..options(dir.path()) }).unwrap();
    let mut read = 0;
    let error = loop {
        match log.read(Offset(read), 1, usize::MAX) {
            Ok(found) => read += found.len() as u64,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, LogError::Corrupt { path: found, .. } if *found == path), "{error}");
    assert!(error.to_string().contains(&format!("offset {read}")), "{error}");
    assert_eq!(log.read(Offset(59), 1, 1).unwrap().len(), 1);
    append(&log, record(60, 1));
}

#[test]
fn a_renamed_or_shortened_sealed_segment_is_reported() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    append_many(&log, 60, 2);
    drop(log);
    let files = segment_files(dir.path());
    let length = files[1].metadata().unwrap().len();
    OpenOptions::new().write(true).open(&files[1]).unwrap().set_len(length - FRAME as u64).unwrap();
    std::fs::rename(&files[2], dir.path().join(format!("{:020}.log", 30))).unwrap();
    let log = LocalLog::open(options(dir.path())).unwrap();
    let problem =
        |from: u64| (from..60).find_map(|offset| log.read(Offset(offset), 1, 1).err()).unwrap().to_string();
    assert!(problem(0).contains("the file ends before offset"), "{}", problem(0));
    assert!(problem(30).contains("was renamed"), "{}", problem(30));
}
