//! YAML to checked definitions: raw structs that mirror the files, then a validation that collects every
//! mistake.

mod derived;
mod field;
mod form;
mod kinds;
mod known;
mod model;
mod pipeline;
mod queries;
mod read;
mod rule;
mod server;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use forewarn_types::parse_duration_us;

use self::field::{Kind, Text};
use self::kinds::{Assets, BUILT_IN_TABLES, CronText, Duration, Name, PositiveDuration, Table, Zone};
use self::known::Known;
use self::read::read;
use crate::diagnostics::Report;
use crate::{AssetGlob, Definitions, Diagnostics};

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
                known.add(raw.signals());
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

/// Names that must be unique over all files: kind and name → where it was first.
#[derive(Default)]
struct Names(BTreeMap<(&'static str, String), String>);

impl Names {
    fn claim(&mut self, kind: &'static str, name: &Text<Name>, report: &mut Report<'_>) {
        if !is_name(&name.value) {
            report.on(
                name,
                format!("{:?} is no name", name.value),
                Some("use letters, digits, _ and -, beginning with a letter".to_owned()),
            );
        }
        let place = format!("{}:{}", report.file(), name.place.line);
        if let Some(first) = self.0.insert((kind, name.value.clone()), place) {
            report.on(
                name,
                format!("the {kind} '{}' is defined twice", name.value),
                Some(format!("the other one is at {first}; rename one")),
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn duration(text: &Text<Duration>, report: &mut Report<'_>) -> i64 {
    microseconds(text, report)
}

/// The table that a job writes: one of its own, and named as SQL names tables.
fn job_table(text: &Text<Table>, report: &mut Report<'_>) {
    let table = &text.value;
    if BUILT_IN_TABLES.contains(&table.as_str()) {
        report.on(text, format!("'{table}' is a built-in table"), Some("choose another name".to_owned()));
    } else if !is_name(table) || table.contains('-') || table.chars().any(char::is_uppercase) {
        report.on(
            text,
            format!("'{table}' is no table name"),
            Some("use lower-case letters, digits and _".to_owned()),
        );
    }
}

fn positive_duration(text: &Text<PositiveDuration>, report: &mut Report<'_>) -> i64 {
    positive_microseconds(text, report)
}

fn positive_microseconds<K: Kind>(text: &Text<K>, report: &mut Report<'_>) -> i64 {
    let us = microseconds(text, report);
    if us <= 0 {
        report.on(text, "this duration must be longer than zero", None);
    }
    us.max(1)
}

fn microseconds<K: Kind>(text: &Text<K>, report: &mut Report<'_>) -> i64 {
    parse_duration_us(&text.value).unwrap_or_else(|error| {
        report.on(text, error.to_string(), None);
        1
    })
}

fn glob(text: &Text<Assets>, report: &mut Report<'_>) -> Option<AssetGlob> {
    AssetGlob::parse(&text.value).map_err(|message| report.on(text, message, None)).ok()
}

fn timezone(text: Option<&Text<Zone>>, report: &mut Report<'_>) -> Tz {
    let Some(text) = text else { return Tz::UTC };
    text.value.parse().unwrap_or_else(|_| {
        report.on(
            text,
            format!("unknown time zone '{}'", text.value),
            Some("use a name such as UTC or Europe/Oslo".to_owned()),
        );
        Tz::UTC
    })
}

fn cron(text: &Text<CronText>, report: &mut Report<'_>) -> String {
    if text.value.split_whitespace().count() != 5 {
        report.on(
            text,
            format!("'{}' is no schedule of five fields", text.value),
            Some("minute hour day month weekday, as in `0 2 * * *`".to_owned()),
        );
    } else if let Err(error) = text.value.parse::<croner::Cron>() {
        report.on(
            text,
            format!("'{}' is no schedule: {error}", text.value),
            Some("minute hour day month weekday, as in `0 2 * * *`".to_owned()),
        );
    }
    text.value.clone()
}
