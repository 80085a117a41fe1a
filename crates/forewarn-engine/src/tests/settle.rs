//! `settle`: the values of one time that come in separate records are judged together.

use forewarn_types::{AlertTransition, Transition as T};
use proptest::prelude::*;

use super::{Rig, brief, placeless};
use crate::Engine;

const SETTLING: &str = "
signals: [{ name: difference, assets: '**', expr: 'inlet - outlet', settle: 2s }]
rules:
  - { name: inline, assets: '**', when: 'inlet - outlet > 3.0', for: 2s, settle: 2s, severity: critical }
  - { name: derived, assets: '**', when: 'difference > 3.0', severity: critical }
  - { name: doubled, assets: '**', when: 'twice > 6.0', severity: critical }
  - { name: spread, assets: '**', deviation: { signal: difference, method: robust_z, baseline: 30, above: 6.0 }, \
  severity: major }
";

fn rules() -> String {
    SETTLING
        .replace("settle: 2s }]", "settle: 2s }, { name: twice, assets: '**', expr: '2.0 * difference' }]")
}

const SERIES: [(&str, &str); 2] = [("p", "inlet"), ("p", "outlet")];

fn rig() -> Rig {
    Rig::new(&rules(), &SERIES)
}

fn told(transitions: &[AlertTransition]) -> Vec<(String, T, i64)> {
    transitions.iter().map(|one| (one.rule.to_string(), one.transition, one.time.0 / 1_000_000)).collect()
}

#[test]
fn half_a_sample_in_a_record_of_its_own_raises_nothing() {
    let mut rig = rig();
    for time in 0..500 {
        let inlet = 50.0 + ((time * 37) % 41) as f64;
        let parts = if time % 2 == 0 { ["inlet", "outlet"] } else { ["outlet", "inlet"] };
        for part in parts {
            let value = if part == "inlet" { inlet } else { inlet - 1.0 };
            assert_eq!(told(&rig.read("p", part, time, value)), []);
        }
    }
    assert_eq!(told(&rig.read("p", "inlet", 500, 60.0)), [], "it waits for the outlet");
    let whole = rig.read("p", "outlet", 500, 50.0);
    let rules: Vec<&str> = whole.iter().map(|one| &*one.rule).collect();
    assert_eq!(rules, ["inline", "derived", "doubled", "spread"]);
}

#[test]
fn a_rest_that_does_not_come_is_waited_for_no_longer_than_settle() {
    let mut rig = rig();
    rig.read("p", "inlet", 0, 50.0);
    rig.read("p", "outlet", 0, 49.0);
    assert_eq!(told(&rig.read("p", "inlet", 10, 60.0)), []);
    assert_eq!(told(&rig.tick(11)), []);
    let judged = rig.tick(12);
    let raised: Vec<(T, i64)> = brief(&judged).iter().map(|(what, _, at)| (*what, *at)).collect();
    // The hold of two seconds is over at the same moment.
    assert_eq!(raised, [(T::Pending, 10), (T::Raised, 12), (T::Raised, 10), (T::Raised, 10)], "{judged:?}");
}

#[test]
fn the_next_sample_settles_the_one_before() {
    let mut rig = rig();
    rig.read("p", "inlet", 0, 50.0);
    rig.read("p", "outlet", 0, 49.0);
    rig.read("p", "inlet", 1, 60.0);
    // With the last value of the outlet, which did not come in time, the difference at 1 was 11.
    let before = rig.read("p", "inlet", 2, 50.0);
    assert_eq!(
        told(&before),
        [
            ("inline".to_owned(), T::Pending, 1),
            ("derived".to_owned(), T::Raised, 1),
            ("doubled".to_owned(), T::Raised, 1)
        ]
    );
    let after = rig.read("p", "outlet", 2, 49.0);
    assert!(
        after.iter().all(|one| one.transition == T::Returned || one.transition == T::Normal),
        "{after:?}"
    );
}

#[test]
fn what_waits_is_judged_before_the_definitions_change() {
    let mut rig = rig();
    rig.read("p", "inlet", 0, 50.0);
    rig.read("p", "outlet", 0, 49.0);
    assert_eq!(told(&rig.read("p", "inlet", 10, 60.0)), []);
    let changed = rig.step(&super::definitions(&rules().replace("> 6.0'", "> 7.0'")));
    assert!(changed.iter().any(|one| &*one.rule == "derived" && one.transition == T::Raised), "{changed:?}");
}

#[test]
fn settle_changes_no_version_of_rules_without_it() {
    let text = "rules: [{ name: r, assets: '**', when: 'x > 1.0', severity: minor }]";
    let with = text.replace("severity", "settle: 1s, severity");
    let version = |text: &str| Rig::new(text, &[]).engine.program.rules[0].head.version.clone();
    assert_ne!(version(text), version(&with));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Values of one time in one record, or each in its own in any order, with restarts between: the same
    /// alerts.
    #[test]
    fn parts_of_samples_are_judged_as_whole_ones(
        values in prop::collection::vec((40.0..60.0f64, -6.0..6.0f64, any::<bool>(), any::<bool>()), 1..120),
    ) {
        let (mut whole, mut parts) = (rig(), rig());
        let (mut from_whole, mut from_parts) = (Vec::new(), Vec::new());
        for (time, (inlet, difference, outlet_first, restart)) in (0i64..).zip(values) {
            let sample = [("inlet", inlet), ("outlet", inlet - difference)];
            from_whole.extend(whole.read_sample(time, &[(0, sample[0].1), (1, sample[1].1)]));
            let (first, second) = if outlet_first { (sample[1], sample[0]) } else { (sample[0], sample[1]) };
            from_parts.extend(parts.read("p", first.0, time, first.1));
            if restart {
                let bytes = parts.engine.snapshot().expect("a snapshot");
                parts.engine = Engine::restore(&bytes).expect("an engine");
            }
            from_parts.extend(parts.read("p", second.0, time, second.1));
        }
        prop_assert_eq!(placeless(from_whole), placeless(from_parts));
    }
}
