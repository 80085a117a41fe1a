//! Silences and maintenance windows: which alerts are not told, and until when.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_spec::{AssetGlob, parse_day, parse_hours};
use forewarn_types::{Quiet, QuietKind, Record, Severity, Timestamp, Weekly, fingerprint, parse_duration_us};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commands::check_text;
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, PathParam, TimeInput};
use crate::problem::{Problem, sets};

const MAX_ACTOR_BYTES: usize = 128;
const MAX_COMMENT_BYTES: usize = 4_000;
const MAX_SELECTORS: usize = 100;
/// Most silences and windows at one time.
const MAX_QUIETS: usize = 1_000;
/// A silence has an end, as shelving has.
const MAX_SILENCE_US: i64 = 31 * 86_400_000_000;

/// One text or several.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Texts {
    /// None.
    #[default]
    None,
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Alerts that are not sent for a while. Those that are still open when it ends are sent then.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SilenceBody {
    /// Of these assets; a selector, or several. Left out, of all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["plant1/line3/**"]))]
    assets: Texts,
    /// Of these rules; names or patterns. Left out, of all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    rules: Texts,
    /// Of these severities. Left out, of all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    severity: Texts,
    /// From when; left out, from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<TimeInput>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<TimeInput>,
    /// For how long, instead of `until`: `30m`, `8h`, `2d`.
    duration: Option<String>,
    /// Who sets it.
    actor: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// Hours that come back every week.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeeklyBody {
    /// The days on which they begin: `mon`, `tue`, …
    days: Vec<String>,
    /// From when to when; `22:00-06:00` ends on the day after.
    #[schema(example = "06:00-08:00")]
    hours: String,
    /// Their time zone; left out, UTC.
    timezone: Option<String>,
}

/// A time in which work is done on assets, so that their alerts are not told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowBody {
    /// The assets; a selector, or several.
    #[schema(value_type = Vec<String>)]
    assets: Texts,
    /// From when; left out, from now.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<TimeInput>,
    /// Until when; may be left out with `weekly`.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<TimeInput>,
    /// For how long, instead of `until`.
    duration: Option<String>,
    /// Within that time, in these hours only.
    weekly: Option<WeeklyBody>,
    /// Who sets it.
    actor: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// Hours that come back every week.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WeeklyView {
    /// The days on which they begin.
    days: Vec<&'static str>,
    /// From when to when.
    hours: String,
    /// Their time zone.
    timezone: String,
}

/// A silence or a maintenance window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuietView {
    /// Its id.
    id: String,
    /// Whether it holds now.
    active: bool,
    /// Of which assets; empty: of all.
    assets: Vec<String>,
    /// Of which rules; empty: of all.
    rules: Vec<String>,
    /// Of which severities; empty: of all.
    severity: Vec<&'static str>,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it ends; `null`: when it is taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Within that time it holds in these hours only.
    weekly: Option<WeeklyView>,
    /// Who set it.
    actor: Option<String>,
    /// Why.
    comment: Option<String>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl QuietView {
    fn new(quiet: Quiet, active: bool) -> Self {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let weekly = quiet.weekly.map(|weekly| WeeklyView {
            days: weekly.days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect(),
            hours: format!("{}-{}", time(weekly.from_minute), time(weekly.to_minute)),
            timezone: weekly.timezone,
        });
        Self {
            id: quiet.id,
            active,
            assets: quiet.assets,
            rules: quiet.rules,
            severity: quiet.severities.into_iter().map(Severity::as_str).collect(),
            from: quiet.from,
            until: quiet.until,
            weekly,
            actor: quiet.actor,
            comment: quiet.comment,
        }
    }
}

/// Silences.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SilencesView {
    /// Those that hold, are to come, or ended within the last day.
    silences: Vec<QuietView>,
}

/// Maintenance windows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WindowsView {
    /// Those that hold, are to come, or ended within the last day.
    maintenance_windows: Vec<QuietView>,
}

/// Lists the silences.
#[utoipa::path(get, path = "/v1/silences", tag = "notifications", responses(
    (status = 200, description = "The silences", body = SilencesView), sets::Busy,
))]
pub(crate) async fn list_silences(Extract(api): Extract<ApiState>) -> Result<Json<SilencesView>, Problem> {
    Ok(Json(SilencesView { silences: listed(&api, QuietKind::Silence).await? }))
}

/// Lists the maintenance windows.
#[utoipa::path(get, path = "/v1/maintenance-windows", tag = "notifications", responses(
    (status = 200, description = "The windows", body = WindowsView), sets::Busy,
))]
pub(crate) async fn list_windows(Extract(api): Extract<ApiState>) -> Result<Json<WindowsView>, Problem> {
    Ok(Json(WindowsView { maintenance_windows: listed(&api, QuietKind::Maintenance).await? }))
}

async fn listed(api: &ApiState, kind: QuietKind) -> Result<Vec<QuietView>, Problem> {
    api.fresh().await?;
    let quiets = api.outbox.quiets().into_iter().filter(|(quiet, _)| quiet.kind == kind);
    Ok(quiets.map(|(quiet, active)| QuietView::new(quiet, active)).collect())
}

/// Sets a silence: alerts that it is about are not told until it ends.
#[utoipa::path(post, path = "/v1/silences", tag = "notifications", request_body = SilenceBody, responses(
    (status = 201, description = "It holds", body = QuietView), sets::Body,
))]
pub(crate) async fn add_silence(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<SilenceBody>,
) -> Result<(StatusCode, Json<QuietView>), Problem> {
    let now = api.clock.now();
    let from = body.from.map_or(now, |time| time.0);
    let until = end(from, body.until, body.duration.as_deref())?.ok_or_else(|| {
        Problem::bad_request("a silence needs either the field \"until\" or the field \"duration\"")
            .hint("{\"assets\":[\"plant1/**\"],\"duration\":\"8h\",\"actor\":\"anna\"}")
    })?;
    if until <= now || until.since_us(now) > MAX_SILENCE_US {
        return Err(Problem::bad_request(format!(
            "a silence may last until a time within 31 days from now ({now}), not until {until}"
        )));
    }
    let severities = body.severity.into_list();
    let severities = severities.iter().map(|text| {
        Severity::parse(text).ok_or_else(|| {
            Problem::bad_request(format!("severity {text:?} is not known"))
                .hint("severities are critical, major, minor and warning")
        })
    });
    let quiet = Quiet {
        id: String::new(),
        kind: QuietKind::Silence,
        removed: false,
        assets: selectors("assets", body.assets)?,
        rules: selectors("rules", body.rules)?,
        severities: severities.collect::<Result<_, _>>()?,
        from,
        until: Some(until),
        weekly: None,
        actor: principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?)?,
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
        time: now,
    };
    add(&api, quiet).await
}

/// Sets a maintenance window, once or every week.
#[utoipa::path(post, path = "/v1/maintenance-windows", tag = "notifications", request_body = WindowBody, responses(
    (status = 201, description = "It is set", body = QuietView), sets::Body,
))]
pub(crate) async fn add_window(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<WindowBody>,
) -> Result<(StatusCode, Json<QuietView>), Problem> {
    let now = api.clock.now();
    let from = body.from.map_or(now, |time| time.0);
    let until = end(from, body.until, body.duration.as_deref())?;
    let weekly = body.weekly.map(weekly).transpose()?;
    if until.is_none() && weekly.is_none() {
        return Err(Problem::bad_request("a window needs \"until\", \"duration\" or \"weekly\"").hint(
            "{\"assets\":[\"plant1/**\"],\"weekly\":{\"days\":[\"mon\"],\"hours\":\"06:00-08:00\",\
             \"timezone\":\"Europe/Oslo\"}}",
        ));
    }
    if let Some(until) = until.filter(|until| *until <= now || *until <= from) {
        return Err(Problem::bad_request(format!("the window would be over at {until}; it is {now}")));
    }
    let assets = selectors("assets", body.assets)?;
    if assets.is_empty() {
        return Err(Problem::bad_request("a window needs \"assets\"").hint("\"**\" selects all"));
    }
    let quiet = Quiet {
        id: String::new(),
        kind: QuietKind::Maintenance,
        removed: false,
        assets,
        rules: Vec::new(),
        severities: Vec::new(),
        from,
        until,
        weekly,
        actor: principal.actor(check_text("actor", body.actor, MAX_ACTOR_BYTES)?)?,
        comment: check_text("comment", body.comment, MAX_COMMENT_BYTES)?,
        time: now,
    };
    add(&api, quiet).await
}

async fn add(api: &ApiState, mut quiet: Quiet) -> Result<(StatusCode, Json<QuietView>), Problem> {
    api.fresh().await?;
    if api.outbox.quiets().len() >= MAX_QUIETS {
        return Err(Problem::bad_request(format!("there are {MAX_QUIETS} silences and windows already"))
            .hint("DELETE those that are not needed any more"));
    }
    let number = api.log.end();
    let id = fingerprint(format!("{number} {quiet:?}").as_bytes());
    id[..12].clone_into(&mut quiet.id);
    api.log.append(Record::Quiet(quiet.clone())).await?;
    api.fresh().await?;
    let active = api.outbox.quiets().iter().any(|(other, active)| other.id == quiet.id && *active);
    Ok((StatusCode::CREATED, Json(QuietView::new(quiet, active))))
}

/// Takes a silence back: what is still open is sent.
#[utoipa::path(delete, path = "/v1/silences/{id}", tag = "notifications",
    params(("id" = String, Path, description = "The silence's id")), responses(
    (status = 204, description = "It is taken back"), sets::Missing, sets::Busy,
))]
pub(crate) async fn remove_silence(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<StatusCode, Problem> {
    remove(&api, &principal, &id, QuietKind::Silence).await
}

/// Takes a maintenance window back.
#[utoipa::path(delete, path = "/v1/maintenance-windows/{id}", tag = "notifications",
    params(("id" = String, Path, description = "The window's id")), responses(
    (status = 204, description = "It is taken back"), sets::Missing, sets::Busy,
))]
pub(crate) async fn remove_window(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<StatusCode, Problem> {
    remove(&api, &principal, &id, QuietKind::Maintenance).await
}

async fn remove(
    api: &ApiState,
    principal: &Principal,
    id: &str,
    kind: QuietKind,
) -> Result<StatusCode, Problem> {
    api.fresh().await?;
    let found = api.outbox.quiets().into_iter().find(|(quiet, _)| quiet.id == id && quiet.kind == kind);
    let Some((quiet, _)) = found else {
        let id: String = id.chars().take(100).collect();
        return Err(Problem::not_found(format!("there is no {} {id:?}", kind.as_str())));
    };
    let (actor, time) = (principal.actor(None)?, api.clock.now());
    api.log.append(Record::Quiet(Quiet { removed: true, actor, time, ..quiet })).await?;
    api.fresh().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn end(
    from: Timestamp,
    until: Option<TimeInput>,
    duration: Option<&str>,
) -> Result<Option<Timestamp>, Problem> {
    match (until, duration) {
        (Some(_), Some(_)) => Err(Problem::bad_request("give either \"until\" or \"duration\"")),
        (Some(until), None) => Ok(Some(until.0)),
        (None, Some(text)) => {
            let us = parse_duration_us(text).map_err(|error| Problem::bad_request(error.to_string()))?;
            Ok(Some(from.plus_us(us)))
        }
        (None, None) => Ok(None),
    }
}

/// Selectors, checked.
fn selectors(field: &str, texts: Texts) -> Result<Vec<String>, Problem> {
    let texts = texts.into_list();
    if texts.len() > MAX_SELECTORS {
        return Err(Problem::bad_request(format!("{field:?} has more than {MAX_SELECTORS} entries")));
    }
    if !texts.is_empty() {
        AssetGlob::parse_all(&texts)
            .map_err(|problem| Problem::bad_request(format!("{field:?}: {problem}")))?;
    }
    Ok(texts)
}

fn weekly(body: WeeklyBody) -> Result<Weekly, Problem> {
    let days = body.days.iter().map(|day| {
        parse_day(day).ok_or_else(|| {
            Problem::bad_request(format!("{day:?} is no day of the week")).hint("days are mon, tue, wed, …")
        })
    });
    let days: Vec<u8> = days.collect::<Result<_, _>>()?;
    let (from_minute, to_minute) = parse_hours(&body.hours).ok_or_else(|| {
        Problem::bad_request(format!("{:?} is no hours of the day", body.hours)).hint("such as 06:00-08:00")
    })?;
    if days.is_empty() {
        return Err(Problem::bad_request("\"days\" is empty"));
    }
    let timezone = body.timezone.unwrap_or_else(|| "UTC".to_owned());
    if !forewarn_notify::is_zone(&timezone) {
        return Err(Problem::bad_request(format!("unknown time zone {timezone:?}"))
            .hint("use a name such as UTC or Europe/Oslo"));
    }
    Ok(Weekly { days, from_minute, to_minute, timezone })
}
