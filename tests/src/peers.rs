//! The programs that tests talk to. In CI a missing one is a failure, elsewhere a skip that says so.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// A Python that has the packages of `requirements.txt`.
///
/// # Panics
/// In CI, if there is none.
pub fn python() -> Option<PathBuf> {
    let found = std::env::var_os("FOREWARN_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    found.or_else(|| missing("FOREWARN_PYTHON, a Python with the packages of tests/requirements.txt"))
}

/// Runs a script of `tests/peers` and gives what it prints as JSON. `None`, after saying so, where there is
/// no Python for it.
///
/// # Panics
/// If the script fails.
pub async fn script(name: &str, argument: &str) -> Option<Value> {
    let python = python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let output = Command::new(python)
        .arg(script)
        .arg(argument)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("the script prints JSON"))
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

/// The library that lets a program see another time than the machine's (`libfaketime`), to be put into
/// `LD_PRELOAD`.
///
/// # Panics
/// In CI, if it is missing.
pub fn fake_time() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|file| file.is_file());
    found.or_else(|| missing("libfaketime; on Debian: apt-get install faketime"))
}

fn missing(what: &str) -> Option<PathBuf> {
    assert!(std::env::var_os("CI").is_none(), "missing: {what}");
    crate::say_skipped(&format!("missing {what}"));
    None
}
