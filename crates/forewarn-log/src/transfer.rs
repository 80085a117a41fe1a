//! Part of a log as bytes, and a log that begins with it elsewhere: what a backup takes along, and what a
//! restored server goes on with.
//!
//! The bytes are for each record its length (u32, little endian) and its encoding. They have no checksum of
//! their own: whoever keeps them keeps one with them.

use std::path::Path;

use forewarn_types::{Offset, Record, SeriesDef, decode_record, encode_record};

use crate::segment::Segment;
use crate::{Disk as _, LocalLog, Log, LogError, LogOptions, RealDisk, identity};

const READ_RECORDS: usize = 4_096;
const READ_BYTES: usize = 16 << 20;

/// The records of `log` from `from` on and before `to`. Blocks on the disk.
///
/// # Errors
/// [`LogError`] if some of them have been trimmed, or the disk fails.
pub fn export(log: &dyn Log, from: Offset, to: Offset) -> Result<Vec<u8>, LogError> {
    let mut out = Vec::new();
    let mut next = from;
    while next < to {
        for (offset, record) in log.read(next, READ_RECORDS, READ_BYTES)? {
            next = offset.next();
            if offset < to {
                push(offset, &record, &mut out)?;
            }
        }
    }
    Ok(out)
}

/// At least `count` records, as [`export`] gives them, that stand where records are lost, so that no offset
/// means two records. They define `series`, which the lost ones may have done, and say nothing else.
///
/// # Errors
/// [`LogError`] if there were a series that cannot be encoded.
pub fn stand_in(series: &[SeriesDef], count: u64) -> Result<Vec<u8>, LogError> {
    let mut out = Vec::new();
    let mut made = 0;
    for series in series.chunks(READ_RECORDS) {
        push(Offset(made), &Record::Series(series.to_vec()), &mut out)?;
        made += 1;
    }
    for n in made..count {
        push(Offset(n), &Record::Series(Vec::new()), &mut out)?;
    }
    Ok(out)
}

fn push(offset: Offset, record: &Record, out: &mut Vec<u8>) -> Result<(), LogError> {
    let start = out.len();
    out.extend([0; 4]);
    encode_record(record, out)
        .map_err(|error| LogError::Transfer(format!("offset {offset} cannot be encoded: {error}")))?;
    let length = u32::try_from(out.len() - start - 4)
        .map_err(|_| LogError::Transfer(format!("offset {offset} is too long")))?;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Begins the log `id` in the folder of `options`, which must hold no log, with the records of `exported`,
/// the first of which has the offset `first`. The end of the new log comes back. Blocks on the disk.
///
/// # Errors
/// [`LogError`] if there is a log already, the bytes are not those of [`export`], or the disk fails.
pub async fn import(
    options: LogOptions,
    id: &str,
    first: Offset,
    exported: &[u8],
) -> Result<Offset, LogError> {
    let records = decode(first, exported)?;
    found(&options.dir, id, first)?;
    let log = LocalLog::open(options)?;
    for records in records {
        let refused = |error| LogError::Transfer(format!("the new log does not take the records: {error}"));
        log.submit_all(records).map_err(refused)?.durable.await.map_err(refused)?;
    }
    log.close()?;
    Ok(log.end())
}

/// Makes an empty log whose first record will have the offset `first`.
fn found(dir: &Path, id: &str, first: Offset) -> Result<(), LogError> {
    if dir.exists() && std::fs::read_dir(dir).map_err(LogError::io("list", dir))?.next().is_some() {
        return Err(LogError::Transfer(format!(
            "{} is not empty; name a folder that holds no log",
            dir.display()
        )));
    }
    RealDisk.create_dir(dir).map_err(LogError::io("create the folder", dir))?;
    identity::give(&RealDisk, dir, id)?;
    Segment::create(&RealDisk, dir, first).map(drop)
}

/// The records, in groups that are small enough to be put in line at once.
fn decode(first: Offset, mut bytes: &[u8]) -> Result<Vec<Vec<Record>>, LogError> {
    let cut_off = || LogError::Transfer("the exported records end in the middle of one".into());
    let mut groups: Vec<Vec<Record>> = Vec::new();
    let (mut offset, mut room) = (first, 0_usize);
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (payload, rest) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        let record = decode_record(offset, payload).map_err(|error| LogError::Transfer(error.to_string()))?;
        if length > room || groups.is_empty() {
            groups.push(Vec::new());
            room = READ_BYTES;
        }
        if let Some(group) = groups.last_mut() {
            group.push(record);
        }
        room = room.saturating_sub(length);
        (offset, bytes) = (offset.next(), rest);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use forewarn_types::{SeriesId, Timestamp};

    use super::*;

    fn tick(n: u64) -> Record {
        Record::Tick(Timestamp(i64::try_from(n).unwrap()))
    }

    fn read(log: &dyn Log, from: u64) -> Vec<(Offset, Record)> {
        log.read(Offset(from), 100, 1 << 20)
            .unwrap()
            .into_iter()
            .map(|(offset, record)| (offset, Record::clone(&record)))
            .collect()
    }

    #[tokio::test]
    async fn part_of_a_log_begins_another_one_with_the_same_offsets() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = LocalLog::open(LogOptions::new(here.path())).unwrap();
        log.submit_all((0..9).map(tick).collect()).unwrap();
        log.close().unwrap();
        let exported = export(log.as_ref(), Offset(4), Offset(8)).unwrap();
        let options = LogOptions::new(there.path().join("log"));
        assert_eq!(import(options.clone(), log.id(), Offset(4), &exported).await.unwrap(), Offset(8));

        let copy = LocalLog::open(options.clone()).unwrap();
        assert_eq!((copy.id(), copy.start(), copy.end()), (log.id(), Offset(4), Offset(8)));
        assert_eq!(read(copy.as_ref(), 4), read(log.as_ref(), 4)[..4]);
        let ticket = copy.submit_all(vec![tick(100)]).unwrap();
        assert_eq!(ticket.durable.await, Ok(Offset(8)), "offsets go on");
        drop(copy);
        assert!(
            import(options, log.id(), Offset(4), &exported).await.is_err(),
            "a log that is there is left alone"
        );
    }

    #[tokio::test]
    async fn no_record_at_all_still_says_where_the_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(import(LogOptions::new(dir.path()), id, Offset(70), &[]).await.unwrap(), Offset(70));
        let log: Arc<dyn Log> = LocalLog::open(LogOptions::new(dir.path())).unwrap();
        assert_eq!((log.id(), log.start(), log.end()), (id, Offset(70), Offset(70)));
    }

    #[tokio::test]
    async fn bytes_that_end_too_soon_are_refused_before_anything_is_written() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = LocalLog::open(LogOptions::new(here.path())).unwrap();
        log.submit_all((0..3).map(tick).collect()).unwrap();
        log.close().unwrap();
        let exported = export(log.as_ref(), Offset(0), Offset(3)).unwrap();
        for cut in [1, exported.len() - 1] {
            let options = LogOptions::new(there.path().join("log"));
            assert!(import(options, log.id(), Offset(0), &exported[..cut]).await.is_err());
            assert!(!there.path().join("log").exists());
        }
    }

    #[tokio::test]
    async fn records_that_are_lost_are_stood_in_for_by_the_series_they_may_have_defined() {
        let dir = tempfile::tempdir().unwrap();
        let def = |n: u32| SeriesDef {
            id: SeriesId(n),
            asset: format!("p{n}").as_str().into(),
            signal: "t".into(),
        };
        let series: Vec<SeriesDef> = (0..5_000).map(def).collect();
        let lost = stand_in(&series, 9).unwrap();
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(import(LogOptions::new(dir.path()), id, Offset(70), &lost).await.unwrap(), Offset(79));
        let log = LocalLog::open(LogOptions::new(dir.path())).unwrap();
        let defined: Vec<SeriesDef> = read(log.as_ref(), 70)
            .into_iter()
            .flat_map(|(_, record)| match record {
                Record::Series(series) => series,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(defined, series);
        assert_eq!(
            decode(Offset(0), &stand_in(&series, 0).unwrap()).unwrap().concat().len(),
            2,
            "the series come in any case"
        );
    }
}
