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
use crate::yaml::references::{Values, Variables};

pub use self::contacts::check_contacts;
pub(crate) use self::model::RawModel;
pub(crate) use self::pipeline::RawPipeline;
pub use self::queries::check_queries;
pub(crate) use self::server::RawServer;
pub use self::server::parse_server_config;
pub use self::stored::{Refused, Stored, load_stored, load_stored_with};

/// The keys of a pipeline whose texts may have references to variables and files: what talks to others. What
/// rules, signals and jobs say must be the same whenever the log is read again, so it stands in the log.
const WITH_REFERENCES: [&str; 5] = ["sources", "routes", "channels", "contacts", "actions"];

/// Reads pipelines and models, given as `(path, text)`, in which nothing refers to a variable or a file; the
/// path is for messages only.
///
/// # Errors
/// As for [`load_definitions_with`].
pub fn load_definitions(
    pipelines: &[(String, String)],
    models: &[(String, String)],
) -> Result<Definitions, Diagnostics> {
    load_definitions_with(pipelines, models, &|_| None)
}

/// Reads pipelines and models, given as `(path, text)`; the path is for messages only. `variables` gives what
/// `${NAME}` and `${file:PATH}` stand for in a pipeline's sources and in models.
///
/// # Errors
/// All mistakes of all files at once. Only a fault of YAML's syntax hides what else is wrong with its file.
pub fn load_definitions_with(
    pipelines: &[(String, String)],
    models: &[(String, String)],
    variables: Variables<'_>,
) -> Result<Definitions, Diagnostics> {
    let mut reports: Vec<Report<'_>> =
        pipelines.iter().chain(models).map(|(path, text)| Report::new(path, text)).collect();
    let mut documents: Vec<Option<Document<'_>>> = pipelines
        .iter()
        .chain(models)
        .zip(&mut reports)
        .map(|((_, text), report)| Document::parse(text, report))
        .collect();
    expand(&mut documents, pipelines.len(), Values::Of(variables), &mut reports);
    let (of_pipelines, of_models) = documents.split_at(pipelines.len());
    let mut definitions = check(of_pipelines, of_models, &mut reports);
    definitions.warnings = Diagnostics::sorted(
        reports.iter_mut().flat_map(|report| std::mem::take(&mut report.warned)).collect(),
    );
    let diagnostics = Diagnostics::sorted(reports.into_iter().flat_map(|report| report.found).collect());
    if diagnostics.0.is_empty() { Ok(definitions) } else { Err(diagnostics) }
}

/// Puts the values of references into the documents, of which the first `pipelines` are pipelines.
fn expand(
    documents: &mut [Option<Document<'_>>],
    pipelines: usize,
    values: Values<'_>,
    reports: &mut [Report<'_>],
) {
    for (number, (document, report)) in documents.iter_mut().zip(reports).enumerate() {
        match document {
            Some(document) if number < pipelines => document.expand_at(&WITH_REFERENCES, values, report),
            Some(document) => document.expand(values, report),
            None => {}
        }
    }
}
