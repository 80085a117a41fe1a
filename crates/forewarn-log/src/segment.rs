//! One segment file: its bytes, and how much of them can be trusted after a crash.
//!
//! ```text
//! header   magic "FWLOGSEG", version u32, base offset u64, CRC-32 of these 20 bytes
//! frames   see `frame.rs`; the n-th one is the record at base + n
//! zeros    free space, taken from the disk ahead of need
//! ```
//!
//! Integers are little endian. A segment holds frames of its version only: at a start, another version's last
//! segment is left as it is and the next one begun.
//!
//! Each frame says where the group began that it was written with, and so up to where the file was durable by
//! then. That tells a crash from damage: a crash may destroy any part of the last group (the system writes
//! pages in any order), but nothing before it.
//!
//! An fsync that must also store a new file length costs about twice as much as one that only stores bytes.
//! So a group that reaches the end of the file is written with zeros behind it, and the next groups overwrite
//! these. They are cut off when the segment is full and when the log is closed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use forewarn_types::Offset;

use crate::LogError;
use crate::disk::{Access, Cursor, Disk, DiskFile, sync_dir};
use crate::frame::{FRAME_BYTES, Found, Frames, whole_frame};

const MAGIC: [u8; 8] = *b"FWLOGSEG";
/// What this program writes. Version 1 had no compressed payloads.
const VERSION: u32 = 2;
/// Bytes before the first frame.
pub(crate) const HEADER_BYTES: u64 = HEADER_LENGTH as u64;
const HEADER_LENGTH: usize = 24;
/// Distance of the positions that are remembered, so that a read begins near its record.
const MARK_EVERY_BYTES: u64 = 64 << 10;

/// A segment file and what is known about its inside.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The offset of its first record.
    pub(crate) base: Offset,
    /// The file.
    pub(crate) path: PathBuf,
    /// Bytes of it that are in use; there may be free space behind them.
    pub(crate) bytes: u64,
    /// Positions of some frames, ascending.
    marks: Vec<Mark>,
}

/// Where a record's frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: Offset,
    pub(crate) position: u64,
}

impl Segment {
    /// The segment that begins with `base`, in `dir`, of which nothing else is known.
    pub(crate) fn new(dir: &Path, base: Offset, bytes: u64) -> Self {
        let marks = vec![Mark { offset: base, position: HEADER_BYTES }];
        Self { base, path: dir.join(format!("{:020}.log", base.0)), bytes, marks }
    }

    /// Remembers where a frame begins, if it is far enough behind the last one remembered.
    pub(crate) fn mark(&mut self, mark: Mark) {
        if self
            .marks
            .last()
            .is_none_or(|last| mark.offset > last.offset && mark.position >= last.position + MARK_EVERY_BYTES)
        {
            self.marks.push(mark);
        }
    }

    /// The nearest known frame at or before `offset`.
    pub(crate) fn nearest(&self, offset: Offset) -> Mark {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        self.marks
            .get(after.saturating_sub(1))
            .copied()
            .unwrap_or(Mark { offset: self.base, position: HEADER_BYTES })
    }

    /// Creates the file, with its header, durably. An old file of that name that holds no frame is replaced.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        base: Offset,
    ) -> Result<(Self, Box<dyn DiskFile>), LogError> {
        let segment = Self::new(dir, base, HEADER_BYTES);
        let mut file =
            disk.open(&segment.path, Access::Create).map_err(LogError::io("create", &segment.path))?;
        file.write_at(&header(base, VERSION), 0)
            .and_then(|()| file.sync())
            .map_err(LogError::io("write", &segment.path))?;
        sync_dir(disk, dir)?;
        Ok((segment, file))
    }
}

/// The base offset that a file name such as `00000000000000000042.log` stands for.
pub(crate) fn parse_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok().map(Offset))?
}

fn header(base: Offset, version: u32) -> [u8; HEADER_LENGTH] {
    let mut bytes = [0; HEADER_LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[12..20].copy_from_slice(&base.0.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What the last segment holds after a start.
pub(crate) struct Recovered {
    /// The segment, with its length after what was behind its last record was cut off.
    pub(crate) segment: Segment,
    /// The file, ready to append to.
    pub(crate) file: Box<dyn DiskFile>,
    /// One past its last record.
    pub(crate) end: Offset,
    /// How many bytes of a write that a crash cut short were cut off.
    pub(crate) cut_bytes: u64,
    /// Whether it may be appended to: its frames are of the version that this program writes.
    pub(crate) is_current: bool,
}

/// Reads the last segment of the log from its beginning to its end, and cuts off what a crash left
/// half-written.
///
/// # Errors
/// [`LogError::Corrupt`] if something that was durable is no longer whole.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<Recovered, LogError> {
    let mut segment = Segment::new(dir, base, 0);
    let path = segment.path.clone();
    let length = Cursor::open(disk, &path, 0)?.length().map_err(LogError::io("read", &path))?;
    let Some(version) = check_header(disk, &path, base)? else {
        if length > HEADER_BYTES {
            return Err(LogError::corrupt(&path, 0, "the file's header is not that of a segment"));
        }
        // The crash came between the creation of the file and the fsync of its header: it never held a
        // record.
        let (segment, file) = Segment::create(disk, dir, base)?;
        return Ok(Recovered { segment, file, end: base, cut_bytes: length, is_current: true });
    };
    let mut frames = Frames::open(disk, &path, HEADER_BYTES)?;
    let mut end = base;
    // Where the last group begins. While there is none, the header itself may not be durable.
    let mut last_group = 0;
    let bad = loop {
        let position = frames.position;
        segment.mark(Mark { offset: end, position });
        match frames.next(false)? {
            Found::Frame => {
                end = end.next();
                last_group = position.saturating_sub(frames.group);
            }
            Found::End => break None,
            Found::Bad(problem) => break Some(problem),
        }
    };
    segment.bytes = frames.position;
    if let Some(problem) = bad {
        reject_damage(disk, &path, segment.bytes, problem)?;
    }
    let mut file = disk.open(&path, Access::Write).map_err(LogError::io("open", &path))?;
    if length > segment.bytes {
        file.set_length(segment.bytes)
            .and_then(|()| file.sync())
            .map_err(LogError::io("cut the torn end off", &path))?;
    }
    rewrite(file.as_mut(), last_group, segment.bytes).map_err(LogError::io("rewrite the end of", &path))?;
    sync_dir(disk, dir)?;
    let cut_bytes = if bad.is_some() { length - segment.bytes } else { 0 };
    Ok(Recovered { segment, file, end, cut_bytes, is_current: version == VERSION })
}

/// Writes the bytes from `start` to `end` once more and makes them durable. A killed process may have left
/// frames that only the system's memory holds, and after a failed fsync Linux takes its pages for clean
/// though the disk never got them: a mere fsync would do nothing. The frames count as durable from here on.
fn rewrite(file: &mut dyn DiskFile, start: u64, end: u64) -> std::io::Result<()> {
    // Groups are far smaller than memory.
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], start + read as u64)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    file.write_at(&bytes, start)?;
    file.sync()
}

/// The version of the segment, if the file begins with the header of the one that begins with `base`.
///
/// # Errors
/// [`LogError::Corrupt`] if the header is whole but another one.
pub(crate) fn check_header(disk: &dyn Disk, path: &Path, base: Offset) -> Result<Option<u32>, LogError> {
    let mut found = Vec::new();
    let file = Cursor::open(disk, path, 0)?;
    file.take(HEADER_BYTES).read_to_end(&mut found).map_err(LogError::io("read", path))?;
    let Ok(found) = <[u8; HEADER_LENGTH]>::try_from(found) else { return Ok(None) };
    if found[..8] != MAGIC || crc32fast::hash(&found[..20]).to_le_bytes() != found[20..] {
        return Ok(None);
    }
    let version = u32::from_le_bytes([found[8], found[9], found[10], found[11]]);
    if found == header(base, version) && (1..=VERSION).contains(&version) {
        return Ok(Some(version));
    }
    let problem = if (1..=VERSION).contains(&version) {
        "the file was renamed: its header names another first offset".to_owned()
    } else {
        format!("format version {version}, this program knows {VERSION}; run the program that wrote it")
    };
    Err(LogError::corrupt(path, 0, problem))
}

/// Fails if a frame behind `position` proves that the file had been durable beyond `position`, or the one
/// there was written as it is.
pub(crate) fn reject_damage(
    disk: &dyn Disk,
    path: &Path,
    position: u64,
    problem: &str,
) -> Result<(), LogError> {
    let mut rest = Vec::new();
    Cursor::open(disk, path, position)?.read_to_end(&mut rest).map_err(LogError::io("read", path))?;
    if whole_frame(&rest).is_some() {
        return Err(LogError::corrupt(path, position, format!("{problem}, though its checksum matches")));
    }
    for start in 1..rest.len().saturating_sub(FRAME_BYTES) {
        if let Some(group) = whole_frame(&rest[start..])
            && start as u64 > group
        {
            return Err(LogError::corrupt(
                path,
                position,
                format!("{problem}, yet a whole frame follows at byte {}", position + start as u64),
            ));
        }
    }
    Ok(())
}
