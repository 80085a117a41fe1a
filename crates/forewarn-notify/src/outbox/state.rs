//! What the outbox keeps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use forewarn_spec::Route;
use forewarn_types::{
    AlertId, AlertState, AlertTransition, Definitions, Notification, Offset, Quiet, Severity, SignalName,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::item::{Item, Status};
use crate::pending::Pending;
use crate::rulebook::Rulebook;

/// Most messages kept of those that were sent or given up; the table `notifications` has all.
pub(crate) const MAX_SENT: usize = 2_000;

/// All that the outbox keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The definitions in force.
    pub(crate) definitions: Definitions,
    #[serde(skip)]
    pub(crate) book: Rulebook,
    /// What the newest tick says.
    pub(crate) wall: Option<Timestamp>,
    /// The time that has passed by ticks, µs: a clock that is set back takes nothing off.
    pub(crate) passed: i64,
    /// The number of the next message.
    pub(crate) next: u64,
    /// Every alert that was raised and is not over.
    pub(crate) alerts: BTreeMap<AlertId, Known>,
    /// What is sent together.
    pub(crate) groups: BTreeMap<GroupName, Group>,
    /// Groups of which nothing is to wait.
    #[serde(skip)]
    pub(crate) ready: Vec<GroupName>,
    /// What comes too fast, by route, contact and rule.
    pub(crate) lanes: BTreeMap<LaneName, Lane>,
    /// What quiet hours hold back, by route.
    pub(crate) nights: BTreeMap<String, BTreeMap<AlertId, Waiting>>,
    /// What is to be sent, in order.
    pub(crate) pending: BTreeMap<u64, Arc<Pending>>,
    /// The numbers of these, by key.
    pub(crate) keys: BTreeMap<String, u64>,
    /// What was sent or given up, the newest last.
    pub(crate) sent: VecDeque<Sent>,
    /// Silences and maintenance windows, by id.
    pub(crate) quiets: BTreeMap<String, Quiet>,
}

/// A route and what the alerts of a group have in common.
pub(crate) type GroupName = (String, String);
/// A route, a contact and a rule.
pub(crate) type LaneName = (String, String, String);

/// A message that was sent or given up, and the record that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The record.
    pub offset: Offset,
    /// What it says.
    pub notification: Notification,
}

/// An alert that was raised.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    /// As its newest transition tells it.
    pub(crate) item: Item,
    /// Whether its inputs are missing or bad.
    pub(crate) unknown: bool,
    /// What was told of it, by route.
    pub(crate) told: BTreeMap<String, Told>,
}

/// What was told of an alert by one route.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// What was said last.
    pub(crate) status: Option<Status>,
    /// Whether something happened that was not told, as it was muted.
    pub(crate) missed: bool,
    /// When its present onset was told, by [`State::passed`].
    pub(crate) since: Option<i64>,
    /// How many steps of the escalation are done.
    pub(crate) level: usize,
    /// Who was told beside the route's own contacts.
    pub(crate) others: BTreeSet<String>,
    /// The group it belongs to.
    pub(crate) group: String,
}

/// What is sent together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    /// What its alerts have in common.
    pub(crate) labels: Vec<(String, String)>,
    /// What is to be told.
    pub(crate) waiting: Vec<Waiting>,
    /// When, by [`State::passed`].
    pub(crate) due: i64,
    /// Alerts that were told and are not over.
    pub(crate) members: BTreeSet<AlertId>,
    /// When something was told last, by [`State::passed`].
    pub(crate) told: i64,
    /// How often it was repeated.
    pub(crate) repeats: u64,
}

/// Something that is to be told, and to whom beside the route's own contacts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) item: Item,
    pub(crate) others: BTreeSet<String>,
    pub(crate) group: String,
}

/// Messages of one rule on one route to one contact.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Lane {
    /// How many are to be sent.
    pub(crate) pending: usize,
    /// What waits to be told in one message.
    pub(crate) held: Vec<Item>,
    /// How many more there are.
    pub(crate) more: u64,
    /// Since when, by [`State::passed`].
    pub(crate) since: i64,
    /// Whether what comes is held.
    pub(crate) floods: bool,
}

impl State {
    /// The present by the server's clock; before the first tick the time of the epoch.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.unwrap_or_default()
    }

    /// All routes in force.
    pub(crate) fn routes(&self) -> Vec<Arc<Route>> {
        self.book.routes.clone()
    }

    /// What `step` at `offset` says about its alert.
    pub(crate) fn item(&self, offset: Offset, step: &AlertTransition, status: Status) -> Item {
        // With several values nothing says which of them decided.
        let only: Option<&SignalName> = match &step.evidence.values[..] {
            [one] => Some(&one.signal),
            _ => None,
        };
        let (signal, about) = self.book.about(&step.rule, &step.asset, only);
        let value = step.value.or_else(|| match &step.evidence.values[..] {
            [one] => Some(one.value),
            _ => None,
        });
        Item {
            alert: step.alert,
            offset,
            status,
            severity: step.severity,
            state: step.state,
            rule: Arc::clone(&step.rule),
            asset: Arc::clone(&step.asset),
            time: step.time,
            started: step.started,
            message: step.message.clone(),
            value,
            signal,
            about,
        }
    }
}

impl Known {
    /// What is to be said about it now.
    pub(crate) fn status(&self) -> Status {
        match self.item.state {
            AlertState::Normal | AlertState::Returned => Status::Resolved,
            _ if self.unknown => Status::Unknown,
            _ => Status::Firing,
        }
    }

    /// Whether it is active and nobody has acknowledged it.
    pub(crate) fn is_open(&self) -> bool {
        self.item.state == AlertState::Unacknowledged
    }

    /// Its item as of now.
    pub(crate) fn now(&self) -> Item {
        Item { status: self.status(), ..self.item.clone() }
    }
}

/// Whether quiet hours of `route` hold alerts of `severity` back at `now`.
pub(crate) fn is_held(route: &Route, severity: Severity, now: Timestamp) -> bool {
    let Some(quiet) = &route.quiet else { return false };
    crate::calendar::is_quiet(*quiet, now) && quiet.except.is_none_or(|least| severity < least)
}
