//! The reference data, which lies outside the project: `FOREWARN_DATA`, or `../shared/data` beside the
//! project. Where it is missing a test is skipped and says so, unless `FOREWARN_NEED_DATA` is set.

use std::path::{Path, PathBuf};

/// The path of a file or folder of the reference data. `None`, after saying so, where the data is not there.
///
/// # Panics
/// If it is not there and `FOREWARN_NEED_DATA` is set.
pub fn path(relative: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("FOREWARN_DATA").map_or(beside, PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    let missing =
        format!("there is no {} (set FOREWARN_DATA to the folder of the reference data)", path.display());
    assert!(std::env::var_os("FOREWARN_NEED_DATA").is_none(), "{missing}");
    crate::say_skipped(&missing);
    None
}
