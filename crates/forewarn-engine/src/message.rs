//! The words of an alert that are not those of one detector: what happened, with numbers and units, for a
//! person to read.

use std::fmt::Write as _;

use forewarn_types::format_duration;

use crate::event::Change;

/// A number with about four digits that count.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{x:.3e}");
    }
    let digits = match size {
        s if s >= 100.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.1 => 3,
        _ => 5,
    };
    let text = format!("{x:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The message of an expression rule; `values` are its known inputs with name, value and unit.
pub(crate) fn when(change: Change, source: &str, values: &[(&str, f64, String)]) -> String {
    let mut message = match change {
        Change::Pending => format!("{source} begins to hold"),
        Change::Onset => format!("{source} holds"),
        Change::End => format!("{source}: over"),
        Change::Unknown => format!("{source}: inputs are missing, stale or bad"),
        Change::Known => format!("{source}: inputs are back"),
    };
    for (index, (signal, value, unit)) in values.iter().enumerate() {
        let _ = write!(message, "{} {signal} {}{unit}", if index == 0 { ";" } else { "," }, number(*value));
    }
    message
}

/// The message of a detector's change that is no onset. `before` is the level that was usual before the
/// episode, and the value it began with.
pub(crate) fn detector(
    change: Change,
    signal: &str,
    x: f64,
    unit: &str,
    before: Option<(f64, f64)>,
) -> String {
    let value = number(x);
    match change {
        Change::Unknown => format!("{signal}: readings are bad or missing, last usable value {value}{unit}"),
        Change::Known => format!("{signal}: readings are usable again, {value}{unit}"),
        _ => match before {
            // It is nearer to where it strayed to than to where it came from.
            Some((usual, strayed)) if (x - strayed).abs() < (x - usual).abs() => format!(
                "{signal} {value}{unit} has not come back to {}{unit}; the new level was learnt and is usual now",
                number(usual)
            ),
            _ => format!("{signal} {value}{unit} is back to what is usual"),
        },
    }
}

/// A series has fallen silent, sends bad readings only, or speaks again.
pub(crate) fn missing(change: Change, signal: &str, longer_than_us: i64) -> String {
    match change {
        Change::Onset => {
            format!("{signal} has been silent for longer than {}", format_duration(longer_than_us))
        }
        Change::Unknown => format!("{signal}: readings arrive, but none is usable"),
        Change::Known => format!("{signal}: readings are usable again"),
        _ => format!("{signal} speaks again"),
    }
}
