//! YAML to checked definitions: raw structs that mirror the files, then a validation that collects every
//! mistake.

mod check;
mod contacts;
mod derived;
mod formula;
mod frame;
mod job;
mod known;
mod model;
mod names;
mod pipeline;
mod queries;
mod route;
mod rule;
mod server;
mod stored;
#[cfg(test)]
mod tests;

use self::check::check;
use crate::diagnostics::{Diagnostics, Report};
use crate::model::Definitions;
use crate::yaml::read::Document;

pub use self::contacts::check_contacts;
pub(crate) use self::model::RawModel;
pub(crate) use self::pipeline::RawPipeline;
pub use self::queries::check_queries;
pub(crate) use self::server::RawServer;
pub use self::server::parse_server_config;
pub use self::stored::{Refused, Stored, load_stored};

/// Reads pipelines and models, given as `(path, text)`; the path is for messages only.
///
/// # Errors
/// All mistakes of all files at once. Only a fault of YAML's syntax hides what else is wrong with its file.
pub fn load_definitions(
    pipelines: &[(String, String)],
    models: &[(String, String)],
) -> Result<Definitions, Diagnostics> {
    let mut reports: Vec<Report<'_>> =
        pipelines.iter().chain(models).map(|(path, text)| Report::new(path, text)).collect();
    let documents: Vec<Option<Document<'_>>> = pipelines
        .iter()
        .chain(models)
        .zip(&mut reports)
        .map(|((_, text), report)| Document::parse(text, report))
        .collect();
    let (of_pipelines, of_models) = documents.split_at(pipelines.len());
    let mut definitions = check(of_pipelines, of_models, &mut reports);
    definitions.warnings = Diagnostics::sorted(
        reports.iter_mut().flat_map(|report| std::mem::take(&mut report.warned)).collect(),
    );
    let diagnostics = Diagnostics::sorted(reports.into_iter().flat_map(|report| report.found).collect());
    if diagnostics.0.is_empty() { Ok(definitions) } else { Err(diagnostics) }
}
