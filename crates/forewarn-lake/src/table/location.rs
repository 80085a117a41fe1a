//! Where the files of a table and of its Delta log are in the store.

use object_store::path::Path;
use url::Url;

use crate::error::LakeError;
use crate::store::{DELTA_LOG, ObjectFiles};

/// The path in the store of the file at `url`.
pub(super) fn location(table: &str, url: &Url) -> Result<Path, LakeError> {
    Path::from_url_path(url.path()).map_err(|error| LakeError::table(table, error))
}

/// The path in the store of the commit that makes version `version` of `table`.
pub(super) fn commit_location(table: &str, store: &ObjectFiles, version: u64) -> Result<Path, LakeError> {
    log_location(table, store, version, "json")
}

/// The path in the store of the checkpoint of version `version` of `table`.
pub(super) fn checkpoint_location(table: &str, store: &ObjectFiles, version: u64) -> Result<Path, LakeError> {
    log_location(table, store, version, "checkpoint.parquet")
}

fn log_location(table: &str, store: &ObjectFiles, version: u64, kind: &str) -> Result<Path, LakeError> {
    let url = store.table_url(table)?.join(&format!("{DELTA_LOG}/{version:020}.{kind}"));
    location(table, &url.map_err(|error| LakeError::table(table, error))?)
}
