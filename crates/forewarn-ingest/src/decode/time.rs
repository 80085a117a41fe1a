//! Times as senders write them. The common form of RFC 3339 is read by hand (chrono needs several times as
//! long); every other form goes to the general parser.

use forewarn_types::Timestamp;

use super::number;
use crate::TimeUnit;

/// Reads an RFC 3339 time, in µs UTC.
///
/// # Errors
/// The reason, for the sender to read.
pub fn parse_time(text: &str) -> Result<i64, String> {
    if let Some((time, used)) = civil(text.as_bytes(), b'T')
        && text.as_bytes().get(used..) == Some(b"Z")
    {
        return Ok(time);
    }
    Timestamp::parse(text).map(|time| time.0).map_err(|error| error.to_string())
}

/// Reads milliseconds since 1970, which may have a fraction, in µs.
///
/// # Errors
/// The reason, for the sender to read.
pub fn parse_epoch_ms(text: &str) -> Result<i64, String> {
    let error = || {
        let hint =
            unit_of(text).map(|unit| format!(" (it looks like {})", unit.as_str())).unwrap_or_default();
        format!(
            "time {} is not milliseconds since 1970 within range{hint}; send them or RFC 3339 text",
            super::shorten(text)
        )
    };
    let number = number::scan(text).filter(|number| number.len == text.len()).ok_or_else(error)?;
    scale(number, 1_000).ok_or_else(error)
}

/// The unit in which a number since 1970 is a time of this century, up to 2100.
#[must_use]
pub fn unit_of(text: &str) -> Option<TimeUnit> {
    let number = number::scan(text).filter(|number| number.len == text.len())?.value;
    let per_second = [1e9, 1e6, 1e3, 1.0];
    let units = TimeUnit::ALL.into_iter().zip(per_second);
    units
        .map(|(unit, scale)| (unit, number / scale))
        .find_map(|(unit, seconds)| (946_684_800.0..4_102_444_800.0).contains(&seconds).then_some(unit))
}

/// `number` × `factor` as µs, exact for whole numbers; `None` if that does not fit.
#[must_use]
pub fn scale(number: number::Number, factor: i64) -> Option<i64> {
    if let Some(whole) = number.integer {
        return whole.checked_mul(factor);
    }
    let scaled = (number.value * factor as f64).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked: 2^63 is about 9.2e18")]
    (scaled.abs() < 9.2e18).then_some(scaled as i64)
}

/// Reads `YYYY-MM-DD?HH:MM:SS[.fraction]` at the front of `text`, where `?` is `separator`: µs as if it were
/// UTC, and the bytes used. Digits beyond µs are cut. A leap second is left to the general parser.
#[must_use]
pub fn civil(text: &[u8], separator: u8) -> Option<(i64, usize)> {
    let (head, rest) = text.split_at_checked(19)?;
    if head[4] != b'-' || head[7] != b'-' || head[10] != separator || head[13] != b':' || head[16] != b':' {
        return None;
    }
    let year = two(head, 0)? * 100 + two(head, 2)?;
    let (month, day) = (two(head, 5)?, two(head, 8)?);
    let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
    if hour > 23 || minute > 59 || second > 59 || day < 1 || day > days_in_month(year, month)? {
        return None;
    }
    let mut time =
        ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000;
    let mut used = 19;
    if rest.first() == Some(&b'.') {
        let count = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let mut unit = 100_000;
        for digit in &rest[1..=count] {
            time += i64::from(digit - b'0') * unit;
            unit /= 10;
        }
        used += 1 + count;
    }
    Some((time, used))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
