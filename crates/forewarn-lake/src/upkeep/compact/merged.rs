//! What comes of a merge, or why nothing does.

use crate::table::NewFile;

/// Why files cannot be merged.
#[derive(Debug)]
pub(super) struct Fault {
    /// The place of the file it lies in, if it lies in one.
    pub(super) file: Option<usize>,
    pub(super) problem: String,
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self { file: None, problem }
    }
}

/// Says that the problem lies in the file at place `file`.
pub(super) fn in_file(file: usize) -> impl Fn(String) -> Fault {
    move |problem| Fault { file: Some(file), problem }
}

/// What came of a merge.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) files: Vec<NewFile>,
    /// Rows written.
    pub(super) rows: u64,
    /// Rows left out, as they stood there before: same series, time, value and quality.
    pub(super) duplicates: u64,
}
