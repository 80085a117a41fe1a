//! Detector rules through the engine: onsets, ends, words, evidence, silence.

use forewarn_types::AlertState::{Normal, Returned, Unacknowledged};
use forewarn_types::{AlertTransition, CommandAction, Transition as T};

use super::{Rig, brief};
use crate::Engine;

const RULES: &str = "
signals:
  - { name: temperature, assets: '**', unit: '°C' }
  - { name: half, assets: '**', expr: 'temperature / 2.0' }
rules:
  - { name: drift, assets: '**', deviation: { signal: temperature, method: learned_limits, sensitivity: \
  high }, severity: major }
  - { name: spread, assets: '**', deviation: { signal: half, method: robust_z, baseline: 1000, above: 6.0 \
  }, severity: major }
  - { name: jump, assets: '**', rate: { signal: temperature, above: 5.0 }, severity: minor }
  - { name: silent, assets: '**', missing: { signal: temperature, longer_than: 5m }, severity: warning }
";

/// Five hours of calm readings a minute apart, then 300 a second apart, 0 to 299 s.
fn calm() -> Rig {
    let mut rig = Rig::new(RULES, &[("p", "temperature")]);
    for minute in -300..0 {
        let value = 60.0 + (minute + 300) as f64 % 10.0 * 0.5;
        assert_eq!(rig.read("p", "temperature", minute * 60, value), [], "minute {minute}");
    }
    for time in 0..300 {
        assert_eq!(rig.read("p", "temperature", time, 60.0 + (time % 10) as f64 * 0.5), [], "reading {time}");
    }
    rig
}

fn of<'a>(rule: &str, transitions: &'a [AlertTransition]) -> &'a AlertTransition {
    transitions
        .iter()
        .find(|one| &*one.rule == rule)
        .unwrap_or_else(|| panic!("no transition of {rule} in {transitions:?}"))
}

#[test]
fn detectors_raise_with_score_words_and_evidence() {
    let mut rig = calm();
    let raised = rig.read("p", "temperature", 300, 100.0);
    assert_eq!(raised.iter().map(|one| &*one.rule).collect::<Vec<_>>(), ["drift", "spread", "jump"]);
    assert!(
        raised.iter().all(|one| one.transition == T::Raised
            && one.state == Unacknowledged
            && one.score.unwrap() > 1.0)
    );
    let drift = of("drift", &raised);
    assert!(
        drift.message.starts_with("temperature 100 °C is ") && drift.message.ends_with("(value), limit 0.04"),
        "{}",
        drift.message
    );
    assert_eq!((drift.value, drift.evidence.values.len()), (Some(100.0), 1));
    assert!(!drift.evidence.rule_version.is_empty());
    let spread = of("spread", &raised);
    assert!(
        spread.message.starts_with("half 50 is ") && spread.message.contains("above its running median 31"),
        "{}",
        spread.message
    );
    let jump = of("jump", &raised);
    assert_eq!(jump.message, "temperature changes by 35.5 °C a second, limit 5 °C a second; now 100 °C");
    assert!((jump.score.unwrap() - 7.1).abs() < 1e-3, "{:?}", jump.score);
}

#[test]
fn detectors_clear_and_raise_again() {
    let mut rig = calm();
    rig.read("p", "temperature", 300, 100.0);
    let mut ends = Vec::new();
    for time in 301..500 {
        ends.extend(rig.read("p", "temperature", time, 60.0 + (time % 10) as f64 * 0.5));
    }
    // Limits that were learnt count in five minutes, up to a hundred of them.
    let hour = [60.0, 64.5, 60.5, 64.0, 61.0, 63.5, 61.5, 63.0, 62.0, 62.5, 62.25, 62.25];
    for (five_minutes, value) in (0..130).zip(hour.into_iter().cycle()).skip(2) {
        ends.extend(rig.read("p", "temperature", five_minutes * 300, value));
    }
    let ends: Vec<_> = ends.iter().map(|one| (&*one.rule, one.transition, one.time.0 / 1_000_000)).collect();
    // The fall back is as fast as the rise was; five calm readings after it end it. The short-term level
    // takes longer to come down.
    let (drift, others): (Vec<_>, Vec<_>) = ends.into_iter().partition(|end| end.0 == "drift");
    assert_eq!(others, [("spread", T::Returned, 301), ("jump", T::Returned, 306)]);
    assert_eq!(drift.last().map(|end| end.1), Some(T::Returned), "{drift:?}");
    let again = rig.read("p", "temperature", 130 * 300, 130.0);
    assert!(again.iter().any(|one| (&*one.rule, one.transition) == ("drift", T::Reraised)), "{again:?}");
}

#[test]
fn bad_readings_put_a_detectors_alert_in_doubt() {
    let mut rig = calm();
    rig.read("p", "temperature", 300, 100.0);
    let doubt = rig.read_bad("p", "temperature", 301);
    assert!(
        doubt.len() == 3 && doubt.iter().all(|one| one.transition == T::Unknown && one.unknown),
        "{doubt:?}"
    );
    assert_eq!(rig.read_bad("p", "temperature", 302), []);
    let known = rig.read("p", "temperature", 303, 100.0);
    assert_eq!(known.iter().filter(|one| one.transition == T::Known && !one.unknown).count(), 3, "{known:?}");
}

#[test]
fn silence_puts_a_detectors_alert_in_doubt() {
    let mut rig = calm();
    let raised = rig.read("p", "temperature", 300, 100.0);
    assert_eq!(raised.len(), 3);
    // A late reading changes none of it.
    rig.read_late("p", "temperature", 250, 60.0);
    let of_detectors = |transitions: Vec<AlertTransition>| {
        transitions.into_iter().filter(|one| &*one.rule != "silent").collect::<Vec<_>>()
    };
    assert_eq!(of_detectors(rig.tick(600)), []);
    let doubt = of_detectors(rig.tick(601));
    assert!(
        doubt.len() == 3 && doubt.iter().all(|one| one.transition == T::Unknown && one.time.0 == 600_000_000),
        "{doubt:?}"
    );
    assert_eq!(rig.tick(10_000), []);
    assert_eq!(rig.engine.shards[0].armed_count(), 0, "nothing is left for ticks to look at");
    let known = of_detectors(rig.read("p", "temperature", 10_001, 100.0));
    assert!(
        known.len() >= 3
            && ["drift", "spread", "jump"].iter().all(|rule| of(rule, &known).transition == T::Known),
        "{known:?}"
    );

    // Without ticks, as in a backtest, the next reading tells of the gap.
    let gap = of_detectors(rig.read("p", "temperature", 11_000, 100.0));
    let drift: Vec<_> = gap.iter().filter(|one| &*one.rule == "drift").cloned().collect();
    assert_eq!(
        brief(&drift)[..2],
        [(T::Unknown, Unacknowledged, 10_301), (T::Known, Unacknowledged, 11_000)]
    );
}

#[test]
fn a_slow_series_is_given_time_for_three_readings() {
    let mut rig = calm();
    // From here on a reading comes every hour.
    for hour in 1..=3 {
        rig.read("p", "temperature", hour * 3_600, 60.0);
    }
    let raised = rig.read("p", "temperature", 4 * 3_600, 100.0);
    assert!(raised.iter().any(|one| &*one.rule == "drift" && one.state == Unacknowledged), "{raised:?}");
    let of_drift = |transitions: Vec<AlertTransition>| {
        transitions.into_iter().filter(|one| &*one.rule == "drift").collect::<Vec<_>>()
    };
    assert_eq!(of_drift(rig.tick(5 * 3_600)), [], "the next reading is only just due");
    let next = of_drift(rig.read("p", "temperature", 5 * 3_600 + 60, 100.0));
    assert!(next.iter().all(|one| !matches!(one.transition, T::Unknown | T::Known)), "{next:?}");
    let doubt = of_drift(rig.tick(10 * 3_600));
    assert_eq!(brief(&doubt), [(T::Unknown, Unacknowledged, 8 * 3_600 + 60)]);
}

#[test]
fn a_tick_that_ran_ahead_does_not_turn_a_detectors_time_back() {
    let mut rig = calm();
    rig.read("p", "temperature", 300, 100.0);
    let doubt = rig.tick(700);
    assert_eq!(of("drift", &doubt).time.0, 600_000_000);
    // The reading was on its way for ten minutes.
    let known = rig.read_delayed("p", "temperature", 301, 100.0, 600);
    assert_eq!((of("drift", &known).transition, of("drift", &known).time.0), (T::Known, 600_000_000));
}

#[test]
fn bad_readings_are_no_life_and_end_no_silence() {
    let mut rig = Rig::new(RULES, &[("p", "temperature"), ("q", "temperature")]);
    rig.read("p", "temperature", 0, 60.0);
    for time in 1..6 {
        assert_eq!(rig.read_bad("p", "temperature", time * 60), []);
    }
    assert_eq!(brief(&rig.tick(301)), [(T::Raised, Unacknowledged, 300)]);
    let doubt = rig.read_bad("p", "temperature", 310);
    assert_eq!(brief(&doubt), [(T::Unknown, Unacknowledged, 310)]);
    assert_eq!(doubt[0].message, "temperature: readings arrive, but none is usable");
    assert_eq!(rig.read_bad("p", "temperature", 320), [], "told once");
    let back = rig.read("p", "temperature", 330, 60.0);
    assert_eq!(brief(&back), [(T::Known, Unacknowledged, 330), (T::Returned, Returned, 330)]);
    assert_eq!(rig.tick(630), []);
    assert_eq!(brief(&rig.tick(631)), [(T::Reraised, Unacknowledged, 630)]);

    // The first reading starts the count, and a series that sends bad ones only is silent.
    rig.read_bad("q", "temperature", 1000);
    rig.read_bad("q", "temperature", 1200);
    assert_eq!(brief(&rig.tick(1301)), [(T::Raised, Unacknowledged, 1300)]);
    // A late reading that is usable is life: silence is about arrival.
    assert_eq!(brief(&rig.read_late("q", "temperature", 900, 60.0)), [(T::Returned, Returned, 1300)]);
}

#[test]
fn a_late_reading_is_judged_by_detectors() {
    let mut rig = calm();
    let raised = rig.read_late("p", "temperature", 100, 100.0);
    assert_eq!(
        raised.iter().map(|one| &*one.rule).collect::<Vec<_>>(),
        ["drift"],
        "a late value has no rate and derives nothing"
    );
    assert_eq!(raised[0].time.0, 100_000_000);
}

#[test]
fn a_repetition_of_the_present_reading_is_passed_over() {
    let mut rig = calm();
    rig.read("p", "temperature", 300, 100.0);
    let before = rig.engine.snapshot().unwrap();
    assert_eq!(rig.read_late("p", "temperature", 300, 100.0), []);
    assert_eq!(rig.engine.snapshot().unwrap(), before);
    // Another value at that time is late, and judged.
    rig.read_late("p", "temperature", 300, 101.0);
    assert_ne!(rig.engine.snapshot().unwrap(), before);
}

#[test]
fn silence_is_told_by_the_wall_clock_and_ends_with_the_next_reading() {
    let mut rig = Rig::new(RULES, &[("p", "temperature"), ("q", "temperature")]);
    assert_eq!(rig.tick(10_000), [], "a series that never spoke is not silent");
    // The reading is a day old, but it came just now.
    rig.read_delayed("p", "temperature", 1_000, 60.0, 86_400);
    rig.read("q", "temperature", 87_401, 60.0);
    assert_eq!(rig.tick(87_400 + 300), []);
    let silent = rig.tick(87_400 + 301);
    assert_eq!(brief(&silent), [(T::Raised, Unacknowledged, 87_700)]);
    assert_eq!(
        (&*silent[0].asset, silent[0].message.as_str()),
        ("p", "temperature has been silent for longer than 5m")
    );
    assert_eq!(brief(&rig.tick(90_000)), [(T::Raised, Unacknowledged, 87_701)], "q followed");
    assert_eq!(rig.tick(100_000), [], "told once");
    let back = rig.read("p", "temperature", 100_001, 60.0);
    assert_eq!(brief(&back), [(T::Returned, Returned, 100_001)]);
    assert_eq!(
        brief(&rig.command(&silent[0], CommandAction::Acknowledge, 100_002))[1],
        (T::Normal, Normal, 100_002)
    );
    assert_eq!(rig.tick(100_301), []);
    assert_eq!(brief(&rig.tick(100_302)), [(T::Raised, Unacknowledged, 100_301)], "the watch goes on");
}

#[test]
fn silence_is_counted_from_the_newest_arrival_though_the_clock_was_set_back_with_a_restart_and_without() {
    const MISSING: &str = "rules:\n  - { name: silent, assets: '**', missing: { signal: temperature, \
        longer_than: 5m }, severity: warning }";
    for restart in [false, true] {
        let mut rig = Rig::new(MISSING, &[("p", "temperature")]);
        rig.read_delayed("p", "temperature", 1, 60.0, 10_000);
        rig.read_delayed("p", "temperature", 2, 61.0, 5_000);
        if restart {
            rig.engine = Engine::restore(&rig.engine.snapshot().unwrap()).unwrap();
        }
        assert_eq!(rig.tick(5_302), [], "restart: {restart}");
        assert_eq!(brief(&rig.tick(5_303)), [(T::Raised, Unacknowledged, 5_302)], "restart: {restart}");
        // What the first reading had queued comes up, and says nothing more.
        assert_eq!(rig.tick(20_000), [], "restart: {restart}");
        rig.read_delayed("p", "temperature", 3, 62.0, 20_000);
        assert_eq!(brief(&rig.tick(20_400)), [(T::Reraised, Unacknowledged, 20_303)], "restart: {restart}");
    }
}

/// The fault: it said that the value had come back, where a new level had been learnt.
#[test]
fn an_alert_that_ends_says_whether_the_value_came_back_or_the_new_level_was_learnt() {
    const SPREAD: &str = "rules:
  - { name: spread, assets: '**', deviation: { signal: x, method: robust_z, baseline: 1h, above: 6.0 }, severity: major }";
    for (stays, expected) in [(false, "x 50 is back to what is usual"), (true, "has not come back to 5")] {
        let mut rig = Rig::new(SPREAD, &[("p", "x")]);
        let value = |time: i64| 50.0 + (time % 7) as f64;
        let mut told = Vec::new();
        for time in 0..40_000 {
            let off = time >= 10_000 && (stays || time < 10_003);
            let x = if time == 10_003 && !stays { 50.0 } else { value(time) + if off { 60.0 } else { 0.0 } };
            told.extend(rig.read("p", "x", time, x));
        }
        assert_eq!(told.iter().map(|one| one.transition).collect::<Vec<_>>(), [T::Raised, T::Returned]);
        assert!(told[1].message.contains(expected), "{}", told[1].message);
        let minutes = (told[1].time.0 - told[0].time.0) / 60_000_000;
        assert!(if stays { minutes > 5 } else { minutes == 0 }, "{minutes} min");
    }
}
