//! Time zones: from points in time to the clock on the wall and back.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};

/// A named zone, or none: then the clock on the wall is UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone(Option<Tz>);

impl Zone {
    pub(super) const UTC: Self = Self(None);

    /// The zone called `name`, as the IANA database writes it.
    pub(super) fn named(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("utc") || name == "+00:00" {
            return Ok(Self::UTC);
        }
        match name.parse::<Tz>() {
            Ok(zone) => Ok(Self(Some(zone))),
            Err(_) => {
                exec_err!("there is no time zone {name:?}; write a name such as 'Europe/Oslo', or 'UTC'")
            }
        }
    }

    /// How far the clock on the wall is ahead of UTC at `at`, both µs.
    pub(super) fn offset(self, at: i64) -> i64 {
        let Some(zone) = self.0 else { return 0 };
        let Some(time) = DateTime::from_timestamp_micros(at) else { return 0 };
        i64::from(zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc()) * 1_000_000
    }

    /// What the clock on the wall shows at `at`, both µs.
    pub(super) fn local(self, at: i64) -> i64 {
        at.saturating_add(self.offset(at))
    }

    /// When the clock on the wall shows `local`. If it does so twice, as one hour in autumn, the time whose
    /// offset is `offset` is meant, or else the first; if it never does, as one hour in spring, the moment
    /// after the gap.
    pub(super) fn instant(self, local: i64, offset: Option<i64>) -> i64 {
        let Some(zone) = self.0 else { return local };
        let Some(naive) = DateTime::from_timestamp_micros(local).map(|time| time.naive_utc()) else {
            return local;
        };
        let micros = |time: DateTime<Tz>| time.timestamp_micros();
        match zone.from_local_datetime(&naive) {
            MappedLocalTime::Single(time) => micros(time),
            MappedLocalTime::Ambiguous(first, second) => {
                let of_second = i64::from(second.offset().fix().local_minus_utc()) * 1_000_000;
                micros(if offset == Some(of_second) { second } else { first })
            }
            MappedLocalTime::None => after_gap(zone, naive).map_or(local, micros),
        }
    }
}

/// The first time that the clock shows after a gap in which `naive` lies.
fn after_gap(zone: Tz, naive: NaiveDateTime) -> Option<DateTime<Tz>> {
    // Gaps are whole minutes long and shorter than a day.
    (1..=24 * 60).find_map(|minutes| {
        let later = naive.checked_add_signed(TimeDelta::minutes(minutes))?;
        zone.from_local_datetime(&later).earliest()
    })
}
