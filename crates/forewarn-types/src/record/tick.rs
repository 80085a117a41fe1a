//! What the server's clock says: the only way wall-clock time reaches the engine.

use crate::body::Body;
use crate::error::TypesError;
use crate::time::Timestamp;

/// Little endian, µs UTC.
impl Body for Timestamp {
    const NAME: &'static str = "tick";
    const TABLE: Option<&'static str> = None;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), TypesError> {
        out.extend(self.0.to_le_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.try_into().map_err(|_| "a tick is not 8 bytes")?;
        Ok(Self(i64::from_le_bytes(bytes)))
    }
}
