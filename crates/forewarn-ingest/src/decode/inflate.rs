//! Compressed request bodies, with a bound on what they become: a few kilobytes can unpack to gigabytes.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::IngestError;

const CHUNK_BYTES: usize = 64 * 1024;

/// Unpacks a body sent with `Content-Encoding: gzip` or `deflate`. Which one it is shows in its first bytes:
/// senders mean either zlib or bare deflate by the latter. No more than `limit` bytes are ever held.
///
/// # Errors
/// [`IngestError::BodyTooLarge`] if more than `limit` bytes come out, [`IngestError::Compression`] if the
/// data is damaged.
pub fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, IngestError> {
    match body {
        [0x1f, 0x8b, ..] => read_bounded(MultiGzDecoder::new(body), limit),
        // A zlib header: method 8, and a multiple of 31 as a 16-bit number (RFC 1950).
        [cmf, flags, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flags]) % 31 == 0 => {
            read_bounded(ZlibDecoder::new(body), limit)
        }
        _ => read_bounded(DeflateDecoder::new(body), limit),
    }
}

fn read_bounded(mut reader: impl Read, limit: usize) -> Result<Vec<u8>, IngestError> {
    let mut out = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = reader.read(&mut chunk).map_err(|error| IngestError::Compression(error.to_string()))?;
        if count == 0 {
            return Ok(out);
        }
        if out.len() + count > limit {
            return Err(IngestError::BodyTooLarge { limit });
        }
        if out.capacity() < out.len() + count {
            // Doubling, but never past the limit.
            let wanted = (out.capacity() * 2).clamp(out.len() + count, limit);
            out.reserve_exact(wanted - out.len());
        }
        out.extend_from_slice(&chunk[..count]);
    }
}
