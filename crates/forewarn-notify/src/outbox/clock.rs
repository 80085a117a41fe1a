//! What time brings: the end of waiting and of quiet hours, repeats and escalations.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_spec::Route;
use forewarn_types::{AlertState, NotificationKind, Timestamp};

use super::state::{GroupName, Known, State, Waiting, is_held};

impl State {
    /// Takes in what the server's clock shows.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.advance(now);
        self.flush_due();
        self.unmute();
        self.end_nights();
        self.repeat();
        self.escalate();
        self.release_all();
        self.forget_quiets();
    }

    /// The server's clock shows `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if let Some(before) = self.wall {
            self.passed = self.passed.saturating_add(now.since_us(before).max(0));
        }
        self.wall = Some(now);
    }

    /// Tells what quiet hours held back once they are over, in one message a route and contact.
    fn end_nights(&mut self) {
        let now = self.now();
        let over = |route: &Option<Arc<Route>>, night: &BTreeMap<_, Waiting>| {
            let held =
                |one: &Waiting| route.as_ref().is_some_and(|route| is_held(route, one.item.severity, now));
            !night.values().any(held)
        };
        let nights = self.nights.iter().map(|(name, night)| (self.book.route(name).cloned(), name, night));
        let ended: Vec<String> =
            nights.filter(|(route, _, night)| over(route, night)).map(|(_, name, _)| name.clone()).collect();
        for name in ended {
            let night = self.nights.remove(&name).unwrap_or_default();
            let Some(route) = self.book.route(&name).cloned() else { continue };
            if night.is_empty() {
                continue;
            }
            let told: Vec<Waiting> = night.into_values().collect();
            let digest = (name, "digest".to_owned());
            self.tell(&route, &digest, NotificationKind::Digest, &told, 0);
        }
    }

    /// Says again that alerts are active and nobody has acknowledged them.
    fn repeat(&mut self) {
        let (passed, now) = (self.passed, self.now());
        let mut due: Vec<(Arc<Route>, GroupName, Vec<Waiting>)> = Vec::new();
        for (name, group) in &self.groups {
            let Some(route) = self.book.route(&name.0) else { continue };
            let Some(every) = route.group.repeat_us else { continue };
            if passed.saturating_sub(group.told) < every {
                continue;
            }
            let members = group.members.iter().filter_map(|id| self.alerts.get(id));
            let mut again: Vec<Waiting> = members
                .filter(|known| self.wants_action(known, route, now))
                .map(|known| waiting(known, route))
                .collect();
            again.sort_by(|a, b| (&a.item.asset, &a.item.rule).cmp(&(&b.item.asset, &b.item.rule)));
            if !again.is_empty() {
                due.push((Arc::clone(route), name.clone(), again));
            }
        }
        for (route, name, again) in due {
            let number = self.groups.get_mut(&name).map_or(0, |group| {
                group.repeats += 1;
                group.repeats
            });
            self.tell(&route, &name, NotificationKind::Repeat, &again, number);
        }
    }

    /// Tells those next in line of alerts that nobody has acknowledged in time.
    fn escalate(&mut self) {
        let (passed, now) = (self.passed, self.now());
        // By route, step and group, so that what is due together is told together.
        let mut due: BTreeMap<(String, usize, String), Vec<Waiting>> = BTreeMap::new();
        for route in self.routes().iter().filter(|route| !route.escalate.is_empty()) {
            for known in self.alerts.values() {
                let Some(told) = known.told.get(&route.name) else { continue };
                let (Some(since), Some(step)) = (told.since, route.escalate.get(told.level)) else {
                    continue;
                };
                if passed.saturating_sub(since) >= step.after_us && self.wants_action(known, route, now) {
                    let key = (route.name.clone(), told.level, told.group.clone());
                    due.entry(key).or_default().push(waiting(known, route));
                }
            }
        }
        for ((name, level, group), again) in due {
            let Some(route) = self.book.route(&name).cloned() else { continue };
            let Some(step) = route.escalate.get(level) else { continue };
            let labels =
                self.groups.get(&(name.clone(), group)).map(|group| group.labels.clone()).unwrap_or_default();
            for one in &again {
                let told =
                    self.alerts.get_mut(&one.item.alert).and_then(|known| known.told.get_mut(&route.name));
                if let Some(told) = told {
                    told.level = level + 1;
                    told.others.extend(step.to.iter().cloned());
                }
            }
            for contact in &step.to {
                let items = again.iter().map(|one| one.item.clone()).collect();
                let number = level as u64;
                self.emit(&route, contact, NotificationKind::Escalation, &labels, items, number);
            }
        }
    }

    /// Whether somebody should do something about an alert, and may be told so now.
    fn wants_action(&self, known: &Known, route: &Route, now: Timestamp) -> bool {
        known.item.state == AlertState::Unacknowledged
            && !is_held(route, known.item.severity, now)
            && self.muted(known).is_none()
    }
}

/// An alert as it stands, to be told again.
fn waiting(known: &Known, route: &Route) -> Waiting {
    let told = known.told.get(&route.name);
    Waiting {
        item: known.now(),
        others: told.map(|told| told.others.clone()).unwrap_or_default(),
        group: told.map(|told| told.group.clone()).unwrap_or_default(),
    }
}
