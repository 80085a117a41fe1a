//! The reference data, which lies outside the project: `FOREWARN_DATA`, or `../shared/data` beside the project.

use std::path::{Path, PathBuf};

/// The path of a file or folder of the reference data. `None`, after saying so, where the data is not there.
pub fn path(relative: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("FOREWARN_DATA").map_or(beside, PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: there is no {} (set FOREWARN_DATA to the folder of the reference data)", path.display());
    None
}
