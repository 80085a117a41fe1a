//! Numbers as files hold them, with a decimal point or a decimal comma.

/// The value of a text; `None` if it is no number with that sign. With a decimal comma, points may part
/// thousands; where that is not clear (`1.234`) the text is no number.
pub(super) fn parse(text: &str, comma: bool) -> Option<f64> {
    if text.eq_ignore_ascii_case("true") {
        return Some(1.0);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(0.0);
    }
    if !comma {
        return text.parse().ok();
    }
    match text.rsplit_once(',') {
        None if text.contains('.') => None,
        None => text.parse().ok(),
        Some((whole, fraction)) => {
            let groups: Vec<&str> = whole.split('.').collect();
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let in_groups = groups.len() == 1
                || (groups[1..].iter().all(|group| group.len() == 3 && digits(group))
                    && groups[0].len() <= 4);
            let starts_well = fraction.starts_with(|c: char| c.is_ascii_digit());
            (in_groups && starts_well)
                .then(|| format!("{}.{fraction}", groups.concat()).parse().ok())
                .flatten()
        }
    }
}

/// Whether commas in a number may as well part thousands: `1,234`.
pub(super) fn may_be_thousands(text: &str) -> bool {
    let mut groups = text.trim_start_matches(['-', '+']).split(',');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && first != "0" && digits(first))
        && groups.all(|group| group.len() == 3 && digits(group))
}
