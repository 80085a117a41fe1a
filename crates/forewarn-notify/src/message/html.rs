//! A message as a small page, for e-mail.

use std::fmt::Write as _;

use super::link::link;
use super::words::{headline, lines};
use crate::item::{Item, Status};
use crate::pending::Pending;
use forewarn_types::Severity;

/// The message as HTML, of at most `most` alerts.
pub(super) fn page(pending: &Pending, title: &str, base: &str, most: usize) -> String {
    let mut page =
        format!("<!doctype html><html><body style=\"font-family:sans-serif\"><h2>{}</h2>\n", escape(title));
    for item in pending.items.iter().take(most) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(page, "<h3 style=\"color:{}\">{}</h3>\n<table>", color(item), escape(&headline(item)));
        for (name, line) in lines(item) {
            let _ = writeln!(
                page,
                "<tr><td style=\"color:#666;padding-right:1em\">{name}</td><td>{}</td></tr>",
                escape(&line)
            );
        }
        let link = escape(&link(base, item));
        let _ = writeln!(page, "</table>\n<p><a href=\"{link}\">{link}</a></p>");
    }
    let rest = pending.count().saturating_sub(most.min(pending.items.len()) as u64);
    if rest > 0 {
        let _ = writeln!(page, "<p>and {rest} more: {}/v1/alerts</p>", escape(base));
    }
    page.push_str("</body></html>\n");
    page
}

fn color(item: &Item) -> &'static str {
    match (item.status, item.severity) {
        (Status::Resolved | Status::Withdrawn, _) => "#2a7",
        (Status::Unknown, _) => "#777",
        (_, Severity::Critical) => "#c00",
        (_, Severity::Major) => "#d60",
        _ => "#a80",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
