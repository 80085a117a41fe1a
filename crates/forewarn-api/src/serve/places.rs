//! How many connections there are, in all and from one address, and which of them gives way to a new one.
//!
//! A connection that waits for a request costs its owner nothing and the server a descriptor. So at a bound
//! the one that has waited longest is closed, those first that never sent a request. Only where all are at work
//! a new one is turned away; the last places are kept for health checks and for those who work with alerts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forewarn_spec::ConnectionLimits;
use forewarn_state::Exposition;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::peer::Peer;

/// One part in so many of all places is kept for operators.
const KEPT_PART: usize = 16;

/// The places of all connections.
pub(crate) struct Places {
    max: usize,
    kept: usize,
    per_client: usize,
    header_timeout: Duration,
    idle_timeout: Duration,
    taken: Mutex<Taken>,
    refused: AtomicU64,
    closed: AtomicU64,
    cut: AtomicU64,
}

#[derive(Default)]
struct Taken {
    next: u64,
    all: HashMap<u64, Arc<Place>>,
    by_client: HashMap<IpAddr, usize>,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It waits for a request: the first or a later one, of which the head has begun or not.
    Waiting { first: bool, begun: bool },
    /// It has so many requests to answer.
    Answering(usize),
    /// It is to be closed, and takes no request any more.
    Closing,
}

/// The place of one connection.
pub(crate) struct Place {
    client: IpAddr,
    /// One of the last places, which are for operators only.
    pub(crate) kept: bool,
    doing: Mutex<(Doing, Instant)>,
    close: CancellationToken,
}

impl Places {
    /// The places that `limits` allow.
    pub(crate) fn new(limits: &ConnectionLimits) -> Self {
        let time = |us: i64| Duration::from_micros(u64::try_from(us).unwrap_or(0));
        let kept = (limits.max / KEPT_PART).max(1);
        Self {
            max: limits.max,
            kept,
            per_client: limits.max_per_address.min(limits.max.saturating_sub(kept)).max(1),
            header_timeout: time(limits.header_timeout_us),
            idle_timeout: time(limits.idle_timeout_us),
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        }
    }

    /// A place for a connection from `address`; `None`: all are at work.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Ticket> {
        let client = Peer::client(address);
        let mut taken = self.taken.lock();
        let of_client = taken.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= self.per_client && !self.close_one(&mut taken, Some(client)) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let full = taken.all.len() >= self.max - self.kept && !self.close_one(&mut taken, None);
        if full && taken.all.len() >= self.max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let waiting = Doing::Waiting { first: true, begun: true };
        let place = Arc::new(Place {
            client,
            kept: full,
            doing: Mutex::new((waiting, now)),
            close: CancellationToken::new(),
        });
        let id = taken.next;
        taken.next += 1;
        taken.all.insert(id, Arc::clone(&place));
        *taken.by_client.entry(client).or_default() += 1;
        drop(taken);
        Some(Ticket { places: Arc::clone(self), id, place })
    }

    /// Closes the connection that has waited longest, as the process may open no more files.
    pub(crate) fn make_room(&self) -> bool {
        self.close_one(&mut self.taken.lock(), None)
    }

    fn close_one(&self, taken: &mut Taken, client: Option<IpAddr>) -> bool {
        let of_client = |place: &Place| client.is_none_or(|client| client == place.client);
        let waiting = taken.all.iter().filter(|(_, place)| of_client(place));
        let mut by_wait: Vec<(bool, Instant, u64)> = waiting
            .filter_map(|(id, place)| match *place.doing.lock() {
                (Doing::Waiting { first, .. }, since) => Some((!first, since, *id)),
                _ => None,
            })
            .collect();
        by_wait.sort_unstable();
        // One that gets its request just now stays.
        for (_, _, id) in by_wait {
            if taken.all.get(&id).is_some_and(|place| place.close_waiting()) {
                taken.remove(id);
                self.closed.fetch_add(1, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// When to look at `place` again.
    pub(crate) fn look_again(&self, place: &Place, now: Instant) -> Instant {
        match *place.doing.lock() {
            (Doing::Waiting { begun: true, .. }, since) => since + self.header_timeout,
            (Doing::Waiting { begun: false, .. }, since) => since + self.idle_timeout,
            (Doing::Answering(_) | Doing::Closing, _) => now + self.header_timeout.min(self.idle_timeout),
        }
    }

    /// Closes `place` if it has waited for too long.
    pub(crate) fn close_if_overdue(&self, place: &Place, now: Instant) -> bool {
        let overdue = self.look_again(place, now) <= now;
        let closes = overdue && place.close_waiting();
        if closes {
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
        closes
    }

    /// Counts a client that was cut off in the middle of an answer that it did not take.
    pub(crate) fn count_cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// What `/metrics` shows.
    pub(crate) fn metrics(&self, out: &mut Exposition) {
        let open = self.taken.lock().all.len() as f64;
        out.gauge("forewarn_http_connections", "Open connections.", &[], open);
        out.gauge("forewarn_http_connections_max", "Most open connections.", &[], self.max as f64);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let help = "Connections turned away, as all others were at work.";
        out.counter("forewarn_http_connections_refused_total", help, &[], count(&self.refused));
        let help = "Connections closed that sent no request in time, or gave way to others.";
        out.counter("forewarn_http_connections_closed_total", help, &[], count(&self.closed));
        let help = "Clients cut off, as they did not take their answer.";
        out.counter("forewarn_http_connections_cut_total", help, &[], count(&self.cut));
    }
}

impl Taken {
    fn remove(&mut self, id: u64) {
        let Some(place) = self.all.remove(&id) else { return };
        if let Some(count) = self.by_client.get_mut(&place.client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&place.client);
            }
        }
    }
}

/// A place that is taken, until this is dropped.
pub(crate) struct Ticket {
    places: Arc<Places>,
    id: u64,
    pub(crate) place: Arc<Place>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.places.taken.lock().remove(self.id);
    }
}

impl Place {
    /// Resolves when the connection is to be closed.
    pub(crate) async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// Bytes have come: of a head, if none has begun.
    pub(crate) fn bytes_came(&self, now: Instant) {
        let mut doing = self.doing.lock();
        if let (Doing::Waiting { begun: begun @ false, .. }, since) = &mut *doing {
            (*begun, *since) = (true, now);
        }
    }

    /// A request has come; `None` if it came too late.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Answering> {
        let mut doing = self.doing.lock();
        doing.0 = match doing.0 {
            Doing::Waiting { .. } => Doing::Answering(1),
            Doing::Answering(requests) => Doing::Answering(requests + 1),
            Doing::Closing => return None,
        };
        drop(doing);
        Some(Answering(Arc::clone(self)))
    }

    /// Closes the connection if it waits for a request.
    pub(crate) fn close_waiting(&self) -> bool {
        let mut doing = self.doing.lock();
        let waits = matches!(doing.0, Doing::Waiting { .. });
        if waits {
            doing.0 = Doing::Closing;
            self.close.cancel();
        }
        waits
    }
}

/// A request is being answered, until this is dropped.
pub(crate) struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut doing = self.0.doing.lock();
        *doing = match *doing {
            (Doing::Answering(requests @ 2..), since) => (Doing::Answering(requests - 1), since),
            (Doing::Answering(_), _) => (Doing::Waiting { first: false, begun: false }, Instant::now()),
            other => other,
        };
    }
}

#[cfg(test)]
mod tests;
