//! The last value of each signal of an asset, and the clock of the signal.

use forewarn_spec::DEFAULT_TOLERANCE_US;
use serde::{Deserialize, Serialize};

/// Stands for a slot that the asset does not have yet.
pub(crate) const NO_SLOT: u32 = u32::MAX;
/// No such time.
pub(crate) const NO_TIME: i64 = i64::MIN;
/// The end of time.
pub(crate) const NEVER: i64 = i64::MAX;

/// How far event time has come, and when that was heard, in [running time](crate::running). Each signal
/// has a clock of its own, and what rests on several signals follows the latest of theirs: across series
/// nothing is promised, so a signal that runs ahead must not move time for rules that do not watch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// Event time of the newest reading, usable or not; [`NO_TIME`] before the first.
    pub(crate) newest: i64,
    /// When that reading arrived; [`NO_TIME`] before the first.
    pub(crate) arrived: i64,
    /// All time that the server had lost by then.
    #[serde(default)]
    pub(crate) lost: i64,
}

impl Clock {
    const UNHEARD: Self = Self { newest: NO_TIME, arrived: NO_TIME, lost: 0 };

    /// The latest of the clocks of `inputs`.
    pub(crate) fn latest(inputs: &[u32], slots: &[Slot]) -> Self {
        inputs
            .iter()
            .filter_map(|slot| slots.get(*slot as usize))
            .map(|slot| slot.clock)
            .max()
            .unwrap_or(Self::UNHEARD)
    }

    /// Event time at the running time `now`.
    pub(crate) fn event_time(self, now: i64) -> i64 {
        self.newest.saturating_add(now.saturating_sub(self.arrived).max(0))
    }

    /// The running time at event time `at`.
    pub(crate) fn running_time(self, at: i64) -> i64 {
        if at == NEVER { NEVER } else { self.arrived.saturating_add(at.saturating_sub(self.newest)) }
    }
}

/// The last value of a signal of an asset, and who wants to know of a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) value: f64,
    /// Event time of `value`; of a derived value, that of its oldest input. [`NO_TIME`] before the first.
    pub(crate) time: i64,
    /// Of a derived signal, the latest clock of its inputs. A late reading does not move it.
    pub(crate) clock: Clock,
    pub(crate) asset: u32,
    pub(crate) signal: u32,
    /// Whether the newest reading was usable.
    pub(crate) known: bool,
    /// Event time between the last values, µs: the newest such gap and the one before; 0 where there was
    /// none.
    gaps: [i64; 2],
    /// Derived signals that a reading changes, each after what it rests on.
    pub(crate) derived: Box<[u32]>,
    /// Instances that judge after a reading, by rule.
    pub(crate) watchers: Box<[u32]>,
    /// Whether it is an attribute of the asset: it has no clock and never grows old.
    #[serde(default)]
    pub(crate) constant: bool,
    /// Whether it is computed from other signals.
    #[serde(skip)]
    pub(crate) computed: bool,
    /// Of a computed value, event time after which what it rests on is too old.
    #[serde(skip)]
    pub(crate) good_until: i64,
}

impl Slot {
    pub(crate) fn new(asset: u32, signal: u32) -> Self {
        Self {
            value: 0.0,
            time: NO_TIME,
            clock: Clock::UNHEARD,
            asset,
            signal,
            known: false,
            gaps: [0; 2],
            derived: Box::default(),
            watchers: Box::default(),
            constant: false,
            computed: false,
            good_until: NEVER,
        }
    }

    /// Whether the value may be used at event time `at`, by a rule of that tolerance.
    #[inline]
    pub(crate) fn is_known_at(&self, at: i64, tolerance_us: Option<i64>) -> bool {
        self.known && at <= self.expiry(tolerance_us)
    }

    /// Event time after which the value is too old to be used. Without a tolerance a slow series is given
    /// time for three readings, and a computed value is as good as what it is computed from.
    #[inline]
    pub(crate) fn expiry(&self, tolerance_us: Option<i64>) -> i64 {
        match tolerance_us {
            _ if self.constant => NEVER,
            Some(tolerance_us) => self.time.saturating_add(tolerance_us),
            None if self.computed => self.good_until,
            None => self.time.saturating_add(DEFAULT_TOLERANCE_US.max(self.rhythm().saturating_mul(3))),
        }
    }

    /// Takes a clock that is ahead of `now` to be of now, and the value as much older.
    pub(crate) fn set_back(&mut self, now: i64) {
        let ahead = self.clock.newest.saturating_sub(now);
        if self.clock.newest != NO_TIME && ahead > 0 {
            self.clock.newest = now;
            if self.time != NO_TIME {
                self.time = self.time.saturating_sub(ahead);
                self.good_until = self.good_until.saturating_sub(ahead);
            }
        }
    }

    /// A usable value takes the place of the last one.
    pub(crate) fn take(&mut self, value: f64, time: i64) {
        if self.time != NO_TIME && time > self.time {
            self.gaps = [time.saturating_sub(self.time), self.gaps[0]];
        }
        self.value = value;
        self.time = time;
        self.known = true;
    }

    /// Event time after which an alert of a rule without a tolerance of its own can no longer be told from
    /// the value.
    pub(crate) fn stale_after(&self) -> i64 {
        self.expiry(None)
    }

    /// The usual gap between readings, µs of event time; 0 before the third. The shorter of two gaps
    /// counts, so that one outage does not make a fast series a slow one.
    pub(crate) fn rhythm(&self) -> i64 {
        self.gaps[0].min(self.gaps[1])
    }

    /// The rhythm of the one of `inputs` that was heard of last; the slowest if there are several.
    pub(crate) fn latest_rhythm(inputs: &[u32], slots: &[Self]) -> i64 {
        let latest = Clock::latest(inputs, slots);
        let inputs = inputs.iter().filter_map(|slot| slots.get(*slot as usize));
        inputs.filter(|slot| slot.clock == latest).map(Self::rhythm).max().unwrap_or(0)
    }
}
