//! Fingerprints of texts: equal in every run and in every version of the program, unlike the hashes of the
//! standard library, as names and versions that the log holds are made of them.
//!
//! They are FNV-1a (draft-eastlake-fnv). They tell things apart that differ by chance, and are no protection
//! against someone who looks for two texts with the same one.

/// The fingerprint of `bytes` in 64 bits.
pub fn fingerprint_64(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The fingerprint of `bytes` in 128 bits.
pub(crate) fn fingerprint_128(bytes: impl IntoIterator<Item = u8>) -> u128 {
    bytes.into_iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

/// The fingerprint of `bytes` as 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    format!("{:016x}", fingerprint_64(bytes.iter().copied()))
}

#[cfg(test)]
mod tests;
