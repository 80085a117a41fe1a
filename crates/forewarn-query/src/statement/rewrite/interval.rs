//! Lengths of time as PostgreSQL and people write them: `'01:30:00'`, `'1 day 02:00'`, `'1h30m'`,
//! `'1 quarter'`, `'2 hours ago'`.

use datafusion::sql::sqlparser::ast::{Expr, Interval, Value, ValueWithSpan};

/// Writes the length in words that DataFusion knows.
pub(super) fn spell_out(interval: &mut Interval) {
    if interval.leading_field.is_some() {
        return;
    }
    if let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = interval.value.as_mut()
    {
        *text = in_words(text);
    }
}

/// `text` with numbers and units apart, hours and minutes with their names, and no word such as `ago`. What
/// is not understood stays as it is.
pub(crate) fn in_words(text: &str) -> String {
    let Some(mut parts) = parts(text) else { return text.to_owned() };
    let ago =
        parts.last().is_some_and(|(number, unit)| number.is_empty() && unit.eq_ignore_ascii_case("ago"));
    if ago {
        parts.pop();
    }
    let mut words = Vec::new();
    for (number, unit) in parts {
        let number = match (ago, number.strip_prefix('-')) {
            (true, Some(positive)) => positive.to_owned(),
            (true, None) => format!("-{}", number.trim_start_matches('+')),
            (false, _) => number,
        };
        let Some(word) = with_unit(&number, &unit) else { return text.to_owned() };
        words.push(word);
    }
    words.join(" ")
}

fn with_unit(number: &str, unit: &str) -> Option<String> {
    let times = |factor: f64, unit: &str| Some(format!("{} {unit}", number.parse::<f64>().ok()? * factor));
    match unit.to_ascii_lowercase().as_str() {
        "us" | "µs" | "usec" | "usecs" | "microsecond" | "microseconds" => {
            Some(format!("{number} microseconds"))
        }
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Some(format!("{number} milliseconds")),
        "s" | "sec" | "secs" | "second" | "seconds" | "" => Some(format!("{number} seconds")),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(format!("{number} minutes")),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(format!("{number} hours")),
        "d" | "day" | "days" => Some(format!("{number} days")),
        "w" | "week" | "weeks" => Some(format!("{number} weeks")),
        "mo" | "mon" | "mons" | "month" | "months" => Some(format!("{number} months")),
        "quarter" | "quarters" => times(3.0, "months"),
        "y" | "yr" | "yrs" | "year" | "years" => Some(format!("{number} years")),
        "decade" | "decades" => times(10.0, "years"),
        _ => None,
    }
}

/// Numbers and their units; nothing if the text has another shape.
fn parts(text: &str) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for word in text.split_whitespace() {
        if word.contains(':') {
            found.extend(clock(word)?);
            continue;
        }
        let mut rest = word;
        while !rest.is_empty() {
            let number_end =
                rest.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(rest.len());
            let (number, behind) = rest.split_at(number_end);
            let unit_end =
                behind.find(|c: char| c.is_ascii_digit() || "+-.".contains(c)).unwrap_or(behind.len());
            let (unit, next) = behind.split_at(unit_end);
            match found.last_mut() {
                // The unit of the number before it: `1 hour`.
                Some((last, known)) if number.is_empty() && known.is_empty() && !last.is_empty() => {
                    unit.clone_into(known);
                }
                _ => found.push((number.to_owned(), unit.to_owned())),
            }
            rest = next;
        }
    }
    let whole = |(number, unit): &(String, String)| !number.is_empty() || unit.eq_ignore_ascii_case("ago");
    (!found.is_empty() && found.iter().all(whole)).then_some(found)
}

/// `-1:30:00.5` as hours, minutes and seconds.
fn clock(word: &str) -> Option<Vec<(String, String)>> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    let fields: Vec<&str> = digits.split(':').collect();
    if !(2..=3).contains(&fields.len()) || fields.iter().any(|field| field.parse::<f64>().is_err()) {
        return None;
    }
    let units = ["hours", "minutes", "seconds"];
    Some(fields.iter().zip(units).map(|(field, unit)| (format!("{sign}{field}"), unit.to_owned())).collect())
}
