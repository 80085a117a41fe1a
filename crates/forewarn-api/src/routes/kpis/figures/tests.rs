//! Figures of alerts that were made up.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn raised(seconds: i64, rule: &str) -> Step {
    step(seconds, rule, What::Raised)
}

fn step(seconds: i64, rule: &str, what: What) -> Step {
    Step {
        time: at(seconds),
        alert: format!("{rule}-1"),
        rule: rule.into(),
        asset: "a".into(),
        severity: if rule == "hot" { "critical" } else { "minor" }.into(),
        what,
    }
}

fn of(steps: &[Step]) -> Figures {
    Figures::of(steps, at(0), at(6_000), 1)
}

#[test]
fn without_alerts_there_are_stretches_and_nothing_else() {
    assert_eq!(of(&[]), Figures { stretches: 10, ..Figures::default() });
    assert_eq!(of(&[]).to_acknowledge(0.5), None);
}

#[test]
fn a_flood_lasts_from_more_than_ten_alerts_until_fewer_than_five() {
    let stretch = |number: i64, count: i64| (0..count).map(move |n| raised(number * 600 + n * 40, "hot"));
    let check = |counts: &[i64], expected: &[(i64, i64, usize)]| {
        let steps: Vec<Step> =
            (0..).zip(counts).flat_map(|(number, count)| stretch(number, *count)).collect();
        let found: Vec<_> = of(&steps)
            .floods
            .iter()
            .map(|flood| (flood.from.0 / STRETCH_US, flood.to.0 / STRETCH_US, flood.alerts))
            .collect();
        assert_eq!(found, expected, "{counts:?}");
    };
    check(&[10, 10, 10], &[]);
    check(&[11], &[(0, 1, 11)]);
    check(&[0, 11, 5, 5, 4, 10], &[(1, 4, 21)]);
    check(&[11, 0, 11], &[(0, 1, 11), (2, 3, 11)]);
    check(&[12, 12, 4, 4, 15], &[(0, 2, 24), (4, 5, 15)]);
    let steps: Vec<Step> = stretch(0, 15).collect();
    assert_eq!(Figures::of(&steps, at(0), at(6_000), 2).floods, []);
    assert!((of(&steps).flooded - 0.1).abs() < 1e-9);
    assert_eq!(of(&steps).peak, Some((at(0), 15)));
}

#[test]
fn three_in_a_minute_chatter_and_the_most_frequent_come_first() {
    let calm = [0, 30, 60, 90].map(|second| raised(second, "calm"));
    let chatter = [0, 10, 59].map(|second| raised(second, "hot"));
    let mut steps: Vec<Step> = calm.into_iter().chain(chatter).collect();
    steps.sort_by_key(|step| step.time);
    let figures = of(&steps);
    let key = |rule: &str| (rule.to_owned(), "a".to_owned());
    assert_eq!(figures.chattering, [(key("hot"), 3)]);
    assert_eq!(figures.top, [(key("calm"), 4), (key("hot"), 3)]);
    assert_eq!(figures.by_severity, BTreeMap::from([("critical".to_owned(), 3), ("minor".to_owned(), 4)]));
}

#[test]
fn the_time_to_acknowledge_counts_from_when_it_was_raised_last() {
    let acknowledged = |seconds, rule| step(seconds, rule, What::Acknowledged);
    let steps = [
        raised(0, "hot"),
        raised(100, "hot"),
        raised(110, "cold"),
        acknowledged(130, "hot"),
        acknowledged(140, "hot"),
        acknowledged(210, "cold"),
        acknowledged(300, "never"),
    ];
    let figures = of(&steps);
    assert_eq!(figures.to_acknowledge_us, [30_000_000, 100_000_000]);
    assert_eq!(figures.to_acknowledge(0.0), Some(30_000_000));
    assert_eq!(figures.to_acknowledge(0.9), Some(100_000_000));
}
