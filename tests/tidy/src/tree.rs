//! The repository as the checks see it: packages with their manifest and the text of their Rust files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A package of the repository, or one that a unit test makes up.
pub struct Package {
    /// Its name, which is that of its folder below `crates/`.
    pub name: String,
    /// The text of `Cargo.toml`.
    pub manifest: String,
    /// The text of each Rust file by its path inside the package, such as `src/lib.rs`.
    pub files: BTreeMap<String, String>,
}

impl Package {
    /// A package of texts.
    pub fn new(name: &str, manifest: &str, files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { name: name.to_owned(), manifest: manifest.to_owned(), files }
    }

    fn read(folder: &Path) -> Self {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a package has a manifest");
        let name = manifest.split("name = \"").nth(1).and_then(|rest| rest.split('"').next());
        let name = name.expect("a package has a name").to_owned();
        let mut paths = Vec::new();
        rust_files(folder, &mut paths);
        let relative = |path: &Path| {
            path.strip_prefix(folder).expect("it lies in the folder").to_string_lossy().into_owned()
        };
        let files = paths.iter().map(|path| (relative(path), text(path))).collect();
        Self { name, manifest, files }
    }
}

/// The folder of the workspace.
///
/// # Panics
/// If it is not there.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace root exists")
}

/// The text of a file of the workspace.
///
/// # Panics
/// If it cannot be read.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The packages below `crates/`.
///
/// # Panics
/// If they cannot be read.
pub fn crates() -> Vec<Package> {
    packages("crates")
}

/// The packages below `tests/` that belong to the workspace. What lies inside of another one's folder is not
/// the first one's.
///
/// # Panics
/// If they cannot be read.
pub fn test_packages() -> Vec<Package> {
    let mut outer = Package::read(&root().join("tests"));
    outer.files.retain(|path, _| !["append/", "sim/", "tidy/"].iter().any(|other| path.starts_with(other)));
    let mut all = vec![outer];
    all.extend(["sim", "tidy"].iter().map(|name| Package::read(&root().join("tests").join(name))));
    all
}

/// Every Rust file with its path inside the workspace.
///
/// # Panics
/// If one cannot be read.
pub fn all_rust_files() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in ["crates", "tests"] {
        rust_files(&root().join(folder), &mut paths);
    }
    let relative = |path: &Path| {
        path.strip_prefix(root()).expect("it lies in the workspace").to_string_lossy().into_owned()
    };
    paths.iter().map(|path| (relative(path), text(path))).collect()
}

fn packages(folder: &str) -> Vec<Package> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.iter().map(|path| Package::read(path)).collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}
