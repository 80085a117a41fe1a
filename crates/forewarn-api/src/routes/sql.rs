//! Read-only SQL over every table.

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use forewarn_lake::{LakeError, ResultSet, SqlRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::context::ApiState;
use crate::http::ApiJson;
use crate::http::body::off_thread;
use crate::problem::{Problem, sets};
use crate::problems;

/// A query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlBody {
    /// One SELECT statement.
    #[schema(example = "SELECT count(*) AS n FROM readings")]
    query: String,
    /// Most rows in the answer; the server has a limit of its own.
    max_rows: Option<usize>,
}

/// Rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SqlRows {
    /// The columns' names.
    columns: Vec<String>,
    /// The rows, each with one value a column.
    #[schema(value_type = Vec<Vec<Object>>)]
    rows: Vec<Vec<serde_json::Value>>,
    /// Present and true if there were more rows than the answer may hold.
    truncated: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Parquet,
    Arrow,
}

impl Form {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Answers a SELECT over all tables, up to the newest stored record.
///
/// Tables: readings, `alert_events`, `job_runs`, predictions, `life_events`, commands, and one per job
/// output. Times are UTC.
#[utoipa::path(post, path = "/v1/sql", tag = "sql", request_body = SqlBody, responses(
    (status = 200, description = "The rows", content(
        (SqlRows = "application/json"),
        (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.parquet"),
        (Vec<u8> = "application/vnd.apache.arrow.stream")
    )),
    sets::Body, sets::Forms,
))]
pub(crate) async fn post_sql(
    Extract(api): Extract<ApiState>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<SqlBody>,
) -> Result<Response, Problem> {
    let form = wanted(&headers)?;
    let _turn = api.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
    let request = SqlRequest { query: body.query, max_rows: body.max_rows, ..SqlRequest::default() };
    let rows = api.lake.sql(request).await.map_err(|error| problems::lake(&error))?;
    let truncated = rows.truncated();
    let bytes = off_thread(usize::MAX, move || encode(&rows, form))
        .await?
        .map_err(|error| Problem::internal(&error))?;
    let mut response = ([(header::CONTENT_TYPE, form.media_type())], Body::from(bytes)).into_response();
    if truncated {
        // Only JSON has another place to say it.
        response.headers_mut().insert("x-forewarn-truncated", axum::http::HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn encode(rows: &ResultSet, form: Form) -> Result<Bytes, LakeError> {
    let mut out = Vec::new();
    match form {
        Form::Json => rows.write_json(&mut out),
        Form::Csv => rows.write_csv(&mut out),
        Form::Parquet => return rows.to_parquet(),
        Form::Arrow => return rows.to_arrow_stream(),
    }
    Ok(out.into())
}

/// The first form in `Accept` that exists. Weights are ignored: clients that care name one form.
fn wanted(headers: &HeaderMap) -> Result<Form, Problem> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Ok(Form::Json);
    };
    for item in accept.split(',') {
        match item.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "*/*" | "application/*" | "application/json" => return Ok(Form::Json),
            "text/csv" | "text/*" => return Ok(Form::Csv),
            "application/vnd.apache.parquet" => return Ok(Form::Parquet),
            "application/vnd.apache.arrow.stream" => return Ok(Form::Arrow),
            _ => {}
        }
    }
    let accept: String = accept.chars().take(80).collect();
    Err(Problem::not_acceptable(format!("rows cannot be sent as {accept:?}")).hint(
        "accept application/json, text/csv, application/vnd.apache.parquet \
             or application/vnd.apache.arrow.stream",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_accept() {
        let check = |accept: &'static str, expected: Option<Form>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(wanted(&headers).ok(), expected, "{accept}");
        };
        check("*/*", Some(Form::Json));
        check("text/csv", Some(Form::Csv));
        check("application/vnd.apache.parquet, text/csv;q=0.5", Some(Form::Parquet));
        check("application/vnd.apache.arrow.stream", Some(Form::Arrow));
        check("application/xml, text/csv;q=0.5", Some(Form::Csv));
        check("application/xml", None);
        assert_eq!(wanted(&HeaderMap::new()).ok(), Some(Form::Json));
    }
}
