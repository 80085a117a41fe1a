//! When a schedule fires, and which data interval a run covers. Pure arithmetic on times: nothing here knows
//! what time it is.
//!
//! A run that fires at T covers `[previous fire, T)`. All fire times of a schedule form one ascending
//! sequence, and both directions ([`Schedule::next_after`] and [`Schedule::last_before`]) are computed from
//! the same forward search, so intervals abut: no gap, no overlap, whatever the clocks of the time zone do.
//!
//! Where clocks change, the rules are croner's (and Vixie cron's):
//!
//! - A *fixed-time* schedule (one minute, one hour, such as `30 2 * * *`) whose time is skipped in spring
//!   fires at the first instant after the gap; where its time comes twice in autumn it fires at the first of
//!   the two. It fires once on every day it names.
//! - Any other schedule (`0 * * * *`, `*/15 2 * * *`, `30 2,14 * * *`) skips times that do not exist and
//!   fires at both instants of a time that comes twice. An hourly schedule thus fires every 60 minutes of
//!   real time across both changes.
//!
//! [`Trigger::Every`] counts from 1970-01-01T00:00:00Z and knows no time zone.

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::DateTime;
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use forewarn_types::{Timestamp, format_duration};

/// What starts a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A cron expression of five fields, in a time zone.
    Cron {
        /// The expression, such as `30 2 * * *`.
        expr: String,
        /// The zone whose wall clock it means.
        tz: Tz,
    },
    /// So many µs apart, aligned to 1970-01-01T00:00:00Z.
    Every(i64),
    /// Only a request.
    OnRequest,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expr, tz } => write!(f, "{expr} ({tz})"),
            Self::Every(us) => write!(f, "every {}", format_duration(*us)),
            Self::OnRequest => f.write_str("on request"),
        }
    }
}

/// A [`Trigger`] that has been understood.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron { cron: Box<Cron>, tz: Tz },
    Every(i64),
    OnRequest,
}

/// How far back [`Schedule::last_before`] looks, s: longer than the 8 years between two 29 Februaries around
/// 2100.
const LOOK_BACK_S: i64 = 9 * 366 * 86_400;

const SECOND_US: i64 = 1_000_000;

impl Schedule {
    /// Understands `trigger`.
    ///
    /// # Errors
    /// What is wrong with it, for a person to read.
    pub fn new(trigger: &Trigger) -> Result<Self, String> {
        match trigger {
            Trigger::Cron { expr, tz } => {
                let parser =
                    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
                let cron = parser.parse(expr).map_err(|error| error.to_string())?;
                let start = DateTime::UNIX_EPOCH.with_timezone(tz);
                if cron.find_next_occurrence(&start, false).is_err() {
                    return Err("it never comes: there is no such day".to_owned());
                }
                Ok(Self(Kind::Cron { cron: Box::new(cron), tz: *tz }))
            }
            Trigger::Every(us) if *us > 0 => Ok(Self(Kind::Every(*us))),
            Trigger::Every(us) => Err(format!("it repeats every {us} µs; the spacing must be positive")),
            Trigger::OnRequest => Ok(Self(Kind::OnRequest)),
        }
    }

    /// The first fire time strictly after `time`; `None` if there is none that can be written
    /// down.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron { cron, tz } => {
                let start = DateTime::from_timestamp_micros(time.0)?.with_timezone(tz);
                cron.find_next_occurrence(&start, false).ok().map(|fire| Timestamp(fire.timestamp_micros()))
            }
            Kind::Every(us) => time.0.div_euclid(*us).checked_add(1)?.checked_mul(*us).map(Timestamp),
            Kind::OnRequest => None,
        }
    }

    /// What a reader may take it for and it is not: with a day of the month *and* a day of the week cron
    /// comes on the days of either.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let Kind::Cron { cron, .. } = &self.0 else { return None };
        let pattern = &cron.pattern;
        let both = !pattern.is_dom_wildcard() && !pattern.is_dow_wildcard() && !pattern.matches_dom_and_dow();
        both.then(|| {
            format!(
                "the schedule {pattern} names a day of the month and a day of the week: it comes on every \
                 day that is either, not only on days that are both, as cron has it; write * for one of the \
                 two if that is not meant"
            )
        })
    }

    /// The last fire time strictly before `time`; `None` if there is none within nine years.
    #[must_use]
    pub fn last_before(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            // Fire times are whole seconds; the largest second whose next fire still lies before `time` leads
            // to the last of them.
            Kind::Cron { .. } => {
                let fires_within = |back_s: i64| -> Option<Timestamp> {
                    let fire = self.next_after(Timestamp(time.0.checked_sub(back_s * SECOND_US)?))?;
                    (fire < time).then_some(fire)
                };
                let mut far = 60;
                while fires_within(far).is_none() {
                    if far > LOOK_BACK_S {
                        return None;
                    }
                    far *= 2;
                }
                let mut near = 0;
                while far - near > 1 {
                    let middle = near + (far - near) / 2;
                    if fires_within(middle).is_some() { far = middle } else { near = middle }
                }
                fires_within(far)
            }
            Kind::Every(us) => time.0.checked_sub(1)?.div_euclid(*us).checked_mul(*us).map(Timestamp),
            Kind::OnRequest => None,
        }
    }

    /// The last fire time at or before `time`.
    #[must_use]
    pub fn last_at(&self, time: Timestamp) -> Option<Timestamp> {
        self.last_before(time.plus_us(1))
    }

    /// The intervals of the schedule that lie wholly within `[from, to)`, ascending, at most `limit`; `None`
    /// if there are more.
    #[must_use]
    pub fn intervals(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Option<Vec<(Timestamp, Timestamp)>> {
        let mut intervals = Vec::new();
        let Some(mut start) = self.next_after(from.plus_us(-1)) else { return Some(intervals) };
        while let Some(end) = self.next_after(start).filter(|end| *end <= to) {
            if intervals.len() == limit {
                return None;
            }
            intervals.push((start, end));
            start = end;
        }
        Some(intervals)
    }
}
