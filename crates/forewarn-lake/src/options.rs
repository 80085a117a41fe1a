//! Where the lake is and how it behaves.

use std::time::Duration;

/// Where the lake is and how it behaves.
#[derive(Debug, Clone)]
pub struct LakeOptions {
    /// `file://./folder`, `file:///folder` or `s3://bucket/prefix`.
    pub url: String,
    /// The branch commits when the tail holds this many rows.
    pub commit_rows: usize,
    /// The branch commits when the oldest rows of the tail have waited this long, µs of the injected clock.
    pub commit_every_us: i64,
    /// The branch commits when the tail holds about this many bytes.
    pub commit_bytes: u64,
    /// A commit of the branch writes no file that is much larger than this.
    pub file_bytes: u64,
    /// The most rows the tail may hold; the branch commits at half of it, and reads no further while it is
    /// full.
    pub tail_max_rows: usize,
    /// The most bytes the tail may hold, about; as for the rows.
    pub tail_max_bytes: u64,
    /// The longest that a reader waits for what the log holds.
    pub read_timeout: Duration,
}

impl Default for LakeOptions {
    /// A lake in `./data/lake` with commits each minute.
    fn default() -> Self {
        Self {
            url: "file://./data/lake".to_owned(),
            commit_rows: 1_000_000,
            commit_every_us: 60_000_000,
            commit_bytes: 128 << 20,
            file_bytes: 128 << 20,
            tail_max_rows: 4_000_000,
            tail_max_bytes: 1 << 30,
            read_timeout: Duration::from_secs(30),
        }
    }
}
