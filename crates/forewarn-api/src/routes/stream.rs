//! Alerts as they happen: server-sent events that resume where a client left off.
//!
//! An event's id is its record's offset in the log, so a client that reconnects with `Last-Event-ID` misses
//! nothing and gets nothing twice. The stream begins with an id alone, so that this holds for a client that
//! has seen no alert yet. What lies before the present is read from the log; from there on events come from
//! the hub, which renders each of them once for all streams. A client that is too slow for that is cut off, and
//! resumes from the log.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use forewarn_log::LogError;
use forewarn_spec::AssetGlob;
use forewarn_types::{Offset, Record, Severity};
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::IntoParams;

use super::alerts::{parse_glob, parse_severities};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::Params;
use crate::http::hub::{Origin, Rendered};
use crate::http::peer::Peer;
use crate::http::streams::StreamPlace;
use crate::problem::{Problem, sets};
use crate::views::AlertEvent;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT: Duration = Duration::from_secs(2);
/// What a stream sends while nothing happens.
const NOTHING_NEW: &[u8] = b":\n\n";
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
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Response, Problem> {
    let filter = Filter {
        severity: parse_severities(query.severity.as_deref())?,
        asset: query.asset.as_deref().filter(|text| !text.is_empty()).map(parse_glob).transpose()?,
        principal: principal.clone(),
    };
    let own = principal.open_stream()?;
    let address = peer.map_or_else(String::new, |Extension(peer)| Peer::client(peer.address).to_string());
    let place = api.streams.take(principal.name.clone().unwrap_or(address))?;
    let after = last_event_id(&headers)?.or(query.after);
    let feed = Feed::new(api.clone(), filter, after, place);
    let (id, retry) = (id_before(feed.next), RECONNECT.as_millis());
    let hello = Bytes::from(format!("retry: {retry}\n: alerts of Forewarn\nid: {id}\n\n"));
    let events = stream::unfold(feed, |mut feed| async move { feed.next().await.map(|event| (event, feed)) });
    let all = stream::once(async { hello }).chain(events).map(Ok::<_, Infallible>);
    let ended = ended(api.clone(), principal);
    let all = all.take_until(api.shutdown.clone().cancelled_owned()).take_until(ended);
    let all = all.inspect(move |_| _ = &own);
    let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((kind, Body::from_stream(all)).into_response())
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
    origin: Origin,
    filter: Filter,
    /// The first record that the client has neither got nor filtered out.
    next: Offset,
    /// Up to here records are read from the log; behind it they come by `live`.
    log_until: Offset,
    live: broadcast::Receiver<Arc<Rendered>>,
    ready: VecDeque<Bytes>,
    _place: StreamPlace,
}

impl Feed {
    fn new(api: ApiState, filter: Filter, after: Option<i64>, place: StreamPlace) -> Self {
        let origin = Origin {
            state: api.state.clone(),
            log: Arc::clone(&api.log),
            definitions: api.definitions.clone(),
        };
        // First the subscription, then the mark: whatever is folded in behind the mark comes by the
        // subscription.
        let live = api.hub.subscribe(|| origin.clone());
        let log_until = api.state.applied();
        let end = api.log.end();
        // An id from another log may lie behind the end of this one.
        let next = after.map_or(end, |after| behind(after).min(end));
        Self { api, origin, filter, next, log_until, live, ready: VecDeque::new(), _place: place }
    }

    /// What to send next; `None` if the client is too slow, or nothing comes any more.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.next < self.log_until {
                self.read_log().await?;
                continue;
            }
            match tokio::time::timeout(KEEP_ALIVE, self.live.recv()).await {
                Ok(Ok(event)) => {
                    if event.offset >= self.next {
                        self.next = event.offset.next();
                        if self.filter.admits(&event.record) {
                            return Some(event.text.clone());
                        }
                    }
                }
                Ok(Err(RecvError::Lagged(events))) => {
                    tracing::info!(events, "a stream of alerts is cut off, as its client is too slow");
                    return None;
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => return Some(Bytes::from_static(NOTHING_NEW)),
            }
        }
    }

    async fn read_log(&mut self) -> Option<()> {
        let _turn = self.api.catching_up.acquire().await.ok()?;
        let (log, from) = (Arc::clone(&self.api.log), self.next);
        let read = tokio::task::spawn_blocking(move || log.read(from, READ_RECORDS, READ_BYTES)).await;
        match read {
            Ok(Ok(records)) if records.is_empty() => self.next = self.log_until,
            Ok(Ok(records)) => {
                for (offset, record) in records {
                    if offset >= self.next {
                        self.next = offset.next();
                        if self.filter.admits(&record) {
                            self.ready.extend(self.origin.text(offset, &record));
                        }
                    }
                }
            }
            Ok(Err(LogError::Trimmed { from, start })) => {
                let gap = format!("event: gap\ndata: {{\"from\":{from},\"to\":{start}}}\n\n");
                self.ready.push_back(gap.into());
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
}
