//! Definitions: how each file stands, its text, and other texts put in force while the server runs.

mod outlook;
mod views;

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use forewarn_state::{
    Applied, Expected, Exposition, FileKind, FileStatus, FileText, Proposal, TreeStatus, text_tag,
};
use serde::Deserialize;
use utoipa::IntoParams;

use self::outlook::outlook;
use self::views::{AppliedView, CheckView, DefinitionText, PipelinesView, Refusal, TextsBody};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::body::OptionalJson;
use crate::http::{ApiJson, Params, PathParam, RawBody};
use crate::problem::{Problem, sets};

/// How a text is put in force.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutQuery {
    /// Say what it would do to open alerts, and change nothing.
    dry_run: Option<bool>,
}

/// Lists the files of pipelines: which are in force as they stand on disk, and what is wrong with the others.
#[utoipa::path(get, path = "/v1/pipelines", tag = "definitions", responses(
    (status = 200, description = "The files", body = PipelinesView),
))]
pub(crate) async fn list_pipelines(Extract(api): Extract<ApiState>) -> Json<PipelinesView> {
    Json(PipelinesView::new(&api.definitions.status()))
}

/// Gives the text of a pipeline as it stands on disk; the header `ETag` names it. With `Accept:
/// application/json` it comes with its state.
#[utoipa::path(get, path = "/v1/pipelines/{pipeline}", tag = "definitions",
    params(("pipeline" = String, Path, description = "The pipeline's name")), responses(
    (status = 200, description = "The text", content((String = "application/yaml"), (DefinitionText = "application/json"))),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_pipeline(
    Extract(api): Extract<ApiState>,
    PathParam(name): PathParam<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    get_text(&api, FileKind::Pipeline, &name, &headers)
}

/// Gives the text of a model's definition, as that of a pipeline.
#[utoipa::path(get, path = "/v1/models/{model}/definition", tag = "definitions",
    params(("model" = String, Path, description = "The model's name")), responses(
    (status = 200, description = "The text", content((String = "application/yaml"), (DefinitionText = "application/json"))),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_model_definition(
    Extract(api): Extract<ApiState>,
    PathParam(name): PathParam<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    get_text(&api, FileKind::Model, &name, &headers)
}

/// Puts a text of a pipeline in force. All definitions are checked together; the file is written and they are
/// put in force as a whole, or nothing changes. The body is the YAML text, or `{"text": …}`.
///
/// `If-Match` must be the `ETag` of the text that was read before, so that no two people overwrite each
/// other's changes; for a pipeline that is not there yet, send `If-None-Match: *`.
#[utoipa::path(put, path = "/v1/pipelines/{pipeline}", tag = "definitions",
    params(("pipeline" = String, Path, description = "The pipeline's name"), PutQuery,
           ("If-Match" = Option<String>, Header, description = "The `ETag` of the text read before")),
    request_body(content((String = "application/yaml"), (DefinitionText = "application/json"))), responses(
    (status = 200, description = "It is in force, or would be", body = AppliedView),
    (status = 422, description = "There are mistakes; nothing changed", body = views::Mistakes,
     content_type = "application/problem+json"),
    sets::Body, sets::Conditional,
))]
pub(crate) async fn put_pipeline(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(name): PathParam<String>,
    Params(query): Params<PutQuery>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Refusal> {
    put_text(&api, &principal, (FileKind::Pipeline, name), &query, (&headers, body)).await
}

/// Puts a text of a model's definition in force, as that of a pipeline.
#[utoipa::path(put, path = "/v1/models/{model}/definition", tag = "definitions",
    params(("model" = String, Path, description = "The model's name"), PutQuery,
           ("If-Match" = Option<String>, Header, description = "The `ETag` of the text read before")),
    request_body(content((String = "application/yaml"), (DefinitionText = "application/json"))), responses(
    (status = 200, description = "It is in force, or would be", body = AppliedView),
    (status = 422, description = "There are mistakes; nothing changed", body = views::Mistakes,
     content_type = "application/problem+json"),
    sets::Body, sets::Conditional,
))]
pub(crate) async fn put_model_definition(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(name): PathParam<String>,
    Params(query): Params<PutQuery>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Refusal> {
    put_text(&api, &principal, (FileKind::Model, name), &query, (&headers, body)).await
}

/// Checks texts, together with the other files of the server, and says what they would do to open alerts.
/// Nothing changes.
#[utoipa::path(post, path = "/v1/check", tag = "definitions", request_body = TextsBody, responses(
    (status = 200, description = "What is wrong, or what it would do", body = CheckView),
    sets::Body,
))]
pub(crate) async fn post_check(
    Extract(api): Extract<ApiState>,
    ApiJson(body): ApiJson<TextsBody>,
) -> Result<Json<CheckView>, Refusal> {
    let proposal = body.into_proposal(None, true);
    match api.definitions.check(proposal).await {
        Ok(applied) => Ok(Json(checked(&api, &applied).await?)),
        Err(rejection) => match Refusal::from(rejection) {
            Refusal::Mistakes(mistakes) => Ok(Json(CheckView::refused(mistakes.mistakes))),
            other @ Refusal::Problem(_) => Err(other),
        },
    }
}

/// Puts texts in force together: those of the body, which are written to the server's folders, or, without a
/// body, what is in the folders now. All or nothing.
#[utoipa::path(post, path = "/v1/apply", tag = "definitions", params(PutQuery), request_body = TextsBody, responses(
    (status = 200, description = "They are in force, or would be", body = AppliedView),
    (status = 422, description = "There are mistakes; nothing changed", body = views::Mistakes,
     content_type = "application/problem+json"),
    sets::Body,
))]
pub(crate) async fn post_apply(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    Params(query): Params<PutQuery>,
    OptionalJson(body): OptionalJson<TextsBody>,
) -> Result<Json<AppliedView>, Refusal> {
    let proposal = body.into_proposal(principal.name.clone(), false);
    carry_out(&api, proposal, query.dry_run.unwrap_or(false)).await.map(Json)
}

fn get_text(api: &ApiState, kind: FileKind, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let status = api.definitions.status();
    let file = find(&status, kind, name).ok_or_else(|| {
        let (key, name) = (kind.key(), name.chars().take(80).collect::<String>());
        Problem::not_found(format!("there is no {key} {name}")).hint(format!("GET /v1/{key}s lists all"))
    })?;
    let accepts = |kind: &str| {
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|accepted| accepted.contains(kind))
    };
    let mut response = if accepts("application/json") {
        Json(DefinitionText::new(file)).into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], file.text.to_string()).into_response()
    };
    add_tag(&mut response, &file.tag());
    Ok(response)
}

fn find<'s>(status: &'s TreeStatus, kind: FileKind, name: &str) -> Option<&'s FileStatus> {
    status.files.iter().find(|file| file.kind == kind && file.name == name)
}

fn add_tag(response: &mut Response, tag: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

async fn put_text(
    api: &ApiState,
    principal: &Principal,
    (kind, target): (FileKind, String),
    query: &PutQuery,
    (headers, RawBody(body, _permit)): (&HeaderMap, RawBody),
) -> Result<Response, Refusal> {
    let expected = expected(headers, kind)?;
    let text = views::text_of(headers, &body)?;
    let tag = text_tag(&text);
    let proposal = Proposal {
        actor: principal.name.clone(),
        by: "api",
        files: vec![FileText { kind, target, by_name: true, text }],
        whole: false,
        expected: Some(expected),
    };
    let view = carry_out(api, proposal, query.dry_run.unwrap_or(false)).await?;
    let mut response = Json(view).into_response();
    add_tag(&mut response, &tag);
    Ok(response)
}

/// Puts `proposal` in force and waits until the engine has taken it in; a dry run says what it would do.
async fn carry_out(api: &ApiState, proposal: Proposal, dry_run: bool) -> Result<AppliedView, Refusal> {
    if dry_run {
        let applied = api.definitions.check(proposal).await?;
        return Ok(AppliedView::dry(checked(api, &applied).await?));
    }
    let applied = api.definitions.apply(proposal).await?;
    // It is in force from here on; at worst its effect is not visible yet.
    let _ = api.judged().await;
    Ok(AppliedView::done(&applied))
}

/// What checked definitions would do.
async fn checked(api: &ApiState, applied: &Applied) -> Result<CheckView, Problem> {
    let outlook = outlook(api, applied).await?;
    Ok(CheckView::good(&applied.definitions.warnings, outlook))
}

/// What the file must be, by the request's headers.
fn expected(headers: &HeaderMap, kind: FileKind) -> Result<Expected, Problem> {
    let text = |name| {
        let value: Option<&HeaderValue> = headers.get(name);
        value.map(|value| value.to_str().unwrap_or_default().trim().to_owned())
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (Some(tags), _) if tags == "*" => Ok(Expected::Any),
        (Some(tags), _) => {
            let tag = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
            Ok(Expected::Tags(tags.split(',').map(tag).collect()))
        }
        (None, Some(none)) if none == "*" => Ok(Expected::Absent),
        _ => Err(Problem::precondition_required(format!(
            "the request does not say which text of the {} it is to replace",
            kind.key()
        ))
        .hint("send the ETag of the text you read as If-Match, or If-None-Match: * for a new one")),
    }
}

/// One line on the definitions, for the readiness check.
pub(crate) fn summary(status: &TreeStatus) -> String {
    let mut text = match status.files.len() {
        1 => "1 file is known".to_owned(),
        count => format!("{count} files are known"),
    };
    if let Some(problem) = &status.problem {
        text.extend(["; ", problem.as_str()]);
    }
    for file in status.pending() {
        text.extend(["; ", file.path.as_str(), " is not in force as it stands: "]);
        match file.problems.first() {
            Some(problem) if problem.line > 0 => {
                _ = write!(text, "line {}: {}", problem.line, problem.message);
            }
            Some(problem) => text.push_str(&problem.message),
            None => text.push_str("it waits until the mistakes in other files are corrected"),
        }
    }
    if status.left_out > 0 {
        _ = write!(text, "; {} definitions in force do not load in this version", status.left_out);
    }
    text
}

/// Shows how the definitions stand.
pub(crate) fn definitions_metrics(out: &mut Exposition, status: &TreeStatus) {
    let help = "Rules, signals, jobs and sources in force that this version does not load.";
    out.gauge("forewarn_definitions_refused", help, &[], status.left_out as f64);
    let help = "Definition files that are not in force as they stand on disk.";
    out.gauge("forewarn_definitions_pending_files", help, &[], status.pending().count() as f64);
    let help = "1 while the folders of definitions cannot be put in force, whatever the files say.";
    out.gauge("forewarn_definitions_problem", help, &[], f64::from(u8::from(status.problem.is_some())));
    let help = "How often other definitions were put in force since the start.";
    out.counter("forewarn_definitions_changes_total", help, &[], status.changes);
    let help = "How often definitions with mistakes were refused since the start.";
    out.counter("forewarn_definitions_refusals_total", help, &[], status.refusals);
}
