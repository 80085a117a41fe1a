//! Notifications: what was sent, what is still to be sent, and why an alert was sent or not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use forewarn_notify::{ContactStatus, Pending, RouteReason, Sent, TestReport};
use forewarn_types::{AlertId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::{parse_id, state_of};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::params::limit;
use crate::http::{ApiJson, Params, PathParam};
use crate::problem::{Problem, sets};

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
const STATES: [&str; 3] = ["pending", "delivered", "failed"];

/// A message about alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationView {
    /// Names the message; sent along as `Idempotency-Key`.
    key: String,
    /// `pending`, `delivered` or `failed`.
    state: &'static str,
    /// Why it is sent: `alert`, `repeat`, `escalation`, `digest`, `flood` or `test`.
    kind: &'static str,
    /// The route it takes.
    route: String,
    /// The contact that the route names.
    contact: String,
    /// Who got it, where the contact is a rotation.
    recipient: Option<String>,
    /// How it was sent.
    channel: Option<String>,
    /// The alerts it is about; of many the first.
    alerts: Vec<String>,
    /// How many alerts it is about.
    count: u64,
    /// What it says in one line.
    title: Option<String>,
    /// How often it was tried.
    attempts: Option<u32>,
    /// What the other side said.
    detail: Option<String>,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    due: Timestamp,
    /// When it was delivered or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
}

/// Most alerts that a message in the list names.
const MAX_ALERTS: usize = 20;

impl NotificationView {
    fn sent(sent: Sent) -> Self {
        let one = sent.notification;
        Self {
            state: one.outcome.as_str(),
            kind: one.kind.as_str(),
            alerts: one.alerts.iter().take(MAX_ALERTS).map(ToString::to_string).collect(),
            count: one.count,
            title: Some(one.title),
            attempts: Some(one.attempts),
            detail: one.detail,
            due: one.due,
            time: Some(one.time),
            key: one.key,
            route: one.route,
            contact: one.contact,
            recipient: Some(one.recipient),
            channel: Some(one.channel),
        }
    }

    fn pending(one: &Arc<Pending>) -> Self {
        Self {
            key: one.key.clone(),
            state: "pending",
            kind: one.kind.as_str(),
            route: one.route.clone(),
            contact: one.contact.clone(),
            recipient: None,
            channel: None,
            alerts: one.alerts().take(MAX_ALERTS).map(|alert| alert.to_string()).collect(),
            count: one.count(),
            title: None,
            attempts: None,
            detail: None,
            due: one.time,
            time: None,
        }
    }
}

/// Messages about alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationsView {
    /// Those that are still to be sent, then the others, the newest first. The table `notifications` has all
    /// that were delivered or given up.
    notifications: Vec<NotificationView>,
    /// Whether there are more.
    truncated: bool,
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationsQuery {
    /// About this alert.
    alert: Option<String>,
    /// `pending`, `delivered` or `failed`.
    state: Option<String>,
    /// To this contact.
    contact: Option<String>,
    /// Most messages, 1 to 1000; 100 if left out.
    limit: Option<usize>,
}

/// Lists messages about alerts: what is to be sent, and what was.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", params(NotificationsQuery), responses(
    (status = 200, description = "Messages", body = NotificationsView),
    sets::Parameters,
))]
pub(crate) async fn list_notifications(
    Extract(api): Extract<ApiState>,
    Params(query): Params<NotificationsQuery>,
) -> Result<Json<NotificationsView>, Problem> {
    let alert = query.alert.as_deref().map(parse_id).transpose()?;
    let most = limit(query.limit, LIMIT, MAX_LIMIT)?;
    if let Some(state) = query.state.as_deref().filter(|state| !STATES.contains(state)) {
        let state: String = state.chars().take(40).collect();
        return Err(Problem::bad_request(format!("state {state:?} is not known"))
            .hint("states are pending, delivered and failed"));
    }
    api.judged().await?;
    Ok(Json(found(&api, alert, query.state.as_deref(), query.contact.as_deref(), most)))
}

fn found(
    api: &ApiState,
    alert: Option<AlertId>,
    state: Option<&str>,
    contact: Option<&str>,
    most: usize,
) -> NotificationsView {
    let mut notifications: Vec<NotificationView> = Vec::new();
    if state.is_none_or(|state| state == "pending") {
        let pending = api.outbox.pending();
        let wanted = pending.iter().map(|(_, one)| one).filter(|one| {
            alert.is_none_or(|alert| one.alerts().any(|other| other == alert))
                && contact.is_none_or(|contact| contact == one.contact)
        });
        notifications.extend(wanted.take(most + 1).map(NotificationView::pending));
    }
    let left = (most + 1).saturating_sub(notifications.len());
    let wanted = |sent: &Sent| {
        let one = &sent.notification;
        alert.is_none_or(|alert| one.alerts.contains(&alert))
            && state.is_none_or(|state| state == one.outcome.as_str())
            && contact.is_none_or(|contact| contact == one.contact)
    };
    notifications.extend(api.outbox.sent(wanted, left).into_iter().map(NotificationView::sent));
    let truncated = notifications.len() > most;
    notifications.truncate(most);
    NotificationsView { notifications, truncated }
}

/// What a route makes of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RouteReasonView {
    /// The route.
    route: String,
    /// The pipeline it stands in.
    pipeline: String,
    /// Whether it matches the alert.
    matches: bool,
    /// The contacts it sends to.
    contacts: Vec<String>,
    /// What was said last: `firing`, `unknown`, `known`, `resolved` or `withdrawn`.
    said: Option<&'static str>,
    /// Why it does not match, what holds it back, or what comes next.
    because: String,
}

impl From<RouteReason> for RouteReasonView {
    fn from(reason: RouteReason) -> Self {
        Self {
            route: reason.route,
            pipeline: reason.pipeline,
            matches: reason.matches,
            contacts: reason.contacts,
            said: reason.said.map(forewarn_notify::Status::as_str),
            because: reason.because,
        }
    }
}

/// Why an alert was sent, or not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhyView {
    /// The alert.
    alert: String,
    /// Its state.
    state: &'static str,
    /// The silence, maintenance window or shelf that holds it back now.
    muted: Option<String>,
    /// What each route makes of it; empty if it is over, or there is no route.
    routes: Vec<RouteReasonView>,
    /// The messages about it.
    notifications: Vec<NotificationView>,
}

/// Says why an alert was sent to contacts, or not: which routes match, what holds it back, and what was sent.
#[utoipa::path(get, path = "/v1/alerts/{id}/notifications", tag = "notifications",
    params(("id" = String, Path, description = "The alert's id")), responses(
    (status = 200, description = "Why", body = WhyView),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn why(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<Json<WhyView>, Problem> {
    let alert = parse_id(&id)?;
    api.judged().await?;
    let state = state_of(&api, &principal, alert)?;
    let reason = api.outbox.why(alert);
    let (muted, routes) = reason.map(|reason| (reason.muted, reason.routes)).unwrap_or_default();
    Ok(Json(WhyView {
        alert: alert.to_string(),
        state: state.as_str(),
        muted,
        routes: routes.into_iter().map(Into::into).collect(),
        notifications: found(&api, Some(alert), None, None, MAX_LIMIT).notifications,
    }))
}

/// How a contact is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactView {
    /// The contact.
    contact: String,
    /// How it is reached.
    channel: String,
    /// Messages delivered since the server's start.
    delivered: u64,
    /// Messages given up since the server's start.
    failed: u64,
    /// Messages that are still to be sent.
    pending: u64,
    /// Since when nothing can be delivered.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Why not.
    problem: Option<String>,
}

impl From<ContactStatus> for ContactView {
    fn from(status: ContactStatus) -> Self {
        let (failing_since, problem) = status.failing.unzip();
        Self {
            contact: status.contact,
            channel: status.channel,
            delivered: status.delivered,
            failed: status.given_up,
            pending: status.pending,
            failing_since,
            problem,
        }
    }
}

/// The contacts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactsView {
    /// By name.
    contacts: Vec<ContactView>,
}

/// Lists the contacts, and whether they can be reached.
#[utoipa::path(get, path = "/v1/contacts", tag = "notifications", responses(
    (status = 200, description = "The contacts", body = ContactsView),
))]
pub(crate) async fn list_contacts(Extract(api): Extract<ApiState>) -> Json<ContactsView> {
    Json(ContactsView { contacts: api.contacts.contacts().into_iter().map(Into::into).collect() })
}

/// In one sentence, for `/readyz`, which contacts cannot be reached.
pub(crate) fn summary(contacts: &[ContactStatus]) -> String {
    let failing: Vec<String> = contacts
        .iter()
        .filter_map(|one| {
            let (since, why) = one.failing.as_ref()?;
            Some(format!("{} cannot be reached since {since} ({}): {why}", one.contact, one.channel))
        })
        .collect();
    let pending: u64 = contacts.iter().map(|one| one.pending).sum();
    if failing.is_empty() {
        return format!("{} contacts; {pending} messages are to be sent", contacts.len());
    }
    format!("{}; {pending} messages are to be sent", failing.join("; "))
}

/// Whom to send a test message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestBody {
    /// A contact, or a route, of which all contacts get it.
    #[schema(example = "ops")]
    to: String,
}

/// What became of a test message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestView {
    /// The contact.
    contact: String,
    /// Who got it, where the contact is a rotation.
    recipient: Option<String>,
    /// How.
    channel: Option<String>,
    /// Whether it was taken.
    delivered: bool,
    /// What the other side said.
    detail: String,
}

impl From<TestReport> for TestView {
    fn from(report: TestReport) -> Self {
        let TestReport { contact, recipient, channel, delivered, detail } = report;
        Self { contact, recipient, channel, delivered, detail }
    }
}

/// What became of test messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestsView {
    /// One for each contact.
    results: Vec<TestView>,
}

/// Sends a test message now, once.
#[utoipa::path(post, path = "/v1/notifications/test", tag = "notifications", request_body = TestBody, responses(
    (status = 200, description = "What became of it, also where it was not taken", body = TestsView),
    sets::Body, sets::Missing,
))]
pub(crate) async fn test(
    Extract(api): Extract<ApiState>,
    ApiJson(body): ApiJson<TestBody>,
) -> Result<Json<TestsView>, Problem> {
    api.fresh().await?;
    let Some(contacts) = api.tester.contacts(&body.to) else {
        let name: String = body.to.chars().take(100).collect();
        return Err(Problem::not_found(format!("there is no contact and no route {name:?}"))
            .hint("GET /v1/contacts lists the contacts; they stand in the server's settings"));
    };
    let route = if contacts.len() == 1 && contacts[0] == body.to { "" } else { body.to.as_str() };
    let mut results = Vec::new();
    for contact in contacts {
        results.push(api.tester.test(route, &contact).await.into());
    }
    Ok(Json(TestsView { results }))
}
