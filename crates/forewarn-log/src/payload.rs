//! A record's encoding on its way to the disk, compressed if that makes it smaller.

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

use crate::buffers::Buffers;

/// Bytes before an LZ4 block: the length of what it holds.
const SIZE_BYTES: usize = 4;

/// What a frame holds.
#[derive(Debug)]
pub(crate) struct Payload {
    /// As they stand in the frame.
    pub(crate) bytes: Vec<u8>,
    /// Whether the bytes are a length and an LZ4 block.
    pub(crate) is_compressed: bool,
    /// Length of the encoded record.
    pub(crate) record_bytes: usize,
    /// CRC-32 of the bytes, if these are so many that the sender took it while it had them at hand, and not
    /// the writer.
    pub(crate) crc: Option<u32>,
}

impl Payload {
    /// The encoded record as it is.
    pub(crate) fn plain(record: Vec<u8>) -> Self {
        Self { record_bytes: record.len(), is_compressed: false, crc: sender_crc(&record), bytes: record }
    }

    /// The encoded record as an LZ4 block, unless that is no smaller.
    pub(crate) fn lz4(record: Vec<u8>, buffers: &Buffers) -> Self {
        let most = SIZE_BYTES + get_maximum_output_size(record.len());
        let mut bytes = buffers.take(most);
        bytes.resize(most, 0);
        let (size, block) = bytes.split_at_mut(SIZE_BYTES);
        let Ok(length) = u32::try_from(record.len()) else { return Self::plain(record) };
        size.copy_from_slice(&length.to_le_bytes());
        match compress_into(&record, block) {
            Ok(length) if SIZE_BYTES + length < record.len() => {
                // What waits for the disk should take no more memory than it says.
                let block = bytes[..SIZE_BYTES + length].to_vec();
                let record_bytes = record.len();
                buffers.give([bytes, record]);
                Self { record_bytes, is_compressed: true, crc: sender_crc(&block), bytes: block }
            }
            _ => {
                buffers.give([bytes]);
                Self::plain(record)
            }
        }
    }
}

/// To put two checksums together takes some microseconds, so it pays for large payloads only.
fn sender_crc(bytes: &[u8]) -> Option<u32> {
    (bytes.len() >= 64 << 10).then(|| crc32fast::hash(bytes))
}

/// Puts the encoded record in place of its length and LZ4 block. `false` if they are no such thing, or the
/// record is said to be of more than `most` bytes: a length is believed only below that, so that damage
/// cannot take the memory.
pub(crate) fn decompress(payload: &mut Vec<u8>, most: usize) -> bool {
    let Some((size, block)) = payload.split_first_chunk::<SIZE_BYTES>() else { return false };
    let size = u32::from_le_bytes(*size) as usize;
    if size > most {
        return false;
    }
    let mut record = vec![0; size];
    let is_whole = decompress_into(block, &mut record).is_ok_and(|length| length == size);
    *payload = record;
    is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lz4(record: Vec<u8>) -> Payload {
        Payload::lz4(record, &Buffers::default())
    }

    #[test]
    fn what_is_compressed_comes_back_and_what_grows_stays_as_it_is() {
        let record: Vec<u8> = (0..4_000_u32).flat_map(|number| (number / 8).to_le_bytes()).collect();
        let payload = lz4(record.clone());
        assert!(
            payload.is_compressed && payload.bytes.len() < record.len() / 2,
            "{} bytes",
            payload.bytes.len()
        );
        let mut back = payload.bytes;
        assert!(decompress(&mut back, record.len()) && back == record);
        let dense = vec![7, 1, 3];
        assert_eq!((lz4(dense.clone()).is_compressed, lz4(dense.clone()).bytes), (false, dense));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_without_memory_for_them() {
        let payload = lz4(vec![0; 1_000]);
        for (size, most) in [(u32::MAX, 64 << 20), (1_001, 1_000), (999, 1_000), (1_001, 2_000), (0, 1_000)] {
            let mut bytes = payload.bytes.clone();
            bytes[..SIZE_BYTES].copy_from_slice(&size.to_le_bytes());
            assert!(!decompress(&mut bytes, most), "{size}");
            assert!(bytes.capacity() <= most, "{size}");
        }
        for length in 0..payload.bytes.len() {
            assert!(!decompress(&mut payload.bytes[..length].to_vec(), 1_000), "cut at {length}");
        }
    }
}
