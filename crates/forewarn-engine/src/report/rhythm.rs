//! Where the pace of a series and the durations of a rule do not go together.

use forewarn_types::{SignalName, format_duration};

use super::place::Place;
use super::row::about;
use crate::program::WhenRule;
use crate::slot::Slot;

/// Says of the signals of a condition which come so rarely that `for` or `clear_for` are not filled as meant.
pub(super) fn of_when(place: &Place<'_>, rule: &WhenRule) -> Vec<String> {
    let Some(tolerance_us) = rule.tolerance_us else { return Vec::new() };
    let mut notes = Vec::new();
    for (number, signal) in rule.signals.iter().enumerate() {
        let gap_us = place.slot(signal).map_or(0, Slot::rhythm);
        if gap_us <= tolerance_us || rule.signals[..number].contains(signal) {
            continue;
        }
        let pace = format!(
            "{signal} comes about every {} and counts for {} (tolerance)",
            about(gap_us),
            format_duration(tolerance_us)
        );
        let remedy = format!("set tolerance to more than {}, or leave it out", about(gap_us));
        if rule.hold_us > tolerance_us {
            let readings =
                rule.hold_us / tolerance_us.max(1) + i64::from(rule.hold_us % tolerance_us.max(1) > 0);
            notes.push(format!(
                "{pace}, so `for: {}` is filled by {readings} readings only, after about {}; {remedy}",
                format_duration(rule.hold_us),
                about(gap_us.saturating_mul(readings - 1))
            ));
        } else {
            notes.push(format!("{pace}, so an alert is unknown between readings; {remedy}"));
        }
        if rule.clear_hold_us > tolerance_us {
            notes.push(format!(
                "{pace}, so `clear_for: {}` is never filled and an alert does not end; {remedy}",
                format_duration(rule.clear_hold_us)
            ));
        }
    }
    notes
}

/// Says if a series usually comes more rarely than its rule allows it to be silent.
pub(super) fn of_missing(place: &Place<'_>, signal: &SignalName, longer_than_us: i64) -> Vec<String> {
    let gap_us = place.slot(signal).map_or(0, Slot::rhythm);
    if gap_us <= longer_than_us {
        return Vec::new();
    }
    vec![format!(
        "{signal} comes about every {}, which is longer than `longer_than: {}`: an alert is raised in each gap",
        about(gap_us),
        format_duration(longer_than_us)
    )]
}
