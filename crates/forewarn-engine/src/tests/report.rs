//! How rules stand on assets, and why.

use forewarn_types::{AlertState, LifeEvent, LifeEventKind, Record, Timestamp, Transition};

use super::Rig;
use crate::{Lack, RuleOnAsset, RuleState};

/// How the first rule stands on each asset.
fn rows(rig: &Rig) -> Vec<RuleOnAsset> {
    rig.engine.rules_report(Some(0), None, usize::MAX).rows.into_iter().map(|(_, row)| row).collect()
}

/// How it stands on the only asset it matches.
fn only(rig: &Rig) -> RuleOnAsset {
    let [row] = <[_; 1]>::try_from(rows(rig)).unwrap_or_else(|rows| panic!("{rows:?}"));
    row
}

fn why(row: &RuleOnAsset) -> Vec<String> {
    row.waits_for.iter().map(ToString::to_string).chain(row.notes.clone()).collect()
}

fn rule(when: &str) -> String {
    format!("rules:\n  - {{ name: hot, assets: 'plant/*', when: '{when}', severity: major }}")
}

#[test]
fn a_misspelt_signal_is_never_decided_and_the_right_one_is_named() {
    let mut rig = Rig::new(&rule("temprature > 90.0"), &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 10, 95.0);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::NeverDecided);
    assert_eq!(why(&row), ["temprature was never heard on this asset"]);
    assert_eq!(rig.engine.meant_signal("plant/p1", "temprature").as_deref(), Some("temperature"));
    assert_eq!(rig.engine.meant_signal("plant/p1", "current"), None);
}

#[test]
fn a_misspelt_signal_is_told_of_though_the_others_decide() {
    let mut rig = Rig::new(&rule("temperature > 90.0 && presure > 3.0"), &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 10, 20.0);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::Normal);
    assert_eq!(why(&row), ["presure was never heard on this asset"]);
    rig.read("plant/p1", "temperature", 11, 95.0);
    assert_eq!(only(&rig).state, RuleState::NeverDecided);
}

#[test]
fn a_condition_that_holds_is_pending_then_an_alert_and_normal_again() {
    let hot =
        "rules:\n  - { name: hot, assets: 'plant/*', when: 'temperature > 90.0', for: 30s, severity: major }";
    let mut rig = Rig::new(hot, &[("plant/p1", "temperature"), ("elsewhere/p2", "temperature")]);
    rig.read("plant/p1", "temperature", 0, 70.0);
    assert_eq!((only(&rig).state, only(&rig).alert, why(&only(&rig))), (RuleState::Normal, None, vec![]));
    let begun = rig.read("plant/p1", "temperature", 10, 95.0);
    let row = only(&rig);
    assert_eq!((row.state, row.alert.unwrap().id), (RuleState::Pending, begun[0].alert));
    rig.read("plant/p1", "temperature", 50, 95.0);
    let row = only(&rig);
    assert_eq!((row.state, row.alert.unwrap().state), (RuleState::Alert, AlertState::Unacknowledged));
    rig.read("plant/p1", "temperature", 60, 70.0);
    let row = only(&rig);
    assert_eq!((row.state, row.alert.unwrap().state), (RuleState::Alert, AlertState::Returned));
}

#[test]
fn an_open_alert_without_readings_is_unknown_with_age_and_tolerance() {
    let mut rig = Rig::new(&rule("temperature > 90.0"), &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 0, 95.0);
    rig.tick(0);
    rig.tick(1_200);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::Unknown);
    assert!(row.alert.is_some());
    assert_eq!(why(&row), ["temperature is 20m old, its tolerance is 5m"]);
    assert_eq!(row.waits_for[0].last, Some(Timestamp::from_secs(0)));
}

#[test]
fn a_condition_whose_input_is_too_old_or_bad_is_unknown() {
    let mut rig = Rig::new(&rule("temperature > 90.0"), &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 0, 70.0);
    rig.tick(0);
    rig.tick(299);
    assert_eq!(only(&rig).state, RuleState::Normal);
    rig.tick(400);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::Unknown);
    let lack = Lack::TooOld { age_us: 400_000_000, tolerance_us: 300_000_000 };
    assert_eq!(row.waits_for[0].lack, lack);
    rig.read_bad("plant/p1", "temperature", 401);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::Unknown);
    assert_eq!(why(&row), ["the newest reading of temperature is of bad quality"]);
}

#[test]
fn bad_readings_alone_decide_nothing() {
    let mut rig = Rig::new(&rule("temperature > 90.0"), &[("plant/p1", "temperature")]);
    rig.read_bad("plant/p1", "temperature", 1);
    let row = only(&rig);
    assert_eq!((row.state, row.waits_for[0].lack), (RuleState::NeverDecided, Lack::Bad));
}

#[test]
fn a_formula_without_a_finite_number_is_unknown_and_said_so() {
    let mut rig = Rig::new(&rule("1.0 / x > 3.0"), &[("plant/p1", "x")]);
    rig.read("plant/p1", "x", 0, 2.0);
    assert_eq!(only(&rig).state, RuleState::Normal);
    rig.read("plant/p1", "x", 1, 0.0);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::Unknown);
    assert_eq!(why(&row), ["all signals are known, and a formula of the condition gives no finite number"]);
}

#[test]
fn what_a_derived_signal_is_computed_from_is_told_instead_of_it() {
    let text = format!(
        "signals:\n  - {{ name: margin, assets: 'plant/*', expr: '90.0 - temprature' }}\n{}",
        rule("margin < 0.0")
    );
    let mut rig = Rig::new(&text, &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 10, 95.0);
    let row = only(&rig);
    assert_eq!(row.state, RuleState::NeverDecided);
    assert_eq!(why(&row), ["temprature was never heard on this asset (margin is computed from it)"]);
    rig.add_series(&[("plant/p1", "temprature")]);
    rig.read("plant/p1", "temprature", 20, 95.0);
    assert_eq!((only(&rig).state, only(&rig).waits_for), (RuleState::Alert, vec![]));
}

#[test]
fn a_detector_learns_before_it_decides_and_waits_for_readings() {
    let text = "rules:\n  - { name: odd, assets: 'plant/*', deviation: { signal: vibration, method: robust_z }, severity: minor }";
    let mut rig = Rig::new(text, &[("plant/p1", "vibration"), ("plant/p2", "temperature")]);
    let [learns, lacks] = <[_; 2]>::try_from(rows(&rig)).unwrap();
    assert_eq!((learns.state, lacks.state), (RuleState::NeverDecided, RuleState::NeverDecided));
    assert_eq!(why(&lacks), ["vibration was never heard on this asset"]);
    for time in 0..199 {
        rig.read("plant/p1", "vibration", time, (time % 7) as f64);
    }
    let row = &rows(&rig)[0];
    assert_eq!(row.state, RuleState::NeverDecided);
    assert!(why(row)[0].starts_with("it still learns what is usual"), "{row:?}");
    rig.read("plant/p1", "vibration", 199, 3.0);
    assert_eq!((rows(&rig)[0].state, why(&rows(&rig)[0])), (RuleState::Normal, vec![]));
    rig.tick(200);
    rig.tick(2_000);
    assert_eq!(rows(&rig)[0].state, RuleState::Unknown);
    rig.read("plant/p1", "vibration", 2_001, 1e6);
    assert_eq!(rows(&rig)[0].state, RuleState::Alert);
}

#[test]
fn silence_is_not_watched_before_the_first_reading() {
    let text = "rules:\n  - { name: silent, assets: 'plant/*', missing: { signal: beat, longer_than: 60s }, severity: minor }";
    let mut rig = Rig::new(text, &[("plant/p1", "beats"), ("plant/p2", "beat")]);
    rig.read("plant/p2", "beat", 0, 1.0);
    rig.tick(0);
    let states = |rig: &Rig| rows(rig).iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states(&rig), [RuleState::NeverDecided, RuleState::Normal]);
    assert_eq!(why(&rows(&rig)[0]), ["beat was never heard on this asset"]);
    rig.tick(61);
    assert_eq!(states(&rig), [RuleState::NeverDecided, RuleState::Alert]);
    for hour in 1..4 {
        rig.read("plant/p2", "beat", hour * 3_600, 1.0);
    }
    let notes = &rows(&rig)[1].notes;
    assert_eq!(
        *notes,
        ["beat comes about every 1h, which is longer than `longer_than: 1m`: an alert is raised in each gap"]
    );
}

#[test]
fn a_rule_whose_for_cannot_be_filled_by_the_series_rhythm_says_so() {
    let text = "rules:\n  - { name: hot, assets: 'plant/*', when: 'temperature > 90.0', for: 1h, clear_for: 10m, tolerance: 5m, severity: major }";
    let mut rig = Rig::new(text, &[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 0, 70.0);
    rig.read("plant/p1", "temperature", 3_600, 70.0);
    assert_eq!(only(&rig).notes, [""; 0], "two readings make no rhythm");
    rig.read("plant/p1", "temperature", 7_200, 70.0);
    let notes = only(&rig).notes;
    let pace = "temperature comes about every 1h and counts for 5m (tolerance)";
    let remedy = "set tolerance to more than 1h, or leave it out";
    assert_eq!(
        notes,
        [
            format!("{pace}, so `for: 1h` is filled by 12 readings only, after about 11h; {remedy}"),
            format!("{pace}, so `clear_for: 10m` is never filled and an alert does not end; {remedy}"),
        ]
    );
    // And so it is.
    let mut raised = Vec::new();
    for hour in 3..20 {
        for told in [rig.read("plant/p1", "temperature", hour * 3_600, 95.0), rig.tick(hour * 3_600 + 600)] {
            raised.extend(told.into_iter().filter(|one| one.transition == Transition::Raised));
        }
    }
    assert_eq!(raised.iter().map(|one| one.time.0 / 60_000_000).collect::<Vec<_>>(), [(3 + 11) * 60 + 5]);
    for hour in 20..40 {
        rig.read("plant/p1", "temperature", hour * 3_600, 20.0);
        rig.tick(hour * 3_600 + 1_200);
    }
    assert!(only(&rig).alert.is_some_and(|alert| alert.state == AlertState::Unacknowledged));
}

#[test]
fn a_series_in_pace_with_its_rule_gets_no_note() {
    let text =
        "rules:\n  - { name: hot, assets: 'plant/*', when: 'temperature > 90.0', for: 1h, severity: major }";
    let mut rig = Rig::new(text, &[("plant/p1", "temperature")]);
    for hour in 0..4 {
        rig.read("plant/p1", "temperature", hour * 3_600, 95.0);
    }
    assert_eq!((only(&rig).state, only(&rig).notes), (RuleState::Alert, vec![]));
}

#[test]
fn a_retired_asset_is_not_judged_and_a_rule_without_assets_has_no_rows() {
    let mut rig = Rig::new(&rule("temperature > 90.0"), &[("elsewhere/p1", "temperature")]);
    assert_eq!(rows(&rig), []);
    rig.add_series(&[("plant/p1", "temperature")]);
    rig.read("plant/p1", "temperature", 0, 95.0);
    rig.step(&Record::LifeEvent(LifeEvent {
        asset: "plant/p1".into(),
        event: LifeEventKind::Retired,
        time: Timestamp::from_secs(1),
        comment: None,
        actor: None,
        corrects: None,
    }));
    assert_eq!((only(&rig).state, only(&rig).alert), (RuleState::Retired, None));
}

#[test]
fn portions_of_a_report_make_up_the_whole_in_the_order_of_names() {
    let names: Vec<String> = (0..10).map(|number| format!("plant/p{number}")).rev().collect();
    let series: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "temperature")).collect();
    for shards in [1, 3] {
        let options = crate::EngineOptions { shards, ..Default::default() };
        let mut rig = Rig::with_options(options, &rule("temperature > 90.0"), &series);
        rig.read("plant/p4", "temperature", 1, 95.0);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let portion = rig.engine.rules_report(None, after.as_deref(), 3);
            found.extend(portion.rows.into_iter().map(|(_, row)| row));
            after = portion.last;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, rows(&rig));
        let assets: Vec<&str> = found.iter().map(|row| &*row.asset).collect();
        assert!(assets.is_sorted() && assets.len() == 10, "{assets:?}");
        assert_eq!(found[4].state, RuleState::Alert);
    }
}

#[test]
fn conditions_are_told_in_words() {
    let check = |body: &str, expected: &str| {
        let text = format!("rules:\n  - {{ name: r, assets: 'plant/*', severity: major, {body} }}");
        let rig = Rig::new(&text, &[]);
        assert_eq!(rig.engine.rules()[0].condition, expected);
        assert_eq!(rig.engine.rules()[0].pipeline, "test");
    };
    check("when: 'x > 1.0'", "x > 1.0");
    check(
        "when: 'x > 1.0', for: 90s, until: 'x < 0.5', clear_for: 1m, tolerance: 2m",
        "x > 1.0, for 90s; until x < 0.5; over for 1m before it ends; values count for 2m",
    );
    check("missing: { signal: x, longer_than: 5m }", "x is silent for longer than 5m");
    check(
        "missing: { signal: x, longer_than: 5m, expected: true }",
        "x is silent for longer than 5m, or never heard for as long",
    );
    check("rate: { signal: x, above: 5.0, per: 1m }", "x changes by more than 5 per 1m");
    check("rate: { signal: x }", "x changes more than ten times as fast as usual");
    check(
        "deviation: { signal: x, method: robust_z, baseline: 24h, above: 5.0 }",
        "x is more than 5 robust deviations from its running median of 1d (robust_z)",
    );
    check(
        "deviation: { signal: x }",
        "x strays from its learnt limits by more than 0.1 of their width (learned_limits)",
    );
}
