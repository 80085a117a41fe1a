//! The outbox and the messages it makes, without a server: time is what ticks say.

mod channels;
mod grouping;
mod quiet;
mod rotation;

use std::sync::Arc;

use forewarn_state::Fold as _;
use forewarn_types::{
    AlertId, AlertState, AlertTransition, DefinitionFile, Definitions, Evidence, EvidenceValue, Notification,
    NotificationKind, NotificationOutcome, Offset, Record, Severity, Timestamp, Transition,
};

use crate::item::Status;
use crate::outbox::State;
use crate::pending::Pending;
use crate::{Outbox, OutboxFold};

/// 2026-01-05 12:00 UTC, a Monday.
const NOON: i64 = 1_767_614_400;

/// A log of its own, and the outbox that follows it.
pub(crate) struct Desk {
    pub(crate) state: State,
    pub(crate) log: Vec<Record>,
    now_s: i64,
}

impl Desk {
    /// An outbox with these routes, at noon.
    pub(crate) fn new(routes: &str) -> Self {
        let mut desk = Self { state: State::default(), log: Vec::new(), now_s: NOON };
        desk.define(routes);
        desk.pass(0);
        desk
    }

    pub(crate) fn put(&mut self, record: Record) -> Offset {
        let offset = Offset(self.log.len() as u64);
        self.state.apply(offset, &record);
        self.log.push(record);
        offset
    }

    /// Puts a pipeline with these routes in force.
    pub(crate) fn define(&mut self, routes: &str) {
        let text = format!(
            "pipeline: p\nsignals: [ {{ name: temperature, assets: \"**\", unit: °C }} ]\nrules:\n  \
             - {{ name: hot, assets: \"**\", when: \"temperature > 90.0\", severity: critical, \
             action: \"Reduce speed\", consequence: \"Seal damage\" }}\nroutes:\n{routes}"
        );
        let found = forewarn_spec::load_definitions(&[("p.yaml".to_owned(), text.clone())], &[]);
        assert!(found.is_ok(), "{}", found.unwrap_err());
        let file = DefinitionFile { path: "p.yaml".to_owned(), text: text.into() };
        self.put(Record::Definitions(Definitions { files: vec![file], ..Definitions::default() }));
    }

    /// So many seconds pass, with a tick in each minute and one at the end.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.now_s + seconds;
        while self.now_s + 60 < end {
            self.now_s += 60;
            self.put(Record::Tick(Timestamp::from_secs(self.now_s)));
        }
        self.now_s = end;
        self.put(Record::Tick(Timestamp::from_secs(end)));
    }

    /// The time by the clock.
    pub(crate) const fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now_s)
    }

    /// An alert changes.
    pub(crate) fn step(
        &mut self,
        asset: &str,
        severity: Severity,
        transition: Transition,
        state: AlertState,
    ) {
        let time = self.now();
        let started = Timestamp::from_secs(NOON);
        self.put(Record::Alert(AlertTransition {
            alert: AlertId::derive("hot", asset, started),
            rule: "hot".into(),
            asset: asset.into(),
            severity,
            transition,
            state,
            unknown: transition == Transition::Unknown,
            time,
            started,
            value: None,
            score: None,
            message: format!("temperature > 90.0 {}", transition.as_str()),
            actor: None,
            comment: None,
            cause: Offset(0),
            ordinal: 0,
            evidence: Evidence {
                values: vec![EvidenceValue { signal: "temperature".into(), time, value: 95.25 }],
                ..Evidence::default()
            },
        }));
    }

    pub(crate) fn raise(&mut self, asset: &str) {
        self.step(asset, Severity::Critical, Transition::Raised, AlertState::Unacknowledged);
    }

    pub(crate) fn acknowledge(&mut self, asset: &str) {
        self.step(asset, Severity::Critical, Transition::Acknowledged, AlertState::Acknowledged);
    }

    pub(crate) fn end(&mut self, asset: &str) {
        self.step(asset, Severity::Critical, Transition::Normal, AlertState::Normal);
    }

    /// What waits to be sent, each as `contact kind: status asset, …`.
    pub(crate) fn told(&self) -> Vec<String> {
        self.state.pending.values().map(|one| shown(one)).collect()
    }

    /// All that waits is delivered; what it was.
    pub(crate) fn deliver(&mut self) -> Vec<String> {
        let told = self.told();
        for one in self.state.pending.values().cloned().collect::<Vec<_>>() {
            self.settle(&one);
        }
        told
    }

    pub(crate) fn settle(&mut self, one: &Pending) {
        self.put(Record::Notification(Notification {
            key: one.key.clone(),
            kind: one.kind,
            route: one.route.clone(),
            contact: one.contact.clone(),
            recipient: one.contact.clone(),
            channel: "webhook".to_owned(),
            outcome: NotificationOutcome::Delivered,
            attempts: 1,
            detail: None,
            alerts: one.alerts().collect(),
            count: one.count(),
            title: String::new(),
            due: one.time,
            time: self.now(),
        }));
    }
}

fn shown(one: &Pending) -> String {
    let items: Vec<String> =
        one.items.iter().map(|item| format!("{} {}", item.status.as_str(), item.asset)).collect();
    format!("{} {}: {}", one.contact, one.kind.as_str(), items.join(", "))
}

const PLAIN: &str = "  - { match: { severity: [critical] }, to: [ops] }\n";

#[test]
fn each_change_of_an_alert_is_told_at_once_and_what_operators_do_is_not() {
    let mut desk = Desk::new(PLAIN);
    desk.raise("a");
    assert_eq!(desk.deliver(), ["ops alert: firing a"]);
    desk.acknowledge("a");
    assert_eq!(desk.told(), Vec::<String>::new());
    desk.end("a");
    assert_eq!(desk.deliver(), ["ops alert: resolved a"]);
    assert!(desk.state.alerts.is_empty() && desk.state.groups.is_empty() && desk.state.lanes.is_empty());
}

#[test]
fn alerts_that_do_not_match_or_were_never_raised_are_not_told() {
    let mut desk = Desk::new(PLAIN);
    desk.step("a", Severity::Minor, Transition::Raised, AlertState::Unacknowledged);
    desk.step("b", Severity::Critical, Transition::Pending, AlertState::Pending);
    desk.step("b", Severity::Critical, Transition::Normal, AlertState::Normal);
    assert_eq!(desk.told(), Vec::<String>::new());
}

#[test]
fn the_end_of_a_returned_alert_is_told_once() {
    let mut desk = Desk::new(PLAIN);
    desk.raise("a");
    desk.step("a", Severity::Critical, Transition::Returned, AlertState::Returned);
    desk.step("a", Severity::Critical, Transition::Acknowledged, AlertState::Normal);
    assert_eq!(desk.deliver(), ["ops alert: firing a", "ops alert: resolved a"]);
}

#[test]
fn a_gap_is_told_as_unknown_and_never_as_resolved() {
    let mut desk = Desk::new(
        "  - { to: [ops], group: { by: [rule], repeat: 1h }, escalate: [ { after: 2h, to: [lead] } ] }\n",
    );
    desk.raise("a");
    desk.step("a", Severity::Critical, Transition::Unknown, AlertState::Unacknowledged);
    desk.pass(3 * 3600);
    desk.step("a", Severity::Critical, Transition::Known, AlertState::Unacknowledged);
    let told = desk.deliver();
    assert_eq!(
        told[..3],
        ["ops alert: firing a", "ops alert: unknown a", "ops repeat: unknown a"],
        "{told:?}"
    );
    assert!(told.contains(&"lead escalation: unknown a".to_owned()), "{told:?}");
    assert!(told.contains(&"ops alert: known a".to_owned()), "{told:?}");
    assert!(told.iter().all(|one| !one.contains("resolved")), "{told:?}");
}

#[test]
fn a_new_onset_is_told_again() {
    let mut desk = Desk::new(PLAIN);
    desk.raise("a");
    desk.acknowledge("a");
    desk.step("a", Severity::Critical, Transition::Reraised, AlertState::Unacknowledged);
    assert_eq!(desk.deliver(), ["ops alert: firing a", "ops alert: firing a"]);
}

#[test]
fn a_route_that_matches_only_later_tells_what_is_open() {
    let mut desk = Desk::new(PLAIN);
    desk.raise("a");
    desk.raise("b");
    desk.acknowledge("b");
    desk.deliver();
    desk.define("  - { match: { severity: [critical] }, to: [ops] }\n  - { to: [lead] }\n");
    assert_eq!(desk.deliver(), ["lead alert: firing a"]);
    desk.end("a");
    assert_eq!(
        desk.deliver(),
        ["lead alert: resolved a", "ops alert: resolved a"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_replay_makes_the_same_messages_with_the_same_keys() {
    let routes = "  - { to: [ops], group: { by: [asset], wait: 30s, repeat: 1h }, \
                  escalate: [ { after: 15m, to: [lead] } ] }\n";
    let mut desk = Desk::new(routes);
    for round in 0..20 {
        desk.raise(&format!("a{}", round % 7));
        desk.pass(40 * (round % 5));
        if round % 3 == 0 {
            desk.end(&format!("a{}", round % 7));
        }
        if round % 4 == 0 {
            desk.deliver();
        }
    }
    desk.pass(2 * 3600);
    let keys = |state: &State| state.pending.iter().map(|(n, one)| (*n, one.key.clone())).collect::<Vec<_>>();
    let mut again = State::default();
    for (offset, record) in desk.log.iter().enumerate() {
        again.apply(Offset(offset as u64), record);
    }
    assert!(desk.state.pending.len() > 5);
    assert_eq!(keys(&again), keys(&desk.state));

    // Also where a snapshot was taken in the middle, and the records came in other portions.
    for cut in [1, desk.log.len() / 3, desk.log.len() - 1] {
        let records: Vec<_> =
            desk.log.iter().enumerate().map(|(n, one)| (Offset(n as u64), Arc::new(one.clone()))).collect();
        let mut fold = OutboxFold::new(Outbox::default());
        fold.apply(&records[..cut]);
        let forewarn_state::Part::Ready(bytes) = fold.snapshot().unwrap() else { panic!("it is at hand") };
        let outbox = Outbox::default();
        let mut fold = OutboxFold::new(outbox.clone());
        fold.restore(&bytes).unwrap();
        records[cut..].chunks(3).for_each(|part| fold.apply(part));
        let found: Vec<_> = outbox.pending().iter().map(|(n, one)| (*n, one.key.clone())).collect();
        assert_eq!(found, keys(&desk.state), "cut at {cut}");
    }
}

#[test]
fn keys_differ_where_messages_do() {
    let mut desk = Desk::new("  - { to: [ops, lead], group: { by: [], repeat: 1h } }\n");
    desk.raise("a");
    desk.raise("b");
    desk.pass(5 * 3600);
    let keys: std::collections::BTreeSet<&str> =
        desk.state.pending.values().map(|one| one.key.as_str()).collect();
    assert_eq!(keys.len(), desk.state.pending.len());
    assert!(desk.state.pending.values().any(|one| one.kind == NotificationKind::Repeat));
    assert!(
        desk.state.pending.values().all(|one| one.items.iter().all(|item| item.status == Status::Firing))
    );
}
