//! YAML to checked definitions: raw structs that mirror the files, then a validation that collects every
//! mistake.

mod derived;
mod formula;
mod known;
mod model;
mod names;
mod pipeline;
mod queries;
mod rule;
mod server;
#[cfg(test)]
mod tests;

use self::known::Known;
use self::names::Names;
use crate::diagnostics::{Diagnostics, Report};
use crate::model::Definitions;
use crate::yaml::read::read;

pub(crate) use self::model::RawModel;
pub(crate) use self::pipeline::RawPipeline;
pub use self::queries::check_queries;
pub(crate) use self::server::RawServer;
pub use self::server::parse_server_config;

/// Reads pipelines and models, given as `(path, text)`; the path is for messages only.
///
/// # Errors
/// All mistakes of all files at once. Only a fault of YAML's syntax hides what else is wrong with its file.
pub fn load_definitions(
    pipelines: &[(String, String)],
    models: &[(String, String)],
) -> Result<Definitions, Diagnostics> {
    let mut definitions = Definitions::default();
    let mut names = Names::default();
    let mut known = Known::default();
    let mut derived = Vec::new();
    let mut reports: Vec<Report<'_>> = pipelines.iter().map(|(path, text)| Report::new(path, text)).collect();
    for (number, ((_, text), report)) in pipelines.iter().zip(&mut reports).enumerate() {
        match read::<RawPipeline>(text, report) {
            Some(raw) => {
                raw.declare(&mut known);
                definitions.pipelines.extend(pipeline::check(&raw, number, &mut names, &mut derived, report));
            }
            None => known.lose(),
        }
    }
    derived::check(&derived, &mut definitions.pipelines, &mut reports);
    for (path, text) in models {
        let mut report = Report::new(path, text);
        if let Some(raw) = read(text, &mut report) {
            definitions.models.extend(model::check(&raw, &known, &mut names, &mut report));
        }
        reports.push(report);
    }
    let diagnostics = Diagnostics::sorted(reports.into_iter().flat_map(|report| report.found).collect());
    if diagnostics.0.is_empty() { Ok(definitions) } else { Err(diagnostics) }
}
