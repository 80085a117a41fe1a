//! Records as bytes.
//!
//! A record is one byte of kind, one byte of version, and a body. Readings are many, so their body is the bare columns, little
//! endian: `arrived i64, n u32, series n×u32, time n×i64, value n×f64, flags n×u8`. All other kinds are rare, so their body is JSON,
//! which stays readable in a hex dump and lets a later version add fields.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Offset, ReadingBatch, ReadingFlags, Record, RecordKind, SeriesId, Timestamp, TypesError};

const VERSION: u8 = 1;
const ROW_BYTES: usize = 4 + 8 + 8 + 1;

/// Appends the encoding of `record` to `out`.
///
/// # Errors
/// [`TypesError::Decode`] if a body cannot be written as JSON (a non-finite number, for example).
pub fn encode_record(record: &Record, out: &mut Vec<u8>) -> Result<(), TypesError> {
    out.extend([record.kind() as u8, VERSION]);
    match record {
        Record::Readings(batch) => encode_readings(batch, out),
        Record::Series(body) => return json(body, out),
        Record::Tick(body) => out.extend(body.0.to_le_bytes()),
        Record::Definitions(body) => return json(body, out),
        Record::Command(body) => return json(body, out),
        Record::Alert(body) => return json(body, out),
        Record::JobRun(body) => return json(body, out),
        Record::Prediction(body) => return json(body, out),
        Record::LifeEvent(body) => return json(body, out),
    }
    Ok(())
}

/// Reads what [`encode_record`] wrote. `offset` names the record in messages.
///
/// # Errors
/// [`TypesError::Decode`] with the offset and what is wrong.
pub fn decode_record(offset: Offset, bytes: &[u8]) -> Result<Record, TypesError> {
    let fail = |what: String| TypesError::Decode(format!("offset {offset}: {what}"));
    let [kind, version, body @ ..] = bytes else { return Err(fail("fewer than 2 bytes".into())) };
    if *version != VERSION {
        return Err(fail(format!("version {version} is newer than this program knows ({VERSION}); run the program that wrote it")));
    }
    match *kind {
        k if k == RecordKind::Readings as u8 => {
            decode_readings(body).ok_or_else(|| fail("columns of wrong length".into())).map(Record::Readings)
        }
        k if k == RecordKind::Series as u8 => parse(body).map(Record::Series).map_err(fail),
        k if k == RecordKind::Tick as u8 => {
            body.try_into().map(|b| Record::Tick(Timestamp(i64::from_le_bytes(b)))).map_err(|_| fail("a tick is not 8 bytes".into()))
        }
        k if k == RecordKind::Definitions as u8 => parse(body).map(Record::Definitions).map_err(fail),
        k if k == RecordKind::Command as u8 => parse(body).map(Record::Command).map_err(fail),
        k if k == RecordKind::Alert as u8 => parse(body).map(Record::Alert).map_err(fail),
        k if k == RecordKind::JobRun as u8 => parse(body).map(Record::JobRun).map_err(fail),
        k if k == RecordKind::Prediction as u8 => parse(body).map(Record::Prediction).map_err(fail),
        k if k == RecordKind::LifeEvent as u8 => parse(body).map(Record::LifeEvent).map_err(fail),
        k => Err(fail(format!("unknown kind {k}"))),
    }
}

fn json<T: Serialize>(body: &T, out: &mut Vec<u8>) -> Result<(), TypesError> {
    serde_json::to_writer(out, body).map_err(|error| TypesError::Decode(format!("cannot write it as JSON: {error}")))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn encode_readings(batch: &ReadingBatch, out: &mut Vec<u8>) {
    out.reserve(12 + batch.len() * ROW_BYTES);
    out.extend(batch.arrived.0.to_le_bytes());
    out.extend(u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
    batch.series.iter().for_each(|id| out.extend_from_slice(&id.0.to_le_bytes()));
    batch.time.iter().for_each(|time| out.extend_from_slice(&time.to_le_bytes()));
    batch.value.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    out.extend(batch.flags.iter().map(|flags| flags.to_byte()));
}

fn decode_readings(body: &[u8]) -> Option<ReadingBatch> {
    let (arrived, rest) = body.split_first_chunk::<8>()?;
    let (rows, rest) = rest.split_first_chunk::<4>()?;
    let rows = u32::from_le_bytes(*rows) as usize;
    if rest.len() != rows.checked_mul(ROW_BYTES)? {
        return None;
    }
    let (series, rest) = rest.split_at(rows * 4);
    let (time, rest) = rest.split_at(rows * 8);
    let (value, flags) = rest.split_at(rows * 8);
    Some(ReadingBatch {
        arrived: Timestamp(i64::from_le_bytes(*arrived)),
        series: series.as_chunks::<4>().0.iter().map(|chunk| SeriesId(u32::from_le_bytes(*chunk))).collect(),
        time: time.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect(),
        value: value.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect(),
        flags: flags.iter().map(|byte| ReadingFlags::from_byte(*byte)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LifeEvent, LifeEventKind, Quality};

    fn round_trip(record: &Record) -> Record {
        let mut bytes = Vec::new();
        encode_record(record, &mut bytes).unwrap();
        decode_record(Offset(7), &bytes).unwrap()
    }

    proptest! {
        #[test]
        fn readings_round_trip(rows in prop::collection::vec((any::<u32>(), any::<i64>(), -1e300..1e300f64, 0u8..6), 0..50)) {
            let mut batch = ReadingBatch { arrived: Timestamp(5), ..ReadingBatch::default() };
            for (series, time, value, flags) in rows {
                let quality = [Quality::Good, Quality::Uncertain, Quality::Bad][usize::from(flags % 3)];
                batch.push(SeriesId(series), Timestamp(time), value, ReadingFlags::new(quality, flags > 2));
            }
            let record = Record::Readings(batch);
            prop_assert_eq!(round_trip(&record), record);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = decode_record(Offset(0), &bytes);
        }
    }

    #[test]
    fn rare_kinds_round_trip() {
        let event = LifeEvent {
            asset: "p/1".into(),
            event: LifeEventKind::Failed,
            time: Timestamp(3),
            actor: None,
            comment: Some("bearing".into()),
        };
        for record in [Record::Tick(Timestamp(-4)), Record::LifeEvent(event)] {
            assert_eq!(round_trip(&record), record);
        }
    }

    #[test]
    fn a_prediction_without_the_later_fields_is_read() {
        let body = r#"{"model":"m","version":"1","asset":"p/1","time":"1970-01-01T00:00:05Z","made":"1970-01-01T00:00:06Z",
            "unit":"hours","p05":1.0,"p50":2.0,"p95":3.0,"cap":9.0,"contributions":[],"out_of_distribution":false,
            "life_started":"1970-01-01T00:00:00Z"}"#;
        let bytes = [&[RecordKind::Prediction as u8, VERSION], body.as_bytes()].concat();
        let Record::Prediction(read) = decode_record(Offset(0), &bytes).unwrap() else { panic!("another kind") };
        assert_eq!((read.time, read.from, read.coverage), (Timestamp::from_secs(5), None, None));
    }

    #[test]
    fn a_newer_version_is_refused_with_advice() {
        let error = decode_record(Offset(9), &[3, 2, 0]).unwrap_err().to_string();
        assert!(error.contains("offset 9") && error.contains("newer"), "{error}");
    }
}
