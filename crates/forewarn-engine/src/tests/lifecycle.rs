//! The life cycle of alerts: operators, shelves, definition changes, bounds, snapshots.

use forewarn_types::AlertState::{Acknowledged, Normal, Returned, Shelved, Unacknowledged};
use forewarn_types::{CommandAction, Record, SeriesId, Timestamp, Transition as T};

use super::{Rig, brief, definitions};
use crate::program::RuleHead;
use crate::{Engine, EngineError, EngineOptions};

const HIGH: &str = "rules:\n  - { name: high, assets: '**', when: 'x > 1.0', severity: major }";

fn rig() -> Rig {
    Rig::new(HIGH, &[("a", "x"), ("b", "x"), ("c", "x")])
}

#[test]
fn acknowledged_then_over() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let acknowledged = rig.command(&raised[0], CommandAction::Acknowledge, 5);
    assert_eq!(brief(&acknowledged), [(T::Acknowledged, Acknowledged, 5)]);
    assert_eq!(
        (acknowledged[0].actor.as_deref(), acknowledged[0].comment.as_deref()),
        (Some("kim"), Some("seen"))
    );
    assert_eq!(brief(&rig.read("a", "x", 10, 0.0)), [(T::Normal, Normal, 10)]);
    assert_eq!(rig.command(&raised[0], CommandAction::Acknowledge, 11), []);
    assert_eq!(rig.problems.len(), 1, "the alert is not open any more");
    assert_ne!(rig.read("a", "x", 20, 2.0)[0].alert, raised[0].alert, "a new occurrence is a new alert");
}

#[test]
fn over_then_acknowledged() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    assert_eq!(brief(&rig.read("a", "x", 10, 0.0)), [(T::Returned, Returned, 10)]);
    let over = rig.command(&raised[0], CommandAction::Acknowledge, 15);
    assert_eq!(brief(&over), [(T::Acknowledged, Acknowledged, 15), (T::Normal, Normal, 15)]);
}

#[test]
fn a_new_onset_while_open_takes_the_acknowledgement_away() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    rig.read("a", "x", 10, 0.0);
    let again = rig.read("a", "x", 20, 3.0);
    assert_eq!(brief(&again), [(T::Reraised, Unacknowledged, 20)]);
    assert_eq!((again[0].alert, again[0].started), (raised[0].alert, Timestamp::from_secs(0)));
}

#[test]
fn shelved_alerts_keep_evaluating_and_come_back() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let until = Timestamp::from_secs(100);
    assert_eq!(
        brief(&rig.command(&raised[0], CommandAction::Shelve { until }, 5)),
        [(T::Shelved, Shelved, 5)]
    );
    assert_eq!(brief(&rig.read("a", "x", 10, 0.0)), [(T::Returned, Shelved, 10)]);
    assert_eq!(rig.tick(99), []);
    assert_eq!(brief(&rig.tick(101)), [(T::Unshelved, Returned, 100)]);
    assert_eq!(rig.tick(102), []);
    rig.command(&raised[0], CommandAction::Shelve { until }, 5);
    assert_eq!(brief(&rig.command(&raised[0], CommandAction::Unshelve, 6)), [(T::Unshelved, Returned, 6)]);
    assert_eq!(brief(&rig.command(&raised[0], CommandAction::Comment, 7)), [(T::Commented, Returned, 7)]);
    assert_eq!(rig.problems, [""; 0]);
    for wrong in [CommandAction::Unshelve, CommandAction::Shelve { until: Timestamp::from_secs(8) }] {
        assert_eq!(rig.command(&raised[0], wrong, 8), []);
    }
    assert_eq!(rig.problems.len(), 2);
}

#[test]
fn a_shelf_outlives_the_alert_until_its_end() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let until = Timestamp::from_secs(100);
    rig.command(&raised[0], CommandAction::Shelve { until }, 5);
    rig.command(&raised[0], CommandAction::Acknowledge, 6);
    assert_eq!(brief(&rig.read("a", "x", 10, 0.0)), [(T::Normal, Normal, 10)]);
    // Neither another severity nor a restart ends it.
    rig.step(&definitions(&HIGH.replace("major", "critical")));
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    let again = rig.read("a", "x", 20, 2.0);
    assert_eq!(brief(&again), [(T::Raised, Shelved, 20)]);
    assert_eq!(
        brief(&rig.read("b", "x", 20, 2.0)),
        [(T::Raised, Unacknowledged, 20)],
        "the shelf is that of one asset"
    );
    assert_eq!(brief(&rig.tick(100)), [(T::Unshelved, Unacknowledged, 100)]);

    // The end of the shelf counts while no alert is open, too; and an operator may end it by the alert that
    // was shelved.
    for (by_hand, start) in [(false, 200), (true, 400)] {
        let one = rig.read("c", "x", start, 2.0);
        rig.command(&one[0], CommandAction::Shelve { until: Timestamp::from_secs(start + 100) }, start + 1);
        rig.command(&one[0], CommandAction::Acknowledge, start + 1);
        assert_eq!(brief(&rig.read("c", "x", start + 2, 0.0)), [(T::Normal, Normal, start + 2)]);
        if by_hand {
            assert_eq!(rig.command(&one[0], CommandAction::Unshelve, start + 3), []);
        } else {
            assert_eq!(rig.tick(start + 100), []);
        }
        let next = rig.read("c", "x", start + 101, 2.0);
        assert_eq!(brief(&next), [(T::Raised, Unacknowledged, start + 101)]);
        rig.command(&next[0], CommandAction::Acknowledge, start + 102);
        rig.read("c", "x", start + 103, 0.0);
    }
    assert_eq!(rig.problems, [""; 0]);
}

#[test]
fn a_change_of_texts_or_numbers_keeps_the_alert_and_one_of_signals_ends_it() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let severe = HIGH.replace("major", "critical");
    assert_eq!(rig.step(&definitions(&severe)), []);
    let again = rig.read("a", "x", 10, 0.0);
    assert_eq!(brief(&again), [(T::Returned, Returned, 10)]);
    assert_eq!((again[0].alert, again[0].severity), (raised[0].alert, forewarn_types::Severity::Critical));

    assert_eq!(brief(&rig.read("a", "x", 20, 2.0)), [(T::Reraised, Unacknowledged, 20)]);

    assert_eq!(rig.step(&definitions(&HIGH.replace("1.0", "1.5"))), [], "it holds by the last value");
    let changed = rig.step(&definitions(&HIGH.replace("x > 1.0", "x > 1.0 && y > 1.0")));
    assert_eq!(brief(&changed), [(T::Normal, Normal, 20)]);
    assert_eq!(changed[0].message, "the rule was changed");
    rig.step(&definitions(HIGH));
    let fresh = rig.read("a", "x", 30, 2.0);
    assert_eq!(brief(&fresh), [(T::Raised, Unacknowledged, 30)]);
    let removed = rig.step(&definitions("rules: []"));
    assert_eq!(brief(&removed), [(T::Normal, Normal, 30)]);
    assert_eq!(removed[0].message, "the rule was removed");
    assert_eq!(rig.read("a", "x", 40, 3.0), []);
}

#[test]
fn a_rule_that_no_longer_loads_is_left_out_and_its_alerts_end() {
    const LOW: &str = "\n  - { name: low, assets: '**', when: 'x < 9.0', severity: minor }";
    let mut rig = Rig::new(&format!("{HIGH}{LOW}"), &[("a", "x")]);
    assert_eq!(rig.read("a", "x", 0, 2.0).len(), 2);
    // What this program does not load, another one did: its definition is in force, in a snapshot or the log.
    let stricter = HIGH.replace("severity", "colour: red, severity");
    let ended = rig.step(&definitions(&format!("{stricter}{LOW}")));
    assert_eq!(brief(&ended), [(T::Normal, Normal, 0)]);
    let problem = "the rule 'high' no longer loads and is left out: test.yaml:3:50: unknown key 'colour'";
    assert!(ended[0].message.starts_with(problem), "{}", ended[0].message);
    assert_eq!((rig.problems.len(), rig.engine.refused()), (1, rig.problems.clone()));
    assert_eq!(brief(&rig.read("a", "x", 1, 10.0)), [(T::Returned, Returned, 1)], "the other rule goes on");
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    assert_eq!(rig.engine.refused(), rig.problems, "and is reported after a restart");
    assert_eq!(brief(&rig.read("a", "x", 2, 2.0)), [(T::Reraised, Unacknowledged, 2)]);
}

#[test]
fn a_snapshot_with_a_rule_that_no_longer_loads_opens() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let mut bytes = rig.engine.snapshot().unwrap();
    // As if a program had written it for which `severiti` was a key.
    let at = bytes.windows(8).position(|window| window == b"severity").expect("the text of the rule");
    bytes[at + 7] = b'i';
    rig.engine = Engine::restore(&bytes).unwrap();
    assert_eq!(rig.engine.refused().len(), 1);
    // Told once, with the next record, even if another restart comes before it.
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    let told = rig.tick(1);
    assert_eq!((brief(&told), told[0].alert), (vec![(T::Normal, Normal, 0)], raised[0].alert));
    assert!(told[0].message.contains("'high' no longer loads"), "{}", told[0].message);
    assert_eq!(rig.read("a", "x", 2, 3.0), []);
}

#[test]
fn a_change_of_a_derived_signal_restarts_the_rules_that_rest_on_it() {
    let text = "
signals: [{ name: d, assets: '**', expr: 'x * 2.0' }]
rules:
  - { name: high, assets: '**', when: 'd > 1.0', severity: major }
  - { name: plain, assets: '**', when: 'x > 1.0', severity: major }
";
    let mut rig = Rig::new(text, &[("a", "x")]);
    let raised = rig.read("a", "x", 0, 2.0);
    assert_eq!(raised.len(), 2);
    let changed = rig.step(&definitions(&text.replace("2.0", "3.0")));
    assert_eq!(changed.iter().map(|one| &*one.rule).collect::<Vec<_>>(), ["high"]);
    let again = rig.read("a", "x", 10, 2.0);
    assert_eq!(again.iter().map(|one| (&*one.rule, one.value)).collect::<Vec<_>>(), [("high", Some(6.0))]);
    assert_ne!(
        again[0].evidence.rule_version, raised[0].evidence.rule_version,
        "another formula is another version"
    );
}

#[test]
fn an_added_derived_signal_leaves_the_others_their_values() {
    let text = "
signals: [{ name: d, assets: '**', expr: 'x * 2.0' }]
rules: [{ name: both, assets: '**', when: 'd > 1.0 && y > 1.0', severity: major }]
";
    let mut rig = Rig::new(text, &[("a", "x"), ("a", "y")]);
    assert_eq!(rig.read("a", "x", 0, 2.0), []);
    let more = text.replace("signals: [", "signals: [{ name: c, assets: '**', expr: 'y * 2.0' }, ");
    assert_eq!(rig.step(&definitions(&more)), []);
    assert_eq!(brief(&rig.read("a", "y", 1, 2.0)), [(T::Raised, Unacknowledged, 1)]);
}

#[test]
fn what_was_refused_is_raised_when_there_is_room() {
    let options = EngineOptions { max_alerts_per_rule: 1, ..EngineOptions::default() };
    let mut rig = Rig::with_options(options, HIGH, &[("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]);
    let a = rig.read("a", "x", 0, 2.0);
    for (asset, time) in [("b", 1), ("c", 2), ("d", 3)] {
        assert_eq!(rig.read(asset, "x", time, 2.0), []);
    }
    assert_eq!(rig.problems.len(), 3);
    assert_eq!(rig.read("c", "x", 4, 0.0), [], "this one is over before there is room");
    assert_eq!(rig.read_bad("b", "x", 5), []);
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    rig.command(&a[0], CommandAction::Acknowledge, 6);
    let room = rig.read("a", "x", 7, 0.0);
    assert_eq!(
        brief(&room),
        [(T::Normal, Normal, 7), (T::Raised, Unacknowledged, 1), (T::Unknown, Unacknowledged, 5)]
    );
    assert_eq!((&*room[1].asset, room[2].unknown), ("b", true));
    rig.read("b", "x", 8, 0.0);
    let room = rig.command(&room[1], CommandAction::Acknowledge, 9);
    assert_eq!(
        brief(&room),
        [(T::Acknowledged, Acknowledged, 9), (T::Normal, Normal, 9), (T::Raised, Unacknowledged, 3)]
    );
    assert_eq!(&*room[2].asset, "d");
}

#[test]
fn a_rule_that_another_program_reads_differently_starts_afresh_after_a_restore() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    let mut bytes = rig.engine.snapshot().unwrap();
    let RuleHead { version, shape, .. } = rig.engine.program.rules[0].head.clone();
    for text in [version, shape] {
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes());
        let at = at.expect("it stands in the outline");
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    }
    rig.engine = Engine::restore(&bytes).unwrap();
    // The end is told once, with the next record, even if another restart comes before it.
    rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
    let told = rig.read("b", "x", 1, 2.0);
    assert_eq!(brief(&told), [(T::Normal, Normal, 0), (T::Raised, Unacknowledged, 1)]);
    assert_eq!((told[0].alert, &*told[0].message), (raised[0].alert, "the rule was changed"));
    assert_eq!(brief(&rig.read("a", "x", 2, 2.0)), [(T::Raised, Unacknowledged, 2)]);
}

/// Each record brings one signal more; work that grew with those there are would take minutes here.
#[test]
fn an_asset_may_have_very_many_signals_that_appear_one_by_one() {
    let text = "
signals: [{ name: d, assets: '**', expr: 's19999 * s0' }]
rules: [{ name: high, assets: '**', when: 'd > 1.0 || s5 > 1.0', severity: major }]
";
    let mut rig = Rig::new(text, &[]);
    for number in 0..20_000 {
        rig.add_series(&[("a", &format!("s{number}"))]);
    }
    let slots = &rig.engine.shards[0].slots;
    assert_eq!(
        slots.iter().filter(|slot| !slot.watchers.is_empty()).count(),
        4,
        "d, what it rests on, and s5"
    );
    rig.read("a", "s0", 0, 2.0);
    assert_eq!(brief(&rig.read("a", "s19999", 1, 2.0)), [(T::Raised, Unacknowledged, 1)]);
    assert_eq!(brief(&rig.read("a", "s5", 2, 2.0)), []);
}

#[test]
fn open_alerts_are_bounded_and_the_rest_is_a_problem() {
    let options = EngineOptions { max_alerts_per_rule: 2, ..EngineOptions::default() };
    let mut rig = Rig::with_options(options, HIGH, &[("a", "x"), ("b", "x"), ("c", "x")]);
    let raised = rig.read("a", "x", 0, 2.0);
    assert_eq!(rig.read("b", "x", 0, 2.0).len(), 1);
    assert_eq!(rig.read("c", "x", 0, 2.0), []);
    assert_eq!(rig.problems.len(), 1, "{:?}", rig.problems);
    assert!(rig.problems[0].contains("rule high has 2 open alerts"), "{:?}", rig.problems);
    assert_eq!(rig.read("c", "x", 1, 0.0), [], "what was not raised does not end");
    rig.command(&raised[0], CommandAction::Acknowledge, 2);
    rig.read("a", "x", 3, 0.0);
    assert_eq!(brief(&rig.read("c", "x", 4, 2.0)), [(T::Raised, Unacknowledged, 4)]);
}

#[test]
fn readings_of_unknown_series_are_a_problem_and_the_others_count() {
    let mut rig = rig();
    let mut batch = forewarn_types::ReadingBatch::default();
    for id in [7, 0, 9] {
        batch.push(SeriesId(id), Timestamp(1), 2.0, forewarn_types::ReadingFlags::default());
    }
    assert_eq!(rig.step(&Record::Readings(batch)).len(), 1);
    assert!(rig.problems[0].starts_with("2 readings"), "{:?}", rig.problems);
}

#[test]
fn snapshots_of_other_versions_are_refused() {
    let rig = rig();
    let mut bytes = rig.engine.snapshot().unwrap();
    assert!(Engine::restore(&bytes).is_ok());
    bytes[4] = 9;
    let Err(error) = Engine::restore(&bytes) else { panic!("version 9 must be refused") };
    assert!(matches!(error, EngineError::UnknownVersion { found: 9, known: 4 }), "{error}");
    for junk in [&b""[..], b"FWEN", b"FWEN\x02", b"nonsense", &rig.engine.snapshot().unwrap()[..40]] {
        assert!(
            matches!(Engine::restore(junk), Err(EngineError::NotASnapshot(_))),
            "{junk:?} must be refused"
        );
    }
}

#[test]
fn snapshots_keep_every_bit_of_numbers_that_are_not_finite() {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE];
    let back: Vec<f64> = rmp_serde::from_slice(&rmp_serde::to_vec(&numbers.to_vec()).unwrap()).unwrap();
    assert_eq!(back.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), numbers.map(f64::to_bits));
}

#[test]
fn who_acknowledges_too_late_is_heard_all_the_same() {
    let mut rig = rig();
    let raised = rig.read("a", "x", 0, 2.0);
    assert_eq!(
        brief(&rig.command(&raised[0], CommandAction::Acknowledge, 5)),
        [(T::Acknowledged, Acknowledged, 5)]
    );
    let second = rig.command(&raised[0], CommandAction::Acknowledge, 6);
    assert_eq!(brief(&second), [(T::Commented, Acknowledged, 6)]);
    assert_eq!(second[0].comment.as_deref(), Some("seen"));
}
