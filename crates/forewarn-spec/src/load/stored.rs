//! Definitions that were in force already, as far as they still load.
//!
//! A program may be stricter than the one that took a definition. That must not keep a server from starting:
//! each rule, job, signal or source with a mistake is left out, and said to be, and so is what rests on it.

use std::fmt;

use super::check::check;
use super::expand;
use crate::diagnostics::{Diagnostic, Diagnostics, Place, Report};
use crate::model::Definitions;
use crate::yaml::read::Document;
use crate::yaml::references::{Values, Variables};

/// What was loaded, and what was not.
#[derive(Debug, Default)]
pub struct Stored {
    /// What loads.
    pub definitions: Definitions,
    /// What was left out.
    pub refused: Vec<Refused>,
}

/// A definition that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The list it stands in, such as `rules`; nothing if it is the whole file.
    pub list: String,
    /// Its name; nothing if it is the whole file, or has none.
    pub name: String,
    /// The first of its mistakes.
    pub mistake: Diagnostic,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.list.strip_suffix('s'), self.name.as_str()) {
            (None, _) => write!(f, "the whole file {}", self.mistake.file)?,
            (Some(kind), "") => write!(f, "a {kind}")?,
            (Some(kind), name) => write!(f, "the {kind} '{name}'")?,
        }
        let Diagnostic { file, line, column, message, hint, .. } = &self.mistake;
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}:{column}") };
        write!(f, " no longer loads and is left out: {place}: {message}")?;
        hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Reads what can be read of pipelines and models, given as `(path, text)`; the path is for messages only.
/// `queries` are mistakes that were found in the queries of jobs. What `${NAME}` and `${file:PATH}` stand for
/// is not known: whoever needs sources calls [`load_stored_with`].
#[must_use]
pub fn load_stored(
    pipelines: &[(String, String)],
    models: &[(String, String)],
    queries: &Diagnostics,
) -> Stored {
    load(pipelines, models, queries, Values::Hidden)
}

/// [`load_stored`], with what `variables` gives for references.
#[must_use]
pub fn load_stored_with(
    pipelines: &[(String, String)],
    models: &[(String, String)],
    queries: &Diagnostics,
    variables: Variables<'_>,
) -> Stored {
    load(pipelines, models, queries, Values::Of(variables))
}

fn load(
    pipelines: &[(String, String)],
    models: &[(String, String)],
    queries: &Diagnostics,
    values: Values<'_>,
) -> Stored {
    let files: Vec<&(String, String)> = pipelines.iter().chain(models).collect();
    let new_reports = || files.iter().map(|(path, text)| Report::new(path, text)).collect::<Vec<_>>();
    let mut refused = Vec::new();
    let mut reports = new_reports();
    let mut documents: Vec<Option<Document<'_>>> =
        files.iter().zip(&mut reports).map(|((_, text), report)| Document::parse(text, report)).collect();
    expand(&mut documents, pipelines.len(), values, &mut reports);
    for (number, (path, _)) in files.iter().enumerate() {
        let of_queries = queries.0.iter().filter(|mistake| mistake.file == *path);
        let mistakes: Vec<Diagnostic> = reports[number].found.iter().chain(of_queries).cloned().collect();
        leave_out(&mut documents[number], &mistakes, &mut refused);
    }
    loop {
        let first = std::mem::replace(&mut reports, new_reports());
        reports.iter_mut().zip(&first).for_each(|(report, first)| report.hide_as(first));
        let (of_pipelines, of_models) = documents.split_at(pipelines.len());
        let definitions = check(of_pipelines, of_models, &mut reports);
        if reports.iter().all(|report| report.found.is_empty()) {
            return Stored { definitions, refused };
        }
        // Each round leaves something out, so there is a last one.
        for (document, report) in documents.iter_mut().zip(&reports) {
            leave_out(document, &report.found, &mut refused);
        }
    }
}

/// Leaves out the items of a file that have mistakes; the whole file if one lies in no item.
fn leave_out(document: &mut Option<Document<'_>>, mistakes: &[Diagnostic], refused: &mut Vec<Refused>) {
    let Some(first) = mistakes.first() else { return };
    let places: Vec<Place> =
        mistakes.iter().map(|mistake| Place { line: mistake.line, column: mistake.column }).collect();
    if let Some(items) = document.as_mut().and_then(|document| document.take_out(&places)) {
        let refuse = |(list, name, number): (String, String, usize)| {
            let mistake: Diagnostic = mistakes[number].clone();
            Refused { list, name, mistake }
        };
        refused.extend(items.into_iter().map(refuse));
    } else {
        *document = None;
        refused.push(Refused { list: String::new(), name: String::new(), mistake: first.clone() });
    }
}
