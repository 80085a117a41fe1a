//! Numbers of JSON records that come back from the log bit for bit. The JSON library's own reader is faster
//! and may miss the last bit, so that an alert would not be the same after a restart.

#[cfg(test)]
mod tests;

use serde::{Deserialize as _, Deserializer, de::Error};
use serde_json::value::RawValue;

/// Reads a number.
///
/// # Errors
/// If it is none.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    // Binary forms have the bits themselves.
    if !deserializer.is_human_readable() {
        return f64::deserialize(deserializer);
    }
    parse(&Box::<RawValue>::deserialize(deserializer)?)
}

/// Reads a number that may be `null`.
///
/// # Errors
/// If it is neither.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    if !deserializer.is_human_readable() {
        return Option::deserialize(deserializer);
    }
    Option::<Box<RawValue>>::deserialize(deserializer)?.map(|raw| parse(&raw)).transpose()
}

fn parse<E: Error>(raw: &RawValue) -> Result<f64, E> {
    raw.get().parse().map_err(|_| E::custom(format!("{} is no number", raw.get())))
}
