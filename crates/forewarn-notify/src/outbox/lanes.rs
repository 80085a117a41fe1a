//! From what is told to messages that are to be sent. What one rule raises faster than it can be sent becomes
//! one message, so that neither people nor the outbox drown in it.

use std::sync::Arc;

use forewarn_spec::Route;
use forewarn_types::{AlertId, Notification, NotificationKind, Offset};

use super::state::{Lane, LaneName, MAX_SENT, Sent, State};
use crate::item::{Item, Status};
use crate::pending::{MAX_ITEMS, Pending};

/// So many messages of a rule may wait for a contact; what comes then is told in one.
const FLOOD: usize = 50;
/// What is held back is told after this time, µs, also if messages before it could not be sent.
const HELD_US: i64 = 30 * 1_000_000;

impl State {
    /// Makes a message for a contact.
    pub(crate) fn emit(
        &mut self,
        route: &Arc<Route>,
        contact: &str,
        kind: NotificationKind,
        labels: &[(String, String)],
        items: Vec<Item>,
        number: u64,
    ) {
        let Some(first) = items.first() else { return };
        let name: LaneName = (route.name.clone(), contact.to_owned(), first.rule.to_string());
        let lane = self.lanes.entry(name.clone()).or_default();
        if kind == NotificationKind::Alert && (lane.floods || lane.pending >= FLOOD) {
            if !lane.floods {
                lane.floods = true;
                lane.since = self.passed;
            }
            for item in items {
                hold(lane, item);
            }
            return;
        }
        self.enqueue(name, kind, labels.to_vec(), items, 0, number);
    }

    /// Puts a message in line.
    fn enqueue(
        &mut self,
        lane: LaneName,
        kind: NotificationKind,
        group: Vec<(String, String)>,
        mut items: Vec<Item>,
        more: u64,
        number: u64,
    ) {
        self.lanes.entry(lane.clone()).or_default().pending += 1;
        let (route, contact, rule) = lane;
        let common = group.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",");
        let key = Pending::key(&route, &contact, kind, &common, &items, number);
        let more = more + items.len().saturating_sub(MAX_ITEMS) as u64;
        items.truncate(MAX_ITEMS);
        let time = self.wall.or_else(|| items.first().map(|item| item.time)).unwrap_or_default();
        self.keys.insert(key.clone(), self.next);
        let pending = Pending { key, kind, route, contact, group, items, more, time, lane: rule };
        self.pending.insert(self.next, Arc::new(pending));
        self.next += 1;
    }

    /// Strikes off a message of which the fate is known.
    pub(crate) fn settled(&mut self, offset: Offset, notification: &Notification) {
        self.sent.push_back(Sent { offset, notification: notification.clone() });
        if self.sent.len() > MAX_SENT {
            self.sent.pop_front();
        }
        let pending = self.keys.remove(&notification.key).and_then(|number| self.pending.remove(&number));
        let Some(pending) = pending else { return };
        let name = (pending.route.clone(), pending.contact.clone(), pending.lane.clone());
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.pending = lane.pending.saturating_sub(1);
            self.release(name);
        }
    }

    /// Tells what lanes have held back long enough.
    pub(crate) fn release_all(&mut self) {
        let floods = self.lanes.iter().filter(|(_, lane)| lane.floods);
        let names: Vec<LaneName> = floods.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.release(name);
        }
    }

    /// Tells what a lane holds back, if those before it have been sent, or it has waited long enough.
    fn release(&mut self, name: LaneName) {
        let passed = self.passed;
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        let waited = passed.saturating_sub(lane.since) >= HELD_US && lane.pending <= FLOOD;
        if lane.pending > 0 && !waited {
            return;
        }
        if lane.held.is_empty() {
            lane.floods = false;
            if lane.pending == 0 {
                self.lanes.remove(&name);
            }
            return;
        }
        let (items, more) = (std::mem::take(&mut lane.held), std::mem::take(&mut lane.more));
        lane.since = passed;
        let common = vec![("rule".to_owned(), name.2.clone())];
        self.enqueue(name, NotificationKind::Flood, common, items, more, 0);
    }

    /// What of an alert a lane holds back.
    pub(crate) fn is_in_flood(&self, route: &str, alert: AlertId) -> bool {
        let of_route = self.lanes.iter().filter(|((name, ..), _)| name == route);
        of_route.flat_map(|(_, lane)| &lane.held).any(|item| item.alert == alert)
    }
}

/// Holds an item back. What is said of one alert stays in order; of gaps only the newest word is kept.
fn hold(lane: &mut Lane, item: Item) {
    let is_gap = |status| matches!(status, Status::Unknown | Status::Known);
    let last = lane.held.iter_mut().rev().find(|before| before.alert == item.alert);
    if let Some(before) = last.filter(|before| is_gap(before.status) && is_gap(item.status)) {
        *before = item;
    } else if lane.held.len() < MAX_ITEMS {
        lane.held.push(item);
    } else if !item.status.is_final() {
        lane.more += 1;
    }
}
