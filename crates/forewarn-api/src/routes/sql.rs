//! Read-only SQL over every table.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use forewarn_query::{Form, Query, QueryError, Scope};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Principal, Role};
use crate::context::ApiState;
use crate::http::ApiJson;
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

/// An answer up to this size is sent once it is complete, so that a failure has a status of its own; of a
/// larger one this much is computed before anything is sent.
const FIRST_BYTES: usize = 256 << 10;

const fn media_type(form: Form) -> &'static str {
    match form {
        Form::Json => "application/json",
        Form::Csv => "text/csv; charset=utf-8; header=present",
        Form::Parquet => "application/vnd.apache.parquet",
        Form::Arrow => "application/vnd.apache.arrow.stream",
    }
}

/// Answers a SELECT over all tables, up to the newest stored record.
///
/// Tables: readings, `alert_events`, `job_runs`, predictions, `life_events`, commands, and one per job
/// output. Times are UTC. Who is bound to assets sees the tables with a column `asset`, and of them the rows
/// of these assets. Only administrators see the table `audit`.
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
    principal: Principal,
    headers: HeaderMap,
    ApiJson(body): ApiJson<SqlBody>,
) -> Result<Response, Problem> {
    let form = wanted(&headers)?;
    let asked =
        Query { text: body.query, max_rows: body.max_rows, scope: scope(&principal), ..Query::default() };
    let answer = api.queries.run(asked).await.map_err(|error| problems::query(&error))?;
    let cut = answer.truncation();
    let mut pieces = Box::pin(answer.encoded(form));
    let mut first = Vec::new();
    let mut complete = false;
    while first.len() < FIRST_BYTES && !complete {
        match pieces.try_next().await.map_err(|error| problems::query(&error))? {
            Some(piece) => first.extend_from_slice(&piece),
            None => complete = true,
        }
    }
    let content_type = (header::CONTENT_TYPE, media_type(form));
    if complete {
        let mut response = ([content_type], Body::from(first)).into_response();
        if cut.is_known() {
            response.headers_mut().insert("x-forewarn-truncated", HeaderValue::from_static("true"));
        }
        return Ok(response);
    }
    // A client learns of a failure from now on by a connection that is cut off before the end. That there
    // are more rows than the server allows is one where the form has no place to say it.
    let unsaid = form != Form::Json && body.max_rows.is_none();
    let end = stream::once(async move {
        if unsaid && cut.is_known() {
            return Err(QueryError::TooLarge("the answer has more rows than limits.max_sql_rows".into()));
        }
        Ok(Bytes::new())
    });
    let rest = pieces.chain(end).inspect_err(|error| tracing::warn!(%error, "an answer was cut off"));
    let all = stream::once(async move { Ok(Bytes::from(first)) }).chain(rest);
    Ok(([content_type], Body::from_stream(all)).into_response())
}

/// What of the tables `principal` may see.
fn scope(principal: &Principal) -> Scope {
    match principal.scope() {
        Some(scope) => {
            let scope = Arc::clone(scope);
            Scope::Assets(Arc::new(move |asset| scope.admits(asset)))
        }
        None if principal.role == Role::Administrator => Scope::All,
        None => Scope::Common,
    }
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
