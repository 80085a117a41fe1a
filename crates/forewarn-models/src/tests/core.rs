//! The numeric core against hand-checked, naive and synthetic cases.

use forewarn_spec::{Algorithm, AssetGlob, Features, Model, Promote, Statistic, Target, TimeUnit};
use proptest::prelude::*;

use crate::artefact::{Artefact, definition_fingerprint};
use crate::dataset::LifeExtent;
use crate::features::FeaturePlan;
use crate::grid::{GridBuilder, LifeGrid};
use crate::validate::folds;
use crate::{Fitted, LifeReadings, Metrics, ModelError, nasa_score};

pub(crate) const HOUR: i64 = 3_600_000_000;

/// A definition over `signals` with hourly rows and windows of 4 and 10 hours.
pub(crate) fn model(signals: &[&str], statistics: &[Statistic]) -> Model {
    Model {
        name: "pump-life".into(),
        assets: AssetGlob::parse("plant1/**").unwrap(),
        signals: signals.iter().map(|&signal| signal.into()).collect(),
        features: Features {
            every_us: HOUR,
            windows_us: vec![4 * HOUR, 10 * HOUR],
            statistics: statistics.to_vec(),
            age: true,
        },
        target: Target { unit: TimeUnit::Hours, cap: 100.0 },
        algorithms: vec![Algorithm::Ridge, Algorithm::ElasticNet],
        folds: 5,
        coverage: 0.9,
        train: None,
        predict_every_us: None,
        promote: Promote::WhenBetter,
    }
}

/// Numbers between 0 and 1 that look random (`SplitMix64`).
pub(crate) struct Noise(pub u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A machine that wears out over `hours`: vibration climbs over its last 80 hours, temperature wanders, a
/// switch stays where it is.
pub(super) fn worn(start: i64, hours: i64, seed: u64) -> LifeReadings {
    let mut noise = Noise(seed);
    let mut signals = vec![Vec::new(); 3];
    for hour in 0..=hours {
        let wear = ((hour - hours + 80).max(0) as f64 / 80.0).powi(2);
        let time = start + hour * HOUR;
        signals[0].push((time, 2.0 + 3.0 * wear + 0.2 * noise.next()));
        signals[1].push((time, 60.0 + 5.0 * noise.next()));
        signals[2].push((time, 1.0));
    }
    LifeReadings { start, signals }
}

pub(super) fn fleet(count: u64) -> Vec<(LifeReadings, i64)> {
    (0..count)
        .map(|index| {
            let hours = 120 + i64::try_from(index * 37 % 90).unwrap();
            let start = i64::try_from(index).unwrap() * 1_000 * HOUR;
            (worn(start, hours, index), start + hours * HOUR)
        })
        .collect()
}

const ALL: [Statistic; 6] =
    [Statistic::Last, Statistic::Mean, Statistic::Std, Statistic::Min, Statistic::Max, Statistic::Slope];

fn plan(windows: &[i64], statistics: &[Statistic]) -> FeaturePlan {
    let mut model = model(&["a"], statistics);
    model.features.windows_us = windows.iter().map(|window| window * HOUR).collect();
    FeaturePlan::new(&model, model.signals.clone())
}

fn grid(plan: &FeaturePlan, values: &[f64]) -> LifeGrid {
    let mut builder = GridBuilder::new(plan.grid_spec(0, 0, i64::MAX), 1);
    for (hour, &value) in values.iter().enumerate() {
        builder.push(0, i64::try_from(hour).unwrap() * HOUR, value);
    }
    builder.finish()
}

pub(crate) fn close(actual: f64, expected: f64, scale: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * scale.abs().max(1.0)
}

#[test]
fn windows_agree_with_hand_computation() {
    let plan = plan(&[3], &ALL);
    let names: Vec<String> = plan.columns().into_iter().map(|column| column.name).collect();
    assert_eq!(
        names,
        [
            "a.last",
            "a.mean.3h",
            "a.std.3h",
            "a.min.3h",
            "a.max.3h",
            "a.slope.3h",
            "age.linear",
            "age.log",
            "age.young"
        ]
    );
    let rows = plan.rows(&grid(&plan, &[1.0, 2.0, 4.0, 9.0]), &[0, 3]);
    let first = &rows[..9];
    assert_eq!(
        first,
        [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        "at the start of a life the window is one row"
    );
    // The window is 2, 4, 9: mean 5, variance (9 + 1 + 16) / 3, slope 3.5 a row, times three rows. Age: 3 of
    // 100 hours.
    let expected = [9.0, 5.0, (26.0_f64 / 3.0).sqrt(), 2.0, 9.0, 10.5, 0.03, 4.0_f64.ln(), 0.06];
    for (actual, expected) in rows[9..].iter().zip(expected) {
        assert!(close(*actual, expected, 1.0), "{actual} {expected}");
    }
}

proptest! {
    #[test]
    fn windows_agree_with_a_naive_computation(
        values in prop::collection::vec(prop::option::weighted(0.8, -1e3..1e3_f64), 1..60),
        window in 1_usize..20,
        level in prop::sample::select(vec![0.0, 1e6]),
    ) {
        let plan = plan(&[i64::try_from(window).unwrap()], &ALL);
        let known = |value: &Option<f64>| value.map_or(f64::NAN, |value| value + level);
        let values: Vec<f64> = values.iter().map(known).collect();
        let times: Vec<i64> = (0..values.len()).map(|slot| i64::try_from(slot).unwrap() * HOUR).collect();
        let grid = LifeGrid { start: 0, values: vec![values.clone()], oldest: times.clone(), newest: times };
        let slots: Vec<usize> = (0..values.len()).collect();
        let rows = plan.rows(&grid, &slots);
        for slot in slots {
            let row = &rows[slot * 9..][..6];
            if values[slot].is_nan() {
                prop_assert!(row.iter().all(|value| value.is_nan()));
                continue;
            }
            let from = (slot + 1).saturating_sub(window);
            let seen: Vec<(f64, f64)> =
                (from..=slot).filter(|&k| !values[k].is_nan()).map(|k| (k as f64, values[k])).collect();
            let n = seen.len() as f64;
            let mean = seen.iter().map(|seen| seen.1).sum::<f64>() / n;
            let std = (seen.iter().map(|seen| (seen.1 - mean).powi(2)).sum::<f64>() / n).sqrt();
            let k_mean = seen.iter().map(|seen| seen.0).sum::<f64>() / n;
            let spread: f64 = seen.iter().map(|seen| (seen.0 - k_mean).powi(2)).sum();
            let cross: f64 = seen.iter().map(|seen| (seen.0 - k_mean) * (seen.1 - mean)).sum();
            let covered = (slot + 1 - from) as f64;
            let slope = if seen.len() < window.clamp(3, 8) { 0.0 } else { cross / spread * covered };
            let least = seen.iter().map(|seen| seen.1).fold(f64::INFINITY, f64::min);
            let most = seen.iter().map(|seen| seen.1).fold(f64::NEG_INFINITY, f64::max);
            // The variance of prefix sums loses digits to the square of the largest excursion, so its root is
            // compared loosely.
            prop_assert!((row[2] - std).abs() < 1e-3, "std {} {}", row[2], std);
            let expected = [values[slot], mean, least, most, slope];
            for (actual, expected) in [row[0], row[1], row[3], row[4], row[5]].iter().zip(&expected) {
                prop_assert!(close(*actual, *expected, level + 1e3), "{actual} {expected} at {slot}");
            }
        }
    }

    #[test]
    fn features_see_neither_the_future_nor_another_life(
        values in prop::collection::vec(-10.0..10.0_f64, 8..40),
        cut in 0.0..1.0_f64,
        before in prop::collection::vec(-1e6..1e6_f64, 0..10),
        after in prop::collection::vec(-1e6..1e6_f64, 0..10),
    ) {
        let plan = plan(&[3, 12], &ALL);
        let start = 1_000 * HOUR;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let slot = (cut * (values.len() - 1) as f64) as usize;
        let end = start + i64::try_from(values.len()).unwrap() * HOUR;
        let mut alone = GridBuilder::new(plan.grid_spec(start, start, end), 1);
        let mut among = GridBuilder::new(plan.grid_spec(start, 0, end), 1);
        for (hour, &value) in before.iter().enumerate() {
            among.push(0, start - i64::try_from(before.len() - hour).unwrap() * HOUR, value);
        }
        for (hour, &value) in values.iter().enumerate() {
            let time = start + i64::try_from(hour).unwrap() * HOUR;
            among.push(0, time, value);
            if hour <= slot {
                alone.push(0, time, value);
            }
        }
        for (hour, &value) in after.iter().enumerate() {
            among.push(0, end + i64::try_from(hour).unwrap() * HOUR, value);
        }
        prop_assert_eq!(plan.rows(&alone.finish(), &[slot]), plan.rows(&among.finish(), &[slot]));
    }

    #[test]
    fn folds_never_split_a_life_and_are_even(
        rows in prop::collection::vec(1_usize..500, 5..60),
        count in 2_usize..6,
    ) {
        let life = |(&rows, end)| LifeExtent { end, rows };
        let lives: Vec<LifeExtent> = rows.iter().zip(0..).map(life).collect();
        let fold_of = folds(&lives, count);
        prop_assert_eq!(fold_of.len(), lives.len(), "one fold a life");
        let size = |fold| fold_of.iter().filter(|&&of| of == fold).count();
        let sizes: Vec<usize> = (0..count).map(size).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
        let mut reversed = lives.clone();
        reversed.reverse();
        let mut again = folds(&reversed, count);
        again.reverse();
        prop_assert_eq!(fold_of, again, "the order in which lives are given does not count");
    }
}

#[test]
fn a_prediction_from_the_look_back_equals_training_on_the_whole_life() {
    let plan = plan(&[4, 24], &ALL);
    let mut noise = Noise(5);
    let values: Vec<f64> = (0..500).map(|_| 100.0 + noise.next()).collect();
    let whole = grid(&plan, &values);
    let from = 499 * HOUR - plan.look_back_us();
    let mut builder = GridBuilder::new(plan.grid_spec(0, from, i64::MAX), 1);
    for (hour, &value) in values.iter().enumerate() {
        builder.push(0, i64::try_from(hour).unwrap() * HOUR, value);
    }
    let recent = builder.finish();
    assert!(recent.newest.len() < 50, "only the look-back is read: {}", recent.newest.len());
    let expected = plan.rows(&whole, &[100, 499]);
    let actual = plan.rows(&recent, &[recent.newest.len() - 1]);
    for (actual, expected) in actual.iter().zip(&expected[expected.len() / 2..]) {
        assert!(close(*actual, *expected, 100.0), "{actual} {expected}");
    }
}

#[test]
fn metrics_follow_their_formulas() {
    let metrics = Metrics::of(&[(10.0, 20.0), (25.0, 20.0)], 125.0);
    assert!(
        close(metrics.rmse, 62.5_f64.sqrt(), 1.0)
            && close(metrics.mae, 7.5, 1.0)
            && close(metrics.late_share, 0.5, 1.0)
    );
    assert!(close(metrics.nasa_score, ((10.0_f64 / 13.0).exp() - 1.0 + 0.5_f64.exp() - 1.0) / 2.0, 1.0));
    assert!(close(nasa_score(0.0), 0.0, 1.0));
}

#[test]
fn wear_is_learnt_and_explained() {
    let model =
        model(&["vibration", "temperature", "switch"], &[Statistic::Last, Statistic::Mean, Statistic::Slope]);
    let fitted = Fitted::train(&model, &fleet(20)).unwrap();
    let summary = fitted.summary();
    assert_eq!(summary.constant_signals, ["switch"]);
    assert!(summary.metrics.rmse < 12.0, "{summary:?}");
    assert!((0.82..=0.97).contains(&summary.coverage), "{summary:?}");

    let mut near = worn(0, 150, 77);
    near.signals.iter_mut().for_each(|readings| readings.truncate(136));
    let (time, close_to_end) = fitted.predict(&near).unwrap();
    assert_eq!(time, 135 * HOUR);
    assert!(close_to_end.p05 <= 15.0 && 15.0 <= close_to_end.p95, "{close_to_end:?}");
    assert_eq!(&*close_to_end.contributions[0].signal, "vibration");
    assert!(
        close_to_end.contributions[0].weight < 0.0 && !close_to_end.out_of_distribution,
        "{close_to_end:?}"
    );
    near.signals.iter_mut().for_each(|readings| readings.truncate(60));
    let (_, fresh) = fitted.predict(&near).unwrap();
    assert!(fresh.p50 > close_to_end.p50 + 40.0 && fresh.p95 - fresh.p05 < 60.0, "{fresh:?}");

    near.signals[1].iter_mut().for_each(|reading| reading.1 += 40.0);
    assert!(fitted.predict(&near).unwrap().1.out_of_distribution, "a temperature 40 above any seen");
}

#[test]
fn names_units_and_dates_do_not_count() {
    let plain =
        model(&["vibration", "temperature", "switch"], &[Statistic::Last, Statistic::Mean, Statistic::Slope]);
    let renamed = model(&["z", "y", "x"], &[Statistic::Last, Statistic::Mean, Statistic::Slope]);
    let change = |life: &LifeReadings| LifeReadings {
        start: life.start + 77_777 * HOUR,
        signals: life
            .signals
            .iter()
            .map(|readings| readings.iter().map(|&(t, x)| (t + 77_777 * HOUR, -1.8 * x + 320.0)).collect())
            .collect(),
    };
    let lives = fleet(12);
    let changed: Vec<(LifeReadings, i64)> =
        lives.iter().map(|(life, end)| (change(life), end + 77_777 * HOUR)).collect();
    let (a, b) = (Fitted::train(&plain, &lives).unwrap(), Fitted::train(&renamed, &changed).unwrap());
    let mut probe = worn(0, 150, 99);
    probe.signals.iter_mut().for_each(|readings| readings.truncate(110));
    let (a, b) = (a.predict(&probe).unwrap().1, b.predict(&change(&probe)).unwrap().1);
    for (a, b) in [(a.p05, b.p05), (a.p50, b.p50), (a.p95, b.p95)] {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn too_little_to_learn_from_is_said() {
    let model = model(&["vibration", "temperature", "switch"], &[Statistic::Last]);
    let error = Fitted::train(&model, &fleet(4)).unwrap_err().to_string();
    assert!(
        error.contains("4 failed lives")
            && error.contains("at least 5")
            && error.contains("post life events"),
        "{error}"
    );
    let mut blind = fleet(6);
    for (life, _) in &mut blind {
        life.signals[1].clear();
    }
    let error = Fitted::train(&model, &blind).unwrap_err();
    assert!(
        matches!(&error, ModelError::NotEnoughData { problem, .. } if problem.contains("temperature")),
        "{error}"
    );
}

#[test]
fn an_artefact_survives_json_and_knows_its_definition() {
    let mut model = model(&["vibration", "temperature", "switch"], &[Statistic::Last, Statistic::Mean]);
    let fitted = Fitted::train(&model, &fleet(8)).unwrap();
    let text = serde_json::to_vec(fitted.artefact()).unwrap();
    let read: Artefact = serde_json::from_slice(&text).unwrap();
    let row = vec![3.0; read.columns_len()];
    assert!((read.state(&row).p50 - fitted.artefact().state(&row).p50).abs() < 1e-9);
    let before = definition_fingerprint(&model);
    model.folds = 3;
    assert_eq!(definition_fingerprint(&model), before, "how it is judged does not change what it is");
    model.target.cap = 50.0;
    assert_ne!(definition_fingerprint(&model), before);
}
