//! Readings as one sends them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
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

/// A body as clients compress it.
///
/// # Panics
/// Never: a buffer takes all.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("a buffer takes all");
    encoder.finish().expect("a buffer takes all")
}
