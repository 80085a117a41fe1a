//! The audit: who did what, and who was refused.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_lake::Cell;
use forewarn_query::{Query, Scope};
use forewarn_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::context::ApiState;
use crate::http::params::{limit, time_range};
use crate::http::{Params, TimeInput};
use crate::problem::{Problem, sets};
use crate::problems;

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// The end of the year 9999.
const LATEST: Timestamp = Timestamp(253_402_300_799_999_999);

/// Which entries to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Only those of this principal.
    principal: Option<String>,
    /// Only those with this outcome: `done`, `refused`, `failed`.
    outcome: Option<String>,
    /// At this time or later.
    #[param(value_type = Option<String>)]
    from: Option<TimeInput>,
    /// Before this time.
    #[param(value_type = Option<String>)]
    to: Option<TimeInput>,
    /// Most entries in the answer, 1 to 1000; default 100.
    limit: Option<usize>,
}

/// An act, or refusals of one kind within a minute.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// When; of several the last one.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
    /// Who asked, where that is known.
    principal: Option<String>,
    /// Their role.
    role: Option<String>,
    /// The address the request came from.
    address: Option<String>,
    /// The method and the route.
    route: Option<String>,
    /// The path that was asked for.
    path: Option<String>,
    /// `done`, `refused` or `failed`.
    outcome: Option<String>,
    /// The HTTP status.
    status: Option<i64>,
    /// How many requests this stands for.
    count: Option<i64>,
}

/// Some of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// Newest first; the table `audit` has all.
    entries: Vec<AuditEntry>,
}

/// Shows who did what, and who was refused, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "accounts", params(AuditQuery), responses(
    (status = 200, description = "The entries", body = AuditView),
    sets::Parameters,
))]
pub(crate) async fn get_audit(
    Extract(api): Extract<ApiState>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditView>, Problem> {
    let limit = limit(query.limit, LIMIT, MAX_LIMIT)?;
    let (from, to) = time_range(query.from, query.to)?;
    let mut text =
        "SELECT time, principal, role, address, route, path, outcome, status, \"count\" FROM audit \
                    WHERE time >= :from AND time < :to"
            .to_owned();
    for (column, value) in [("principal", query.principal), ("outcome", query.outcome)] {
        if let Some(value) = value {
            text.extend([" AND ", column, " = '", &value.replace('\'', "''"), "'"]);
        }
    }
    text.extend([" ORDER BY time DESC, \"offset\" DESC LIMIT ", &limit.to_string()]);
    // Times outside the years that SQL can write are those of an open range.
    let params = Some((from.max(Timestamp(0)), to.min(LATEST)));
    let asked = Query { text, params, scope: Scope::All, ..Query::default() };
    let answer = api.queries.run(asked).await.map_err(|error| problems::query(&error))?;
    let rows = answer.collect().await.map_err(|error| problems::query(&error))?;
    let entries = (0..rows.row_count()).map(|row| {
        let text = |column: usize| match rows.cell(row, column) {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        };
        let int = |column: usize| match rows.cell(row, column) {
            Cell::Int(number) => Some(number),
            _ => None,
        };
        AuditEntry {
            time: match rows.cell(row, 0) {
                Cell::Time(time) => Some(time),
                _ => None,
            },
            principal: text(1),
            role: text(2),
            address: text(3),
            route: text(4),
            path: text(5),
            outcome: text(6),
            status: int(7),
            count: int(8),
        }
    });
    Ok(Json(AuditView { entries: entries.collect() }))
}
