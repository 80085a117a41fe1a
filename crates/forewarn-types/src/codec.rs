//! Records as bytes: one byte of kind, one byte of version, and the body of that kind.

use crate::error::TypesError;
use crate::offset::Offset;
use crate::record::{Record, RecordKind};

const VERSION: u8 = 1;

/// Appends the encoding of `record` to `out`. After an error `out` ends with something of no use.
///
/// # Errors
/// [`TypesError::Encode`] if [`decode_record`] would not read the bytes: a number that is not finite, a time
/// beyond the year 9999.
pub fn encode_record(record: &Record, out: &mut Vec<u8>) -> Result<(), TypesError> {
    out.extend([record.kind() as u8, VERSION]);
    record.encode_body(out)
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
    let Some(kind) = RecordKind::from_byte(*kind) else { return Err(fail(format!("unknown kind {kind}"))) };
    Record::decode_body(kind, body).map_err(fail)
}

#[cfg(test)]
mod tests;
