//! What is told together, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forewarn_spec::{GroupKey, Route};
use forewarn_types::NotificationKind;

use super::state::{Group, GroupName, Known, State, Waiting, is_held};
use crate::item::{Item, Status};

impl State {
    /// Has `status` of an alert wait for others of its group.
    pub(crate) fn wait(&mut self, known: &mut Known, route: &Arc<Route>, status: Status) {
        let item = Item { status, ..known.item.clone() };
        let labels = labels(route, &item);
        let name = labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        let others = match known.told.get_mut(&route.name) {
            Some(told) => {
                told.group.clone_from(&name);
                told.others.clone()
            }
            None => BTreeSet::new(),
        };
        let due = self.passed.saturating_add(route.group.wait_us);
        let group = self.groups.entry((route.name.clone(), name.clone())).or_default();
        group.labels = labels;
        if group.waiting.is_empty() {
            group.due = due;
        }
        // Of an alert that changes while its group waits only the newest is told.
        group.waiting.retain(|waiting| waiting.item.alert != item.alert);
        group.waiting.push(Waiting { item, others, group: name.clone() });
        if route.group.wait_us == 0 {
            self.ready.push((route.name.clone(), name));
        }
    }

    /// Tells what need not wait.
    pub(crate) fn flush_ready(&mut self) {
        for name in std::mem::take(&mut self.ready) {
            self.flush(&name);
        }
    }

    /// Tells what has waited long enough.
    pub(crate) fn flush_due(&mut self) {
        let passed = self.passed;
        let is_due = |group: &Group| !group.waiting.is_empty() && group.due <= passed;
        let due: Vec<GroupName> =
            self.groups.iter().filter(|(_, group)| is_due(group)).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.flush(&name);
        }
    }

    /// Tells what waits in a group; what quiet hours hold back waits for their end.
    fn flush(&mut self, name: &GroupName) {
        let Some(route) = self.book.route(&name.0).cloned() else { return };
        let now = self.now();
        let Some(group) = self.groups.get_mut(name) else { return };
        let waiting = std::mem::take(&mut group.waiting);
        let mut told = Vec::new();
        for one in waiting {
            // What the night holds back of an alert is told with the rest of it, in one.
            let night = self.nights.get(&route.name);
            let is_in_night = night.is_some_and(|night| night.contains_key(&one.item.alert));
            if is_in_night || is_held(&route, one.item.severity, now) {
                self.nights.entry(route.name.clone()).or_default().insert(one.item.alert, one);
            } else {
                told.push(one);
            }
        }
        self.tell(&route, name, NotificationKind::Alert, &told, 0);
    }

    /// Makes messages of what is to be told, one for each contact.
    pub(crate) fn tell(
        &mut self,
        route: &Arc<Route>,
        name: &GroupName,
        kind: NotificationKind,
        told: &[Waiting],
        number: u64,
    ) {
        let passed = self.passed;
        let labels = self.groups.get(name).map(|group| group.labels.clone()).unwrap_or_default();
        for (contact, items) in by_contact(route, told) {
            self.emit(route, &contact, kind, &labels, items, number);
        }
        for one in told {
            self.note_told(route, one, passed);
        }
    }

    /// Keeps in mind that something was told: repeats and escalations count from then on.
    fn note_told(&mut self, route: &Route, one: &Waiting, passed: i64) {
        let id = one.item.alert;
        let name = (route.name.clone(), one.group.clone());
        let group = self.groups.entry(name.clone()).or_default();
        if group.labels.is_empty() {
            group.labels = labels(route, &one.item);
        }
        group.told = passed;
        if one.item.status.is_final() {
            group.members.remove(&id);
        } else {
            group.members.insert(id);
        }
        if group.members.is_empty() && group.waiting.is_empty() {
            self.groups.remove(&name);
        }
        let told = self.alerts.get_mut(&id).and_then(|known| known.told.get_mut(&route.name));
        if let Some(told) = told.filter(|_| !one.item.status.is_final()) {
            told.since.get_or_insert(passed);
        }
    }
}

/// What each contact is told: the route's own all, others what they were told of before.
fn by_contact(route: &Route, told: &[Waiting]) -> BTreeMap<String, Vec<Item>> {
    let mut contacts: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for one in told {
        for contact in route.to.iter().chain(one.others.iter().filter(|other| !route.to.contains(other))) {
            contacts.entry(contact.clone()).or_default().push(one.item.clone());
        }
    }
    contacts
}

/// What the alerts of an item's group have in common.
fn labels(route: &Route, item: &Item) -> Vec<(String, String)> {
    let Some(keys) = &route.group.by else {
        return vec![("alert".to_owned(), item.alert.to_string())];
    };
    let value = |key: &GroupKey| match key {
        GroupKey::Asset => item.asset.to_string(),
        GroupKey::Rule => item.rule.to_string(),
        GroupKey::Severity => item.severity.as_str().to_owned(),
    };
    keys.iter().map(|key| (key.as_str().to_owned(), value(key))).collect()
}
