//! Predictions on NASA's turbofans (C-MAPSS FD001): one hundred engines that ran to failure are learnt from,
//! and a hundred others, cut off somewhere in their lives, are predicted. All of it goes through the API, as
//! a fleet's owner would do it.

use std::fmt::Write as _;

use forewarn_tests::data;
use forewarn_tests::site::{Server, Site};
use serde_json::{Value, json};

const CAP: f64 = 125.0;
const HOUR_MS: i64 = 3_600_000;
/// Engines count cycles; here a cycle takes an hour, and each engine's first one is at 2020-01-01.
const FIRST_MS: i64 = 1_577_836_800_000;
/// Lines of one request; each holds the 21 sensors of one cycle.
const PART: usize = 5_000;

const MODEL: &str = "\
model: turbofan
kind: time_to_failure
assets: \"fd001/**\"
signals: [s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16, s17, s18, s19, s20, s21]
features: { every: 1h, windows: [5h, 15h, 30h, 60h, 120h], statistics: [last, mean, slope] }
target: { unit: cycles, cap: 125 }
algorithms: [ridge, elastic_net]
validate: { folds: 5, group: life }
interval: { coverage: 0.9 }
promote: when_better
";

/// One engine: its number, and the sensors of each of its cycles as the file spells them.
struct Unit {
    number: usize,
    cycles: Vec<Vec<String>>,
}

impl Unit {
    fn asset(&self, set: &str) -> String {
        format!("fd001/{set}/unit{}", self.number)
    }

    fn last_ms(&self) -> i64 {
        cycle_ms(self.cycles.len() - 1)
    }
}

fn cycle_ms(index: usize) -> i64 {
    FIRST_MS + i64::try_from(index).expect("few cycles") * HOUR_MS
}

fn read(name: &str) -> Option<String> {
    Some(std::fs::read_to_string(data::path(&format!("cmapss/{name}"))?).expect("the file is text"))
}

fn units(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields.len(), 26, "unit, cycle, 3 settings, 21 sensors: {line}");
        let number: usize = fields[0].parse().expect("a unit");
        if units.last().is_none_or(|unit| unit.number != number) {
            units.push(Unit { number, cycles: Vec::new() });
        }
        let unit = units.last_mut().expect("one was pushed");
        unit.cycles.push(fields[5..].iter().map(|field| (*field).to_owned()).collect());
        assert_eq!(fields[1].parse(), Ok(unit.cycles.len()), "cycles follow each other: {line}");
    }
    units
}

async fn send_readings(server: &Server, set: &str, units: &[Unit]) {
    let mut lines = Vec::new();
    for unit in units {
        let asset = unit.asset(set);
        for (index, sensors) in unit.cycles.iter().enumerate() {
            let mut line = format!("{{\"asset\":\"{asset}\",\"time\":{},\"values\":{{", cycle_ms(index));
            for (number, value) in (1..).zip(sensors) {
                let comma = if number == 1 { "" } else { "," };
                write!(line, "{comma}\"s{number}\":{value}").expect("a string takes all");
            }
            lines.push(line + "}}\n");
        }
    }
    for part in lines.chunks(PART) {
        let (status, answer) = server.send("/v1/readings", part.concat()).await;
        assert_eq!((status, answer["accepted"].as_u64()), (200, Some(part.len() as u64 * 21)), "{answer}");
    }
}

async fn send_event(server: &Server, asset: &str, event: &str, time_ms: i64) {
    let path = format!("/v1/assets/{}/life-events", asset.replace('/', "%2F"));
    server.post(&path, &json!({ "event": event, "time": time_ms, "new_asset": true })).await;
}

/// Starts a job of the model and waits until it has succeeded.
async fn work(server: &Server, job: &str) {
    let started = server.post(&format!("/v1/models/turbofan/{job}"), &json!({})).await;
    let run = server.run_ended(started["run"].as_str().expect("a run")).await;
    assert_eq!(run["state"], "succeeded", "{job}: {run}");
}

/// A prediction and the truth, in cycles.
struct Pair {
    low: f64,
    middle: f64,
    high: f64,
    truth: f64,
}

async fn pair(server: &Server, unit: &Unit, truth: f64) -> Pair {
    let asset = unit.asset("test");
    let answer = server.get(&format!("/v1/assets/{}/prediction", asset.replace('/', "%2F"))).await;
    assert_eq!(
        (&answer["asset"], &answer["model"], &answer["unit"]),
        (&json!(asset), &json!("turbofan"), &json!("cycles")),
        "{answer}"
    );
    assert!(!answer["contributions"].as_array().expect("contributions").is_empty(), "{answer}");
    let number = |value: &Value| value.as_f64().expect("a number");
    let pair = Pair {
        low: number(&answer["p05"]),
        middle: number(&answer["p50"]),
        high: number(&answer["p95"]),
        truth: truth.min(CAP),
    };
    assert!(
        0.0 <= pair.low && pair.low <= pair.middle && pair.middle <= pair.high && pair.high <= CAP,
        "{answer}"
    );
    pair
}

/// NASA's score: a late prediction costs more than an early one.
fn nasa_score(error: f64) -> f64 {
    if error < 0.0 { (-error / 13.0).exp() - 1.0 } else { (error / 10.0).exp() - 1.0 }
}

fn check(pairs: &[Pair]) {
    let errors = pairs.iter().map(|pair| pair.middle - pair.truth);
    let rmse = (errors.clone().map(|error| error * error).sum::<f64>() / pairs.len() as f64).sqrt();
    let score: f64 = errors.map(nasa_score).sum();
    let held = pairs.iter().filter(|pair| (pair.low..=pair.high).contains(&pair.truth)).count();
    let width = pairs.iter().map(|pair| pair.high - pair.low).sum::<f64>() / pairs.len() as f64;
    println!(
        "C-MAPSS FD001: RMSE {rmse:.2} cycles, NASA score {score:.0}, the 90 % interval holds {held} of {}, \
         mean width {width:.1}",
        pairs.len()
    );
    assert_eq!(pairs.len(), 100);
    assert!(rmse <= 16.0, "RMSE {rmse}");
    assert!(score <= 400.0, "NASA score {score}");
    assert!((80..=97).contains(&held), "the interval holds {held} of 100");
}

#[tokio::test]
async fn accuracy_on_a_fleet_of_turbofans_is_within_the_bars() {
    let (Some(train), Some(test), Some(truths)) =
        (read("train_FD001.txt"), read("test_FD001.txt"), read("RUL_FD001.txt"))
    else {
        return;
    };
    let (train, test) = (units(&train), units(&test));
    let truths: Vec<f64> = truths.lines().filter_map(|line| line.trim().parse().ok()).collect();
    assert_eq!((train.len(), test.len(), truths.len()), (100, 100, 100));
    let site = Site::new();
    site.write("models/turbofan.yaml", MODEL);
    let server = site.start().await;

    send_readings(&server, "train", &train).await;
    for unit in &train {
        send_event(&server, &unit.asset("train"), "installed", FIRST_MS).await;
        send_event(&server, &unit.asset("train"), "failed", unit.last_ms()).await;
    }
    work(&server, "train").await;

    send_readings(&server, "test", &test).await;
    for unit in &test {
        send_event(&server, &unit.asset("test"), "installed", FIRST_MS).await;
    }
    work(&server, "predict").await;

    let mut pairs = Vec::new();
    for (unit, truth) in test.iter().zip(truths) {
        pairs.push(pair(&server, unit, truth).await);
    }
    check(&pairs);
    // Engines that have failed have no time to failure left to speak about.
    let (status, _) = server.try_get("/v1/assets/fd001%2Ftrain%2Funit1/prediction").await;
    assert_eq!(status, 404);
    assert_eq!(server.count("SELECT count(*) FROM predictions").await, 100);
}
