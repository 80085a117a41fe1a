//! Slow sensors: what is usual for a series is not too old.

use forewarn_types::AlertState::{Pending, Unacknowledged};
use forewarn_types::{AlertTransition, Transition as T};

use super::{Rig, brief};
use crate::Engine;

const POWER: &str = "
signals:
  - { name: power, assets: '**', expr: 'voltage * current' }
  - { name: doubled, assets: '**', expr: 'power * 2.0' }
rules:
  - { name: inline, assets: '**', when: 'voltage * current > 100.0', for: 1h, severity: major }
  - { name: derived, assets: '**', when: 'power > 100.0', for: 1h, severity: major }
  - { name: doubled, assets: '**', when: 'doubled > 200.0', for: 1h, severity: major }
  - { name: short, assets: '**', when: 'power > 100.0', tolerance: 2m, severity: major }
  - { name: silent, assets: '**', missing: { signal: power, longer_than: 1h }, severity: warning }
";
const MINUTE: i64 = 60;

fn of(rule: &str, transitions: &[AlertTransition]) -> Vec<AlertTransition> {
    transitions.iter().filter(|one| &*one.rule == rule).cloned().collect()
}

/// The fault: voltage at :00, current at :07, every quarter of an hour: the power was never known.
#[test]
fn a_value_computed_from_two_slow_sensors_is_known_as_it_is_inline() {
    let mut rig = Rig::new(POWER, &[("p", "voltage"), ("p", "current")]);
    let mut told = Vec::new();
    for quarter in 0..12 {
        let start = quarter * 15 * MINUTE;
        told.extend(rig.read("p", "voltage", start, 20.0));
        told.extend(rig.tick(start + 5 * MINUTE));
        told.extend(rig.read("p", "current", start + 7 * MINUTE, 10.0));
        told.extend(rig.tick(start + 14 * MINUTE));
        if quarter == 6 {
            rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
        }
    }
    let expected = brief(&of("inline", &told));
    assert!(expected.iter().any(|one| one.0 == T::Raised), "{told:?}");
    assert_eq!(brief(&of("derived", &told)), expected);
    assert_eq!(brief(&of("doubled", &told)), expected);
    // Two minutes are two minutes.
    assert_eq!(of("short", &told), []);
    // Three usual gaps without a reading are too long, in all of them.
    let silence: Vec<_> = (180..260).flat_map(|minute| rig.tick(minute * MINUTE)).collect();
    let doubt = brief(&of("inline", &silence));
    assert_eq!(doubt.iter().map(|one| one.0).collect::<Vec<_>>(), [T::Unknown]);
    assert_eq!((brief(&of("derived", &silence)), brief(&of("doubled", &silence))), (doubt.clone(), doubt));
    assert_eq!(brief(&of("silent", &silence)).len(), 1);
}

#[test]
fn hourly_readings_fill_a_hold_of_hours() {
    let rules = "rules:
  - { name: r, assets: '**', when: 'x > 1.0', for: 3h, severity: major }";
    let mut rig = Rig::new(rules, &[("p", "x")]);
    let mut told = Vec::new();
    for hour in 0..12 {
        told.extend(rig.read("p", "x", hour * 60 * MINUTE, if hour < 4 { 0.0 } else { 2.0 }));
        (1..60).for_each(|minute| told.extend(rig.tick((hour * 60 + minute) * MINUTE)));
    }
    let hour = 60 * MINUTE;
    assert_eq!(brief(&told), [(T::Pending, Pending, 4 * hour), (T::Raised, Unacknowledged, 7 * hour)]);
}

/// The fault: `missing` on a signal that is never computed said nothing.
#[test]
fn a_signal_that_is_never_computed_is_missing() {
    let mut rig = Rig::new(POWER, &[("p", "voltage"), ("p", "current")]);
    for minute in 0..60 {
        assert_eq!(rig.read("p", "voltage", minute * MINUTE, 20.0), []);
        assert_eq!(rig.tick(minute * MINUTE), []);
    }
    rig.read("p", "voltage", 60 * MINUTE, 20.0);
    let told = rig.tick(60 * MINUTE + 1);
    assert_eq!(brief(&of("silent", &told)), [(T::Raised, Unacknowledged, 60 * MINUTE)]);
    assert_eq!(of("silent", &rig.read("p", "current", 61 * MINUTE, 1.0))[0].transition, T::Returned);
}
