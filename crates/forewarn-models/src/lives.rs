//! Lives: an asset's stretches from installation or repair to failure, cut out of its life events.
//!
//! A life begins at `installed` or `repaired`, or, for an asset that was running before anyone posted an
//! event, at its first reading. `failed` ends it with its label; `repaired`, `retired` and `installed` end it
//! unfailed (censored). After `failed` or `retired` nothing runs until `installed` or `repaired` says so:
//! readings of a broken machine must not pass for those of a healthy one. Training uses failed lives only. A
//! censored life does not tell when it would have failed, and its early rows, where the target is certainly
//! at the cap, would only add more of what every failed life already shows.

use forewarn_types::LifeEventKind;

/// How a life ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The asset failed at the end.
    Failed,
    /// The life ended without failure: how long it would have lasted is unknown.
    Censored,
    /// It still runs.
    Running,
}

/// One life of one asset. Times are µs UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it began.
    pub start: i64,
    /// When it ended; `None` while it runs.
    pub end: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Readings from here on are no longer of this life (exclusive); `i64::MAX` while it runs.
    pub until: i64,
}

/// The lives of one asset, in order, and the events that fit nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lives {
    /// The lives, oldest first. They do not overlap.
    pub lives: Vec<Life>,
    /// Events that end a life where none runs, such as a second `failed` without `installed` or `repaired`
    /// between them.
    pub stray: Vec<(i64, LifeEventKind)>,
}

impl Lives {
    /// The life that still runs.
    #[must_use]
    pub fn running(&self) -> Option<&Life> {
        self.lives.last().filter(|life| life.outcome == Outcome::Running)
    }
}

/// Cuts the lives of one asset out of its `events`, given the time of its first reading (`None`: it has
/// none). Events at the same time count in the order given.
#[must_use]
pub fn lives_of(first_reading: Option<i64>, events: &[(i64, LifeEventKind)]) -> Lives {
    let mut events: Vec<(i64, LifeEventKind)> =
        events.iter().copied().filter(|(_, event)| *event != LifeEventKind::Withdrawn).collect();
    events.sort_by_key(|&(time, _)| time);
    let first_event = events.first().map_or(i64::MAX, |&(time, _)| time);
    // Readings before the first event, or no event at all: the asset was running when it was connected.
    let mut start = first_reading.filter(|&time| time < first_event);
    let mut found = Lives::default();
    for &(time, event) in &events {
        let begins = matches!(event, LifeEventKind::Installed | LifeEventKind::Repaired);
        let outcome = if event == LifeEventKind::Failed { Outcome::Failed } else { Outcome::Censored };
        match start {
            Some(start) if time > start => {
                // The reading at the very time of the failure still belongs to the life that failed.
                let until = if event == LifeEventKind::Failed { time.saturating_add(1) } else { time };
                found.lives.push(Life { start, end: Some(time), outcome, until });
            }
            // Installed and repaired at once is one beginning.
            Some(_) => {}
            None if begins => {}
            None => found.stray.push((time, event)),
        }
        if begins {
            if let Some(last) = found.lives.last_mut() {
                last.until = last.until.min(time);
            }
            start = Some(time);
        } else {
            start = None;
        }
    }
    if let Some(start) = start {
        found.lives.push(Life { start, end: None, outcome: Outcome::Running, until: i64::MAX });
    }
    found
}

#[cfg(test)]
mod tests {
    use forewarn_types::LifeEventKind::{Failed, Installed, Repaired, Retired};
    use proptest::prelude::*;

    use super::*;

    fn check(first: Option<i64>, events: &[(i64, LifeEventKind)], expected: &[(i64, Option<i64>, Outcome)]) {
        let lives: Vec<_> =
            lives_of(first, events).lives.iter().map(|life| (life.start, life.end, life.outcome)).collect();
        assert_eq!(lives, expected, "{events:?}");
    }

    #[test]
    fn events_cut_lives() {
        use Outcome::{Censored, Running};
        check(None, &[], &[]);
        check(Some(5), &[], &[(5, None, Running)]);
        check(Some(5), &[(9, Failed)], &[(5, Some(9), Outcome::Failed)]);
        check(Some(5), &[(9, Failed), (12, Repaired)], &[(5, Some(9), Outcome::Failed), (12, None, Running)]);
        check(Some(5), &[(3, Installed), (9, Retired)], &[(3, Some(9), Censored)]);
        check(
            Some(5),
            &[(7, Repaired), (9, Installed)],
            &[(5, Some(7), Censored), (7, Some(9), Censored), (9, None, Running)],
        );
        check(Some(5), &[(9, Installed), (9, Repaired)], &[(5, Some(9), Censored), (9, None, Running)]);
        check(Some(5), &[(12, Repaired), (9, Failed)], &[(5, Some(9), Outcome::Failed), (12, None, Running)]);
    }

    #[test]
    fn a_second_failure_without_a_repair_is_no_life() {
        let lives = lives_of(Some(0), &[(5, Failed), (9, Failed)]);
        assert_eq!(lives.lives.len(), 1);
        assert_eq!(lives.stray, [(9, Failed)]);
        assert_eq!(lives.running(), None);
    }

    #[test]
    fn the_reading_at_failure_belongs_to_the_failed_life() {
        assert_eq!(lives_of(Some(0), &[(5, Failed), (8, Installed)]).lives[0].until, 6);
        assert_eq!(lives_of(Some(0), &[(5, Failed), (5, Installed)]).lives[0].until, 5);
    }

    fn events() -> impl Strategy<Value = Vec<(i64, LifeEventKind)>> {
        let kind = prop::sample::select(vec![Installed, Repaired, Failed, Retired]);
        prop::collection::vec((0_i64..50, kind), 0..12)
    }

    proptest! {
        #[test]
        fn lives_never_overlap(first in prop::option::of(0_i64..50), events in events()) {
            let found = lives_of(first, &events);
            for pair in found.lives.windows(2) {
                prop_assert!(pair[0].until <= pair[1].start);
            }
            for life in &found.lives {
                prop_assert!(life.start < life.until);
                prop_assert!(life.end.is_none_or(|end| life.start < end && end <= life.until));
            }
            let running = found.lives.iter().filter(|life| life.outcome == Outcome::Running).count();
            prop_assert!(running <= 1);
        }
    }
}
