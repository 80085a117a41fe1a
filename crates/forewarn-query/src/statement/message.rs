//! What DataFusion says of a query, in the words of its author: what is wrong, where, and what to write.

use datafusion::common::{DataFusionError, SchemaError, Span};

use forewarn_types::did_you_mean;

use crate::error::QueryError;

/// What the parser says.
pub(super) fn syntax(error: &DataFusionError) -> QueryError {
    let text = match error.find_root() {
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let text = text
        .trim_start_matches("SQL error: ")
        .trim_start_matches("sql parser error: ")
        .trim_start_matches("ParserError(\"")
        .trim_end_matches("\")")
        .to_owned();
    if text.contains("recursion limit") {
        return QueryError::TooLarge(
            "the query has too many parentheses or subqueries in one another; take it apart with WITH".into(),
        );
    }
    QueryError::Query(format!("the query is not SQL: {text}"))
}

/// What went wrong in planning or running the query of which `text` is known.
pub(crate) fn explain(error: &DataFusionError, text: Option<&str>) -> QueryError {
    let place = place(error, text);
    match error.find_root() {
        DataFusionError::External(inner) => external(inner.as_ref()),
        DataFusionError::ResourcesExhausted(detail) => exhausted(detail),
        other if other.to_string().contains("max_temp_directory_size") => exhausted("disk"),
        DataFusionError::SchemaError(problem, _) => QueryError::Query(format!("{}{place}", schema(problem))),
        DataFusionError::ArrowError(inner, _) => {
            QueryError::Query(format!("a value cannot be computed: {}{place}", plain(&inner.to_string())))
        }
        DataFusionError::ParquetError(inner) => {
            QueryError::Failed(format!("a data file cannot be read: {inner}"))
        }
        DataFusionError::ObjectStore(inner) => {
            QueryError::Failed(format!("the lake's store cannot be read: {inner}"))
        }
        DataFusionError::IoError(inner) => {
            QueryError::Failed(format!("what does not fit into memory cannot be written to disk: {inner}"))
        }
        other => QueryError::Query(format!("{}{place}", plain(&other.strip_backtrace()))),
    }
}

fn external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> QueryError {
    if let Some(refused) = error.downcast_ref::<QueryError>() {
        return match refused {
            QueryError::TooLarge(text) => QueryError::TooLarge(text.clone()),
            other => QueryError::Query(other.to_string()),
        };
    }
    QueryError::Failed(error.to_string())
}

fn exhausted(detail: &str) -> QueryError {
    let (what, instead) = if detail.contains("disk") {
        ("disk space", "")
    } else {
        ("memory", ", or raise limits.max_sql_memory")
    };
    QueryError::TooLarge(format!(
        "the query needs more {what} than queries may take; narrow its time range, name assets, select fewer \
         columns, or aggregate before sorting or joining{instead}"
    ))
}

/// Where in the text the error is, if it is known.
fn place(error: &DataFusionError, text: Option<&str>) -> String {
    let Some(Span { start, .. }) = error.diagnostic().and_then(|diagnostic| diagnostic.span) else {
        return String::new();
    };
    if text.is_none() || start.line == 0 {
        return String::new();
    }
    format!(" (line {}, column {})", start.line, start.column)
}

fn schema(problem: &SchemaError) -> String {
    match problem {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let quoted = field.name.contains(['/', ' ']) || field.name.is_empty();
            if quoted {
                return format!(
                    "there is no column {:?}; a text stands in single quotes: '{}'",
                    field.name, field.name
                );
            }
            let hint = did_you_mean(&field.name, known.iter().copied());
            let hint = hint.map_or_else(|| ".".to_owned(), |name| format!("; did you mean {name}?"));
            let mut names = known;
            names.sort_unstable();
            names.dedup();
            if names.is_empty() {
                return format!("there is no column {}{hint}", field.name);
            }
            format!("there is no column {}{hint} There are: {}", field.name, names.join(", "))
        }
        SchemaError::AmbiguousReference { field } => {
            format!(
                "{} is a column of several tables here; write the table before it: t.{}",
                field.name, field.name
            )
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            format!("two columns are called {name}; give one of them another name with AS")
        }
    }
}

/// DataFusion's words without what only its developers understand.
fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for start in [
        "Error during planning: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "SQL error: ",
        "Optimizer rule",
        "Schema error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "Cast error: ",
        "External error: ",
    ] {
        while let Some(rest) = text.strip_prefix(start) {
            text = rest.to_owned();
        }
    }
    let text = text.split("\n\nbacktrace").next().unwrap_or_default();
    let text = text.split(".\nThis issue was likely caused by a bug").next().unwrap_or_default();
    text.trim().to_owned()
}
