//! What transitions of alerts and changed definitions give to say, and by which routes.

use std::sync::Arc;

use forewarn_spec::Route;
use forewarn_types::{AlertState, AlertTransition, Definitions, Offset};

use super::state::{Known, State, Told};
use crate::item::Status;
use crate::rulebook::Rulebook;

impl State {
    /// Takes in a transition.
    pub(crate) fn alert(&mut self, offset: Offset, step: &AlertTransition) {
        let event = Status::of(step.transition, step.state);
        let known = self.alerts.remove(&step.alert);
        // An alert that was never raised, or is over, is nobody's concern.
        if known.is_none() && matches!(step.state, AlertState::Pending | AlertState::Normal) {
            return;
        }
        let status = event.unwrap_or(Status::Firing);
        let mut item = self.item(offset, step, status);
        let mut known = known.unwrap_or_else(|| Known {
            item: item.clone(),
            unknown: step.unknown,
            told: std::collections::BTreeMap::new(),
        });
        if event.is_none() {
            // What an operator does says nothing about the machine: the words stay those of the onset.
            item.message.clone_from(&known.item.message);
            item.value = known.item.value;
        }
        known.unknown = step.unknown;
        known.item = item;
        for route in self.routes() {
            if route.mismatch(&step.rule, &step.asset, step.severity).is_some()
                && !known.told.contains_key(&route.name)
            {
                continue;
            }
            match event {
                Some(event) => self.offer(&mut known, &route, event),
                None => self.catch_up(&mut known, &route),
            }
        }
        if known.item.state != AlertState::Normal {
            self.alerts.insert(step.alert, known);
        }
        self.flush_ready();
    }

    /// Says `event` about an alert by a route, unless it was said, or the alert is muted.
    fn offer(&mut self, known: &mut Known, route: &Arc<Route>, event: Status) {
        let muted = self.muted(known).is_some();
        let told = known.told.entry(route.name.clone()).or_default();
        if event == Status::Firing {
            told.since = None;
            told.level = 0;
        }
        let said = match told.status {
            None => event == Status::Firing,
            Some(last) => event == Status::Firing || !last.is_final(),
        };
        if event.is_final() {
            told.missed = false;
        } else if muted {
            told.missed = true;
            return;
        }
        if said {
            told.status = Some(event);
            self.wait(known, route, event);
        }
    }

    /// Says what an alert missed while it was muted, once it is not.
    pub(crate) fn catch_up(&mut self, known: &mut Known, route: &Arc<Route>) {
        if !known.told.get(&route.name).is_some_and(|told| told.missed) || self.muted(known).is_some() {
            return;
        }
        let status = known.status();
        let told = known.told.entry(route.name.clone()).or_default();
        told.missed = false;
        let is_known = told.status.is_some();
        let news = if status.is_final() { is_known } else { known.item.state == AlertState::Unacknowledged };
        if news {
            told.status = Some(status);
            self.wait(known, route, status);
        }
    }

    /// Puts definitions in force. An open alert that a route matches only now is told by it.
    pub(crate) fn redefine(&mut self, definitions: &Definitions) {
        self.definitions = definitions.clone();
        self.book = Rulebook::load(definitions);
        let routes = self.routes();
        let is_there = |name: &String| routes.iter().any(|route| route.name == *name);
        self.groups.retain(|(route, _), _| is_there(route));
        self.nights.retain(|route, _| is_there(route));
        for (id, mut known) in std::mem::take(&mut self.alerts) {
            known.told.retain(|route, _| is_there(route));
            for route in &routes {
                let item = &known.item;
                let matches = route.mismatch(&item.rule, &item.asset, item.severity).is_none();
                if matches && known.is_open() && !known.told.contains_key(&route.name) {
                    known.told.insert(route.name.clone(), Told { missed: true, ..Told::default() });
                    self.catch_up(&mut known, route);
                }
            }
            self.alerts.insert(id, known);
        }
        self.flush_ready();
    }
}
