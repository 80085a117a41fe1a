//! Expression rules: hold, hysteresis, tolerance, event time.

use forewarn_types::AlertState::{Acknowledged, Normal, Pending, Returned, Unacknowledged};
use forewarn_types::{CommandAction, Timestamp, Transition as T};

use super::{Rig, brief};

const HOT: &str = "
signals:
  - { name: heat_margin, assets: '**', expr: '90.0 - temperature', unit: K }
  - { name: temperature, assets: '**', unit: '°C' }
  - { name: vibration, assets: '**' }
rules:
  - name: hot
    assets: 'plant/**'
    when: 'temperature > 90.0 && vibration > 4.5'
    for: 30s
    until: 'temperature < 85.0'
    clear_for: 20s
    severity: critical
  - { name: margin, assets: 'plant/**', when: 'heat_margin < 0.0', severity: minor }
";

fn rig() -> Rig {
    Rig::new(HOT, &[("plant/p1", "temperature"), ("plant/p1", "vibration"), ("elsewhere/p2", "temperature")])
}

fn of(
    rule: &str,
    transitions: &[forewarn_types::AlertTransition],
) -> Vec<(T, forewarn_types::AlertState, i64)> {
    brief(&transitions.iter().filter(|one| &*one.rule == rule).cloned().collect::<Vec<_>>())
}

#[test]
fn a_condition_must_hold_and_its_end_too() {
    let mut rig = rig();
    assert_eq!(rig.read("plant/p1", "vibration", 0, 5.0), []);
    let start = rig.read("plant/p1", "temperature", 10, 91.0);
    assert_eq!(of("hot", &start), [(T::Pending, Pending, 10)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 30, 5.0)), []);
    // The hold elapses between two readings: the raise carries its own time, not that of the reading.
    let raised = rig.read("plant/p1", "vibration", 45, 5.5);
    assert_eq!(of("hot", &raised), [(T::Raised, Unacknowledged, 40)]);
    assert_eq!(raised[0].started, Timestamp::from_secs(10));
    assert_eq!(raised[0].alert, start[0].alert);
    // Hysteresis: no longer above 90, not yet below 85.
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 60, 87.0)), []);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 70, 84.0)), []);
    // Back up within the clear hold: the wait for the end starts anew.
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 80, 86.0)), []);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 100, 84.0)), []);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 120, 83.0)), [(T::Returned, Returned, 120)]);
}

#[test]
fn a_pending_condition_that_ends_was_nothing() {
    let mut rig = rig();
    rig.read("plant/p1", "vibration", 0, 5.0);
    rig.read("plant/p1", "temperature", 10, 91.0);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 20, 80.0)), [(T::Normal, Normal, 20)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 100, 5.0)), []);
    // At the very end of the hold the reading has its say first.
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 110, 91.0)), [(T::Pending, Pending, 110)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 140, 80.0)), [(T::Normal, Normal, 140)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 150, 91.0)), [(T::Pending, Pending, 150)]);
    assert_eq!(
        of("hot", &rig.read("plant/p1", "temperature", 180, 91.0)),
        [(T::Raised, Unacknowledged, 180)]
    );
}

#[test]
fn derived_signals_are_judged_like_others_and_stay_on_their_asset() {
    let mut rig = rig();
    let raised = rig.read("plant/p1", "temperature", 0, 91.5);
    assert_eq!(brief(&raised), [(T::Raised, Unacknowledged, 0)]);
    assert_eq!((&*raised[0].rule, raised[0].value), ("margin", Some(-1.5)));
    assert_eq!(raised[0].message, "heat_margin < 0.0 holds; heat_margin -1.5 K");
    assert_eq!(raised[0].evidence.values.len(), 1);
    assert_eq!(rig.read("elsewhere/p2", "temperature", 0, 91.5), [], "the glob does not match");
    assert_eq!(brief(&rig.read("plant/p1", "temperature", 10, 80.0)), [(T::Returned, Returned, 10)]);
}

#[test]
fn stale_and_bad_inputs_put_an_alert_in_doubt_but_never_end_it() {
    let mut rig = rig();
    rig.read("plant/p1", "vibration", 0, 5.0);
    rig.read("plant/p1", "temperature", 0, 91.0);
    // The default tolerance is 5 min; `until` rests on the temperature alone once the alert is raised at 30
    // s.
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 100, 5.0)), [(T::Raised, Unacknowledged, 30)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 300, 1.0)), []);
    let doubt = rig.read("plant/p1", "vibration", 301, 1.0);
    assert_eq!(of("hot", &doubt), [(T::Unknown, Unacknowledged, 300)]);
    assert!(doubt.iter().all(|one| one.unknown));
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 400, 91.0)), [(T::Known, Unacknowledged, 400)]);
    assert_eq!(of("hot", &rig.read_bad("plant/p1", "temperature", 410)), [(T::Unknown, Unacknowledged, 410)]);
    assert_eq!(of("hot", &rig.read_bad("plant/p1", "temperature", 420)), []);
    // Known again and low: the clear hold counts from here.
    assert_eq!(of("hot", &rig.read("plant/p1", "temperature", 430, 80.0)), [(T::Known, Unacknowledged, 430)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 460, 5.0)), [(T::Returned, Returned, 450)]);
}

#[test]
fn ticks_let_time_pass_relative_to_arrival() {
    let mut rig = rig();
    // An import of history: the readings are a day old when they arrive.
    let day = 86_400;
    rig.read_delayed("plant/p1", "vibration", 0, 5.0, day);
    rig.read_delayed("plant/p1", "temperature", 0, 91.0, day);
    assert_eq!(of("hot", &rig.tick(day + 29)), []);
    assert_eq!(of("hot", &rig.tick(day + 30)), [(T::Raised, Unacknowledged, 30)]);
    assert_eq!(rig.tick(day + 300), []);
    let doubt = rig.tick(day + 301);
    assert_eq!(of("hot", &doubt), [(T::Unknown, Unacknowledged, 300)]);
    assert_eq!(of("margin", &doubt), [(T::Unknown, Unacknowledged, 300)]);
    assert_eq!(rig.tick(2 * day), []);
    assert_eq!(rig.engine.shards[0].armed_count(), 0, "nothing is left for ticks to look at");
}

#[test]
fn a_hold_does_not_elapse_in_doubt() {
    let mut rig = rig();
    rig.read("plant/p1", "vibration", 0, 5.0);
    rig.read("plant/p1", "temperature", 10, 91.0);
    assert_eq!(of("hot", &rig.read_bad("plant/p1", "vibration", 20)), [(T::Unknown, Pending, 20)]);
    assert_eq!(of("hot", &rig.tick(100)), []);
    // Ten of the thirty seconds had passed before the doubt; the other twenty pass after it.
    let known = rig.read("plant/p1", "vibration", 110, 5.0);
    assert_eq!(of("hot", &known), [(T::Known, Pending, 110)]);
    assert_eq!(of("hot", &rig.read("plant/p1", "vibration", 129, 5.0)), []);
    let raised = rig.read("plant/p1", "vibration", 131, 5.0);
    assert_eq!(of("hot", &raised), [(T::Raised, Unacknowledged, 130)]);
    assert_eq!(
        (raised[0].alert, raised[0].started),
        (known[0].alert, Timestamp::from_secs(10)),
        "its start and its id stay"
    );
}

#[test]
fn an_alert_whose_end_cannot_be_told_at_its_onset_is_in_doubt() {
    let rules = "rules:
  - { name: r, assets: '**', when: 'x > 1.0', until: 'y < 0.0', for: 10s, severity: major }
  \
                 - { name: now, assets: '**', when: 'x > 1.0', until: 'y < 0.0', severity: major }";
    let mut rig = Rig::new(rules, &[("p", "x"), ("p", "y")]);
    let onset = rig.read("p", "x", 0, 2.0);
    assert_eq!(of("now", &onset), [(T::Raised, Unacknowledged, 0), (T::Unknown, Unacknowledged, 0)]);
    assert_eq!(of("r", &rig.tick(10)), [(T::Raised, Unacknowledged, 10), (T::Unknown, Unacknowledged, 10)]);
    let known = rig.read("p", "y", 11, 5.0);
    assert_eq!(
        (of("now", &known), of("r", &known)),
        (vec![(T::Known, Unacknowledged, 11)], vec![(T::Known, Unacknowledged, 11)])
    );
}

#[test]
fn a_late_reading_changes_nothing() {
    let mut rig = rig();
    rig.read("plant/p1", "temperature", 100, 80.0);
    assert_eq!(rig.read_late("plant/p1", "temperature", 50, 99.0), []);
    rig.read("plant/p1", "vibration", 101, 5.0);
    assert_eq!(rig.tick(200), []);
}

#[test]
fn a_signal_that_runs_ahead_moves_time_for_no_rule_that_does_not_watch_it() {
    let rules = "
signals: [{ name: double, assets: '**', expr: 'x * 2.0' }]
rules:
  - { name: held, assets: '**', when: 'x > 6.0', for: 30s, severity: major }
  - { name: derived, assets: '**', when: 'double > 12.0', severity: major }
";
    let mut rig = Rig::new(rules, &[("p", "x"), ("p", "z")]);
    assert_eq!(rig.read("p", "z", 3600, 0.0), []);
    let start = rig.read("p", "x", 0, 7.0);
    assert_eq!(of("held", &start), [(T::Pending, Pending, 0)]);
    assert_eq!(of("derived", &start), [(T::Raised, Unacknowledged, 0)], "x is not stale by the clock of z");
    assert_eq!(rig.read("p", "z", 7200, 0.0), [], "no hold elapses by the clock of z");
    let end = rig.read("p", "x", 10, 5.0);
    assert_eq!(of("held", &end), [(T::Normal, Normal, 10)]);
    assert_eq!(of("derived", &end), [(T::Returned, Returned, 10)]);
    // A new occurrence has a start and an id of its own.
    let again = rig.read("p", "x", 20, 7.0);
    assert_eq!(of("held", &again), [(T::Pending, Pending, 20)]);
    assert_ne!(again[0].alert, start[0].alert);
    assert_eq!(of("held", &rig.read("p", "x", 51, 7.0)), [(T::Raised, Unacknowledged, 50)]);
    // Ticks count from the newest reading of x, too.
    assert_eq!(rig.tick(351), []);
    assert_eq!(rig.tick(352).len(), 2, "x is stale by its own clock");
}

#[test]
fn a_rule_starts_when_its_signals_appear() {
    let mut rig = Rig::new(
        "rules:\n  - { name: either, assets: '**', when: 'a > 1.0 || b > 1.0', severity: minor }",
        &[("x", "a")],
    );
    assert_eq!(brief(&rig.read("x", "a", 0, 2.0)), [(T::Raised, Unacknowledged, 0)]);
    assert_eq!(brief(&rig.read("x", "a", 1, 0.0)), [(T::Unknown, Unacknowledged, 1)], "b may be above");
    rig.add_series(&[("x", "b")]);
    let back = rig.read("x", "b", 2, 0.0);
    assert_eq!(brief(&back), [(T::Known, Unacknowledged, 2), (T::Returned, Returned, 2)]);
    assert_eq!(brief(&rig.read("x", "b", 3, 2.0)), [(T::Reraised, Unacknowledged, 3)]);
    let acknowledged = rig.command(&back[0], CommandAction::Acknowledge, 4);
    assert_eq!(brief(&acknowledged), [(T::Acknowledged, Acknowledged, 4)]);
    assert_eq!(brief(&rig.read("x", "b", 5, 0.0)), [(T::Normal, Normal, 5)]);
}

/// The fault: inline an alert ended when its formula was no longer a number, by a derived signal it did not.
#[test]
fn a_number_that_is_none_ends_no_alert_and_raises_none_inline_and_derived() {
    for (formula, condition) in [
        ("(x - 5.0) / (x - 5.0) * x", "> 3.0"),
        ("ln(x - 5.0)", "> 1.0"),
        ("sqrt(x - 5.0 - 0.0001)", "> 1.5"),
        ("min(ln(x - 5.0), 3.0)", "> 1.0"),
        ("min(3.0, ln(x - 5.0))", "> 1.0"),
        ("clamp(2.0, ln(x - 5.0), 3.0)", "> 1.0"),
        ("1.0 / (x - 5.0)", "!= 0.0"),
    ] {
        let rules = format!(
            "signals: [{{ name: derived, assets: '**', expr: '{formula}' }}]
rules:
  - {{ name: inline, assets: '**', when: '{formula} {condition}', severity: major }}
  - {{ name: derived, assets: '**', when: 'derived {condition}', severity: major }}"
        );
        let mut rig = Rig::new(&rules, &[("p", "x")]);
        // Not a number at first: nothing is raised.
        assert_eq!(rig.read("p", "x", 0, 5.0), [], "{formula}");
        let raised = rig.read("p", "x", 1, 9.0);
        let undefined = rig.read("p", "x", 2, 5.0);
        let back = rig.read("p", "x", 3, 9.0);
        for rule in ["inline", "derived"] {
            assert_eq!(of(rule, &raised), [(T::Raised, Unacknowledged, 1)], "{rule} {formula}");
            assert_eq!(of(rule, &undefined), [(T::Unknown, Unacknowledged, 2)], "{rule} {formula}");
            assert_eq!(of(rule, &back), [(T::Known, Unacknowledged, 3)], "{rule} {formula}");
        }
    }
}
