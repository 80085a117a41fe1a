//! JSON Schemas of the definition files, for editors and other tools.
//!
//! They are derived from the raw structs that the loader reads, so a key that the loader takes stands in the
//! schema, and no other.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::load::{RawModel, RawPipeline, RawServer};

/// The JSON Schemas (2020-12) of the three kinds of definition files, each with its name: `pipeline`, `model`
/// and `server`.
#[must_use]
pub fn schemas() -> [(&'static str, Value); 3] {
    [
        ("pipeline", schema::<RawPipeline>()),
        ("model", schema::<RawModel>()),
        ("server", schema::<RawServer>()),
    ]
}

fn schema<T: JsonSchema>() -> Value {
    let tidy = RecursiveTransform(|schema: &mut Schema| {
        // Rust's widths of numbers are no formats that JSON Schema defines; strict tools warn of them.
        schema.remove("format");
        // Where a comment is broken into lines says nothing to its readers.
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
    });
    SchemaSettings::draft2020_12()
        .with_transform(tidy)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}
