//! Texts of the settings in which environment variables stand.

use crate::diagnostics::Report;
use crate::yaml::field::{Kind, Text};

/// The text with its variables filled in; `variable` gives their values.
pub(super) fn expand<K: Kind>(
    value: &Text<K>,
    variable: &dyn Fn(&str) -> Option<String>,
    report: &mut Report<'_>,
) -> String {
    let mut result = String::new();
    let mut rest = value.value.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((inner, behind)) = after.split_once('}') else {
            report.on(value, "`${` has no closing `}`", None);
            return result;
        };
        let (name, default) =
            inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        if let Some(text) = variable(name).or_else(|| default.map(str::to_owned)) {
            result.push_str(&text);
        } else {
            let hint = Some(format!("set it, or give a default: ${{{name}:-…}}"));
            report.on(value, format!("the environment variable {name} is not set"), hint);
        }
        rest = behind;
    }
    result.push_str(rest);
    result
}
