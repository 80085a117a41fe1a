//! One frame: a record as it stands in a segment file.
//!
//! ```text
//! frame    magic u32, length u32, group u32, CRC-32 of length, group and payload, payload
//! ```
//!
//! Integers are little endian. The payload is one encoded record; if the highest bit of `length` is set, it
//! is the record's length (u32) and the record as an LZ4 block.
//!
//! Frames that are written together (a *group*) become durable together, by one fsync. `group` is the
//! distance in bytes from the beginning of its group to the frame, so each frame says up to where the file
//! was durable when it was written.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::LogError;
use crate::disk::{Cursor, Disk};
use crate::payload::{Payload, decompress};

const FRAME_MAGIC: [u8; 4] = [0xF0, b'W', b'R', 0x0D];
/// Bytes of a frame before its payload.
pub(crate) const FRAME_BYTES: usize = 16;
/// Largest payload, compressed or not; a greater length is damage.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// Marks the length of a compressed payload.
const COMPRESSED: u32 = 1 << 31;

/// What stands before `payload` in its frame, which begins `start` bytes behind the beginning of its group.
pub(crate) fn frame_head(start: usize, payload: &Payload) -> [u8; FRAME_BYTES] {
    let start = to_u32(start).to_le_bytes();
    let flag = if payload.is_compressed { COMPRESSED } else { 0 };
    let length = (to_u32(payload.bytes.len()) | flag).to_le_bytes();
    let mut head = [0; FRAME_BYTES];
    head[..4].copy_from_slice(&FRAME_MAGIC);
    head[4..8].copy_from_slice(&length);
    head[8..12].copy_from_slice(&start);
    let crc = payload.crc.map_or_else(
        || frame_crc(length, start, &payload.bytes),
        |crc| {
            let mut hasher = head_hasher(length, start);
            hasher.combine(&crc32fast::Hasher::new_with_initial_len(crc, payload.bytes.len() as u64));
            hasher.finalize()
        },
    );
    head[12..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Lengths are bounded far below 4 GiB by the bounds on records and on the queue.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn frame_crc(length: [u8; 4], group: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = head_hasher(length, group);
    hasher.update(payload);
    hasher.finalize()
}

/// What the payload goes into.
fn head_hasher(length: [u8; 4], group: [u8; 4]) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&group);
    hasher
}

/// What stands at a position of a segment file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame.
    Frame,
    /// The end of the file, or of what is in use of it: only zeros follow.
    End,
    /// Something else, and what is wrong with it.
    Bad(&'static str),
}

/// Reads the frames of one file one after the other.
pub(crate) struct Frames {
    path: PathBuf,
    file: BufReader<Cursor>,
    /// Length of the file.
    length: u64,
    /// Where the next frame begins.
    pub(crate) position: u64,
    /// The distance in bytes from the beginning of its group to the frame read last.
    pub(crate) group: u64,
    /// The encoded record of the frame read last.
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

    /// Moves behind the next frame. Its payload is then in [`Frames::payload`], unless `skip`: then it is not
    /// even checked.
    pub(crate) fn next(&mut self, skip: bool) -> Result<Found, LogError> {
        let left = self.length.saturating_sub(self.position);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < FRAME_BYTES as u64 {
            return self.bad("a frame is cut off", &[]);
        }
        let mut head = [0; FRAME_BYTES];
        if !self.read(&mut head)? {
            return self.cut_short();
        }
        let (magic, raw_length, group, crc) = split_head(head);
        let (length, is_compressed) = split_length(raw_length);
        let size = length as usize;
        if magic != FRAME_MAGIC || size > MAX_PAYLOAD_BYTES {
            return self.bad("no frame begins here", &head);
        }
        if left < (FRAME_BYTES + size) as u64 {
            return Ok(Found::Bad("a frame is cut off"));
        }
        if skip {
            self.file.seek_relative(i64::from(length)).map_err(LogError::io("read", &self.path))?;
        } else {
            let mut payload = std::mem::take(&mut self.payload);
            payload.resize(size, 0);
            let is_read = self.read(&mut payload)?;
            self.payload = payload;
            if !is_read {
                return self.cut_short();
            }
            if frame_crc(raw_length, group, &self.payload) != crc {
                return Ok(Found::Bad("a frame's checksum does not match"));
            }
            if is_compressed && !decompress(&mut self.payload, MAX_PAYLOAD_BYTES) {
                return Ok(Found::Bad("a frame does not decompress"));
            }
        }
        self.group = u64::from(u32::from_le_bytes(group));
        self.position += (FRAME_BYTES + size) as u64;
        Ok(Found::Frame)
    }

    /// Fills `buffer`. `false`: the file has become shorter meanwhile.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool, LogError> {
        match self.file.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(LogError::io("read", &self.path)(error)),
        }
    }

    /// The writer has sealed the segment while it was read, and cut its free space off.
    fn cut_short(&mut self) -> Result<Found, LogError> {
        self.length = self.file.get_mut().length().map_err(LogError::io("read", &self.path))?;
        Ok(if self.length <= self.position { Found::End } else { Found::Bad("a frame is cut off") })
    }

    /// Free space if nothing but zeros follows on `read`, else what the `problem` is.
    fn bad(&mut self, problem: &'static str, read: &[u8]) -> Result<Found, LogError> {
        let mut is_zero = is_zero(read);
        while is_zero {
            let more = self.file.fill_buf().map_err(LogError::io("read", &self.path))?;
            if more.is_empty() {
                return Ok(Found::End);
            }
            is_zero = self::is_zero(more);
            let seen = more.len();
            self.file.consume(seen);
        }
        Ok(Found::Bad(problem))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The length of a payload, and whether it is compressed.
fn split_length(length: [u8; 4]) -> (u32, bool) {
    let length = u32::from_le_bytes(length);
    (length & !COMPRESSED, length & COMPRESSED != 0)
}

fn split_head(head: [u8; FRAME_BYTES]) -> ([u8; 4], [u8; 4], [u8; 4], u32) {
    let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
    (word(0), word(4), word(8), u32::from_le_bytes(word(12)))
}

/// The distance of the frame that `bytes` begin with from the beginning of its group, if it is whole.
pub(crate) fn whole_frame(bytes: &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<FRAME_BYTES>()?;
    let (magic, length, group, crc) = split_head(*head);
    let payload = rest.get(..split_length(length).0 as usize)?;
    (magic == FRAME_MAGIC && frame_crc(length, group, payload) == crc)
        .then(|| u64::from(u32::from_le_bytes(group)))
}
