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
    let mut raw_pipelines: Vec<Option<RawPipeline>> = Vec::with_capacity(pipelines.len());
    for (document, report) in pipelines.iter().zip(&mut *reports) {
        let raw = document.as_ref().and_then(|document| document.read::<RawPipeline>(report));
        match &raw {
            Some(raw) => raw.declare(&mut known),
            None => known.lose(),
        }
        raw_pipelines.push(raw);
    }
    for (number, (raw, report)) in raw_pipelines.iter().zip(&mut *reports).enumerate() {
        let checked = raw
            .as_ref()
            .and_then(|raw| pipeline::check(raw, number, &known, &mut names, &mut derived, report));
        definitions.pipelines.extend(checked);
    }
    derived::check(&derived, &mut definitions.pipelines, reports);
    for (document, report) in models.iter().zip(of_models) {
        if let Some(raw) = document.as_ref().and_then(|document| document.read(report)) {
            definitions.models.extend(model::check(&raw, &known, &mut names, report));
        }
    }
    definitions
}
