//! Why an alert was sent, or not.

use forewarn_types::{AlertId, AlertState};
use std::fmt::Write as _;

use super::state::{Known, State, is_held};
use crate::item::Status;

/// What became of an alert on its way to people.
#[derive(Debug, Clone)]
pub struct Reason {
    /// Its state, if it is open.
    pub state: Option<AlertState>,
    /// What each route makes of it; nothing if the alert is over.
    pub routes: Vec<RouteReason>,
    /// Silences, maintenance and shelves that hold it back now.
    pub muted: Option<String>,
}

/// What a route makes of an alert.
#[derive(Debug, Clone)]
pub struct RouteReason {
    /// The route.
    pub route: String,
    /// The pipeline it stands in.
    pub pipeline: String,
    /// Whether it matches.
    pub matches: bool,
    /// The contacts it sends to, and those of its escalations.
    pub contacts: Vec<String>,
    /// What was said last.
    pub said: Option<Status>,
    /// Why it does not match, what holds it back, or what comes next.
    pub because: String,
}

impl State {
    /// Why an alert was sent, or not. `None` if it is not open.
    pub(crate) fn why(&self, id: AlertId) -> Option<Reason> {
        let known = self.alerts.get(&id)?;
        let routes = self.book.routes.iter().map(|route| {
            let item = &known.item;
            let mismatch = route.mismatch(&item.rule, &item.asset, item.severity);
            let told = known.told.get(&route.name);
            let mut contacts = route.to.clone();
            contacts.extend(told.into_iter().flat_map(|told| told.others.iter().cloned()));
            RouteReason {
                route: route.name.clone(),
                pipeline: route.pipeline.clone(),
                matches: mismatch.is_none(),
                contacts,
                said: told.and_then(|told| told.status),
                because: match mismatch {
                    Some(key) => {
                        format!("its {} does not match", if key == "assets" { "asset" } else { key })
                    }
                    None => self.because(known, &route.name),
                },
            }
        });
        Some(Reason { state: Some(known.item.state), routes: routes.collect(), muted: self.muted(known) })
    }

    fn because(&self, known: &Known, name: &str) -> String {
        let Some(route) = self.book.route(name) else { return String::new() };
        let told = known.told.get(name);
        if let Some(why) = self.muted(known) {
            return format!("held back: {why}");
        }
        if self.nights.get(name).is_some_and(|night| night.contains_key(&known.item.alert)) {
            return "held back: the route's quiet hours; it is sent in a digest when they end".to_owned();
        }
        let waits = |told: &super::state::Told| {
            let group = self.groups.get(&(name.to_owned(), told.group.clone()))?;
            let waits = group.waiting.iter().any(|waiting| waiting.item.alert == known.item.alert);
            let left = group.due.saturating_sub(self.passed).max(0).div_euclid(1_000_000);
            waits.then(|| format!("waits for others of its group, {left} s more"))
        };
        if let Some(text) = told.and_then(waits) {
            return text;
        }
        if self.is_in_flood(name, known.item.alert) {
            return "held back: the rule raises more alerts than can be sent; they are sent in one message"
                .to_owned();
        }
        let Some(told) = told else {
            return "nothing was sent: it was acknowledged before the route was there".to_owned();
        };
        let mut text = match told.status {
            Some(status) => format!("sent as {}", status.as_str()),
            None => "nothing was sent yet".to_owned(),
        };
        if known.item.state == AlertState::Acknowledged {
            text.push_str("; acknowledged, so it is not repeated");
        } else if let (Some(since), Some(step)) = (told.since, route.escalate.get(told.level)) {
            let left = step.after_us.saturating_sub(self.passed.saturating_sub(since)).max(0) / 1_000_000;
            let _ = write!(text, "; unless acknowledged, it is sent to {} in {left} s", step.to.join(", "));
        }
        if is_held(route, known.item.severity, self.now()) {
            text.push_str("; quiet hours hold back what comes next");
        }
        text
    }

    /// The messages about an alert that were sent or given up, the newest last.
    pub(crate) fn sent_about(&self, id: AlertId) -> impl Iterator<Item = &super::state::Sent> {
        self.sent.iter().filter(move |sent| sent.notification.alerts.contains(&id))
    }
}
