//! Readings as one sends them.

use serde_json::{Value, json};

/// One reading as `/v1/readings` takes it. The time is milliseconds since 1970 or a text.
pub fn reading(
    asset: impl Into<Value>,
    signal: &str,
    time: impl Into<Value>,
    value: impl Into<Value>,
) -> Value {
    json!({ "asset": asset.into(), "signal": signal, "time": time.into(), "value": value.into() })
}
