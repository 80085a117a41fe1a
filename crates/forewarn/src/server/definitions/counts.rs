//! What happened to the definitions since the start, as numbers.

/// What is counted since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Other definitions were put in force.
    pub(super) changes: u64,
    /// Other definitions were refused.
    pub(super) refusals: u64,
}
