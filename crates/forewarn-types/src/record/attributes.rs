//! Attributes of assets: what is known of a machine beside its signals, such as its limits or how critical it
//! is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::name::AssetPath;
use crate::time::Timestamp;

/// Longest name of an attribute, bytes.
const MAX_ATTRIBUTE_BYTES: usize = 64;
/// Longest text of an attribute, bytes.
const MAX_ATTRIBUTE_TEXT_BYTES: usize = 1_000;
/// Most attributes of an asset.
const MAX_ATTRIBUTES: usize = 100;
/// What the name of an attribute begins with in an expression.
pub const ATTRIBUTE_PREFIX: &str = "asset.";

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Yes or no: 1 or 0 in an expression.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text; no expression can use it.
    Text(String),
}

impl AttributeValue {
    /// Its value in an expression, if it has one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Number(value) => value.is_finite().then_some(*value),
            Self::Text(_) => None,
        }
    }
}

/// The attributes of an asset by name.
pub type AttributeMap = BTreeMap<String, AttributeValue>;

/// The attributes of an asset from here on: all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// The asset.
    pub asset: AssetPath,
    /// All its attributes.
    pub attributes: AttributeMap,
    /// Who says so, if that is known.
    pub actor: Option<String>,
    /// When, by the server's clock.
    pub time: Timestamp,
}

impl Attributes {
    /// Says what is wrong with attributes, if anything is.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(attributes: &AttributeMap) -> Result<(), String> {
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(format!("an asset has at most {MAX_ATTRIBUTES} attributes"));
        }
        for (name, value) in attributes {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.len() > MAX_ATTRIBUTE_BYTES || !name.chars().all(is_word) {
                let name: String = name.chars().take(MAX_ATTRIBUTE_BYTES).collect();
                return Err(format!(
                    "{name:?} cannot be the name of an attribute: use letters, digits and '_'"
                ));
            }
            match value {
                AttributeValue::Text(text) if text.len() > MAX_ATTRIBUTE_TEXT_BYTES => {
                    return Err(format!(
                        "the text of {name} is longer than {MAX_ATTRIBUTE_TEXT_BYTES} bytes"
                    ));
                }
                AttributeValue::Number(number) if !number.is_finite() => {
                    return Err(format!("{name} is not a number"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl JsonBody for Attributes {
    const NAME: &'static str = "attributes";
    const TABLE: Option<&'static str> = None;
}
