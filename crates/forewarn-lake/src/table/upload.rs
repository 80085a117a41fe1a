//! New data files on their way to where a table's files are.

use bytes::Bytes;
use url::Url;

use super::day::folder_of;
use super::location::location;
use super::parquet::NewFile;
use crate::error::LakeError;
use crate::store::ObjectFiles;

/// Files that are uploaded but no part of the table yet.
pub(crate) struct Uploaded(pub(super) Vec<UploadedFile>);

/// A file that is uploaded.
pub(super) struct UploadedFile {
    pub(super) url: Url,
    pub(super) size_bytes: u64,
    /// What is known of it. Its bytes are in the store now and no longer here.
    pub(super) file: NewFile,
}

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
) -> Result<Vec<UploadedFile>, LakeError> {
    let (mut uploaded, mut locations) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
    let mut contents = Vec::with_capacity(files.len());
    for mut file in files {
        let folder = file.date.map(folder_of).unwrap_or_default();
        let url = store.table_url(table)?.join(&format!("{folder}part-{:016x}.zstd.parquet", store.unique()));
        let url = url.map_err(|error| LakeError::table(table, error))?;
        let (location, bytes) = (location(table, &url)?, std::mem::replace(&mut file.bytes, Bytes::new()));
        uploaded.push(UploadedFile { url, size_bytes: bytes.len() as u64, file });
        locations.push(location.clone());
        contents.push((location, bytes));
    }
    store.put_all_blocking(contents)?;
    store.make_durable(&locations)?;
    Ok(uploaded)
}
