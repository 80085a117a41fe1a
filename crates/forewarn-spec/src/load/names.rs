//! Names: what is one, and that none is given twice.

use std::collections::BTreeMap;

use forewarn_types::RecordKind;

use crate::diagnostics::Report;
use crate::yaml::field::Text;
use crate::yaml::kinds::Table;

/// Names that must be unique over all files: kind and name → where it was first.
#[derive(Default)]
pub(super) struct Names(BTreeMap<(&'static str, String), String>);

impl Names {
    pub(super) fn claim<K>(&mut self, kind: &'static str, name: &Text<K>, report: &mut Report<'_>) {
        check_name(name, report);
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

/// Reports a name that is none.
pub(super) fn check_name<K>(name: &Text<K>, report: &mut Report<'_>) {
    if !is_name(&name.value) {
        report.on(
            name,
            format!("{:?} is no name", name.value),
            Some("use letters, digits, _ and -, beginning with a letter".to_owned()),
        );
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The table that a job writes: one of its own, and named as SQL names tables.
pub(super) fn job_table(text: &Text<Table>, report: &mut Report<'_>) {
    let table = &text.value;
    if RecordKind::tables().any(|built_in| built_in == table) {
        report.on(text, format!("'{table}' is a built-in table"), Some("choose another name".to_owned()));
    } else if !is_name(table) || table.contains('-') || table.chars().any(char::is_uppercase) {
        report.on(
            text,
            format!("'{table}' is no table name"),
            Some("use lower-case letters, digits and _".to_owned()),
        );
    }
}
