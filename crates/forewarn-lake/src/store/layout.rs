//! What lies where in the store: the names that are neither tables nor data files.

use std::path::PathBuf;

use object_store::path::Path;

/// The folder of a table's Delta log.
pub(crate) const DELTA_LOG: &str = "_delta_log";
/// Where the branch notes how far it is.
pub(crate) const MARKER: &str = "_forewarn/branch.json";
/// The folder in which each start of a server leaves its number.
pub(crate) const EPOCHS: &str = "_forewarn/epochs";
/// The folder in which the vacuum notes what it has seen of each table.
pub(crate) const VACUUM_NOTES: &str = "_forewarn/vacuum";

/// The version in the name of an entry of a Delta log: `…/00000000000000000042.json`,
/// `…/00000000000000000042.checkpoint.parquet`.
pub(super) fn version_of(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?;
    let (digits, kind) = name.split_once('.')?;
    let known = matches!(kind, "json" | "crc" | "checkpoint.parquet");
    (known && digits.len() == 20).then(|| digits.parse().ok())?
}

/// The file-system path of an object of a local store, whose prefix is the root folder.
pub(crate) fn local_path(location: &Path) -> PathBuf {
    PathBuf::from(format!("/{location}"))
}
