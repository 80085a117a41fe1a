//! The programs that tests talk to. In CI a missing one is a failure, elsewhere a skip that says so.

use std::path::PathBuf;

/// A Python that has the packages of `requirements.txt`.
///
/// # Panics
/// In CI, if there is none.
pub fn python() -> Option<PathBuf> {
    let found = std::env::var_os("FOREWARN_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    found.or_else(|| missing("FOREWARN_PYTHON, a Python with the packages of tests/requirements.txt"))
}

/// A program, looked for on the path and in `/usr/sbin`.
///
/// # Panics
/// In CI, if it is missing.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file()).or_else(|| missing(name))
}

fn missing(what: &str) -> Option<PathBuf> {
    assert!(std::env::var_os("CI").is_none(), "missing: {what}");
    crate::say_skipped(&format!("missing {what}"));
    None
}
