//! Reading a log's files from outside: what is in them, and whether all of it is whole.
//!
//! It takes no lock and changes nothing, so it may look at the log of a server that runs, and at a log that
//! no server opens any more.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use forewarn_types::{Offset, decode_record};

use crate::LogError;
use crate::disk::{Disk, RealDisk};
use crate::frame::{Found, Frames};
use crate::local::list_segments;
use crate::segment::{HEADER_BYTES, Segment, check_header, reject_damage};

/// What one segment file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file.
    pub path: PathBuf,
    /// The offset of its first record.
    pub base: Offset,
    /// One past its last whole record.
    pub end: Offset,
    /// Its length, free space at its end included.
    pub bytes: u64,
    /// Its records by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What is wrong with it, and from which byte on.
    pub problem: Option<(u64, String)>,
    /// Whether the problem is only that the file ends in the middle of a write: a crash, or a server that
    /// writes right now. The next start cuts such an end off; it was never acknowledged.
    pub torn: bool,
}

/// Reads every record of the log in the folder `dir`, oldest segment first. Damage is in the reports, not an
/// error. Blocks on the disk.
///
/// # Errors
/// [`LogError::Io`] if the folder or a file cannot be read.
pub fn inspect(dir: &Path) -> Result<Vec<SegmentReport>, LogError> {
    inspect_on(dir, &RealDisk)
}

/// [`inspect`] on another disk.
///
/// # Errors
/// As there.
pub fn inspect_on(dir: &Path, disk: &dyn Disk) -> Result<Vec<SegmentReport>, LogError> {
    let segments = list_segments(disk, dir)?;
    let mut reports: Vec<SegmentReport> = Vec::with_capacity(segments.len());
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        let mut report = match read(disk, segment) {
            // A server that runs may trim the log meanwhile.
            Err(LogError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
            report => report?,
        };
        report.torn &= index == last;
        if let Some(before) = reports.last()
            && before.problem.is_none()
            && before.end != report.base
        {
            let problem = format!(
                "the segment before it ends at offset {}: records between them are missing",
                before.end
            );
            report.problem.get_or_insert((0, problem));
        }
        reports.push(report);
    }
    Ok(reports)
}

fn read(disk: &dyn Disk, segment: &Segment) -> Result<SegmentReport, LogError> {
    let mut report = SegmentReport {
        path: segment.path.clone(),
        base: segment.base,
        end: segment.base,
        bytes: segment.bytes,
        kinds: BTreeMap::new(),
        problem: None,
        torn: false,
    };
    match check_header(disk, &segment.path, segment.base) {
        Ok(Some(_)) => {}
        Ok(None) => {
            report.torn = segment.bytes <= HEADER_BYTES;
            report.problem = Some((0, "its header is not that of a segment".to_owned()));
            return Ok(report);
        }
        Err(LogError::Corrupt { position, problem, .. }) => {
            report.problem = Some((position, problem));
            return Ok(report);
        }
        Err(error) => return Err(error),
    }
    let mut frames = Frames::open(disk, &segment.path, HEADER_BYTES)?;
    let mut looked_again = None;
    loop {
        let position = frames.position;
        match frames.next(false)? {
            Found::End => return Ok(report),
            // A server that runs may have written here since the bytes were read ahead.
            Found::Bad(_) if looked_again != Some(position) => {
                looked_again = Some(position);
                frames = Frames::open(disk, &segment.path, position)?;
                continue;
            }
            Found::Bad(problem) => {
                report.torn = reject_damage(disk, &segment.path, position, problem).is_ok();
                report.problem = Some((position, problem.to_owned()));
                return Ok(report);
            }
            Found::Frame => match decode_record(report.end, &frames.payload) {
                Ok(record) => *report.kinds.entry(record.kind().as_str()).or_default() += 1,
                Err(error) => {
                    report.problem.get_or_insert((position, error.to_string()));
                }
            },
        }
        report.end = report.end.next();
    }
}
