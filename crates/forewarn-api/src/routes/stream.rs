//! Alerts as they happen: server-sent events that resume where a client left off.
//!
//! An event's id is its record's offset in the log, so a client that reconnects with `Last-Event-ID` misses
//! nothing and gets nothing twice. The stream begins with an id alone, so that this holds for a client that
//! has seen no alert yet. What lies before the present is read from the log; from there on events come from
//! the read model's feed, which costs nothing while nothing happens. A client that is too slow for the feed
//! is sent back to the log.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use forewarn_log::LogError;
use forewarn_spec::AssetGlob;
use forewarn_types::{Offset, Record, Severity};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use utoipa::IntoParams;

use super::alerts::{parse_glob, parse_severities};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::Params;
use crate::problem::{Problem, sets};
use crate::views::AlertEvent;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT: Duration = Duration::from_secs(2);
/// So often it is looked whether who reads may still do so.
const LOOK: Duration = Duration::from_secs(1);
const READ_RECORDS: usize = 4_096;
const READ_BYTES: usize = 4 << 20;

/// Which alerts to stream, and from where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    /// Severities, joined by commas: `critical`, `major`, `minor`, `warning`.
    severity: Option<String>,
    /// Asset path, or a glob over paths: `plant1/**`.
    asset: Option<String>,
    /// Begin after the event with this id. The header `Last-Event-ID` has precedence. Without either the
    /// stream begins now.
    after: Option<i64>,
}

/// Streams alerts as they happen.
///
/// Server-sent events: `event: alert`, `id` the log's offset, `data` the alert after the transition, with the
/// transition. The first event has an `id` and no `data`: resuming after it misses nothing since the
/// stream began; -1 is before all records. An event `gap` says that records the client has not seen are no
/// longer in the log; `GET /v1/alerts` has them.
#[utoipa::path(get, path = "/v1/alerts/stream", tag = "alerts",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Id of the last event seen")),
    responses(
    (status = 200, description = "The events", body = AlertEvent, content_type = "text/event-stream"),
    sets::Parameters,
))]
pub(crate) async fn stream_alerts(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let filter = Filter {
        severity: parse_severities(query.severity.as_deref())?,
        asset: query.asset.as_deref().filter(|text| !text.is_empty()).map(parse_glob).transpose()?,
        principal: principal.clone(),
    };
    let place = principal.open_stream()?;
    let permit = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable("too many event streams are open").hint("close some, or try again later")
    })?;
    let after = last_event_id(&headers)?.or(query.after);
    let feed = Feed::new(api.clone(), filter, after, permit);
    let hello = Event::default().retry(RECONNECT).comment("alerts of Forewarn").id(id_before(feed.next));
    let hello = stream::once(async { Ok(hello) });
    let events =
        stream::unfold(feed, |mut feed| async move { feed.next().await.map(|event| (Ok(event), feed)) });
    let ended = ended(api.clone(), principal);
    let events = hello.chain(events).take_until(api.shutdown.clone().cancelled_owned()).take_until(ended);
    let events = events.inspect(move |_| _ = &place);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Ends once `principal` may no longer see what they are being sent: their token was revoked, their login is
/// over, or their role or assets are others now.
async fn ended(api: ApiState, principal: Principal) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        if !api.access.still(&principal) {
            return;
        }
    }
}

/// The id that a resume takes to begin at `next`.
fn id_before(next: Offset) -> String {
    next.0.checked_sub(1).map_or_else(|| "-1".to_owned(), |id| id.to_string())
}

/// Where a stream begins that resumes behind `id`.
fn behind(id: i64) -> Offset {
    Offset(u64::try_from(id.saturating_add(1)).unwrap_or(0))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Problem::bad_request("Last-Event-ID is not an id that this server has sent; ids are numbers")
    })
}

struct Filter {
    severity: Vec<Severity>,
    asset: Option<AssetGlob>,
    principal: Principal,
}

impl Filter {
    fn admits(&self, record: &Record) -> bool {
        let Record::Alert(step) = record else { return false };
        (self.severity.is_empty() || self.severity.contains(&step.severity))
            && self.asset.as_ref().is_none_or(|glob| glob.matches(&step.asset))
            && self.principal.sees(&step.asset)
    }
}

/// One client's place in the sequence of alerts.
struct Feed {
    api: ApiState,
    filter: Filter,
    /// The first record that the client has neither got nor filtered out.
    next: Offset,
    /// Up to here records are read from the log; behind it they come by `live`.
    log_until: Offset,
    live: broadcast::Receiver<(Offset, Arc<Record>)>,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    fn new(api: ApiState, filter: Filter, after: Option<i64>, permit: OwnedSemaphorePermit) -> Self {
        // First the subscription, then the mark: whatever is folded in behind the mark comes by the
        // subscription.
        let live = api.state.alert_feed();
        let log_until = api.state.applied();
        let end = api.log.end();
        // An id from another log may lie behind the end of this one.
        let next = after.map_or(end, |after| behind(after).min(end));
        Self { api, filter, next, log_until, live, ready: VecDeque::new(), _permit: permit }
    }

    /// The next event; `None` if the log or the read model has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.next < self.log_until {
                self.read_log().await?;
                continue;
            }
            match self.live.recv().await {
                Ok((offset, record)) => self.take(offset, &record),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.live = self.api.state.alert_feed();
                    self.log_until = self.api.state.applied();
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn read_log(&mut self) -> Option<()> {
        let (log, from) = (Arc::clone(&self.api.log), self.next);
        let read = tokio::task::spawn_blocking(move || log.read(from, READ_RECORDS, READ_BYTES)).await;
        match read {
            Ok(Ok(records)) if records.is_empty() => self.next = self.log_until,
            Ok(Ok(records)) => records.iter().for_each(|(offset, record)| self.take(*offset, record)),
            Ok(Err(LogError::Trimmed { from, start })) => {
                let gap = format!("{{\"from\":{from},\"to\":{start}}}");
                self.ready.push_back(Event::default().event("gap").data(gap));
                self.next = start;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a stream of alerts ends");
                return None;
            }
            Err(error) => {
                tracing::error!(%error, "a stream of alerts ends");
                return None;
            }
        }
        Some(())
    }

    fn take(&mut self, offset: Offset, record: &Record) {
        if offset < self.next {
            return;
        }
        self.next = offset.next();
        if !self.filter.admits(record) {
            return;
        }
        let event =
            AlertEvent::new(offset, record, self.api.state.read().alerts(), &self.api.definitions.get());
        let Some(event) = event else { return };
        match Event::default().event("alert").id(offset.to_string()).json_data(&event) {
            Ok(event) => self.ready.push_back(event),
            Err(error) => tracing::error!(%error, %offset, "an alert cannot be shown as JSON"),
        }
    }
}
