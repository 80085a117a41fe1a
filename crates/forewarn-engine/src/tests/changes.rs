//! What a change of definitions keeps, and what it ends.

use forewarn_types::AlertState::{Acknowledged, Normal, Pending, Unacknowledged};
use forewarn_types::{CommandAction, Transition as T};

use super::{Rig, brief, definitions};

fn hot(assets: &str, condition: &str) -> String {
    format!("rules:\n  - {{ name: hot, assets: '{assets}', {condition}, severity: major }}")
}

fn rig(text: &str) -> Rig {
    Rig::new(text, &[("plant/hall1/p", "t"), ("plant/hall2/q", "t"), ("elsewhere/r", "t")])
}

/// The faults: it ended an acknowledged alert, at a time before its acknowledgement, and detectors forgot.
#[test]
fn more_or_fewer_assets_keep_the_alerts_of_those_that_stay() {
    let mut rig = rig(&hot("plant/hall1/*", "when: 't > 90.0'"));
    let raised = rig.read("plant/hall1/p", "t", 0, 95.0);
    rig.command(&raised[0], CommandAction::Acknowledge, 100);
    assert_eq!(rig.step(&definitions(&hot("plant/**", "when: 't > 90.0'"))), []);
    let on = rig.read("plant/hall2/q", "t", 101, 95.0);
    assert_eq!(brief(&on), [(T::Raised, Unacknowledged, 101)], "the new asset is watched");
    assert_eq!(rig.engine.open_alerts(), 2);
    // Fewer: the alert of an asset that is no longer watched ends, after its acknowledgement.
    let ended = rig.step(&definitions(&hot("plant/hall2/*", "when: 't > 90.0'")));
    assert_eq!(brief(&ended), [(T::Normal, Normal, 101)]);
    assert_eq!(
        (ended[0].alert, ended[0].message.as_str()),
        (raised[0].alert, "the rule no longer watches this asset")
    );
    let state = rig.read("plant/hall2/q", "t", 102, 80.0);
    assert_eq!(state[0].alert, on[0].alert, "the other one went on");
}

#[test]
fn an_alert_that_ends_with_its_rule_ends_after_its_acknowledgement() {
    let mut rig = rig(&hot("**", "when: 't > 90.0'"));
    let raised = rig.read("plant/hall1/p", "t", 0, 95.0);
    rig.command(&raised[0], CommandAction::Acknowledge, 100);
    let ended = rig.step(&definitions("rules: []"));
    assert_eq!(brief(&ended), [(T::Normal, Normal, 100)]);
}

/// The fault: it ended as normal, and the next one waited for the next reading.
#[test]
fn an_alert_that_still_holds_under_new_numbers_stays_acknowledged_and_another_ends_at_the_change() {
    let mut rig = rig(&hot("**", "when: 't > 90.0'"));
    let raised = rig.read("plant/hall1/p", "t", 0, 95.0);
    rig.command(&raised[0], CommandAction::Acknowledge, 1);
    rig.tick(10);
    assert_eq!(rig.step(&definitions(&hot("**", "when: 't > 85.0'"))), []);
    assert_eq!(rig.step(&definitions(&hot("**", "when: 't > 85.0', for: 1m, clear_for: 1m"))), []);
    let ended = rig.step(&definitions(&hot("**", "when: 't > 98.0', clear_for: 1m")));
    assert_eq!(brief(&ended), [(T::Normal, Normal, 10)]);
    assert_eq!(ended[0].alert, raised[0].alert);
    // A lower limit raises by the last value, without waiting for the next one.
    let raised = rig.step(&definitions(&hot("**", "when: 't > 80.0', for: 30s")));
    assert_eq!(brief(&raised), [(T::Pending, Pending, 10)]);
    assert_eq!(brief(&rig.tick(40)), [(T::Raised, Unacknowledged, 40)]);
    let state = rig.command(&raised[0], CommandAction::Acknowledge, 41);
    assert_eq!(brief(&state), [(T::Acknowledged, Acknowledged, 41)]);
}

#[test]
fn a_longer_silence_that_is_allowed_ends_the_alert_of_a_shorter_one() {
    let mut rig = rig(&hot("**", "missing: { signal: t, longer_than: 10s }"));
    rig.read("plant/hall1/p", "t", 0, 95.0);
    assert_eq!(brief(&rig.tick(20)), [(T::Raised, Unacknowledged, 10)]);
    let ended = rig.step(&definitions(&hot("**", "missing: { signal: t, longer_than: 1m }")));
    assert_eq!(brief(&ended), [(T::Returned, forewarn_types::AlertState::Returned, 20)]);
    assert_eq!(brief(&rig.tick(61)), [(T::Reraised, Unacknowledged, 60)]);
}

#[test]
fn a_detector_keeps_what_it_learnt_under_new_numbers_and_for_more_assets() {
    let rule = |assets: &str, above: f64| {
        let params =
            format!("deviation: {{ signal: t, method: robust_z, baseline: 1000, above: {above:.1} }}");
        definitions(&hot(assets, &params))
    };
    let mut rig = rig("rules: []");
    rig.step(&rule("plant/hall1/*", 50.0));
    for second in 0..3_000 {
        assert_eq!(rig.read("plant/hall1/p", "t", second, 50.0 + (second % 10) as f64), []);
    }
    rig.step(&rule("plant/**", 50.0));
    rig.step(&rule("plant/**", 6.0));
    let raised = rig.read("plant/hall1/p", "t", 3_000, 150.0);
    assert_eq!(brief(&raised), [(T::Raised, Unacknowledged, 3_000)], "it need not warm up again");
}
