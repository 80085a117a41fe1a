//! The rows of one data interval: there once, however often it is run.

use crate::RunContext;

/// Under which name and version the lake takes the rows of `job` for an interval. It takes only rising
/// versions of one writer, and intervals may come in any order (a backfill), so each interval is a writer of
/// its own.
pub(crate) fn writer(job: &str, context: &RunContext) -> (String, i64) {
    (format!("job {job} {}..{}", context.from.0, context.to.0), context.to.0.max(1))
}

/// What a run says that finds the rows of its interval in the table.
pub(crate) fn written_before() -> String {
    r#"{"note":"the rows of this interval were written by an earlier run"}"#.to_owned()
}
