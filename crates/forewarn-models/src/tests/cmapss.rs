//! Accuracy on NASA's C-MAPSS FD001, through an ordinary definition: nothing in the crate knows the
//! benchmark.

use std::path::PathBuf;

use forewarn_spec::{Algorithm, AssetGlob, Features, Model, Promote, Statistic, Target, TimeUnit};

use super::core::HOUR;
use crate::{Fitted, LifeReadings, Metrics, nasa_score};

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("FOREWARN_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let folder = root.join("cmapss");
    folder.is_dir().then_some(folder)
}

/// The units of a file: one row a cycle, taken as one hour, 21 sensors.
fn units(text: &str) -> Vec<LifeReadings> {
    let mut units: Vec<LifeReadings> = Vec::new();
    for line in text.lines() {
        let fields: Vec<f64> = line.split_whitespace().map(|field| field.parse().unwrap()).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let (unit, cycle) = (fields[0] as usize, fields[1] as i64);
        if units.len() < unit {
            units.push(LifeReadings { start: 0, signals: vec![Vec::new(); 21] });
        }
        for (signal, &value) in fields[5..].iter().enumerate() {
            units[unit - 1].signals[signal].push(((cycle - 1) * HOUR, value));
        }
    }
    units
}

fn definition() -> Model {
    Model {
        name: "turbofan".into(),
        assets: AssetGlob::parse("fleet/**").unwrap(),
        signals: (1..=21).map(|sensor| format!("s{sensor}").into()).collect(),
        features: Features {
            every_us: HOUR,
            windows_us: [5, 15, 30, 60, 120].map(|hours| hours * HOUR).to_vec(),
            statistics: vec![Statistic::Last, Statistic::Mean, Statistic::Slope],
            age: true,
        },
        target: Target { unit: TimeUnit::Cycles, cap: 125.0 },
        algorithms: vec![Algorithm::Ridge, Algorithm::ElasticNet],
        folds: 5,
        coverage: 0.9,
        train: None,
        predict_every_us: None,
        promote: Promote::WhenBetter,
    }
}

#[test]
fn turbofans_are_predicted_within_the_bars() {
    let Some(folder) = folder() else {
        println!("skipped: no C-MAPSS data; set FOREWARN_DATA to the folder that holds cmapss/");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let lives: Vec<(LifeReadings, i64)> = units(&read("train_FD001.txt"))
        .into_iter()
        .map(|unit| {
            let end = unit.signals[0].last().unwrap().0;
            (unit, end)
        })
        .collect();
    let fitted = Fitted::train(&definition(), &lives).unwrap();
    let summary = fitted.summary();
    println!(
        "cross-validation: {:?} {:?}, coverage {:.3}, width {:.1}",
        summary.chosen, summary.metrics, summary.coverage, summary.width
    );
    for trial in &summary.trials {
        println!("  {:?}: {:.2}", trial.candidate, trial.metrics.rmse);
    }
    let truths: Vec<f64> =
        read("RUL_FD001.txt").lines().map(|line| line.trim().parse::<f64>().unwrap().min(125.0)).collect();
    let statements: Vec<_> =
        units(&read("test_FD001.txt")).iter().map(|unit| fitted.predict(unit).unwrap().1).collect();
    assert_eq!(statements.len(), truths.len());
    let pairs: Vec<(f64, f64)> =
        statements.iter().map(|statement| statement.p50).zip(truths.iter().copied()).collect();
    let rmse = Metrics::of(&pairs, 125.0).rmse;
    let score: f64 = pairs.iter().map(|(predicted, truth)| nasa_score(predicted - truth)).sum();
    let held = statements
        .iter()
        .zip(&truths)
        .filter(|(statement, truth)| (statement.p05..=statement.p95).contains(truth))
        .count();
    let width = statements.iter().map(|statement| statement.p95 - statement.p05).sum::<f64>()
        / statements.len() as f64;
    let odd = statements.iter().filter(|statement| statement.out_of_distribution).count();
    println!(
        "FD001 test: RMSE {rmse:.2}, NASA score {score:.0}, {held} of {} held, mean width {width:.1}, \
         {odd} out of distribution",
        pairs.len()
    );
    assert!(rmse <= 16.0, "RMSE {rmse}");
    assert!(score <= 400.0, "NASA score {score}");
    assert!((80..=97).contains(&held), "{held} held");
    assert!(odd <= 5, "{odd} of 100 ordinary engines are called out of distribution");
}
