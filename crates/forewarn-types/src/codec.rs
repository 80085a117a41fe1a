//! Records as bytes.
//!
//! A record is one byte of kind, one byte of version, and a body. Readings are many, so their body is the
//! bare columns, little endian: `arrived i64, n u32, series n×u32, time n×i64, value n×f64, flags n×u8`. All
//! other kinds are rare, so their body is JSON, which stays readable in a hex dump and lets a later version
//! add fields.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Offset, ReadingBatch, ReadingFlags, Record, RecordKind, SeriesId, Timestamp, TypesError};

const VERSION: u8 = 1;
const ROW_BYTES: usize = 4 + 8 + 8 + 1;
/// Bytes of the body of readings before its columns.
const HEAD_BYTES: usize = 8 + 4;

/// Appends the encoding of `record` to `out`. After an error `out` ends with something of no use.
///
/// # Errors
/// [`TypesError::Encode`] if [`decode_record`] would not read the bytes: a number that is not finite, a time
/// beyond the year 9999.
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
        return Err(fail(format!(
            "version {version} is newer than this program knows ({VERSION}); run the program that wrote it"
        )));
    }
    match *kind {
        k if k == RecordKind::Readings as u8 => {
            decode_readings(body).ok_or_else(|| fail("columns of wrong length".into())).map(Record::Readings)
        }
        k if k == RecordKind::Series as u8 => parse(body).map(Record::Series).map_err(fail),
        k if k == RecordKind::Tick as u8 => body
            .try_into()
            .map(|b| Record::Tick(Timestamp(i64::from_le_bytes(b))))
            .map_err(|_| fail("a tick is not 8 bytes".into())),
        k if k == RecordKind::Definitions as u8 => parse(body).map(Record::Definitions).map_err(fail),
        k if k == RecordKind::Command as u8 => parse(body).map(Record::Command).map_err(fail),
        k if k == RecordKind::Alert as u8 => parse(body).map(Record::Alert).map_err(fail),
        k if k == RecordKind::JobRun as u8 => parse(body).map(Record::JobRun).map_err(fail),
        k if k == RecordKind::Prediction as u8 => parse(body).map(Record::Prediction).map_err(fail),
        k if k == RecordKind::LifeEvent as u8 => parse(body).map(Record::LifeEvent).map_err(fail),
        k => Err(fail(format!("unknown kind {k}"))),
    }
}

/// Writes `body` and reads it again: what JSON can write is more than what it reads back, and a record that
/// was acknowledged but cannot be read would stop every later start. These kinds are rare, so the second pass
/// costs nothing that matters.
fn json<T: Serialize + DeserializeOwned>(body: &T, out: &mut Vec<u8>) -> Result<(), TypesError> {
    let start = out.len();
    serde_json::to_writer(&mut *out, body).map_err(|error| TypesError::Encode(error.to_string()))?;
    parse::<T>(&out[start..]).map(drop).map_err(TypesError::Encode)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Bytes of the encoding of a record of readings.
pub const fn encoded_bytes(batch: &ReadingBatch) -> usize {
    2 + HEAD_BYTES + batch.time.len() * ROW_BYTES
}

fn encode_readings(batch: &ReadingBatch, out: &mut Vec<u8>) {
    out.reserve(HEAD_BYTES + batch.len() * ROW_BYTES);
    out.extend(batch.arrived.0.to_le_bytes());
    out.extend(u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
    extend(out, &batch.series, |id| id.0.to_le_bytes());
    extend(out, &batch.time, i64::to_le_bytes);
    extend(out, &batch.value, f64::to_le_bytes);
    extend(out, &batch.flags, |flags| [flags.to_byte()]);
}

/// Appends the bytes of every number, in a loop that the compiler makes one copy of.
fn extend<T: Copy, const N: usize>(out: &mut Vec<u8>, column: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + column.len() * N, 0);
    for (place, value) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(column) {
        *place = bytes(*value);
    }
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
mod tests;
