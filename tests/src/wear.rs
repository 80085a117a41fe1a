//! Machines that wear out, and a model that learns from them when they fail.

use std::fmt::Write as _;

/// The definition of the model.
pub const MODEL: &str = "\
model: wear
kind: time_to_failure
assets: \"plant1/**\"
signals: [wear]
features: { every: 1h, windows: [5h], statistics: [last, mean, slope] }
target: { unit: hours, cap: 48 }
algorithms: [ridge]
validate: { folds: 3, group: life }
interval: { coverage: 0.8 }
";

/// Machines that wear evenly, each at a pace of its own, until the wear is 100 or `hours` are over, as CSV.
pub fn wearing(machines: std::ops::Range<usize>, hours: usize) -> String {
    let mut text = String::from("machine,time,wear\n");
    for machine in machines {
        let life = 40 + 7 * machine % 31;
        for hour in 0..=life.min(hours) {
            // Multiples of 1/8 with some noise in them, the same in every run.
            let noise = (machine * 31 + hour * 17) % 9;
            let wear = (800 * hour / life + noise) as f64 / 8.0;
            let _ = writeln!(text, "{machine},2026-01-0{} {:02}:00:00,{wear}", 1 + hour / 24, hour % 24);
        }
    }
    text
}
