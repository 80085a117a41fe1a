//! The queries of jobs, found in the text by themselves: what SQL is and is not is known to the lake, which
//! lies above this crate, and a fault elsewhere in the file shall not hide one in a query.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::diagnostics::{Diagnostics, Place, Report};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    jobs: Option<Vec<Job>>,
}

#[derive(Deserialize)]
struct Job {
    sql: Option<Spanned<String>>,
}

/// Checks the query of every job of `pipelines`, given as `(path, text)`, with `check`, which says what is
/// wrong with it. A file whose jobs cannot be made out is passed over;
/// [`load_definitions`](crate::load_definitions) says why.
pub fn check_queries(
    pipelines: &[(String, String)],
    check: impl Fn(&str) -> Result<(), String>,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for (path, text) in pipelines {
        let mut report = Report::new(path, text);
        let jobs = serde_saphyr::from_str::<File>(text).ok().and_then(|file| file.jobs).unwrap_or_default();
        for sql in jobs.into_iter().filter_map(|job| job.sql) {
            if let Err(problem) = check(&sql.value) {
                report.fault(Place::from(sql.defined), problem, None);
            }
        }
        diagnostics.0.append(&mut report.found);
    }
    diagnostics
}
