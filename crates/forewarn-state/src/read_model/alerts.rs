//! The alerts of the read model: every open one, the newest ended ones, each with its history.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use forewarn_spec::AssetGlob;
use forewarn_types::{
    AlertId, AlertState, AlertTransition, AssetPath, Evidence, Offset, Severity, SignalName, Timestamp,
    Transition,
};
use serde::{Deserialize, Serialize};

/// Most ended alerts kept; older ones are in the lake's table `alert_events`.
pub(super) const MAX_ENDED: usize = 10_000;
/// Most transitions kept of one alert: the first, and the newest.
pub(super) const MAX_STEPS: usize = 200;

/// One alert, as its transitions made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Which alert.
    pub id: AlertId,
    /// The rule that raised it.
    pub rule: SignalName,
    /// The asset it concerns.
    pub asset: AssetPath,
    /// The rule's severity.
    pub severity: Severity,
    /// Its present state.
    pub state: AlertState,
    /// Whether that state is in doubt since inputs are missing or bad.
    pub unknown: bool,
    /// Whether a re-run over the complete history found that it should not have been raised.
    pub withdrawn: bool,
    /// When its condition began to hold.
    pub started: Timestamp,
    /// When it was first raised; `None` while its rule's `for` runs.
    pub raised: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Until when an operator hid it.
    pub shelved_until: Option<Timestamp>,
    /// Who acknowledged it last, and has not lost that to a new onset.
    pub acknowledged_by: Option<String>,
    /// The value at its (newest) onset.
    pub value: Option<f64>,
    /// The detector's score at its (newest) onset.
    pub score: Option<f64>,
    /// What happened at its (newest) onset, in words and numbers.
    pub message: String,
    /// What its (newest) onset rests on.
    pub evidence: Evidence,
    /// The record of its newest transition.
    pub offset: Offset,
    /// What happened to it, in order: the first transition and the newest ones.
    pub steps: VecDeque<AlertStep>,
    /// How many transitions are not in `steps` any more.
    pub steps_dropped: u64,
    /// Who is to deal with it.
    #[serde(default)]
    pub assigned_to: Option<String>,
}

/// One transition, without what the alert itself says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertStep {
    /// The record that holds it.
    pub offset: Offset,
    /// When it happened, in event time.
    pub time: Timestamp,
    /// What happened.
    pub transition: Transition,
    /// The state after it.
    pub state: AlertState,
    /// The value that decided.
    pub value: Option<f64>,
    /// The detector's score.
    pub score: Option<f64>,
    /// What happened, for a person to read.
    pub message: String,
    /// Who did it.
    pub actor: Option<String>,
    /// What that person said.
    pub comment: Option<String>,
    /// The record that caused it. Snapshots of earlier versions do not say.
    #[serde(default)]
    pub cause: Offset,
}

impl Alert {
    /// The alert as the transition at `offset` alone tells it.
    fn from_transition(offset: Offset, transition: &AlertTransition) -> Self {
        let mut alert = Self {
            id: transition.alert,
            rule: Arc::clone(&transition.rule),
            asset: Arc::clone(&transition.asset),
            severity: transition.severity,
            state: transition.state,
            unknown: transition.unknown,
            withdrawn: false,
            started: transition.started,
            raised: None,
            ended: None,
            shelved_until: None,
            acknowledged_by: None,
            value: transition.value,
            score: transition.score,
            message: transition.message.clone(),
            evidence: transition.evidence.clone(),
            offset,
            steps: VecDeque::new(),
            steps_dropped: 0,
            assigned_to: None,
        };
        alert.apply(offset, transition);
        alert
    }

    /// The alert right after the transition at `offset`. What the transition does not tell is taken from
    /// `known`: the alert as it stands now, or before this transition; `None` if it is no longer kept.
    #[must_use]
    pub fn after_transition(offset: Offset, transition: &AlertTransition, known: Option<&Self>) -> Self {
        let mut alert = Self::from_transition(offset, transition);
        alert.assigned_to = known.and_then(|known| known.assigned_to.clone());
        if !matches!(transition.transition, Transition::Raised | Transition::Amended) {
            let raised = known.and_then(|known| known.raised);
            alert.raised = raised.filter(|_| transition.state != AlertState::Pending);
        }
        let mut acknowledged_by = None;
        let steps = known.into_iter().flat_map(|known| &known.steps);
        for step in steps.filter(|step| step.offset < offset) {
            match step.transition {
                Transition::Acknowledged => acknowledged_by.clone_from(&step.actor),
                step if is_onset(step) => acknowledged_by = None,
                Transition::Withdrawn => alert.withdrawn = true,
                _ => {}
            }
        }
        if transition.transition != Transition::Acknowledged && !is_onset(transition.transition) {
            alert.acknowledged_by = acknowledged_by;
        }
        alert
    }

    fn apply(&mut self, offset: Offset, step: &AlertTransition) {
        self.severity = step.severity;
        self.state = step.state;
        self.unknown = step.unknown;
        self.offset = offset;
        self.ended = is_over(step.state).then(|| self.ended.unwrap_or(step.time));
        if is_over(step.state) || step.transition == Transition::Unshelved {
            self.shelved_until = None;
        }
        if !matches!(step.state, AlertState::Pending | AlertState::Normal)
            || step.transition == Transition::Amended
        {
            self.raised = self.raised.or(Some(step.time));
        }
        match step.transition {
            onset if is_onset(onset) => {
                self.value = step.value;
                self.score = step.score;
                self.message.clone_from(&step.message);
                self.evidence.clone_from(&step.evidence);
                self.acknowledged_by = None;
            }
            Transition::Acknowledged => self.acknowledged_by.clone_from(&step.actor),
            Transition::Withdrawn => self.withdrawn = true,
            _ => {}
        }
        self.steps.push_back(AlertStep {
            offset,
            time: step.time,
            transition: step.transition,
            state: step.state,
            value: step.value,
            score: step.score,
            message: step.message.clone(),
            actor: step.actor.clone(),
            comment: step.comment.clone(),
            cause: step.cause,
        });
        if self.steps.len() > MAX_STEPS {
            // The first one stays: it says how the alert began.
            self.steps.remove(1);
            self.steps_dropped += 1;
        }
    }
}

/// Whether the condition begins to hold, or begins again: what was acknowledged before was not this.
const fn is_onset(transition: Transition) -> bool {
    matches!(
        transition,
        Transition::Pending | Transition::Raised | Transition::Reraised | Transition::Amended
    )
}

/// Whether an alert in `state` is over.
const fn is_over(state: AlertState) -> bool {
    matches!(state, AlertState::Normal)
}

/// A place in the list of alerts, newest start first: the alerts behind it come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Start of the last alert that was shown.
    pub started: Timestamp,
    /// Its id.
    pub id: AlertId,
}

/// Which states a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateFilter {
    /// All that were raised: everything but `pending`.
    Raised,
    /// Raised and not over.
    Open,
    /// Whose condition still holds.
    Active,
    /// Every state.
    All,
    /// These states.
    Only(Vec<AlertState>),
}

/// Which alerts a list shows.
#[derive(Debug, Clone)]
pub struct AlertFilter {
    /// By state.
    pub state: StateFilter,
    /// By severity; empty: every one.
    pub severity: Vec<Severity>,
    /// By asset.
    pub asset: Option<AssetGlob>,
    /// By rule.
    pub rule: Option<String>,
    /// Started at this time or later.
    pub from: Timestamp,
    /// Started before this time.
    pub to: Timestamp,
}

impl AlertFilter {
    /// Whether `alert` belongs in the list.
    #[must_use]
    pub fn admits(&self, alert: &Alert) -> bool {
        let state = match &self.state {
            StateFilter::Raised => alert.state != AlertState::Pending,
            StateFilter::Open => !matches!(alert.state, AlertState::Pending | AlertState::Normal),
            StateFilter::Active => alert.state.is_active(),
            StateFilter::All => true,
            StateFilter::Only(states) => states.contains(&alert.state),
        };
        state
            && (self.severity.is_empty() || self.severity.contains(&alert.severity))
            && self.rule.as_deref().is_none_or(|rule| rule == &*alert.rule)
            && self.asset.as_ref().is_none_or(|glob| glob.matches(&alert.asset))
    }
}

/// All alerts that are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerts {
    by_start: BTreeMap<Cursor, Alert>,
    starts: HashMap<AlertId, Timestamp>,
    /// Open alerts by asset, for an asset's page.
    open: BTreeSet<(AssetPath, AlertId)>,
    /// Ended alerts by the record that ended them: the first makes room.
    ended: BTreeMap<Offset, AlertId>,
}

impl Alerts {
    /// One alert.
    #[must_use]
    pub fn get(&self, id: AlertId) -> Option<&Alert> {
        self.by_start.get(&Cursor { started: *self.starts.get(&id)?, id })
    }

    /// How many alerts are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// How many alerts are open, pending ones included.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// All open alerts, pending ones included, by asset.
    pub fn open(&self) -> impl Iterator<Item = &Alert> {
        self.open.iter().filter_map(|(_, id)| self.get(*id))
    }

    /// The open alerts of one asset, pending ones included.
    pub fn open_of(&self, asset: &AssetPath) -> impl Iterator<Item = &Alert> {
        let from = (Arc::clone(asset), AlertId(0));
        let to = (Arc::clone(asset), AlertId(u128::MAX));
        self.open.range(from..=to).filter_map(|(_, id)| self.get(*id))
    }

    /// Alerts that `filter` admits, newest start first, behind `after`.
    pub fn newest<'a>(
        &'a self,
        filter: &'a AlertFilter,
        after: Option<Cursor>,
    ) -> impl Iterator<Item = &'a Alert> {
        let first = Bound::Included(Cursor { started: filter.from, id: AlertId(0) });
        let end = Cursor { started: filter.to, id: AlertId(0) };
        let last = Bound::Excluded(after.map_or(end, |after| after.min(end)));
        // A range whose ends are the wrong way round panics, so an empty one is asked for instead.
        let sane = matches!((first, last), (Bound::Included(a), Bound::Excluded(b)) if a < b);
        let range = sane.then(|| self.by_start.range((first, last)));
        range.into_iter().flatten().rev().map(|(_, alert)| alert).filter(|alert| filter.admits(alert))
    }

    /// All alerts, oldest start first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.by_start.values()
    }

    /// The state of [`Alerts`] that keeps exactly `alerts`.
    pub(super) fn from_parts(alerts: Vec<Alert>) -> Self {
        let mut all = Self::default();
        for alert in alerts {
            all.index(&alert);
            all.by_start.insert(Cursor { started: alert.started, id: alert.id }, alert);
        }
        all
    }

    pub(super) fn note_shelving(&mut self, id: AlertId, until: Timestamp) {
        if let Some(alert) = self.get_mut(id) {
            alert.shelved_until = Some(until);
        }
    }

    pub(super) fn note_assignment(&mut self, id: AlertId, to: Option<String>) {
        if let Some(alert) = self.get_mut(id).filter(|alert| !is_over(alert.state)) {
            alert.assigned_to = to;
        }
    }

    pub(super) fn apply(&mut self, offset: Offset, step: &AlertTransition) {
        let id = step.alert;
        let Some(alert) = self.get_mut(id) else {
            let alert = Alert::from_transition(offset, step);
            self.index(&alert);
            self.by_start.insert(Cursor { started: alert.started, id }, alert);
            self.forget_what_nobody_was_told(id);
            return self.make_room();
        };
        let ended_at = alert.ended.map(|_| alert.offset);
        alert.apply(offset, step);
        let key = (Arc::clone(&alert.asset), id);
        let is_over = alert.ended.is_some();
        if let Some(ended_at) = ended_at {
            self.ended.remove(&ended_at);
        }
        if is_over {
            self.open.remove(&key);
            self.ended.insert(offset, id);
        } else {
            self.open.insert(key);
        }
        self.forget_what_nobody_was_told(id);
        self.make_room();
    }

    fn get_mut(&mut self, id: AlertId) -> Option<&mut Alert> {
        self.by_start.get_mut(&Cursor { started: *self.starts.get(&id)?, id })
    }

    fn index(&mut self, alert: &Alert) {
        self.starts.insert(alert.id, alert.started);
        if alert.ended.is_some() {
            self.ended.insert(alert.offset, alert.id);
        } else {
            self.open.insert((Arc::clone(&alert.asset), alert.id));
        }
    }

    /// An alert that ended within its rule's `for` was never raised: it leaves the list. The lake keeps its
    /// transitions.
    fn forget_what_nobody_was_told(&mut self, id: AlertId) {
        if self.get(id).is_some_and(|alert| alert.ended.is_some() && alert.raised.is_none()) {
            self.remove(id);
        }
    }

    fn make_room(&mut self) {
        while self.ended.len() > MAX_ENDED {
            let Some((_, id)) = self.ended.pop_first() else { return };
            self.remove(id);
        }
    }

    fn remove(&mut self, id: AlertId) {
        let Some(started) = self.starts.remove(&id) else { return };
        if let Some(alert) = self.by_start.remove(&Cursor { started, id }) {
            self.ended.remove(&alert.offset);
            self.open.remove(&(alert.asset, id));
        }
    }
}
