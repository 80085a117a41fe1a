//! What the log needs of each kind of record: its names, and its body as bytes.
//!
//! Readings are many, so their body is bare columns. All other kinds but ticks are rare, so their body is
//! JSON, which stays readable in a hex dump and lets a later version add fields.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TypesError;

/// The body of a record of one kind.
pub(crate) trait Body: Sized {
    /// The name of the kind for people.
    const NAME: &'static str;
    /// The table of the lake that has its rows, if there is one.
    const TABLE: Option<&'static str>;

    /// Appends the body's bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), TypesError>;

    /// Reads what [`Body::encode`] wrote, or says what is wrong.
    fn decode(bytes: &[u8]) -> Result<Self, String>;
}

/// A body that is JSON.
pub(crate) trait JsonBody: Serialize + DeserializeOwned {
    /// As in [`Body`].
    const NAME: &'static str;
    /// As in [`Body`].
    const TABLE: Option<&'static str>;
}

impl<T: JsonBody> Body for T {
    const NAME: &'static str = <T as JsonBody>::NAME;
    const TABLE: Option<&'static str> = <T as JsonBody>::TABLE;

    /// Writes the body and reads it again: what JSON can write is more than what it reads back, and a record
    /// that was acknowledged but cannot be read would stop every later start. These kinds are rare, so the
    /// second pass costs nothing that matters.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), TypesError> {
        let start = out.len();
        serde_json::to_writer(&mut *out, self).map_err(|error| TypesError::Encode(error.to_string()))?;
        Self::decode(&out[start..]).map(drop).map_err(TypesError::Encode)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
