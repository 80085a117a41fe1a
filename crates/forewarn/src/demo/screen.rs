//! What the demo prints.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::Result;
use forewarn_types::{AlertTransition, Prediction, Severity, Timestamp, Transition};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::seen::{Failure, Seen, unit_us};
use crate::output::print;

const RED: &str = "31";
const YELLOW: &str = "33";
const GREEN: &str = "32";
const BLUE: &str = "36";
const BOLD: &str = "1";

/// Writes to the terminal.
pub(super) struct Screen {
    color: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(100);
        let style = ProgressStyle::with_template("  importing history [{bar:40}] {percent} %");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { color: std::io::stdout().is_terminal(), bar }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&self, dir: &Path, pumps: usize, seed: u64) -> Result<()> {
        let title = self.paint(BOLD, "Forewarn demo");
        print(&format!(
            "{title}: a simulated plant with {pumps} pumps (seed {seed}); all it keeps is in {}\n",
            dir.display()
        ))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 100")]
    pub(super) fn progress(&self, share: f64) {
        self.bar.set_position((share * 100.0) as u64);
    }

    pub(super) fn history(&self, stored: u64, until: Timestamp) -> Result<()> {
        self.bar.finish_and_clear();
        match stored {
            0 => print("  history   is there already; going on where the demo was\n"),
            stored => print(&format!("  history   {} readings up to {}\n", HumanCount(stored), until.date())),
        }
    }

    pub(super) fn links(&self, address: &str, hours_per_second: f64, once: bool) -> Result<()> {
        let pace = if once {
            "as fast as it goes".to_owned()
        } else {
            format!("a day takes {:.1} s", 24.0 / hours_per_second)
        };
        print(&format!(
            "  look at   http://{address}/                       what there is to see\n            \
             http://{address}/v1/predictions         when each pump will fail\n            \
             http://{address}/v1/alerts              what is wrong now\n            \
             curl -N http://{address}/v1/alerts/stream\n            \
             forewarn sql --server http://{address} \"SELECT * FROM health_daily ORDER BY vibration_max DESC LIMIT 5\"\n\
             {} ({pace}); Ctrl-C ends it, and started again it goes on\n\
             {} http://{address}/ui/\n",
            self.paint(BOLD, "The plant runs"),
            self.paint(BOLD, "Open the console:")
        ))
    }

    pub(super) fn alert(&self, step: &AlertTransition) -> Result<()> {
        let (word, code) = match step.transition {
            Transition::Raised | Transition::Reraised => match step.severity {
                Severity::Critical | Severity::Major => ("ALERT", RED),
                Severity::Minor | Severity::Warning => ("ALERT", YELLOW),
            },
            Transition::Normal => ("normal", GREEN),
            Transition::Returned => ("returned", GREEN),
            _ => return Ok(()),
        };
        self.line(
            step.time,
            code,
            word,
            &step.asset,
            &format!("{} {}: {}", step.severity.as_str(), step.rule, step.message),
        )
    }

    pub(super) fn prediction(&self, prediction: &Prediction) -> Result<()> {
        let Prediction { p05, p50, p95, cap, unit, time, .. } = prediction;
        let mut text = span(*p05, *p50, *p95, *cap, unit)?;
        if p50 < cap {
            let unit_us = unit_us(unit)?;
            let by = time.plus_us(micros(p05 * unit_us));
            write!(text, "; change the bearing by {}", by.date())?;
        }
        self.line(*time, BLUE, "predicted", &prediction.asset, &text)
    }

    pub(super) fn installed(&self, time: Timestamp, asset: &str) -> Result<()> {
        self.line(time, GREEN, "installed", asset, "a new bearing; the pump starts again")
    }

    pub(super) fn failed(&self, failure: &Failure) -> Result<()> {
        let mut text = String::from("the bearing broke");
        for days in [7, 3, 1] {
            if let Some(prediction) = failure.predicted_before(days) {
                let Prediction { p05, p50, p95, cap, unit, .. } = prediction;
                write!(text, "; {days} d before, the model said it {}", span(*p05, *p50, *p95, *cap, unit)?)?;
            }
        }
        self.line(failure.time, RED, "FAILED", &failure.asset, &text)
    }

    fn line(&self, time: Timestamp, code: &str, word: &str, asset: &str, text: &str) -> Result<()> {
        print(&format!("{}  {} {asset:<19} {text}\n", moment(time), self.paint(code, &format!("{word:<9}"))))
    }
}

/// What has been learnt.
pub(super) fn model(versions: &Value) -> Result<()> {
    let empty = Vec::new();
    let current = versions.as_array().unwrap_or(&empty).iter().find(|version| version["current"] == true);
    let Some(current) = current else { return print("  model     no version is in force\n") };
    let summary = &current["summary"];
    print(&format!(
        "  model     {} learnt from {} failed bearings: on bearings it had not seen it is off by {:.0} h (RMSE), and {:.0} % of its intervals hold\n",
        current["version"].as_str().unwrap_or("?"),
        summary["lives"],
        summary["metrics"]["rmse"].as_f64().unwrap_or(f64::NAN),
        100.0 * summary["coverage"].as_f64().unwrap_or(f64::NAN),
    ))
}

/// When each pump will fail.
pub(super) fn predictions(predictions: &Value) -> Result<()> {
    let mut text = String::from("  predictions, soonest failure first\n");
    for prediction in predictions.as_array().into_iter().flatten() {
        let number = |key: &str| prediction[key].as_f64().unwrap_or(f64::NAN);
        let asset = prediction["asset"].as_str().unwrap_or("?");
        let unit = prediction["unit"].as_str().unwrap_or("hours");
        let span = span(number("p05"), number("p50"), number("p95"), number("cap"), unit)?;
        writeln!(text, "            {asset:<22} {span}")?;
    }
    print(&text)
}

/// What came to pass.
pub(super) fn summary(seen: &Seen) -> Result<()> {
    let mut text =
        format!("\nsummary: {} alerts raised, {} predictions made\n", seen.alerts, seen.predictions);
    for failure in &seen.failures {
        let (held, all) = failure.covered()?;
        let warned = failure.first_alert.map_or_else(
            || "without an alert".to_owned(),
            |alert| {
                format!("{:.1} days after its first alert", failure.time.since_us(alert) as f64 / 86_400e6)
            },
        );
        writeln!(
            text,
            "{} failed at {}, {warned}; {held} of {all} prediction intervals about it held",
            failure.asset,
            moment(failure.time)
        )?;
    }
    print(&text)
}

fn moment(time: Timestamp) -> String {
    time.to_utc().format("%Y-%m-%d %H:%M").to_string()
}

/// A prediction in words: people plan in days, and in hours once the days run out.
fn span(p05: f64, p50: f64, p95: f64, cap: f64, unit: &str) -> Result<String> {
    let days = unit_us(unit)? / 86_400e6;
    if p50 >= cap {
        return Ok(format!("lasts {:.0} days or longer", cap * days));
    }
    let (scale, word, digits) = if p50 * days < 2.0 { (24.0 * days, "hours", 0) } else { (days, "days", 1) };
    let end = if p95 >= cap { "or longer".to_owned() } else { format!("to {:.digits$}", p95 * scale) };
    Ok(format!("fails in {:.digits$} {word} (90 %: {:.digits$} {end})", p50 * scale, p05 * scale))
}

#[expect(clippy::cast_possible_truncation, reason = "times to failure are far below the range of i64")]
fn micros(us: f64) -> i64 {
    us as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_told_in_days_and_near_the_end_in_hours() {
        assert_eq!(span(0.0, 9.4, 30.6, 480.0, "hours").unwrap(), "fails in 9 hours (90 %: 0 to 31)");
        assert_eq!(span(24.0, 60.0, 96.0, 480.0, "hours").unwrap(), "fails in 2.5 days (90 %: 1.0 to 4.0)");
        assert_eq!(
            span(300.0, 400.0, 480.0, 480.0, "hours").unwrap(),
            "fails in 16.7 days (90 %: 12.5 or longer)"
        );
        assert_eq!(span(300.0, 480.0, 480.0, 480.0, "hours").unwrap(), "lasts 20 days or longer");
        assert!(span(1.0, 1.0, 1.0, 2.0, "cycles").is_err());
    }
}
