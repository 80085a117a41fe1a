//! The life cycle of alerts, after ISA-18.2: what changes of conditions and operators' commands make of them.
//!
//! This stands apart from the shards that find the changes: a condition does not know whether anyone has
//! acknowledged it, and the bound on open alerts holds over all shards.

mod commands;

use std::collections::BTreeMap;

use forewarn_types::{
    AlertId, AlertState, AlertTransition, Evidence, LifeEvent, Offset, Timestamp, Transition,
};
use serde::{Deserialize, Serialize};

use crate::dictionary::Dictionary;
use crate::event::{Change, Event};
use crate::program::{Program, RuleHead};

/// Most conditions beyond the bound of their rule that are kept in mind to be raised later.
const MAX_REFUSED: usize = 10_000;

/// An open alert. It is dropped when it is normal again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alert {
    id: AlertId,
    started: Timestamp,
    /// Its state were it not shelved: pending, unacknowledged, acknowledged or returned.
    state: AlertState,
    shelved_until: Option<Timestamp>,
    unknown: bool,
    /// Event time of its newest transition.
    time: Timestamp,
    /// When an operator did something to it last.
    #[serde(default = "never")]
    acted: Timestamp,
}

const fn never() -> Timestamp {
    Timestamp::MIN
}

/// Which alert: rule and asset by number. A rule has at most one on an asset.
type Key = (u32, u32);

/// All open alerts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Alerts {
    open: BTreeMap<Key, Alert>,
    by_id: BTreeMap<AlertId, Key>,
    /// Open alerts by rule.
    counts: BTreeMap<u32, usize>,
    shelved: usize,
    /// Shelves of alerts that are over: the next occurrence within the time is shelved too. With the id of
    /// the alert last shelved.
    shelves: BTreeMap<Key, (AlertId, Timestamp)>,
    /// Conditions that hold though their rule has too many open alerts: they are raised when there is room.
    refused: BTreeMap<Key, Refused>,
    /// Alerts that ended with their rule, to be told of.
    ended: Vec<Ended>,
}

/// A condition that was not raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refused {
    /// Its newest beginning or onset.
    event: Event,
    doubt: Option<Event>,
}

/// An alert that ended with its rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ended {
    rule: RuleHead,
    asset: u32,
    alert: Alert,
    /// Whether no rule of the name is left.
    removed: bool,
    /// Why the rule does not load, if it does not.
    #[serde(default)]
    refused: Option<String>,
    /// Whether the rule is there and no longer watches the asset.
    #[serde(default)]
    unwatched: bool,
}

/// What became of a rule of which the alerts end.
pub(crate) enum Fate {
    /// It watches other signals, or in another way.
    Changed,
    /// It is there and no longer watches the asset.
    Unwatched,
    /// No rule of the name is left.
    Removed,
    /// It is there and does not load, for this reason.
    Refused(String),
}

/// Where transitions go, and what is needed to write them.
pub(crate) struct TransitionWriter<'a> {
    pub(crate) program: &'a Program,
    pub(crate) names: &'a Dictionary,
    pub(crate) cause: Offset,
    pub(crate) transitions: &'a mut Vec<AlertTransition>,
}

/// What a transition says beside the alert's own state.
#[derive(Default)]
struct Words {
    value: Option<f64>,
    score: Option<f64>,
    message: String,
    actor: Option<String>,
    comment: Option<String>,
    evidence: Evidence,
}

impl TransitionWriter<'_> {
    fn write(&mut self, key: Key, alert: &Alert, transition: Transition, time: Timestamp, words: Words) {
        let rule = &self.program.rules[key.0 as usize].head;
        self.write_for(rule, key.1, alert, transition, time, words);
    }

    fn write_for(
        &mut self,
        rule: &RuleHead,
        asset: u32,
        alert: &Alert,
        transition: Transition,
        time: Timestamp,
        words: Words,
    ) {
        let mut evidence = words.evidence;
        evidence.rule_version.clone_from(&rule.version);
        let ordinal = self
            .transitions
            .last()
            .filter(|last| last.cause == self.cause)
            .map_or(0, |last| last.ordinal + 1);
        self.transitions.push(AlertTransition {
            alert: alert.id,
            rule: rule.name.clone(),
            asset: self.names.asset(asset).clone(),
            severity: rule.severity,
            transition,
            state: alert.shown(),
            unknown: alert.unknown,
            time,
            started: alert.started,
            value: words.value,
            score: words.score,
            message: words.message,
            actor: words.actor,
            comment: words.comment,
            cause: self.cause,
            ordinal,
            evidence,
        });
    }
}

impl Alert {
    /// The state shown: a shelved alert is shelved until it is over, and so is its next occurrence within the
    /// time.
    fn shown(&self) -> AlertState {
        if self.shelved_until.is_some() && self.state != AlertState::Normal {
            AlertState::Shelved
        } else {
            self.state
        }
    }
}

impl Alerts {
    /// The open alert of a rule on an asset: its id, its state were it not shelved, the state shown, and
    /// whether it is in doubt.
    pub(crate) fn on(&self, rule: u32, asset: u32) -> Option<(AlertId, AlertState, AlertState, bool)> {
        let alert = self.open.get(&(rule, asset))?;
        Some((alert.id, alert.state, alert.shown(), alert.unknown))
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Applies a change of a condition. `false`: the rule has `bound` open alerts, this one is not raised for
    /// now.
    pub(crate) fn apply(&mut self, event: Event, bound: usize, writer: &mut TransitionWriter<'_>) -> bool {
        let rule = event.rule;
        if !self.open.contains_key(&(rule, event.asset)) && self.is_full(rule, bound) {
            return self.refuse(event);
        }
        if self.change(event, writer) {
            self.raise_refused(rule, bound, writer);
        }
        true
    }

    /// Applies a change for which there is room. Says whether the alert is over.
    fn change(&mut self, event: Event, writer: &mut TransitionWriter<'_>) -> bool {
        let key = (event.rule, event.asset);
        if !self.open.contains_key(&key) {
            if !matches!(event.change, Change::Pending | Change::Onset) {
                return false;
            }
            self.insert(key, &event, writer);
        }
        let Some(alert) = self.open.get_mut(&key) else { return false };
        let fresh = alert.time == Timestamp::MIN;
        let Some(transition) = follow(alert, event.change, fresh) else { return false };
        let time = Timestamp(event.time);
        alert.time = alert.time.max(time);
        let alert = alert.clone();
        let evidence = Evidence {
            rule_version: String::new(),
            from: event.from,
            to: time.max(event.from),
            values: event.values,
        };
        let words = Words {
            value: event.value,
            score: event.score,
            message: event.message,
            evidence,
            ..Words::default()
        };
        writer.write(key, &alert, transition, time, words);
        let over = alert.state == AlertState::Normal;
        if over {
            self.remove(key);
        }
        over
    }

    fn is_full(&self, rule: u32, bound: usize) -> bool {
        self.counts.get(&rule).is_some_and(|count| *count >= bound)
    }

    /// Keeps in mind that a condition holds which cannot be raised. `false`: it began to.
    fn refuse(&mut self, event: Event) -> bool {
        let key = (event.rule, event.asset);
        match event.change {
            Change::Pending | Change::Onset => {
                if self.refused.len() < MAX_REFUSED || self.refused.contains_key(&key) {
                    self.refused.insert(key, Refused { event, doubt: None });
                }
                return false;
            }
            Change::End => {
                self.refused.remove(&key);
            }
            Change::Unknown | Change::Known => {
                if let Some(refused) = self.refused.get_mut(&key) {
                    refused.doubt = (event.change == Change::Unknown).then_some(event);
                }
            }
        }
        true
    }

    /// Raises what was refused and still holds, in the order of assets, as far as there is room.
    fn raise_refused(&mut self, rule: u32, bound: usize, writer: &mut TransitionWriter<'_>) {
        while !self.is_full(rule, bound) {
            let Some(key) = self.refused.range((rule, 0)..=(rule, u32::MAX)).next().map(|(key, _)| *key)
            else {
                return;
            };
            let Some(Refused { event, doubt }) = self.refused.remove(&key) else { return };
            self.change(event, writer);
            if let Some(doubt) = doubt {
                self.change(doubt, writer);
            }
        }
    }

    /// Shows the alerts again whose shelving ends by `now`.
    pub(crate) fn unshelve(&mut self, now: Timestamp, writer: &mut TransitionWriter<'_>) {
        self.shelves.retain(|_, (_, until)| *until > now);
        if self.shelved == 0 {
            return;
        }
        for (key, alert) in &mut self.open {
            if let Some(until) = alert.shelved_until.filter(|until| *until <= now) {
                alert.shelved_until = None;
                self.shelved -= 1;
                let words = Words { message: "its time on the shelf is over".to_owned(), ..Words::default() };
                writer.write(*key, alert, Transition::Unshelved, until, words);
            }
        }
    }

    /// Ends the alerts of rules that are gone or changed, or no longer watch the asset, and renumbers the
    /// others. `old` are the rules so far, `map` gives each its new number; `watches` says whether a new
    /// rule watches an asset, `fate` what became of an old rule, given whether it goes on.
    /// [`Self::tell_ended`] then tells.
    pub(crate) fn retain_rules(
        &mut self,
        old: &[RuleHead],
        map: &[Option<u32>],
        watches: impl Fn(u32, u32) -> bool,
        fate: impl Fn(&str, bool) -> Fate,
    ) {
        let new_number = |(rule, asset): Key| {
            let number = map.get(rule as usize).copied().flatten()?;
            watches(number, asset).then_some(number)
        };
        let Self { open, shelves, refused, ended, .. } = std::mem::take(self);
        self.ended = ended;
        for ((rule, asset), alert) in open {
            if let Some(number) = new_number((rule, asset)) {
                self.by_id.insert(alert.id, (number, asset));
                *self.counts.entry(number).or_default() += 1;
                self.shelved += usize::from(alert.shelved_until.is_some());
                self.open.insert((number, asset), alert);
            } else {
                let continues = map.get(rule as usize).copied().flatten().is_some();
                let rule = old[rule as usize].clone();
                let fate = fate(&rule.name, continues);
                let (removed, unwatched) = (matches!(fate, Fate::Removed), matches!(fate, Fate::Unwatched));
                let refused = if let Fate::Refused(why) = fate { Some(why) } else { None };
                self.ended.push(Ended { rule, asset, alert, removed, refused, unwatched });
            }
        }
        let renumbered = |key: Key| new_number(key).map(|number| (number, key.1));
        self.shelves =
            shelves.into_iter().filter_map(|(key, shelf)| Some((renumbered(key)?, shelf))).collect();
        for (key, mut refused) in refused {
            if let Some(key) = renumbered(key) {
                refused.event.rule = key.0;
                refused.doubt.iter_mut().for_each(|doubt| doubt.rule = key.0);
                self.refused.insert(key, refused);
            }
        }
    }

    /// Writes the end of alerts that ended with their rules, at `wall` by the wall clock.
    pub(crate) fn tell_ended(&mut self, wall: i64, writer: &mut TransitionWriter<'_>) {
        for Ended { rule, asset, mut alert, removed, refused, unwatched } in self.ended.drain(..) {
            alert.state = AlertState::Normal;
            let message = match (&refused, removed) {
                (Some(why), _) => why,
                (None, true) => "the rule was removed",
                (None, false) if unwatched => "the rule no longer watches this asset",
                (None, false) => "the rule was changed",
            };
            let time = alert.time.max(alert.acted).max(Timestamp(wall));
            writer.write_for(
                &rule,
                asset,
                &alert,
                Transition::Normal,
                time,
                Words { message: message.to_owned(), ..Words::default() },
            );
        }
    }

    /// Ends the alerts of an asset that was retired.
    pub(crate) fn retire(
        &mut self,
        asset: u32,
        event: &LifeEvent,
        bound: usize,
        writer: &mut TransitionWriter<'_>,
    ) {
        self.refused.retain(|key, _| key.1 != asset);
        self.shelves.retain(|key, _| key.1 != asset);
        let keys: Vec<Key> = self.open.keys().filter(|key| key.1 == asset).copied().collect();
        for key in keys {
            let Some(alert) = self.open.get_mut(&key) else { continue };
            alert.state = AlertState::Normal;
            alert.unknown = false;
            let alert = alert.clone();
            let words = Words {
                message: "the asset was retired".to_owned(),
                actor: event.actor.clone(),
                comment: event.comment.clone(),
                ..Words::default()
            };
            let time = event.time.max(alert.time).max(alert.acted);
            writer.write(key, &alert, Transition::Normal, time, words);
            self.remove(key);
            self.shelves.remove(&key);
            self.raise_refused(key.0, bound, writer);
        }
    }

    fn insert(&mut self, key: Key, event: &Event, writer: &TransitionWriter<'_>) {
        let started = Timestamp(event.started);
        let id = AlertId::derive(
            &writer.program.rules[key.0 as usize].head.name,
            writer.names.asset(key.1),
            started,
        );
        let shelved_until = self.shelves.remove(&key).map(|(_, until)| until);
        self.shelved += usize::from(shelved_until.is_some());
        let alert = Alert {
            id,
            started,
            state: AlertState::Pending,
            shelved_until,
            unknown: false,
            time: Timestamp::MIN,
            acted: never(),
        };
        self.open.insert(key, alert);
        self.by_id.insert(id, key);
        *self.counts.entry(key.0).or_default() += 1;
    }

    fn remove(&mut self, key: Key) {
        let Some(alert) = self.open.remove(&key) else { return };
        self.by_id.remove(&alert.id);
        if let Some(until) = alert.shelved_until {
            self.shelved -= 1;
            self.shelves.insert(key, (alert.id, until));
        }
        if let Some(count) = self.counts.get_mut(&key.0) {
            *count -= 1;
        }
    }
}

/// The state an alert takes by a change of its condition, and the transition to tell, if there is one.
/// `fresh`: the alert has told nothing yet.
fn follow(alert: &mut Alert, change: Change, fresh: bool) -> Option<Transition> {
    use AlertState::{Acknowledged, Normal, Pending, Returned, Unacknowledged};
    let (state, transition) = match (change, alert.state) {
        (Change::Pending, Pending) if fresh => (Pending, Transition::Pending),
        // The condition is back while the last occurrence waits to be acknowledged: told once it has held
        // long enough.
        (Change::Pending, _) | (Change::End, Returned) => return None,
        (Change::Onset, Pending) => (Unacknowledged, Transition::Raised),
        (Change::Onset, _) => (Unacknowledged, Transition::Reraised),
        (Change::End, Unacknowledged) => (Returned, Transition::Returned),
        (Change::End, _) => (Normal, Transition::Normal),
        (Change::Unknown, Pending | Unacknowledged | Acknowledged) if !alert.unknown => {
            (alert.state, Transition::Unknown)
        }
        (Change::Known, _) if alert.unknown => (alert.state, Transition::Known),
        (Change::Unknown | Change::Known, _) => return None,
    };
    alert.unknown = transition == Transition::Unknown
        || (alert.unknown && !matches!(change, Change::Known | Change::End));
    alert.state = state;
    Some(transition)
}
