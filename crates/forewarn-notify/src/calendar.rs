//! Hours of the day and turns of rotations, in their time zones.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use forewarn_spec::{QuietHours, Rotation};
use forewarn_types::{Timestamp, Weekly};

/// A Monday, from which turns are counted.
const EPOCH: (i32, u32, u32) = (1970, 1, 5);

/// Whether there is a time zone of that name.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    name.parse::<Tz>().is_ok()
}

/// Whether `now` lies in the quiet hours.
pub(crate) fn is_quiet(hours: QuietHours, now: Timestamp) -> bool {
    let local = now.to_utc().with_timezone(&hours.timezone);
    let minute = minute_of_day(&local);
    let (from, to) = (u32::from(hours.from_minute), u32::from(hours.to_minute));
    if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

/// Whether `now` lies in hours that come back every week.
pub(crate) fn is_in_week(weekly: &Weekly, now: Timestamp) -> bool {
    let zone: Tz = weekly.timezone.parse().unwrap_or(Tz::UTC);
    let local = now.to_utc().with_timezone(&zone);
    let (minute, today) = (minute_of_day(&local), local.weekday().num_days_from_monday());
    let (from, to) = (u32::from(weekly.from_minute), u32::from(weekly.to_minute));
    let on = |day: u32| weekly.days.iter().any(|on| u32::from(*on) == day);
    if from < to {
        return on(today) && (from..to).contains(&minute);
    }
    // Hours that pass midnight belong to the day on which they began.
    (on(today) && minute >= from) || (on((today + 6) % 7) && minute < to)
}

/// Whose turn it is at `now`; nobody's in a rotation without contacts.
#[must_use]
pub fn on_duty(rotation: &Rotation, now: Timestamp) -> Option<&str> {
    let local = now.to_utc().with_timezone(&rotation.timezone);
    let epoch = NaiveDate::from_ymd_opt(EPOCH.0, EPOCH.1, EPOCH.2)?;
    let first = epoch.checked_add_days(Days::new(u64::from(rotation.weekday)))?;
    let mut days = local.date_naive().signed_duration_since(first).num_days();
    // The day of a hand-over belongs to the turn before until the hand-over, as its zone's clocks show it.
    if now < hand_over_on(rotation, local.date_naive())? {
        days -= 1;
    }
    let turn = days.div_euclid(i64::from(rotation.turn_days.max(1)));
    let place = turn.rem_euclid(i64::try_from(rotation.contacts.len()).ok().filter(|count| *count > 0)?);
    rotation.contacts.get(usize::try_from(place).ok()?).map(String::as_str)
}

/// The moment at which a hand-over on `date` happens. A time that the clocks leave out comes when they are
/// set forward; of one that comes twice, the first counts.
fn hand_over_on(rotation: &Rotation, date: NaiveDate) -> Option<Timestamp> {
    let minute = u32::from(rotation.minute);
    let wanted: NaiveDateTime = date.and_hms_opt(minute / 60, minute % 60, 0)?;
    let zone = rotation.timezone;
    let moment: DateTime<Utc> = match zone.from_local_datetime(&wanted).earliest() {
        Some(moment) => moment.to_utc(),
        None => zone.from_local_datetime(&(wanted + chrono::Duration::hours(1))).earliest()?.to_utc(),
    };
    Some(moment.into())
}

fn minute_of_day(local: &DateTime<Tz>) -> u32 {
    local.hour() * 60 + local.minute()
}
