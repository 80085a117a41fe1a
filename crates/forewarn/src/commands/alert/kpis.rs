//! `forewarn alert kpis`: the figures of the alarm system.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::client::Client;
use crate::output::{counted, print, print_json};
use crate::table;

/// Of which time, and how they are grouped.
#[derive(Debug, clap::Args)]
pub(crate) struct KpisArgs {
    /// From this time on; left out, a day before `--to`.
    #[arg(long, value_parser = crate::commands::parse_time)]
    from: Option<forewarn_types::Timestamp>,
    /// Before this time; left out, now.
    #[arg(long, value_parser = crate::commands::parse_time)]
    to: Option<forewarn_types::Timestamp>,
    /// Count alerts also by `rule`, `asset` or `severity`.
    #[arg(long)]
    by: Option<String>,
    /// How many operators share the alerts.
    #[arg(long, default_value_t = 1)]
    operators: usize,
}

/// Headings of a table, each with the key of its values.
type Columns = &'static [(&'static str, &'static str)];

const FREQUENT: [(&str, &str); 3] = [("rule", "rule"), ("asset", "asset"), ("alerts", "count")];
const FLOODS: [(&str, &str); 3] = [("from", "from"), ("to", "to"), ("alerts", "alerts")];
const STALE: [(&str, &str); 5] =
    [("started", "started"), ("state", "state"), ("rule", "rule"), ("asset", "asset"), ("id", "id")];
const REASONS: [(&str, &str); 3] = [("rule", "rule"), ("with a reason", "said"), ("nuisance", "nuisance")];
const GROUPS: [(&str, &str); 2] = [("group", "key"), ("alerts", "count")];

/// Shows them.
///
/// # Errors
/// No server, or its refusal.
pub(crate) async fn show(client: &Client, args: KpisArgs, json: bool) -> Result<()> {
    let mut query = vec![("operators", args.operators.to_string())];
    query.extend(args.from.map(|from| ("from", from.to_string())));
    query.extend(args.to.map(|to| ("to", to.to_string())));
    query.extend(args.by.map(|by| ("by", by)));
    let answer = client.get(&["v1", "alerts", "kpis"], &query).await?;
    if json { print_json(&answer) } else { print(&words(&answer)) }
}

fn words(kpis: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let percent = |value: &Value| format!("{:.1} %", 100.0 * number(value));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("from {} to {}\n", text(&kpis["from"]), text(&kpis["to"]));
    let alerts = counted(kpis["alerts"].as_u64().unwrap_or(0), "alert");
    let rate = number(&kpis["alerts_per_operator_10min"]);
    let _ = writeln!(out, "{alerts}, {rate:.2} per operator in 10 min (about 1 is manageable)");
    if !kpis["peak_10min"].is_null() {
        let peak = &kpis["peak_10min"];
        let most = number(&peak["alerts_per_operator"]);
        let _ = writeln!(out, "most in 10 min: {most:.0} per operator, from {}", text(&peak["from"]));
    }
    let _ = writeln!(out, "in floods: {} of the time", percent(&kpis["flooded_share"]));
    for (severity, count) in kpis["by_severity"].as_object().into_iter().flatten() {
        let share = number(count) / number(&kpis["alerts"]).max(1.0);
        let _ = writeln!(out, "{severity}: {count} ({:.1} %)", 100.0 * share);
    }
    let acknowledged = &kpis["acknowledged"];
    if acknowledged["count"] != 0 {
        let (half, most) = (number(&acknowledged["median_seconds"]), number(&acknowledged["p90_seconds"]));
        let _ = writeln!(
            out,
            "acknowledged: {}, half within {half:.0} s, nine of ten within {most:.0} s",
            acknowledged["count"]
        );
    }
    let lists: [(&str, &str, Columns); 6] = [
        ("most frequent", "top", &FREQUENT),
        ("chattering (most within a minute)", "chattering", &FREQUENT),
        ("stale (open for more than a day)", "stale", &STALE),
        ("floods", "floods", &FLOODS),
        ("what operators said", "reasons", &REASONS),
        ("groups", "groups", &GROUPS),
    ];
    for (title, key, columns) in lists {
        if kpis[key].as_array().is_some_and(|list| !list.is_empty()) {
            let _ = write!(out, "\n{title}\n{}", table::of_objects(columns, &kpis[key]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quiet_day_and_a_loud_one_are_told() {
        let quiet = json!({ "from": "a", "to": "b", "alerts": 0, "peak_10min": null, "flooded_share": 0.0,
            "by_severity": {}, "acknowledged": { "count": 0 }, "top": [] });
        assert_eq!(
            words(&quiet),
            "from a to b\n0 alerts, 0.00 per operator in 10 min (about 1 is manageable)\nin floods: 0.0 % of the time\n"
        );
        let loud = json!({ "from": "a", "to": "b", "alerts": 4, "alerts_per_operator_10min": 0.5,
            "peak_10min": { "from": "c", "alerts_per_operator": 4.0 }, "flooded_share": 0.25,
            "by_severity": { "major": 4 }, "acknowledged": { "count": 2, "median_seconds": 30.0, "p90_seconds": 60.0 },
            "top": [{ "rule": "hot", "asset": "p", "count": 4 }] });
        let told = words(&loud);
        for part in [
            "4 alerts, 0.50",
            "most in 10 min: 4 per operator, from c",
            "25.0 %",
            "major: 4 (100.0 %)",
            "half within 30 s",
            "hot",
        ] {
            assert!(told.contains(part), "{part} is missing in {told}");
        }
    }
}
