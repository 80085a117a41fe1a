//! What a compaction aims at.

/// What a compaction aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactOptions {
    /// Files of about this many bytes are made; those of at least half of it are left alone.
    pub target_bytes: u64,
    /// So many small files must have gathered in a partition that still grows.
    pub min_files: usize,
    /// At most so many files are merged at a time.
    pub max_files: usize,
}

impl Default for CompactOptions {
    /// Files of 128 MB, of at least 8 and at most 256.
    fn default() -> Self {
        Self { target_bytes: 128 << 20, min_files: 8, max_files: 256 }
    }
}
