//! What the texts of definitions stand for: durations, selectors, zones, schedules. A text that stands for
//! nothing is reported, and something harmless takes its place.

use chrono::DateTime;
use chrono_tz::Tz;
use forewarn_types::{Timestamp, parse_duration_us};

use super::field::{Kind, Placed, Selectors, Text};
use super::kinds::{Assets, CronText, Duration, PositiveDuration, TimeText, Zone};
use crate::diagnostics::Report;
use crate::glob::AssetGlob;

pub(crate) fn duration(text: &Text<Duration>, report: &mut Report<'_>) -> i64 {
    microseconds(text, report)
}

pub(crate) fn positive_duration(text: &Text<PositiveDuration>, report: &mut Report<'_>) -> i64 {
    positive_microseconds(text, report)
}

pub(crate) fn positive_microseconds<K: Kind>(text: &Text<K>, report: &mut Report<'_>) -> i64 {
    let us = microseconds(text, report);
    if us <= 0 {
        report.on(text, "this duration must be longer than zero", None);
    }
    us.max(1)
}

fn microseconds<K: Kind>(text: &Text<K>, report: &mut Report<'_>) -> i64 {
    parse_duration_us(&text.value).unwrap_or_else(|error| {
        report.on(text, error.to_string(), None);
        1
    })
}

/// A time; a day alone is its beginning in UTC.
pub(crate) fn time(text: &Text<TimeText>, report: &mut Report<'_>) -> Timestamp {
    let whole = if text.value.len() == 10 { format!("{}T00:00:00Z", text.value) } else { text.value.clone() };
    Timestamp::parse(&whole).ok().filter(|time| time.0 >= 0).unwrap_or_else(|| {
        report.on(
            text,
            format!("'{}' is no time from 1970 on", text.value),
            Some("write a day such as 2000-01-01, or RFC 3339".to_owned()),
        );
        Timestamp(0)
    })
}

pub(crate) fn glob(texts: &Selectors<Assets>, report: &mut Report<'_>) -> Option<AssetGlob> {
    let mut selectors = Vec::new();
    for text in &texts.0 {
        let (leave_out, bare) =
            text.value.strip_prefix('!').map_or((false, &*text.value), |bare| (true, bare));
        let selector = AssetGlob::parse(bare).map_err(|message| report.on(text, message, None)).ok()?;
        selectors.push((selector, leave_out));
    }
    if selectors.iter().all(|(_, leave_out)| *leave_out) {
        let hint = "name what is to be selected, too, as in [\"**\", \"!test/**\"]";
        match texts.0.first() {
            Some(first) => report.on(first, "no asset is selected", Some(hint.to_owned())),
            None => report.whole_file(format!("`assets` is an empty list: {hint}")),
        }
        return None;
    }
    Some(AssetGlob::of(selectors))
}

pub(crate) fn timezone(text: Option<&Text<Zone>>, report: &mut Report<'_>) -> Tz {
    let Some(text) = text else { return Tz::UTC };
    text.value.parse().unwrap_or_else(|_| {
        report.on(
            text,
            format!("unknown time zone '{}'", text.value),
            Some("use a name such as UTC or Europe/Oslo".to_owned()),
        );
        Tz::UTC
    })
}

pub(crate) fn cron(text: &Text<CronText>, report: &mut Report<'_>) -> String {
    let fields = || Some("minute hour day month weekday, as in `0 2 * * *`".to_owned());
    if text.value.split_whitespace().count() != 5 {
        report.on(text, format!("'{}' is no schedule of five fields", text.value), fields());
        return text.value.clone();
    }
    match text.value.parse::<croner::Cron>() {
        Err(error) => report.on(text, format!("'{}' is no schedule: {error}", text.value), fields()),
        Ok(cron) if cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false).is_err() => report.on(
            text,
            format!("the schedule '{}' never comes: no month that it names has such a day", text.value),
            Some("the third field is the day of the month, the fourth the month".to_owned()),
        ),
        Ok(_) => {}
    }
    text.value.clone()
}

/// A number above zero.
pub(crate) fn positive(number: &Placed<f64>, report: &mut Report<'_>) -> f64 {
    if !(number.value > 0.0 && number.value.is_finite()) {
        report.on(number, "this must be a number above zero", None);
    }
    number.value
}
