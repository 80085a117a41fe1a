//! New data files on their way to where a table's files are.

use url::Url;

use super::day::folder_of;
use super::location::location;
use super::parquet::NewFile;
use crate::error::LakeError;
use crate::store::ObjectFiles;

/// Files that are uploaded but no part of the table yet.
pub(crate) struct Uploaded(pub(super) Vec<(Url, NewFile)>);

impl Uploaded {
    /// No files.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the files of `other`, too.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Gives up all files but the first `kept`.
    pub(crate) fn split_off(&mut self, kept: usize) -> Self {
        Self(self.0.split_off(kept))
    }

    /// Uploads `files` for `table` and makes them durable. Blocks.
    pub(crate) fn new(store: &ObjectFiles, table: &str, files: Vec<NewFile>) -> Result<Self, LakeError> {
        upload(store, table, files).map(Self)
    }
}

/// Uploads `files`, durably, to where the table's files are, and says where each is. They are no part of the
/// table before a commit says so.
pub(super) fn upload(
    store: &ObjectFiles,
    table: &str,
    files: Vec<NewFile>,
) -> Result<Vec<(Url, NewFile)>, LakeError> {
    let (mut uploaded, mut locations) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
    for file in files {
        let folder = file.date.map(folder_of).unwrap_or_default();
        let url = store.table_url(table)?.join(&format!("{folder}part-{:016x}.zstd.parquet", store.unique()));
        let url = url.map_err(|error| LakeError::table(table, error))?;
        locations.push(location(table, &url)?);
        uploaded.push((url, file));
    }
    let files =
        locations.iter().zip(&uploaded).map(|(location, (_, file))| (location.clone(), file.bytes.clone()));
    store.put_all_blocking(files.collect())?;
    store.make_durable(&locations)?;
    Ok(uploaded)
}
