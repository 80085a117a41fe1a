//! Jobs and their runs. Training and predicting are jobs too, `train:MODEL` and `predict:MODEL`, and so is
//! the upkeep of the lake, `maintain`.

use forewarn_batch::{Backfill, BatchError, JobStatus};
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_types::{JobRun, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;
use crate::context::ApiState;
use crate::http::body::OptionalJson;
use crate::http::params::limit;
use crate::http::{ApiJson, Params, PathParam, TimeInput};
use crate::problem::{Problem, sets};
use crate::problems;

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// All jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Jobs {
    /// Each with its schedule, its next and its last run.
    #[schema(value_type = Vec<Object>)]
    jobs: Vec<JobStatus>,
}

/// Some runs of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunPage {
    /// The job.
    job: String,
    /// Its newest runs, newest first; the table `job_runs` has all.
    runs: Vec<RunView>,
    /// Whether the server knows more than the answer holds.
    truncated: bool,
}

/// One execution of a job for one data interval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    /// Names the run.
    run: String,
    /// The job.
    job: String,
    /// `sql`, `frame`, `train`, `predict` or `maintain`.
    #[schema(value_type = String)]
    kind: forewarn_types::JobKind,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    state: &'static str,
    /// Start of the data interval, inclusive.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// End of the data interval, exclusive.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// When this state was reached.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// What started it: `schedule`, `catch-up`, `request`, `backfill`, or `recompute` if readings came late.
    trigger: String,
    /// Rows written, models trained or assets predicted.
    rows: Option<u64>,
    /// Why it failed, and what to do.
    error: Option<String>,
    /// More about it, such as a model's metrics.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

impl From<JobRun> for RunView {
    fn from(run: JobRun) -> Self {
        // Details are JSON by agreement; a text that is none is shown as a text.
        let details =
            run.details.map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)));
        Self {
            run: run.run,
            job: run.job,
            kind: run.kind,
            state: run.state.as_str(),
            from: run.from,
            to: run.to,
            time: run.time,
            trigger: run.trigger,
            rows: run.rows,
            error: run.error,
            details,
        }
    }
}

/// A run that was requested.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunStarted {
    /// Names it: `GET /v1/jobs/runs/{run}`.
    run: String,
}

/// Runs that were requested.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunsStarted {
    /// One run for each data interval, oldest first.
    runs: Vec<String>,
    /// How many intervals are left out: their rows are written, or a run for them is queued or running.
    skipped: usize,
}

/// The data interval of a run. That of a SQL job is one whole interval of its schedule, and its rows take the
/// place of those that were written for it before.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// Its start. Without start and end a SQL job runs the last interval that is complete; other jobs begin
    /// in 1970.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<TimeInput>,
    /// Its end, which must not lie in the future; left out: that of the interval, for other jobs now.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<TimeInput>,
}

/// The range whose data intervals are to be computed. Those of which a SQL job has written the rows are left
/// out, unless they are to be run again; models compute them again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillBody {
    /// Start of the first interval.
    #[schema(value_type = String, format = DateTime)]
    from: TimeInput,
    /// End of the last one.
    #[schema(value_type = String, format = DateTime)]
    to: TimeInput,
    /// Whether intervals that have succeeded are run again; their rows take the place of the old ones.
    #[serde(default)]
    again: bool,
}

/// How many runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunsQuery {
    /// Most runs in the answer, 1 to 1000; default 100.
    limit: Option<usize>,
}

/// Lists jobs with their schedules.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", responses(
    (status = 200, description = "The jobs", body = Jobs),
    sets::Busy,
))]
pub(crate) async fn list_jobs(Extract(api): Extract<ApiState>) -> Result<Json<Jobs>, Problem> {
    // What jobs there are can be said without their past.
    let _read = api.past_read().await?;
    Ok(Json(Jobs { jobs: api.scheduler.jobs() }))
}

/// Lists the newest runs of a job, newest first.
#[utoipa::path(get, path = "/v1/jobs/{job}/runs", tag = "jobs",
    params(("job" = String, Path, description = "The job"), RunsQuery), responses(
    (status = 200, description = "The runs", body = RunPage),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn list_runs(
    Extract(api): Extract<ApiState>,
    PathParam(job): PathParam<String>,
    Params(query): Params<RunsQuery>,
) -> Result<Json<RunPage>, Problem> {
    let limit = limit(query.limit, LIMIT, MAX_LIMIT)?;
    check(&api, &job)?;
    api.past_known().await?;
    let known = api.scheduler.runs(&job);
    let truncated = known.len() > limit;
    let runs = known.into_iter().take(limit).map(RunView::from).collect();
    Ok(Json(RunPage { job, runs, truncated }))
}

/// Runs a job now.
#[utoipa::path(post, path = "/v1/jobs/{job}/run", tag = "jobs", request_body = Option<RunBody>,
    params(("job" = String, Path, description = "The job")), responses(
    (status = 202, description = "The run has been queued", body = RunStarted),
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn run_job(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(job): PathParam<String>,
    OptionalJson(body): OptionalJson<RunBody>,
) -> Result<(StatusCode, Json<RunStarted>), Problem> {
    check(&api, &job)?;
    request(&api, &principal, &job, body.from.map(|time| time.0), body.to.map(|time| time.0)).await
}

/// Runs a job for every past data interval of its schedule within a range whose rows are missing, or for all
/// of them again.
#[utoipa::path(post, path = "/v1/jobs/{job}/backfill", tag = "jobs", request_body = BackfillBody,
    params(("job" = String, Path, description = "The job")), responses(
    (status = 202, description = "The runs have been queued", body = RunsStarted),
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn backfill(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(job): PathParam<String>,
    ApiJson(body): ApiJson<BackfillBody>,
) -> Result<(StatusCode, Json<RunsStarted>), Problem> {
    check(&api, &job)?;
    let (from, to) = (body.from.0, body.to.0);
    if from >= to {
        return Err(Problem::bad_request(format!("from ({from}) must be earlier than to ({to})")));
    }
    let Backfill { runs, skipped } = answer(api.scheduler.backfill(&job, from, to, body.again)).await?;
    tracing::info!(actor = %principal, job, runs = runs.len(), "a backfill was requested");
    Ok((StatusCode::ACCEPTED, Json(RunsStarted { runs, skipped })))
}

/// One run.
#[utoipa::path(get, path = "/v1/jobs/runs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The run")), responses(
    (status = 200, description = "The run", body = RunView),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_run(
    Extract(api): Extract<ApiState>,
    PathParam(id): PathParam<String>,
) -> Result<Json<RunView>, Problem> {
    api.past_known().await?;
    find(&api, &id).map(|run| Json(run.into()))
}

/// Cancels a run that is queued or running. It ends soon, not at once.
#[utoipa::path(post, path = "/v1/jobs/runs/{id}/cancel", tag = "jobs",
    params(("id" = String, Path, description = "The run")), responses(
    (status = 202, description = "It will be cancelled; this is its present state", body = RunView),
    sets::Parameters, sets::Missing, sets::Refused,
))]
pub(crate) async fn cancel_run(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    api.past_known().await?;
    let run = find(&api, &id)?;
    if run.state.is_final() {
        return Err(Problem::conflict(format!(
            "run {} has ended already: it {}",
            run.run,
            run.state.as_str()
        )));
    }
    api.scheduler.cancel(&id).map_err(|error| problems::batch(&error))?;
    tracing::info!(actor = %principal, run = id, "the cancellation of a run was requested");
    Ok((StatusCode::ACCEPTED, Json(find(&api, &id)?.into())))
}

/// Asks for a run of `job`.
pub(crate) async fn request(
    api: &ApiState,
    principal: &Principal,
    job: &str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(StatusCode, Json<RunStarted>), Problem> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Problem::bad_request(format!("from ({from}) must be earlier than to ({to})")));
    }
    let run = answer(api.scheduler.request(job, from, to)).await?;
    tracing::info!(actor = %principal, job, run, "a run was requested");
    Ok((StatusCode::ACCEPTED, Json(RunStarted { run })))
}

/// The scheduler's answer. It takes requests only once it has read its history, so the wait for it has an
/// end.
async fn answer<T>(asked: impl Future<Output = Result<T, BatchError>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| problems::batch(&error)),
        Err(_) => Err(Problem::unavailable("the scheduler does not answer")
            .hint("it is starting; GET /v1/jobs/{job}/runs shows whether the request was taken")),
    }
}

fn find(api: &ApiState, id: &str) -> Result<JobRun, Problem> {
    api.scheduler.run(id).ok_or_else(|| {
        let id: String = id.chars().take(120).collect();
        Problem::not_found(format!("there is no run {id}"))
            .hint("GET /v1/jobs/{job}/runs lists the newest; the table job_runs has all")
    })
}

fn check(api: &ApiState, job: &str) -> Result<(), Problem> {
    if api.scheduler.jobs().iter().any(|known| known.name == job) {
        return Ok(());
    }
    let job: String = job.chars().take(80).collect();
    Err(Problem::not_found(format!("there is no job {job}")).hint("GET /v1/jobs lists all"))
}
