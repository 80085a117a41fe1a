//! The check of all files together: names are unique, and signals known, over all of them.

use super::known::Known;
use super::names::Names;
use super::pipeline::RawPipeline;
use super::{derived, model, pipeline};
use crate::diagnostics::Report;
use crate::model::Definitions;
use crate::yaml::read::Document;

/// Checks the files that YAML could read; `reports` are those of the pipelines, then of the models.
pub(super) fn check(
    pipelines: &[Option<Document<'_>>],
    models: &[Option<Document<'_>>],
    reports: &mut [Report<'_>],
) -> Definitions {
    let mut definitions = Definitions::default();
    let mut names = Names::default();
    let mut known = Known::default();
    let mut derived = Vec::new();
    let (reports, of_models) = reports.split_at_mut(pipelines.len());
    for (number, (document, report)) in pipelines.iter().zip(&mut *reports).enumerate() {
        match document.as_ref().and_then(|document| document.read::<RawPipeline>(report)) {
            Some(raw) => {
                raw.declare(&mut known);
                definitions.pipelines.extend(pipeline::check(&raw, number, &mut names, &mut derived, report));
            }
            None => known.lose(),
        }
    }
    derived::check(&derived, &mut definitions.pipelines, reports);
    for (document, report) in models.iter().zip(of_models) {
        if let Some(raw) = document.as_ref().and_then(|document| document.read(report)) {
            definitions.models.extend(model::check(&raw, &known, &mut names, report));
        }
    }
    definitions
}
