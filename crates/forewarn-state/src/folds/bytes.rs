//! The common form of most folds' bytes: the version, then the state as `MessagePack`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StateError;

/// `value` as bytes of `version`.
pub(super) fn encode(fold: &'static str, version: u8, value: &impl Serialize) -> Result<Vec<u8>, StateError> {
    let mut bytes = vec![version];
    rmp_serde::encode::write(&mut bytes, value).map_err(|error| StateError::written(fold, error))?;
    Ok(bytes)
}

/// The value in bytes of `version`, which is the only one there has been.
pub(super) fn decode<T: DeserializeOwned>(
    fold: &'static str,
    version: u8,
    bytes: &[u8],
) -> Result<T, StateError> {
    let body = body(fold, version, bytes)?;
    rmp_serde::from_slice(body).map_err(|error| StateError::read(fold, error))
}

/// What follows the version, which must be `version`.
pub(super) fn body<'a>(fold: &'static str, version: u8, bytes: &'a [u8]) -> Result<&'a [u8], StateError> {
    match bytes.split_first() {
        Some((found, body)) if *found == version => Ok(body),
        Some((found, _)) => {
            let problem = format!("it has version {found}, and this program reads version {version}");
            Err(StateError::read(fold, problem))
        }
        None => Err(StateError::read(fold, "it is empty")),
    }
}
