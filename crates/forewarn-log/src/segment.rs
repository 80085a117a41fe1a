//! One segment file: its bytes, and how much of them can be trusted after a crash.
//!
//! ```text
//! header   magic "FWLOGSEG", version u32, base offset u64, CRC-32 of these 20 bytes
//! frame    magic u32, length u32, group u32, CRC-32 of length, group and payload, payload
//! ```
//!
//! Integers are little endian. The payload is one encoded record; the n-th frame of a segment is the record at base + n.
//!
//! Frames that are written together (a *group*) become durable together, by one fsync. `group` is the distance in bytes from the
//! beginning of its group to the frame, so each frame says up to where the file was durable when it was written. That tells a crash
//! from damage: a crash may destroy any part of the last group (the system writes pages in any order), but nothing before it.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use forewarn_types::Offset;

use crate::LogError;
use crate::disk::{Access, Cursor, Disk, DiskFile, sync_dir};

const MAGIC: [u8; 8] = *b"FWLOGSEG";
const VERSION: u32 = 1;
/// Bytes before the first frame.
pub(crate) const HEADER_BYTES: u64 = HEADER_LENGTH as u64;
const HEADER_LENGTH: usize = 24;
const FRAME_MAGIC: [u8; 4] = [0xF0, b'W', b'R', 0x0D];
/// Bytes of a frame before its payload.
pub(crate) const FRAME_BYTES: usize = 16;
/// Largest payload; a greater length is damage.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// Distance of the positions that are remembered, so that a read begins near its record.
const MARK_EVERY_BYTES: u64 = 64 << 10;

/// A segment file and what is known about its inside.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The offset of its first record.
    pub(crate) base: Offset,
    /// The file.
    pub(crate) path: PathBuf,
    /// Its length in bytes.
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
        if self.marks.last().is_none_or(|last| mark.offset > last.offset && mark.position >= last.position + MARK_EVERY_BYTES) {
            self.marks.push(mark);
        }
    }

    /// The nearest known frame at or before `offset`.
    pub(crate) fn nearest(&self, offset: Offset) -> Mark {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        self.marks.get(after.saturating_sub(1)).copied().unwrap_or(Mark { offset: self.base, position: HEADER_BYTES })
    }

    /// Creates the file, with its header, durably. An old file of that name that holds no frame is replaced.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<(Self, Box<dyn DiskFile>), LogError> {
        let segment = Self::new(dir, base, HEADER_BYTES);
        let mut file = disk.open(&segment.path, Access::Create).map_err(LogError::io("create", &segment.path))?;
        file.write_at(&header(base), 0).and_then(|()| file.sync()).map_err(LogError::io("write", &segment.path))?;
        sync_dir(disk, dir)?;
        Ok((segment, file))
    }
}

/// The base offset that a file name such as `00000000000000000042.log` stands for.
pub(crate) fn parse_name(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok().map(Offset))?
}

fn header(base: Offset) -> [u8; HEADER_LENGTH] {
    let mut bytes = [0; HEADER_LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&base.0.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Adds the frame of `payload` to `group`, which holds the frames that will be written together.
pub(crate) fn push_frame(group: &mut Vec<u8>, payload: &[u8]) {
    let start = to_u32(group.len()).to_le_bytes();
    let length = to_u32(payload.len()).to_le_bytes();
    group.extend(FRAME_MAGIC);
    group.extend(length);
    group.extend(start);
    group.extend(frame_crc(length, start, payload).to_le_bytes());
    group.extend_from_slice(payload);
}

/// Lengths are bounded far below 4 GiB by the bounds on records and on the queue.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn frame_crc(length: [u8; 4], group: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&group);
    hasher.update(payload);
    hasher.finalize()
}

/// What stands at a position of a segment file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame.
    Frame,
    /// The end of the file.
    End,
    /// Something else, and what is wrong with it.
    Bad(&'static str),
}

/// Reads the frames of one file one after the other.
pub(crate) struct Frames {
    path: PathBuf,
    file: BufReader<Cursor>,
    length: u64,
    /// Where the next frame begins.
    pub(crate) position: u64,
    /// The distance in bytes from the beginning of its group to the frame read last.
    group: u64,
    /// The payload of the frame read last.
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    /// Reads `path` from `position` on, where a frame begins.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, position: u64) -> Result<Self, LogError> {
        let mut file = Cursor::open(disk, path, position)?;
        let length = file.length().map_err(LogError::io("read", path))?;
        let file = BufReader::with_capacity(128 << 10, file);
        Ok(Self { path: path.to_owned(), file, length, position, group: 0, payload: Vec::new() })
    }

    /// Moves behind the next frame. Its payload is then in [`Frames::payload`], unless `skip`: then it is not even checked.
    pub(crate) fn next(&mut self, skip: bool) -> Result<Found, LogError> {
        let left = self.length.saturating_sub(self.position);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < FRAME_BYTES as u64 {
            return Ok(Found::Bad("a frame is cut off"));
        }
        let mut head = [0; FRAME_BYTES];
        self.file.read_exact(&mut head).map_err(LogError::io("read", &self.path))?;
        let (magic, length, group, crc) = split_head(head);
        let size = u32::from_le_bytes(length) as usize;
        if magic != FRAME_MAGIC || size > MAX_PAYLOAD_BYTES {
            return Ok(Found::Bad("no frame begins here"));
        }
        if left < (FRAME_BYTES + size) as u64 {
            return Ok(Found::Bad("a frame is cut off"));
        }
        if skip {
            self.file.seek_relative(i64::from(u32::from_le_bytes(length))).map_err(LogError::io("read", &self.path))?;
        } else {
            self.payload.resize(size, 0);
            self.file.read_exact(&mut self.payload).map_err(LogError::io("read", &self.path))?;
            if frame_crc(length, group, &self.payload) != crc {
                return Ok(Found::Bad("a frame's checksum does not match"));
            }
        }
        self.group = u64::from(u32::from_le_bytes(group));
        self.position += (FRAME_BYTES + size) as u64;
        Ok(Found::Frame)
    }
}

fn split_head(head: [u8; FRAME_BYTES]) -> ([u8; 4], [u8; 4], [u8; 4], u32) {
    let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
    (word(0), word(4), word(8), u32::from_le_bytes(word(12)))
}

/// What the last segment holds after a start.
pub(crate) struct Recovered {
    /// The segment, with its length after a torn tail was cut off.
    pub(crate) segment: Segment,
    /// The file, ready to append to.
    pub(crate) file: Box<dyn DiskFile>,
    /// One past its last record.
    pub(crate) end: Offset,
    /// How many bytes were cut off.
    pub(crate) cut_bytes: u64,
}

/// Reads the last segment of the log from its beginning to its end, and cuts off what a crash left half-written.
///
/// # Errors
/// [`LogError::Corrupt`] if something that was durable is no longer whole.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<Recovered, LogError> {
    let mut segment = Segment::new(dir, base, 0);
    let path = segment.path.clone();
    let length = Cursor::open(disk, &path, 0)?.length().map_err(LogError::io("read", &path))?;
    if !check_header(disk, &path, base)? {
        if length > HEADER_BYTES {
            return Err(LogError::corrupt(&path, 0, "the file's header is not that of a segment"));
        }
        // The crash came between the creation of the file and the fsync of its header: it never held a record.
        let (segment, file) = Segment::create(disk, dir, base)?;
        return Ok(Recovered { segment, file, end: base, cut_bytes: length });
    }
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
        file.set_length(segment.bytes).and_then(|()| file.sync()).map_err(LogError::io("cut the torn end off", &path))?;
    }
    rewrite(file.as_mut(), last_group, segment.bytes).map_err(LogError::io("rewrite the end of", &path))?;
    sync_dir(disk, dir)?;
    let cut_bytes = length - segment.bytes;
    Ok(Recovered { segment, file, end, cut_bytes })
}

/// Writes the bytes from `start` to `end` once more and makes them durable. A killed process may have
/// left frames that only the system's memory holds, and after a failed fsync Linux takes its pages for clean though the disk never
/// got them: a mere fsync would do nothing. The frames count as durable from here on.
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

/// Whether the file begins with the header of the segment that begins with `base`.
///
/// # Errors
/// [`LogError::Corrupt`] if the header is whole but another one.
pub(crate) fn check_header(disk: &dyn Disk, path: &Path, base: Offset) -> Result<bool, LogError> {
    let mut found = Vec::new();
    let file = Cursor::open(disk, path, 0)?;
    file.take(HEADER_BYTES).read_to_end(&mut found).map_err(LogError::io("read", path))?;
    let Ok(found) = <[u8; HEADER_LENGTH]>::try_from(found) else { return Ok(false) };
    if found == header(base) {
        return Ok(true);
    }
    if found[..8] != MAGIC || crc32fast::hash(&found[..20]).to_le_bytes() != found[20..] {
        return Ok(false);
    }
    let version = u32::from_le_bytes([found[8], found[9], found[10], found[11]]);
    let problem = if version == VERSION {
        "the file was renamed: its header names another first offset".to_owned()
    } else {
        format!("format version {version}, this program knows {VERSION}; run the program that wrote it")
    };
    Err(LogError::corrupt(path, 0, problem))
}

/// Fails if a frame behind `position` proves that the file had been durable beyond `position`.
pub(crate) fn reject_damage(disk: &dyn Disk, path: &Path, position: u64, problem: &str) -> Result<(), LogError> {
    let mut rest = Vec::new();
    Cursor::open(disk, path, position)?.read_to_end(&mut rest).map_err(LogError::io("read", path))?;
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

/// The distance of the frame that `bytes` begin with from the beginning of its group, if it is whole.
fn whole_frame(bytes: &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<FRAME_BYTES>()?;
    let (magic, length, group, crc) = split_head(*head);
    let payload = rest.get(..u32::from_le_bytes(length) as usize)?;
    (magic == FRAME_MAGIC && frame_crc(length, group, payload) == crc).then(|| u64::from(u32::from_le_bytes(group)))
}
