//! The object that says which log feeds the lake, and up to which offset everything is in the files.

use forewarn_types::Offset;

use crate::error::LakeError;
use crate::store::{MARKER, ObjectFiles};

/// Which log the lake belongs to, and up to which offset everything of it is in the files.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Marker {
    pub(crate) offset: Offset,
    pub(super) log: String,
}

/// Makes the empty store `files` the lake of the log `log`, of which everything before `offset` will be in
/// the tables' files: for a program that puts the files of such a lake there.
///
/// # Errors
/// [`LakeError::Store`] if the store fails, [`LakeError::Mismatch`] if it is a lake already.
pub async fn found(files: &ObjectFiles, log: &str, offset: Offset) -> Result<(), LakeError> {
    if put_marker(files, offset, log, true).await? {
        return Ok(());
    }
    Err(LakeError::Mismatch("there is a lake already".into()))
}

/// Notes that everything of the log `log` before `offset` is in the files. With `if_absent` an older note
/// stays, and the answer is false.
pub(super) async fn put_marker(
    files: &ObjectFiles,
    offset: Offset,
    log: &str,
    if_absent: bool,
) -> Result<bool, LakeError> {
    let marker = Marker { offset, log: log.to_owned() };
    let text =
        serde_json::to_vec(&marker).map_err(|error| LakeError::store(format!("writing {MARKER}"), error))?;
    files.put(MARKER, text.into(), if_absent).await
}

/// The marker in the store, if there is one.
pub(crate) async fn read_marker(files: &ObjectFiles) -> Result<Option<Marker>, LakeError> {
    let Some(bytes) = files.get(MARKER).await? else { return Ok(None) };
    let marker = serde_json::from_slice(&bytes).map_err(|error| {
        LakeError::Mismatch(format!(
            "{MARKER} is not readable: {error}; if an earlier version wrote this lake, start with another \
             lake URL; \
             if the file is damaged, delete it, and the log is read again from its start"
        ))
    })?;
    Ok(Some(marker))
}
