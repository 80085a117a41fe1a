//! Which alerts are sent to which contacts.

use chrono_tz::Tz;
use forewarn_types::Severity;

use crate::glob::AssetGlob;

/// Where the alerts that match are sent, of whichever pipeline their rules are.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name; without one, that of its pipeline and a fingerprint of what it matches and whom it tells.
    pub name: String,
    /// The pipeline it stands in.
    pub pipeline: String,
    /// Severities; empty: all.
    pub severities: Vec<Severity>,
    /// Assets; `None`: all.
    pub assets: Option<AssetGlob>,
    /// Rules; `None`: all.
    pub rules: Option<AssetGlob>,
    /// The contacts it sends to.
    pub to: Vec<String>,
    /// What is sent together.
    pub group: Grouping,
    /// Further contacts when no one acknowledges, in this order.
    pub escalate: Vec<Escalation>,
    /// Hours in which nothing is sent.
    pub quiet: Option<QuietHours>,
}

impl Route {
    /// Why an alert of `rule` on `asset` does not belong to it, if it does not.
    #[must_use]
    pub fn mismatch(&self, rule: &str, asset: &str, severity: Severity) -> Option<&'static str> {
        if !self.severities.is_empty() && !self.severities.contains(&severity) {
            return Some("severity");
        }
        if self.assets.as_ref().is_some_and(|assets| !assets.matches(asset)) {
            return Some("assets");
        }
        if self.rules.as_ref().is_some_and(|rules| !rules.matches(rule)) {
            return Some("rule");
        }
        None
    }
}

/// What is sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Alerts that have these in common are sent together; `None`: each alert by itself.
    pub by: Option<Vec<GroupKey>>,
    /// How long a change waits for others of its group, µs.
    pub wait_us: i64,
    /// How often it is said that alerts are still active, until they are acknowledged, µs.
    pub repeat_us: Option<i64>,
}

/// What alerts of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKey {
    /// The asset.
    Asset,
    /// The rule.
    Rule,
    /// The severity.
    Severity,
}

impl GroupKey {
    /// The name used in definitions and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Rule => "rule",
            Self::Severity => "severity",
        }
    }
}

/// Further contacts when an alert has not been acknowledged for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// So long after the alert was first sent, µs.
    pub after_us: i64,
    /// The contacts.
    pub to: Vec<String>,
}

/// Hours of every day in which nothing is sent; what was held back is sent when they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Minute of the day at which they begin.
    pub from_minute: u16,
    /// Minute of the day at which they end; if not after the beginning, on the day after.
    pub to_minute: u16,
    /// Time zone of both.
    pub timezone: Tz,
    /// Alerts of this severity or worse are sent all the same.
    pub except: Option<Severity>,
}
