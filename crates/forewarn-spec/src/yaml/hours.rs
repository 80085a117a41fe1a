//! Times of the day and of the week, and hours from one to another.

use super::field::Kind;

/// Hours of the day.
pub(crate) enum HoursText {}

impl Kind for HoursText {
    const NAME: &'static str = "Hours";
    const ABOUT: &'static str =
        "Hours of the day, from a time to a time; if the second is not later, it is that of the day after.";
    const EXAMPLES: &'static [&'static str] = &["22:00-06:00"];
    const PATTERN: &'static str = "^ *[0-2]?[0-9]:[0-5][0-9] *- *[0-2]?[0-9]:[0-5][0-9] *$";
}

/// When one contact hands over to the next.
pub(crate) enum HandOverText {}

impl Kind for HandOverText {
    const NAME: &'static str = "HandOver";
    const ABOUT: &'static str =
        "When a turn ends and the next begins: a day of the week and a time, or a time alone for every day.";
    const EXAMPLES: &'static [&'static str] = &["mon 08:00", "07:30"];
    const PATTERN: &'static str = "^ *((mon|tue|wed|thu|fri|sat|sun) +)?[0-2]?[0-9]:[0-5][0-9] *$";
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The minute of the day that `08:30` is; `24:00` is the end of the day.
pub(crate) fn parse_minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(hours, 2) || !digits(minutes, 2) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60 || (hours, minutes) == (24, 0)).then_some(hours * 60 + minutes)
}

/// The minutes of the day from and to which `22:00-06:00` lasts.
pub fn parse_hours(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (parse_minute(from)?, parse_minute(to)?);
    (from < 24 * 60 && from != to).then_some((from, to))
}

/// The day of the week that `mon` is; 0 is Monday.
pub fn parse_day(text: &str) -> Option<u8> {
    let place = DAYS.iter().position(|day| *day == text.trim())?;
    u8::try_from(place).ok()
}

/// The day of the week, if there is one, and the minute of the day of `mon 08:00`.
pub(crate) fn hand_over(text: &str) -> Option<(Option<u8>, u16)> {
    let (day, time) = match text.trim().split_once(' ') {
        Some((day, time)) => (Some(parse_day(day)?), time),
        None => (None, text),
    };
    let minute = parse_minute(time).filter(|minute| *minute < 24 * 60)?;
    Some((day, minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_are_read() {
        assert_eq!(parse_hours("22:00-06:00"), Some((1320, 360)));
        assert_eq!(parse_hours("0:00 - 24:00"), Some((0, 1440)));
        assert_eq!(hand_over("mon 08:00"), Some((Some(0), 480)));
        assert_eq!(hand_over("7:30"), Some((None, 450)));
        for bad in ["", "22-06", "25:00-06:00", "22:00-06:60", "06:00-06:00", "22:00", "+2:00-03:00"] {
            assert_eq!(parse_hours(bad), None, "{bad}");
        }
        for bad in ["", "mon", "mond 08:00", "mon 24:00", "8"] {
            assert_eq!(hand_over(bad), None, "{bad}");
        }
    }
}
