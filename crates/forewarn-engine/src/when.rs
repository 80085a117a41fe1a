//! The state machine of an expression rule on one asset: hold before it begins, hold before it ends, and the
//! doubt when inputs go stale.
//!
//! It runs in the event time of the signals it watches, by two moves: [`WhenState::judge`] at a reading of
//! one of its signals, and [`WhenState::advance`], which lets time pass up to a moment before the next
//! reading (or up to a tick). While inputs are unknown no hold elapses: a condition already pending stays
//! pending and its hold goes on where it stood, and an end that was being waited for must be waited for anew.

use forewarn_spec::Compiled;
use serde::{Deserialize, Serialize};

use crate::event::Change;
use crate::inputs::with_inputs;
use crate::program::WhenRule;
use crate::slot::{Clock, NEVER, Slot};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// The condition does not hold.
    Idle,
    /// It holds, not yet long enough.
    Pending,
    /// It has held long enough and has not ended.
    Active,
}

/// One rule on one asset. Its `inputs`, handed in with each call, are the slots of the signals of `when`,
/// then those of `until`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WhenState {
    phase: Phase,
    /// Whether an active or pending condition is in doubt.
    unknown: bool,
    /// When the condition began to hold: what its id is made of.
    since: i64,
    /// When its hold began to run, were there no stretches of doubt in it.
    held_since: i64,
    /// When the doubt began, if there is one.
    unknown_since: i64,
    /// When its end began to hold, or [`NEVER`].
    ending_since: i64,
    /// The newest change told: a tick may run ahead of the next reading, and times must not run backwards.
    told: i64,
}

/// A change that the state machine tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) change: Change,
    pub(crate) time: i64,
    pub(crate) started: i64,
}

/// A stretch of event time in which no reading came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) at: i64,
    pub(crate) to: i64,
    /// Whether a hold that ends exactly at `to` elapses: before a reading at that very moment it does not,
    /// which has its say first.
    pub(crate) inclusive: bool,
    /// How much of it does not count.
    pub(crate) lost: i64,
}

impl Passed {
    /// What passed from `clock` up to a reading at `time`. Of time that the server lost meanwhile, so
    /// much does not count as there was silence in: a series that goes on in its `rhythm` has lost
    /// nothing.
    pub(crate) fn up_to(time: i64, clock: Clock, rhythm: i64, lost: i64) -> Self {
        let to = clock.newest.max(time);
        let silence = to.saturating_sub(clock.newest).saturating_sub(rhythm);
        let lost = lost.saturating_sub(clock.lost).min(silence).max(0);
        Self { at: clock.newest, to, inclusive: false, lost }
    }
}

impl WhenState {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Idle,
            unknown: false,
            since: 0,
            held_since: 0,
            unknown_since: 0,
            ending_since: NEVER,
            told: i64::MIN,
        }
    }

    /// Evaluates the rule at event time `at`, just after a reading of one of its signals.
    pub(crate) fn judge(
        &mut self,
        rule: &WhenRule,
        inputs: &[u32],
        slots: &[Slot],
        at: i64,
        tell: &mut impl FnMut(Step),
    ) {
        let outcome = self.evaluate(rule, inputs, slots, at);
        match (self.phase, outcome) {
            (Phase::Idle, Some(true)) => {
                self.begin(rule, at, tell);
                self.look_for_the_end(rule, inputs, slots, at, tell);
            }
            (Phase::Idle, _) => {}
            (_, None) => self.doubt(at, tell),
            (Phase::Pending, Some(holds)) => {
                self.trust(at, tell);
                if !holds {
                    self.phase = Phase::Idle;
                    self.tell(Change::End, at, tell);
                } else if at.saturating_sub(self.held_since) >= rule.hold_us {
                    self.fire(self.held_since.saturating_add(rule.hold_us), tell);
                    self.look_for_the_end(rule, inputs, slots, at, tell);
                }
            }
            (Phase::Active, Some(ends)) => {
                self.trust(at, tell);
                if !ends {
                    self.ending_since = NEVER;
                    return;
                }
                if self.ending_since == NEVER {
                    self.ending_since = at;
                }
                if at.saturating_sub(self.ending_since) >= rule.clear_hold_us {
                    self.fire(self.ending_since.saturating_add(rule.clear_hold_us), tell);
                }
            }
        }
    }

    /// Judges by the last values at `at`, as the rule is another one now. What is open and no longer
    /// holds ends at once.
    pub(crate) fn judge_anew(
        &mut self,
        rule: &WhenRule,
        inputs: &[u32],
        slots: &[Slot],
        at: i64,
        tell: &mut impl FnMut(Step),
    ) {
        self.ending_since = NEVER;
        if self.phase == Phase::Active && self.evaluate(rule, inputs, slots, at) == Some(true) {
            self.trust(at, tell);
            self.fire(at, tell);
        } else {
            self.judge(rule, inputs, slots, at, tell);
        }
    }

    /// Lets time pass without a reading: holds elapse, inputs go stale.
    pub(crate) fn advance(
        &mut self,
        rule: &WhenRule,
        inputs: &[u32],
        slots: &[Slot],
        passed: Passed,
        tell: &mut impl FnMut(Step),
    ) {
        let Passed { mut at, to, inclusive, lost } = passed;
        if lost > 0 {
            self.leave_out(lost);
        }
        while self.phase != Phase::Idle && !self.unknown {
            let deadline = self.deadline(rule);
            let expiry = self.expiry(rule, inputs, slots, at);
            if (deadline < to || (inclusive && deadline == to)) && deadline <= expiry {
                at = at.max(deadline);
                self.fire(deadline, tell);
                self.look_for_the_end(rule, inputs, slots, at, tell);
            } else if expiry.saturating_add(lost) < to {
                at = at.max(expiry.saturating_add(1));
                if self.evaluate(rule, inputs, slots, at).is_none() {
                    self.doubt(expiry, tell);
                }
            } else {
                return;
            }
        }
    }

    /// Moves all that it waits for by `by`, µs of event time.
    pub(crate) fn shift(&mut self, by: i64) {
        for time in [&mut self.held_since, &mut self.unknown_since] {
            *time = time.saturating_add(by);
        }
        if self.ending_since != NEVER {
            self.ending_since = self.ending_since.saturating_add(by);
        }
    }

    /// Time in which the server did not run, or its clock was set, counts neither for a hold nor for an end
    /// that must last.
    fn leave_out(&mut self, lost: i64) {
        if !self.unknown {
            self.held_since = self.held_since.saturating_add(lost);
        }
        if self.ending_since != NEVER {
            self.ending_since = self.ending_since.saturating_add(lost);
        }
    }

    /// When, after `at`, time alone may change something; [`i64::MAX`] if it cannot.
    pub(crate) fn due(&self, rule: &WhenRule, inputs: &[u32], slots: &[Slot], at: i64) -> i64 {
        if self.phase == Phase::Idle || self.unknown {
            NEVER
        } else {
            self.deadline(rule).min(self.expiry(rule, inputs, slots, at))
        }
    }

    /// Whether the condition holds, not yet long enough.
    pub(crate) fn is_pending(&self) -> bool {
        self.phase == Phase::Pending
    }

    /// Whether a condition that holds, or is about to, is in doubt.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.unknown
    }

    /// Whether it has told anything, so that the condition was decided once at least.
    pub(crate) const fn has_told(&self) -> bool {
        self.told != i64::MIN
    }

    /// Whether the condition holds or is about to: only then does time matter.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    fn begin(&mut self, rule: &WhenRule, at: i64, tell: &mut impl FnMut(Step)) {
        self.phase = Phase::Pending;
        self.unknown = false;
        self.since = at;
        self.held_since = at;
        self.ending_since = NEVER;
        if rule.hold_us == 0 {
            self.fire(at, tell);
        } else {
            self.tell(Change::Pending, at, tell);
        }
    }

    /// The hold that runs has elapsed at `time`.
    fn fire(&mut self, time: i64, tell: &mut impl FnMut(Step)) {
        if self.phase == Phase::Pending {
            self.phase = Phase::Active;
            self.ending_since = NEVER;
            self.tell(Change::Onset, time, tell);
        } else {
            self.phase = Phase::Idle;
            self.tell(Change::End, time, tell);
        }
    }

    /// Puts an alert in doubt whose end rests on inputs that are not known at its onset: no later staleness
    /// would tell.
    fn look_for_the_end(
        &mut self,
        rule: &WhenRule,
        inputs: &[u32],
        slots: &[Slot],
        at: i64,
        tell: &mut impl FnMut(Step),
    ) {
        if self.phase == Phase::Active && self.evaluate(rule, inputs, slots, at).is_none() {
            self.doubt(at, tell);
        }
    }

    fn doubt(&mut self, time: i64, tell: &mut impl FnMut(Step)) {
        self.ending_since = NEVER;
        if !self.unknown {
            self.unknown = true;
            self.unknown_since = time;
            self.tell(Change::Unknown, time, tell);
        }
    }

    /// Ends the doubt, if there is any. A hold goes on as if the doubt had not been.
    fn trust(&mut self, time: i64, tell: &mut impl FnMut(Step)) {
        if std::mem::take(&mut self.unknown) {
            self.held_since = self.held_since.saturating_add(time.saturating_sub(self.unknown_since).max(0));
            self.tell(Change::Known, time, tell);
        }
    }

    fn tell(&mut self, change: Change, time: i64, tell: &mut impl FnMut(Step)) {
        // A new condition may begin before what a tick told of the last one; its own start is what its id is
        // made of.
        let time = if change == Change::Pending { time } else { time.max(self.told) };
        self.told = time;
        tell(Step { change, time, started: self.since });
    }

    fn deadline(&self, rule: &WhenRule) -> i64 {
        match self.phase {
            Phase::Pending => self.held_since.saturating_add(rule.hold_us),
            Phase::Active if self.ending_since != NEVER => {
                self.ending_since.saturating_add(rule.clear_hold_us)
            }
            Phase::Active | Phase::Idle => NEVER,
        }
    }

    /// What decides now: `when` until the condition holds, then its end.
    pub(crate) fn evaluate(&self, rule: &WhenRule, inputs: &[u32], slots: &[Slot], at: i64) -> Option<bool> {
        match (self.phase, &rule.until) {
            (Phase::Active, Some(until)) => {
                evaluate(until, self.deciding(rule, inputs), slots, at, rule.tolerance_us)
            }
            (Phase::Active, None) => {
                evaluate(&rule.when, self.deciding(rule, inputs), slots, at, rule.tolerance_us)
                    .map(|holds| !holds)
            }
            _ => evaluate(&rule.when, self.deciding(rule, inputs), slots, at, rule.tolerance_us),
        }
    }

    fn deciding<'a>(&self, rule: &WhenRule, inputs: &'a [u32]) -> &'a [u32] {
        if self.phase == Phase::Active && rule.until.is_some() {
            &inputs[rule.when_count..]
        } else {
            &inputs[..rule.when_count]
        }
    }

    /// When the first of the inputs that are known at `at` goes stale.
    fn expiry(&self, rule: &WhenRule, inputs: &[u32], slots: &[Slot], at: i64) -> i64 {
        let known = self.deciding(rule, inputs).iter().filter_map(|slot| slots.get(*slot as usize));
        known
            .filter(|slot| slot.is_known_at(at, rule.tolerance_us))
            .map(|slot| slot.expiry(rule.tolerance_us))
            .min()
            .unwrap_or(NEVER)
    }
}

/// Evaluates a condition over the values of `inputs` that are known at `at`.
fn evaluate(
    expr: &Compiled,
    inputs: &[u32],
    slots: &[Slot],
    at: i64,
    tolerance_us: Option<i64>,
) -> Option<bool> {
    with_inputs(inputs, slots, at, tolerance_us, |inputs| expr.eval_bool(inputs))
}
