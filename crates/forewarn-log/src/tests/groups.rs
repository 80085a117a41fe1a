//! How records are written: with how much patience, and how small.

use std::io::IoSlice;

use super::*;
use crate::buffers::Buffers;
use crate::frame::{FRAME_BYTES, Found, Frames, MAX_PAYLOAD_BYTES};

/// A writer that would wait for an hour.
fn patient(dir: &Path) -> Arc<LocalLog> {
    let options = LogOptions { group_delay: Duration::from_hours(1), queue_bytes: 1_000, ..options(dir) };
    LocalLog::open_unchecked(options, Arc::new(RealDisk)).unwrap()
}

#[test]
fn a_patient_writer_gathers_records_until_enough_are_in_line() {
    let dir = TempDir::new().unwrap();
    let log = patient(dir.path());
    let few: Vec<_> = (0..5).map(|number| log.submit(record(number, 3)).unwrap()).collect();
    assert_eq!((log.end(), log.metrics().fsyncs), (Offset(0), 0), "465 bytes are not enough");
    let enough = log.submit(record(5, 3)).unwrap();
    for ticket in few.into_iter().chain([enough]) {
        block_on(ticket.durable).unwrap();
    }
    assert_eq!(log.metrics().fsyncs, 1);
}

#[test]
fn closing_ends_the_patience() {
    let dir = TempDir::new().unwrap();
    let log = patient(dir.path());
    let ticket = log.submit(record(0, 3)).unwrap();
    log.close().unwrap();
    block_on(ticket.durable).unwrap();
}

#[test]
fn a_delay_of_which_every_sender_would_complain_is_refused() {
    let dir = TempDir::new().unwrap();
    let options = LogOptions { group_delay: Duration::from_secs(1), ..options(dir.path()) };
    let error = LocalLog::open(options).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("log.group_delay is 1s") && error.to_string().contains("at most 100ms"),
        "{error}"
    );
}

#[test]
fn compressed_and_plain_records_stand_side_by_side() {
    let dir = TempDir::new().unwrap();
    let open = |compression| {
        LocalLog::open(LogOptions {
            compression,
            cache_bytes: 0,
            segment_bytes: 1 << 19,
            ..options(dir.path())
        })
        .unwrap()
    };
    for (round, compression) in
        [Compression::None, Compression::Lz4, Compression::None, Compression::Lz4].into_iter().enumerate()
    {
        let log = open(compression);
        let first = i64::try_from(round).unwrap() * 10;
        for number in first..first + 10 {
            append(&log, record(number, 50));
        }
        let all: Vec<_> = (0..first + 10).collect();
        assert_eq!(read_all(&log, 1), all);
        assert_eq!(read_all(&log, 100), all);
        let Record::Readings(batch) = &*log.read(Offset(5), 1, 1).unwrap()[0].1 else {
            panic!("no readings")
        };
        assert_eq!((batch.len(), batch.arrived), (50, Timestamp(5)));
    }
    let length = segment_files(dir.path())[0].metadata().unwrap().len();
    let plain = 40 * (FRAME_BYTES as u64 + 14 + 50 * 21);
    assert!(length < plain * 3 / 4, "{length} of {plain} bytes");
    let reports = inspect(dir.path()).unwrap();
    assert_eq!((reports[0].end, &reports[0].problem), (Offset(40), &None));
}

#[test]
fn a_compressed_record_that_claims_to_be_huge_is_damage() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) }).unwrap();
    append_many(&log, 2, 2);
    drop(log);
    let path = segment_files(dir.path())[0].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let mut payload = Payload::lz4(vec![0; 1_000], &Buffers::default());
    let size = u32::try_from(MAX_PAYLOAD_BYTES + 1).unwrap();
    payload.bytes[..4].copy_from_slice(&size.to_le_bytes());
    let mut group = Vec::new();
    push_frame(&mut group, &payload);
    bytes.extend(group);
    std::fs::write(&path, &bytes).unwrap();
    let reports = inspect(dir.path()).unwrap();
    assert!(
        matches!(&reports[0].problem, Some((_, problem)) if problem.contains("does not decompress")),
        "{:?}",
        reports[0]
    );
    assert_eq!((reports[0].end, reports[0].torn), (Offset(2), false));
    let error = LocalLog::open(options(dir.path())).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("a frame does not decompress, though its checksum matches"),
        "{error}"
    );
}

#[test]
fn a_segment_that_is_sealed_while_it_is_read_ends_where_its_records_end() {
    let dir = TempDir::new().unwrap();
    let log = LocalLog::open(LogOptions { segment_bytes: 1 << 19, ..options(dir.path()) }).unwrap();
    append_many(&log, 2, 2);
    let path = segment_files(dir.path())[0].clone();
    let mut frames = Frames::open(&RealDisk, &path, crate::segment::HEADER_BYTES).unwrap();
    log.close().unwrap();
    let found: Vec<_> = (0..3).map(|_| frames.next(false).unwrap()).collect();
    assert_eq!(
        found,
        [Found::Frame, Found::Frame, Found::End],
        "the free space was cut off after the file had been opened"
    );
}

#[test]
fn a_group_of_large_and_small_records_is_read_back_as_it_was_sent() {
    // From 8 KiB on a record is written from where it was encoded; the first ones leave their memory to later
    // ones.
    let rows = [1, 1_000, 3, 400, 389, 390, 391, 20_000, 2];
    for compression in [Compression::None, Compression::Lz4] {
        let dir = TempDir::new().unwrap();
        let options = LogOptions { compression, writer: WriterMode::ByHand, ..LogOptions::new(dir.path()) };
        let log = LocalLog::open(options.clone()).unwrap();
        for _ in 0..3 {
            let tickets: Vec<_> =
                (0..).zip(rows).map(|(number, rows)| log.submit(record(number, rows)).unwrap()).collect();
            assert!(log.write_waiting(), "all in one group");
            let last = tickets.into_iter().last().map(|ticket| block_on(ticket.durable).unwrap());
            assert_eq!(last.map(Offset::next), Some(log.end()));
        }
        assert_eq!(log.metrics().fsyncs, 3);
        log.close().unwrap();
        drop(log);
        let log = LocalLog::open(options).unwrap();
        let read = log.read(Offset(0), 100, usize::MAX).unwrap();
        let sent = (0..3).flat_map(|_| (0..).zip(rows).map(|(number, rows)| record(number, rows)));
        assert_eq!(read.len(), 27);
        assert!(
            read.iter().map(|(_, record)| record.as_ref()).eq(sent.collect::<Vec<_>>().iter()),
            "{compression:?}"
        );
    }
}

#[test]
fn any_number_of_parts_is_written_one_behind_the_other() {
    let dir = TempDir::new().unwrap();
    // More than the system takes at once, and empty ones.
    let parts: Vec<Vec<u8>> = (0..5_000_u32).map(|n| n.to_le_bytes()[..(n % 5) as usize].to_vec()).collect();
    let mut file = RealDisk.open(&dir.path().join("file"), Access::Create).unwrap();
    file.write_at(b"before and after", 0).unwrap();
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    file.write_parts_at(&mut slices, 7).unwrap();
    assert_eq!(
        std::fs::read(dir.path().join("file")).unwrap(),
        [b"before ".to_vec(), parts.concat()].concat()
    );
}
