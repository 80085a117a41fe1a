//! Runs the checks over this repository. Function length and `unwrap`, `expect` and `panic` are clippy's (see
//! `clippy.toml` and the workspace lints).

use std::collections::BTreeSet;

use forewarn_tidy::tree::{Package, all_rust_files, crates, root, test_packages, text};
use forewarn_tidy::{circles, dependencies, exceptions, floors, layout, licenses};

const MAX_ARCHITECTURE_LINES: usize = 300;
const MAX_README_LINES: usize = 150;

/// Fails with all faults, apart from those of packages on the list of exceptions. An exception that is not
/// needed is printed.
fn settle(faults: &[(String, String)], exceptions: &[&str]) {
    let found: BTreeSet<&str> = faults.iter().map(|(package, _)| package.as_str()).collect();
    for package in exceptions.iter().filter(|package| !found.contains(**package)) {
        eprintln!("{package} is free of this fault: take it off the list in tests/tidy/src/exceptions.rs");
    }
    let rest: Vec<&str> = faults
        .iter()
        .filter(|(package, _)| !exceptions.contains(&package.as_str()))
        .map(|(_, fault)| fault.as_str())
        .collect();
    assert!(rest.is_empty(), "{} faults:\n{}", rest.len(), rest.join("\n"));
}

fn by_package(packages: &[Package], check: impl Fn(&Package) -> Vec<String>) -> Vec<(String, String)> {
    let of =
        |package: &Package| check(package).into_iter().map(|fault| (package.name.clone(), fault)).collect();
    packages.iter().flat_map(|package| -> Vec<_> { of(package) }).collect()
}

fn by_file(check: impl Fn(&str, &str) -> Vec<String>) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (path, text) in all_rust_files() {
        let inside = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        let package = inside.unwrap_or("tests").to_owned();
        faults.extend(check(&path, &text).into_iter().map(|fault| (package.clone(), fault)));
    }
    faults
}

#[test]
fn every_file_is_short_and_says_why_it_exists() {
    settle(&by_file(layout::size_faults), exceptions::SIZE);
}

#[test]
fn no_line_is_too_wide() {
    settle(&by_file(layout::width_faults), exceptions::WIDTH);
}

#[test]
fn modules_stand_where_their_name_says() {
    settle(&by_file(layout::style_faults), exceptions::STYLE);
}

#[test]
fn no_modules_of_a_crate_need_each_other() {
    settle(&by_package(&crates(), circles::faults), exceptions::CIRCLES);
    settle(&by_package(&test_packages(), circles::faults), &[]);
}

#[test]
fn no_floor_of_a_crate_needs_a_higher_one() {
    let faults = |package: &Package| {
        let floors = floors::FLOORS.iter().find(|(name, _)| *name == package.name);
        floors.map_or_else(Vec::new, |(_, floors)| floors::faults(package, floors))
    };
    settle(&by_package(&crates(), faults), exceptions::FLOORS);
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let faults = |package: &Package| dependencies::arrow_faults(package, &dependencies::ARROWS);
    settle(&by_package(&crates(), faults), &[]);
}

#[test]
fn every_dependency_is_named_by_the_code() {
    settle(&by_package(&crates(), dependencies::unused_faults), exceptions::UNUSED);
    settle(&by_package(&test_packages(), dependencies::unused_faults), &[]);
    let (crates, tests) = (crates(), test_packages());
    let workspace = text(&root().join("Cargo.toml"));
    let faults = dependencies::untaken_faults(&workspace, crates.iter().chain(&tests));
    settle(&faults, exceptions::UNTAKEN);
}

#[test]
fn manifests_name_their_folder_and_take_the_lints_of_the_workspace() {
    for package in crates() {
        let folder = root().join("crates").join(&package.name);
        assert!(folder.is_dir(), "{}: the folder's name must be the crate's name", package.name);
    }
    for package in crates().iter().chain(&test_packages()) {
        let takes = package.manifest.contains("[lints]\nworkspace = true");
        assert!(takes, "{}: the manifest must take the workspace's lints", package.name);
    }
}

#[test]
fn polars_stays_in_two_crates() {
    for package in crates() {
        let allowed = ["forewarn-lake", "forewarn-batch"].contains(&package.name.as_str());
        let uses = dependencies::declared(&package.manifest, "dependencies").contains("polars");
        assert!(
            allowed || !uses,
            "{} uses polars, which belongs to forewarn-lake and forewarn-batch alone",
            package.name
        );
    }
}

#[test]
fn the_engine_has_no_clock_no_io_and_no_async() {
    let all = crates();
    let engine = all.iter().find(|package| package.name == "forewarn-engine").expect("the engine is a crate");
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    let files = engine.files.iter().filter(|(path, _)| path.starts_with("src/") && !is_test(path));
    for (path, text) in files {
        for word in ["std::fs", "std::net", "std::time::", "tokio", "async fn", "rand::", "std::thread"] {
            assert!(!text.contains(word), "{path}: the engine is pure, it must not use {word}");
        }
    }
}

#[test]
fn documents_are_short_and_name_every_crate() {
    let architecture = text(&root().join("ARCHITECTURE.md"));
    let readme = text(&root().join("README.md"));
    assert!(
        architecture.lines().count() <= MAX_ARCHITECTURE_LINES,
        "ARCHITECTURE.md has more than {MAX_ARCHITECTURE_LINES} lines"
    );
    assert!(readme.lines().count() <= MAX_README_LINES, "README.md has more than {MAX_README_LINES} lines");
    for package in crates() {
        let name = &package.name;
        assert!(architecture.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name `{name}`");
    }
}

#[test]
fn other_peoples_crates_are_under_allowed_licences_and_from_crates_io() {
    let allowed = licenses::allowed(&text(&root().join("deny.toml")));
    assert!(allowed.contains(&"MIT".to_owned()), "the list of deny.toml is not found: {allowed:?}");
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let tree = ["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "-e", "normal,build"];
    let listed = std::process::Command::new(cargo)
        .args(tree)
        .args(["--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.lines().count() > 100, "{listed}");
    let mut faults = licenses::license_faults(&listed, &allowed);
    faults.extend(licenses::source_faults(&text(&root().join("Cargo.lock"))));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
