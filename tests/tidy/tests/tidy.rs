//! The rules of the house that neither rustfmt nor clippy knows: sizes, module docs, crate arrows, and
//! documents that name every crate. Function length and `unwrap`, `expect` and `panic` are clippy's (see
//! `clippy.toml` and the workspace lints).

#![expect(clippy::expect_used, reason = "a test that cannot read the tree has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MAX_FILE_LINES: usize = 500;
const MAX_ARCHITECTURE_LINES: usize = 300;
const MAX_README_LINES: usize = 150;

/// Which crates a crate may use. Arrows go down only.
const ARROWS: [(&str, &[&str]); 11] = [
    ("forewarn-types", &[]),
    ("forewarn-spec", &["types"]),
    ("forewarn-log", &["types"]),
    ("forewarn-ingest", &["types", "spec", "log"]),
    ("forewarn-engine", &["types", "spec"]),
    ("forewarn-lake", &["types", "log"]),
    ("forewarn-query", &["types", "lake"]),
    ("forewarn-batch", &["types", "spec", "engine", "lake", "query"]),
    ("forewarn-models", &["types", "spec", "lake"]),
    ("forewarn-api", &["types", "spec", "log", "ingest", "engine", "lake", "batch", "models"]),
    ("forewarn", &["types", "spec", "log", "ingest", "engine", "lake", "batch", "models", "api"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace root exists")
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn all_rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    rust_files(&root().join("tests"), &mut files);
    files
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("the file is UTF-8")))
        .collect()
}

/// The names of a crate's normal dependencies.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates/ is readable") {
        let path = entry.expect("the entry is readable").path();
        let name =
            path.file_name().and_then(|name| name.to_str()).expect("a crate's folder has a name").to_owned();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a crate has a manifest");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "crates/{name}: the folder's name must be the crate's name"
        );
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "crates/{name}: the manifest must take the workspace's lints"
        );
        found.insert(name, dependencies(&manifest));
    }
    found
}

#[test]
fn every_file_is_short_and_says_why_it_exists() {
    let mut faults = Vec::new();
    for (path, text) in all_rust_files() {
        let code =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        if code > MAX_FILE_LINES {
            faults.push(format!(
                "{}: {code} lines of code, at most {MAX_FILE_LINES} are allowed: split the idea",
                path.display()
            ));
        }
        if !text.starts_with("//!") {
            faults.push(format!(
                "{}: begin the file with a //! comment that says why it exists",
                path.display()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let manifests = manifests();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, uses) in &manifests {
        assert!(known.contains(name.as_str()), "crates/{name} is not in the table of crates in {}", file!());
        let allowed = ARROWS.iter().find(|(other, _)| other == name).map_or(&[][..], |(_, allowed)| allowed);
        for used in uses.iter().filter_map(|used| used.strip_prefix("forewarn-")) {
            assert!(
                allowed.contains(&used),
                "{name} must not use forewarn-{used}: arrows go down only (see ARCHITECTURE.md)"
            );
        }
    }
}

#[test]
fn polars_stays_in_two_crates() {
    for (name, uses) in manifests() {
        let allowed = ["forewarn-lake", "forewarn-batch"].contains(&name.as_str());
        assert!(
            allowed || !uses.contains("polars"),
            "{name} uses polars, which belongs to forewarn-lake and forewarn-batch alone"
        );
    }
}

#[test]
fn the_engine_has_no_clock_no_io_and_no_async() {
    let mut files = Vec::new();
    rust_files(&root().join("crates/forewarn-engine/src"), &mut files);
    let is_test = |path: &PathBuf| path.iter().any(|part| part == "tests" || part == "tests.rs");
    for path in files.into_iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(&path).expect("the file is UTF-8");
        for word in ["std::fs", "std::net", "std::time::", "tokio", "async fn", "rand::", "std::thread"] {
            assert!(!text.contains(word), "{}: the engine is pure, it must not use {word}", path.display());
        }
    }
}

#[test]
fn documents_are_short_and_name_every_crate() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md exists");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md exists");
    assert!(
        architecture.lines().count() <= MAX_ARCHITECTURE_LINES,
        "ARCHITECTURE.md has more than {MAX_ARCHITECTURE_LINES} lines"
    );
    assert!(readme.lines().count() <= MAX_README_LINES, "README.md has more than {MAX_README_LINES} lines");
    for name in manifests().keys() {
        assert!(architecture.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name `{name}`");
    }
}
