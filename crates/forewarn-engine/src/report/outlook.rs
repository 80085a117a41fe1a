//! How the condition of a rule stands on an asset, whatever became of its alert.

use forewarn_types::SignalName;

use super::place::Place;
use super::rhythm;
use super::row::{Lack, RuleState, Wait};
use crate::episode::Episode;
use crate::missing::Missing;
use crate::program::{RuleWatch, WhenRule};
use crate::slot::{Clock, NO_TIME};
use crate::state::State;
use crate::when::WhenState;

/// How the condition of a rule stands on an asset.
pub(super) struct Outlook {
    pub(super) state: RuleState,
    pub(super) waits_for: Vec<Wait>,
    pub(super) notes: Vec<String>,
}

impl Outlook {
    /// That of the rule `number`, which matches the asset, at the running time `now`.
    pub(super) fn of(place: &Place<'_>, number: u32, now: i64) -> Self {
        let plain = |state| Self { state, waits_for: Vec::new(), notes: Vec::new() };
        if place.shard.retired_by(place.asset).is_some() {
            return plain(RuleState::Retired);
        }
        let Some(rule) = place.program.rules.get(number as usize) else {
            return plain(RuleState::NeverDecided);
        };
        let instances = &place.shard.assets[place.asset as usize].instances;
        let mut instances = instances.iter().map(|index| &place.shard.instances[*index as usize]);
        let state = instances.find(|instance| instance.rule == number).map(|instance| &instance.state);
        match (&rule.watch, state) {
            (RuleWatch::When(rule), Some(State::When(inputs, when))) => {
                Self::of_when(place, rule, (inputs, when), now)
            }
            (RuleWatch::Detector { signal, params }, Some(State::Detector(episode, detector))) => {
                Self::of_detector(place, signal, episode, |time| detector.is_ready(params, time), now)
            }
            (RuleWatch::Missing { signal, longer_than_us, .. }, Some(State::Missing(missing))) => {
                Self::of_missing(place, signal, missing, *longer_than_us)
            }
            // The asset has none of its signals.
            _ => Self {
                waits_for: place.waits(rule.signals(), NO_TIME, None),
                ..plain(RuleState::NeverDecided)
            },
        }
    }

    fn of_when(place: &Place<'_>, rule: &WhenRule, (inputs, when): (&[u32], &WhenState), now: i64) -> Self {
        let slots = &place.shard.slots;
        let clock = Clock::latest(inputs, slots);
        let is_heard = clock.newest != NO_TIME;
        let at = if is_heard { clock.event_time(now) } else { NO_TIME };
        let mut waits_for = place.waits(&rule.signals, at, rule.tolerance_us);
        let mut notes = rhythm::of_when(place, rule);
        let deciding = &rule.signals[..rule.when_count];
        let never = waits_for
            .iter()
            .any(|wait| wait.last.is_none() && (wait.computes.is_some() || deciding.contains(&wait.signal)));
        let state = if !is_heard {
            RuleState::NeverDecided
        } else if !when.is_idle() {
            match (when.is_in_doubt(), when.is_pending()) {
                (true, _) => RuleState::Unknown,
                (false, true) => RuleState::Pending,
                (false, false) => RuleState::Alert,
            }
        } else if when.evaluate(rule, inputs, slots, at).is_some() {
            RuleState::Normal
        } else if never && !when.has_told() {
            RuleState::NeverDecided
        } else {
            RuleState::Unknown
        };
        if state == RuleState::Unknown && waits_for.is_empty() {
            notes.push("all signals are known, and a formula of the condition gives no finite number".into());
        }
        if state == RuleState::Normal {
            // It is decided without what is too old; what was never heard may be misspelt.
            waits_for.retain(|wait| wait.lack == Lack::NeverHeard);
        }
        Self { state, waits_for, notes }
    }

    fn of_detector(
        place: &Place<'_>,
        signal: &SignalName,
        episode: &Episode,
        is_ready: impl Fn(i64) -> bool,
        now: i64,
    ) -> Self {
        let slot = &place.shard.slots[episode.slot as usize];
        let at = if slot.clock.newest == NO_TIME { NO_TIME } else { slot.clock.event_time(now) };
        let waits_for = place.waits(std::slice::from_ref(signal), at, None);
        let mut notes = Vec::new();
        let state = if episode.open {
            if episode.unknown { RuleState::Unknown } else { RuleState::Alert }
        } else if slot.time == NO_TIME {
            RuleState::NeverDecided
        } else if !is_ready(slot.time) {
            notes.push("it still learns what is usual, which takes 200 readings and up to an hour".into());
            RuleState::NeverDecided
        } else if waits_for.is_empty() {
            RuleState::Normal
        } else {
            RuleState::Unknown
        };
        Self { state, waits_for, notes }
    }

    fn of_missing(place: &Place<'_>, signal: &SignalName, missing: &Missing, longer_than_us: i64) -> Self {
        let is_heard = place.slot(signal).is_some_and(|slot| slot.clock.newest != NO_TIME);
        let waits_for =
            if is_heard { Vec::new() } else { place.waits(std::slice::from_ref(signal), NO_TIME, None) };
        let state = if missing.open {
            RuleState::Alert
        } else if missing.arrived == NO_TIME {
            RuleState::NeverDecided
        } else {
            RuleState::Normal
        };
        Self { state, waits_for, notes: rhythm::of_missing(place, signal, longer_than_us) }
    }
}
