//! One rendering of each alert's event for all streams: an event costs its text once, and each stream a
//! pointer to it.

use std::sync::Arc;

use bytes::Bytes;
use forewarn_log::Log;
use forewarn_state::{LiveDefinitions, SharedState};
use forewarn_types::{Offset, Record};
use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::views::AlertEvent;

/// How many events a stream may be behind before it is cut off. Its client resumes from the log.
const BEHIND: usize = 8_192;
/// How much of the log is read at once.
const READ_RECORDS: usize = 1_024;
const READ_BYTES: usize = 1 << 20;

/// An event as it is sent.
pub(crate) struct Rendered {
    /// The record's place in the log.
    pub(crate) offset: Offset,
    /// What it says, for filters.
    pub(crate) record: Arc<Record>,
    /// The event's text.
    pub(crate) text: Bytes,
}

/// What events are made from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) state: SharedState,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) definitions: LiveDefinitions,
}

impl Origin {
    /// The text of an alert's event; `None` of another record.
    pub(crate) fn text(&self, offset: Offset, record: &Record) -> Option<Bytes> {
        let event = AlertEvent::new(offset, record, self.state.read().alerts(), &self.definitions.get())?;
        match serde_json::to_string(&event) {
            Ok(data) => Some(format!("event: alert\nid: {offset}\ndata: {data}\n\n").into()),
            Err(error) => {
                tracing::error!(%error, %offset, "an alert cannot be shown as JSON");
                None
            }
        }
    }
}

/// Renders events while somebody listens.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    events: Arc<Mutex<Option<broadcast::Sender<Arc<Rendered>>>>>,
}

impl Hub {
    /// Events from now on: what is folded into the state after this call comes by it.
    pub(crate) fn subscribe(&self, origin: impl FnOnce() -> Origin) -> broadcast::Receiver<Arc<Rendered>> {
        let mut running = self.events.lock();
        if let Some(events) = &*running {
            return events.subscribe();
        }
        let (events, receiver) = broadcast::channel(BEHIND);
        let origin = origin();
        let feed = origin.state.alert_feed();
        let next = origin.state.applied();
        *running = Some(events.clone());
        let rendering = Rendering { origin, events, next };
        tokio::spawn(rendering.run(feed, self.clone()));
        receiver
    }
}

struct Rendering {
    origin: Origin,
    events: broadcast::Sender<Arc<Rendered>>,
    /// What lies before it was rendered, or is not asked for.
    next: Offset,
}

impl Rendering {
    /// Renders until nobody listens any more, or nothing comes any more. With the sender all streams end.
    async fn run(mut self, mut feed: broadcast::Receiver<(Offset, Arc<Record>)>, hub: Hub) {
        loop {
            match feed.recv().await {
                Ok((offset, record)) => self.render(offset, record),
                Err(RecvError::Lagged(_)) => {
                    // As a stream does it: first the subscription, then the mark up to which the log is read.
                    feed = self.origin.state.alert_feed();
                    if self.catch_up(self.origin.state.applied()).await.is_none() {
                        break;
                    }
                }
                Err(RecvError::Closed) => break,
            }
            // Who subscribes holds the lock: it is counted here, or starts another rendering.
            let mut running = hub.events.lock();
            if self.events.receiver_count() == 0 {
                *running = None;
                return;
            }
        }
        *hub.events.lock() = None;
    }

    fn render(&mut self, offset: Offset, record: Arc<Record>) {
        if offset < self.next {
            return;
        }
        self.next = offset.next();
        if let Some(text) = self.origin.text(offset, &record) {
            // An error only says that nobody listens.
            let _ = self.events.send(Arc::new(Rendered { offset, record, text }));
        }
    }

    /// Renders from the log what came too fast for the feed.
    async fn catch_up(&mut self, until: Offset) -> Option<()> {
        while self.next < until {
            let (log, from) = (Arc::clone(&self.origin.log), self.next);
            let read = tokio::task::spawn_blocking(move || log.read(from, READ_RECORDS, READ_BYTES)).await;
            match read {
                Ok(Ok(records)) if records.is_empty() => self.next = until,
                Ok(Ok(records)) => {
                    for (offset, record) in records {
                        self.render(offset, record);
                        self.next = self.next.max(offset.next());
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "all streams of alerts end; their clients resume");
                    return None;
                }
                Err(_) => return None,
            }
            // The streams get their turn, so that none falls behind only because many events come at once.
            tokio::task::yield_now().await;
        }
        Some(())
    }
}
