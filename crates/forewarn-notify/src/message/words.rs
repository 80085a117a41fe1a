//! A message in plain words: what, where, since when, the value and its limit, and what to do.

use std::fmt::Write as _;

use forewarn_types::NotificationKind;

use super::link::link;
use crate::item::{Item, Status};
use crate::pending::Pending;

/// The message in one line.
pub(super) fn title(pending: &Pending, status: Status) -> String {
    let prefix = match pending.kind {
        NotificationKind::Repeat => "Still active: ",
        NotificationKind::Escalation => "Not acknowledged: ",
        NotificationKind::Digest => "While it was quiet: ",
        NotificationKind::Test => "Test: ",
        NotificationKind::Alert | NotificationKind::Flood => "",
    };
    match &pending.items[..] {
        [one] if pending.more == 0 => format!("{prefix}{}", headline(one)),
        [] => format!("{prefix}nothing"),
        [first, ..] => {
            let rules: std::collections::BTreeSet<&str> =
                pending.items.iter().map(|item| &*item.rule).collect();
            let what = if rules.len() == 1 { format!(" of {}", first.rule) } else { String::new() };
            let severity = pending.severity().as_str();
            let status = if pending.items.iter().all(|item| item.status == status) {
                format!(", {}", status.as_str())
            } else {
                String::new()
            };
            format!("{prefix}{} alerts{what} ({severity}{status})", pending.count())
        }
    }
}

/// An alert in one line.
pub(super) fn headline(item: &Item) -> String {
    let what = match item.status {
        Status::Firing => item.severity.as_str().to_uppercase(),
        Status::Unknown => "UNKNOWN".to_owned(),
        Status::Known => format!("{} (known again)", item.severity.as_str().to_uppercase()),
        Status::Resolved => "Resolved".to_owned(),
        Status::Withdrawn => "Withdrawn".to_owned(),
    };
    format!("{what}: {} on {}", item.rule, item.asset)
}

/// The lines about an alert, each with its name.
pub(super) fn lines(item: &Item) -> Vec<(&'static str, String)> {
    let mut lines = vec![("What", item.message.clone())];
    if item.status == Status::Unknown {
        let text = "Its readings are missing or bad: whether it still holds is not known. It is not over.";
        lines.push(("Note", text.to_owned()));
    }
    if let Some(value) = item.value {
        let signal = item.signal.as_deref().map_or_else(String::new, |signal| format!("{signal} "));
        lines.push(("Value", format!("{signal}{}{}", number(value), unit(item))));
    }
    if let Some(limit) = &item.about.limit {
        lines.push(("Limit", limit.to_string()));
    }
    lines.push(("Since", item.started.to_string()));
    if item.status.is_final() {
        lines.push(("Until", item.time.to_string()));
    } else {
        let texts = [("Otherwise", &item.about.consequence), ("Do", &item.about.action)];
        lines.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?.to_string()))));
    }
    lines
}

/// The message in words, of at most `most` alerts.
pub(super) fn text(pending: &Pending, base: &str, most: usize) -> String {
    let mut text = String::new();
    for item in pending.items.iter().take(most) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "{}", headline(item));
        for (name, line) in lines(item) {
            let _ = writeln!(text, "  {name}: {line}");
        }
        let _ = writeln!(text, "  {}", link(base, item));
    }
    let rest = pending.count().saturating_sub(most.min(pending.items.len()) as u64);
    if rest > 0 {
        let _ = writeln!(text, "and {rest} more: {base}/v1/alerts");
    }
    text
}

/// A number with about four digits that count.
fn number(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{x:.3e}");
    }
    let digits = if size >= 100.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{x:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn unit(item: &Item) -> String {
    item.about.unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"))
}
