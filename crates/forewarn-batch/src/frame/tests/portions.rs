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
            counts.add(asset, std::iter::repeat_n(hour * HOUR + 1, *readings));
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
    let portions = |reach, most| hours(&counts.portions(0, 2 * DAY, reach, most));
    assert_eq!(portions(0, 10_000), [part("a b c", 0, 48)]);
    assert_eq!(portions(0, 1_500), [part("a b c", 0, 24), part("a b c", 24, 48)]);
    let by_assets = |day: i64| [part("a b", day, day + 24), part("c", day, day + 24)];
    assert_eq!(portions(0, 1_000), [by_assets(0), by_assets(24)].concat());
    let by_time = portions(0, 600);
    assert_eq!(by_time[..3], [part("a b", 0, 24), part("c", 0, 12), part("c", 12, 24)]);
    // What looks beyond its days is divided by assets first.
    assert_eq!(portions(60_000_000, 2_000), [part("a b", 0, 48), part("c", 0, 48)]);
    assert_eq!(portions(60_000_000, 1_500)[1..], [part("c", 0, 24), part("c", 24, 48)]);
}

#[test]
fn portions_cover_every_asset_and_time_once() {
    for hours in [30, 300] {
        let (from, to) = (HOUR / 2, hours * HOUR - 7);
        let mut counts = counts(hours, &[("a", 3), ("b", 1), ("c", 0), ("d", 17)]);
        counts.add("e", std::iter::repeat_n(29 * HOUR, 100));
        for (most, reach) in [1, 5, 20, 50, 100, 1_000].into_iter().flat_map(|most| [(most, 0), (most, 1)]) {
            let portions = counts.portions(from, to, reach, most);
            for asset in ["a", "b", "c", "d", "e"] {
                let of_asset = portions.iter().filter(|part| part.assets.as_ref().unwrap().contains(asset));
                let mut of_asset: Vec<(i64, i64)> = of_asset.map(|part| (part.from, part.to)).collect();
                of_asset.sort_unstable();
                let joined = of_asset.windows(2).all(|pair| pair[0].1 == pair[1].0);
                assert!(joined, "{hours} {asset} {most} {reach}: {of_asset:?}");
                assert_eq!((of_asset[0].0, of_asset[of_asset.len() - 1].1), (from, to));
            }
        }
    }
    assert_eq!(Counts::new(0, DAY).portions(0, DAY, 1, 10), [], "no readings, no work");
}

#[test]
fn a_day_of_one_asset_that_is_too_much_is_divided_evenly() {
    let mut counts = Counts::new(0, 10 * DAY);
    assert!(counts.by_day());
    counts.add("a", std::iter::repeat_n(3 * DAY + 5, 40));
    let portions = counts.portions(0, 10 * DAY, 0, 10);
    let of_day: Vec<_> = portions.iter().filter(|part| part.from >= 3 * DAY && part.to <= 4 * DAY).collect();
    assert_eq!(of_day.len(), 4, "{portions:?}");
    assert!(of_day.iter().all(|part| part.to - part.from == 6 * HOUR));
}

#[test]
fn a_very_long_run_has_few_buckets_and_one_with_a_long_fill_is_divided_by_assets() {
    let years = 20 * 365;
    let mut counts = Counts::new(-DAY, years * DAY);
    for day in 0..years {
        counts.add("a", [day * DAY + 5; 2].into_iter());
        counts.add("b", [day * DAY + 5; 2].into_iter());
    }
    let portions = counts.portions(0, years * DAY, 0, 5_000);
    assert!((5..40).contains(&portions.len()), "{}", portions.len());
    assert!(portions.iter().all(|portion| portion.from % DAY == 0));
    let portions = |most| counts.portions(0, years * DAY, 2 * years * DAY, most).len();
    assert_eq!(portions(15_000), 2, "one for each asset");
    // Each would read nearly all, so there is no use in many.
    assert!((2..=8).contains(&portions(100)), "{}", portions(100));
}
