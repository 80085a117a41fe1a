//! Dates and times of day as people, databases, spreadsheets and loggers write them.

use forewarn_ingest::decode::time;

/// What a text shows: µs as if it were UTC, and how far that is ahead of UTC where the text says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) us: i64,
    pub(super) ahead_us: Option<i64>,
}

/// What comes first in a date such as `03/04/2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Day,
    Month,
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTime {
    /// It is none at all.
    Unknown,
    /// Its first two numbers may be a day and a month, or a month and a day.
    Ambiguous,
}

/// Reads a date with or without a time of day. `first` says which of two numbers is the day, where that is
/// known.
pub(super) fn read(text: &str, first: Option<First>) -> Result<Shown, NoTime> {
    let end = text.find([' ', 'T', 't']).unwrap_or(text.len());
    let (day, rest) = text.split_at(end);
    let date = date(day, first)?;
    let rest = rest.strip_prefix([' ', 'T', 't']).unwrap_or("").trim_start();
    if rest.is_empty() {
        return Ok(Shown { us: midnight(&date)?, ahead_us: None });
    }
    let (clock, rest) = clock(rest).ok_or(NoTime::Unknown)?;
    let whole = format!("{date} {clock}");
    let (us, used) = time::civil(whole.as_bytes(), b' ').ok_or(NoTime::Unknown)?;
    let (us, rest) = half_day(us, rest)?;
    let ahead_us = zone(rest)?;
    if used == whole.len() { Ok(Shown { us, ahead_us }) } else { Err(NoTime::Unknown) }
}

/// Which number of a date comes first, if this date shows it; `None` if it may be either, or is written
/// otherwise.
pub(super) fn shows_first(text: &str) -> Option<First> {
    let numbers = numbers(text.split([' ', 'T']).next()?)?;
    match numbers {
        ([a, b, c], '/' | '-') if c.len() == 4 && a.len() < 3 && b.len() < 3 => {
            let (a, b): (u32, u32) = (a.parse().ok()?, b.parse().ok()?);
            match (a > 12, b > 12) {
                (true, false) => Some(First::Day),
                (false, true) => Some(First::Month),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Three numbers and what stands between them.
fn numbers(text: &str) -> Option<([&str; 3], char)> {
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    let mut parts = text.split(separator);
    let numbers = [parts.next()?, parts.next()?, parts.next()?];
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.next().is_none() && numbers.iter().all(plain)).then_some((numbers, separator))
}

/// A date as `YYYY-MM-DD`.
fn date(text: &str, first: Option<First>) -> Result<String, NoTime> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]));
    }
    let (numbers, separator) = numbers(text).ok_or(NoTime::Unknown)?;
    let (year, month, day) = match (numbers, separator) {
        ([year, month, day], '-' | '/' | '.') if year.len() == 4 => (year, month, day),
        ([day, month, year], '.') if year.len() == 4 => (year, month, day),
        ([a, b, year], '/' | '-') if year.len() == 4 => match shows_first(text).or(first) {
            Some(First::Day) => (year, b, a),
            Some(First::Month) => (year, a, b),
            None if a == b => (year, a, b),
            None => return Err(NoTime::Ambiguous),
        },
        _ => return Err(NoTime::Unknown),
    };
    Ok(format!("{year}-{month:0>2}-{day:0>2}"))
}

fn midnight(date: &str) -> Result<i64, NoTime> {
    let whole = format!("{date} 00:00:00");
    let (us, used) = time::civil(whole.as_bytes(), b' ').ok_or(NoTime::Unknown)?;
    if used == whole.len() { Ok(us) } else { Err(NoTime::Unknown) }
}

/// A time of day at the front of a text, as `HH:MM:SS` with a fraction after a point, and what follows.
fn clock(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !":.,".contains(c)).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let clock = clock.replace(',', ".");
    let mut parts = clock.split(':');
    let (first, minute, second) = (parts.next()?, parts.next(), parts.next().unwrap_or("00"));
    if parts.next().is_some() {
        return None;
    }
    let Some(minute) = minute else {
        // `083000`, as it stands behind `20260131T`.
        let (digits, fraction) = first.split_once('.').map_or((first, ""), |(digits, after)| (digits, after));
        let dot = if fraction.is_empty() { "" } else { "." };
        let seconds = match digits.len() {
            4 => "00",
            6 => &digits[4..],
            _ => return None,
        };
        return Some((format!("{}:{}:{seconds}{dot}{fraction}", &digits[..2], &digits[2..4]), rest));
    };
    Some((format!("{first:0>2}:{minute}:{second}"), rest))
}

/// Takes `AM` or `PM` into account.
fn half_day(us: i64, text: &str) -> Result<(i64, &str), NoTime> {
    const HOUR_US: i64 = 3_600_000_000;
    let rest = text.trim_start();
    let Some(half) =
        rest.get(..2).filter(|half| half.eq_ignore_ascii_case("AM") || half.eq_ignore_ascii_case("PM"))
    else {
        return Ok((us, text));
    };
    let hour = us.rem_euclid(24 * HOUR_US) / HOUR_US;
    let shift = match (hour, half.eq_ignore_ascii_case("PM")) {
        (12, false) => -12,
        (12, true) | (1..=11, false) => 0,
        (1..=11, true) => 12,
        _ => return Err(NoTime::Unknown),
    };
    Ok((us + shift * HOUR_US, rest.get(2..).unwrap_or("")))
}

/// The zone at the end of a text: `Z`, `UTC`, `+01`, `+0530`, `+05:30`; `None` if there is none.
fn zone(text: &str) -> Result<Option<i64>, NoTime> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if ["z", "utc", "gmt"].contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(Some(0));
    }
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits.replace(':', "")),
        (None, Some(digits)) => (-1, digits.replace(':', "")),
        (None, None) => return Err(NoTime::Unknown),
    };
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoTime::Unknown);
    }
    let parts =
        digits.as_bytes().chunks(2).map(|two| i64::from(two[0] - b'0') * 10 + i64::from(two[1] - b'0'));
    let seconds = parts.zip([3_600, 60, 1]).map(|(part, unit)| part * unit).sum::<i64>();
    Ok(Some(sign * seconds * 1_000_000))
}
