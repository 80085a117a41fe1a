//! Snapshots as bytes, in the present form and in those of earlier releases.
//!
//! Each begins with a magic number and the CRC-32 of what follows. In the present form that is a
//! [header](Header) and the bytes of the folds, one behind the other, which are copied and not encoded again.

use forewarn_ingest::IntakeState;
use forewarn_types::{Definitions, Offset};
use serde::{Deserialize, Serialize};

use super::Snapshot;
use crate::folds::{DefinitionsFold, EngineFold, IntakeFold};
use crate::{Parts, StateError};

const MAGIC: &[u8; 8] = b"FWSNAP\0\x03";
/// The form with fixed fields: the log's id and the [fields](Fixed) as one value.
const FIXED_MAGIC: &[u8; 8] = b"FWSNAP\0\x02";
/// The form of the files in the data folder, which do not name their log.
const FILE_MAGIC: &[u8; 8] = b"FWSNAP\0\x01";

/// What the bytes of the folds are.
#[derive(Serialize, Deserialize)]
struct Header {
    log: String,
    offset: Offset,
    /// The name of each fold, and how many bytes it has.
    parts: Vec<(String, u64)>,
}

/// The fields that snapshots of earlier releases had.
#[derive(Serialize, Deserialize)]
pub(super) struct Fixed {
    pub(super) offset: Offset,
    pub(super) emitted: Option<(Offset, u32)>,
    pub(super) definitions: Definitions,
    pub(super) intake: IntakeState,
    pub(super) engine: Vec<u8>,
    pub(super) state: Vec<u8>,
}

impl Fixed {
    pub(super) fn into_snapshot(self) -> Result<Snapshot, StateError> {
        let parts = [
            ("definitions", DefinitionsFold::encode(&self.definitions)?),
            ("engine", EngineFold::encode(self.emitted, &self.engine)?),
            ("intake", IntakeFold::encode(&self.intake)?),
            ("read_model", self.state),
        ];
        let parts = parts.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        Ok(Snapshot { offset: self.offset, parts })
    }
}

/// `snapshot` of the log `log` as bytes.
pub(super) fn encode(snapshot: &Snapshot, log: &str) -> Result<Vec<u8>, StateError> {
    let header = Header {
        log: log.to_owned(),
        offset: snapshot.offset,
        parts: snapshot.parts.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect(),
    };
    let mut body = rmp_serde::to_vec(&header).map_err(|error| broken(error.to_string()))?;
    snapshot.parts.values().for_each(|bytes| body.extend_from_slice(bytes));
    Ok(sealed(*MAGIC, &body))
}

/// The snapshot in bytes of the lake's store, which must be one of the log `log`.
pub(super) fn decode(bytes: &[u8], log: &str) -> Result<Snapshot, StateError> {
    let (of_log, snapshot) = if bytes.starts_with(FIXED_MAGIC) {
        let (of_log, fixed): (String, Fixed) = read(checked(bytes, *FIXED_MAGIC)?)?;
        (of_log, fixed.into_snapshot()?)
    } else {
        let mut rest = checked(bytes, *MAGIC)?;
        let header: Header = rmp_serde::from_read(&mut rest).map_err(|error| broken(error.to_string()))?;
        let mut parts = Parts::new();
        for (name, length) in header.parts {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let cut = rest.split_at_checked(length);
            let (part, others) = cut.ok_or_else(|| broken(format!("the state of `{name}` is cut off")))?;
            parts.insert(name, part.to_vec());
            rest = others;
        }
        (header.log, Snapshot { offset: header.offset, parts })
    };
    if of_log != log {
        return Err(broken(format!("it is one of the log {of_log}, and this is the log {log}")));
    }
    Ok(snapshot)
}

/// The snapshot in a file of an earlier release.
pub(super) fn decode_file(bytes: &[u8]) -> Result<Snapshot, StateError> {
    read::<Fixed>(checked(bytes, *FILE_MAGIC)?)?.into_snapshot()
}

/// Whether the bytes are a whole snapshot that the lake's store may hold.
pub(super) fn check(bytes: &[u8]) -> Result<(), StateError> {
    let magic = if bytes.starts_with(FIXED_MAGIC) { *FIXED_MAGIC } else { *MAGIC };
    checked(bytes, magic).map(drop)
}

/// `body` behind `magic` and its checksum.
pub(super) fn sealed(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    [magic.as_slice(), &crc32fast::hash(body).to_le_bytes(), body].concat()
}

/// What stands behind the magic number and the checksum, if both are right.
fn checked(bytes: &[u8], magic: [u8; 8]) -> Result<&[u8], StateError> {
    let header = || broken("it is shorter than its header".to_owned());
    let (found, rest) = bytes.split_first_chunk::<8>().ok_or_else(header)?;
    if *found != magic {
        return Err(broken("it is no snapshot of a version that this program knows".to_owned()));
    }
    let (crc, body) = rest.split_first_chunk::<4>().ok_or_else(header)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err(broken("its checksum does not match".to_owned()));
    }
    Ok(body)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, StateError> {
    rmp_serde::from_slice(body).map_err(|error| broken(format!("it cannot be decoded: {error}")))
}

const fn broken(problem: String) -> StateError {
    StateError::Snapshot(problem)
}
