//! How the work of a run is divided.

use std::collections::BTreeSet;

use super::super::portions::{Counts, Portion};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Counts of assets with so many readings an hour each.
fn counts(hours: i64, assets: &[(&str, usize)]) -> Counts {
    let mut counts = Counts::new(0, hours * HOUR);
    for (asset, readings) in assets {
        for hour in 0..hours {
            counts.add(asset, &vec![hour * HOUR + 1; *readings]);
        }
    }
    counts
}

/// Assets and hours of each portion.
fn hours(portions: &[Portion]) -> Vec<(String, i64, i64)> {
    let names = |assets: &Option<BTreeSet<String>>| {
        assets.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    portions.iter().map(|part| (names(&part.assets), part.from / HOUR, part.to / HOUR)).collect()
}

fn part(assets: &str, from: i64, to: i64) -> (String, i64, i64) {
    (assets.to_owned(), from, to)
}

#[test]
fn a_run_is_divided_by_days_then_by_assets_then_by_time() {
    let counts = counts(48, &[("a", 10), ("b", 10), ("c", 40)]);
    let portions = |most| hours(&counts.portions(0, 2 * DAY, 60_000_000, most));
    assert_eq!(portions(10_000), [part("a b c", 0, 48)]);
    // A portion also reads the hour before and after it.
    assert_eq!(portions(1_500), [part("a b c", 0, 24), part("a b c", 24, 48)]);
    let by_assets = |day: i64| [part("a b", day, day + 24), part("c", day, day + 24)];
    assert_eq!(portions(1_000), [by_assets(0), by_assets(24)].concat());
    let by_time = portions(600);
    assert_eq!(by_time[..3], [part("a b", 0, 24), part("c", 0, 12), part("c", 12, 24)]);
}

#[test]
fn portions_cover_every_asset_and_time_once() {
    let mut counts = counts(30, &[("a", 3), ("b", 1), ("c", 0), ("d", 17)]);
    counts.add("e", &[29 * HOUR; 100]);
    for most in [1, 5, 20, 50, 100, 1_000] {
        let portions = counts.portions(HOUR / 2, 30 * HOUR - 7, 1, most);
        for (asset, needed) in [("a", true), ("b", true), ("d", true), ("e", false)] {
            let mut of_asset: Vec<(i64, i64)> = portions
                .iter()
                .filter(|portion| portion.assets.as_ref().unwrap().contains(asset))
                .map(|portion| (portion.from, portion.to))
                .collect();
            of_asset.sort_unstable();
            assert!(of_asset.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{asset} {most}: {of_asset:?}");
            if needed {
                assert!(
                    of_asset.windows(2).all(|pair| pair[0].1 == pair[1].0),
                    "{asset} {most}: {of_asset:?}"
                );
                assert_eq!((of_asset[0].0, of_asset[of_asset.len() - 1].1), (HOUR / 2, 30 * HOUR - 7));
            } else {
                assert!(of_asset.iter().any(|(from, to)| *from <= 29 * HOUR && 29 * HOUR < *to), "{most}");
            }
        }
    }
    assert_eq!(Counts::new(0, DAY).portions(0, DAY, 1, 10), [], "no readings, no work");
}

#[test]
fn a_very_long_run_has_few_buckets_and_a_very_long_fill_does_not_cut_by_days() {
    let years = 20 * 365;
    let mut counts = Counts::new(-DAY, years * DAY);
    for day in 0..years {
        counts.add("a", &[day * DAY + 5; 2]);
        counts.add("b", &[day * DAY + 5; 2]);
    }
    let portions = counts.portions(0, years * DAY, 1, 5_000);
    assert!((5..40).contains(&portions.len()), "{}", portions.len());
    assert!(portions.iter().all(|portion| portion.from % DAY == 0));
    let portions = counts.portions(0, years * DAY, years * DAY, 15_000);
    assert_eq!(portions.len(), 2, "one for each asset");
}
