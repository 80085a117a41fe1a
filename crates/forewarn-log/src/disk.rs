//! What the log asks of the disk. Injected, so that tests can hold the disk up, fill it, or let it fail.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use forewarn_types::Offset;

use crate::LogError;
use crate::segment::Segment;

/// A disk. Whatever makes a file durable is one, such as `File::sync_data`.
pub(crate) trait Disk: Send {
    /// Creates the segment in `dir` that begins with `base`, durably.
    fn create(&mut self, dir: &Path, base: Offset) -> Result<(Segment, File), LogError> {
        Segment::create(dir, base)
    }

    /// Writes all of `bytes` where the file's cursor stands.
    fn write(&mut self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes what was written to the file durable.
    fn sync(&mut self, file: &File) -> io::Result<()>;
}

impl<F: FnMut(&File) -> io::Result<()> + Send> Disk for F {
    fn sync(&mut self, file: &File) -> io::Result<()> {
        self(file)
    }
}

/// Whether there is merely no room left, which may change.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
