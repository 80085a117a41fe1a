//! Dependencies that are not needed, and arrows that go up, are found.

use super::{arrow_faults, declared, untaken_faults, unused_faults};
use crate::tree::Package;

const MANIFEST: &str = "[package]\nname = \"made-up\"\n\n[dependencies]\nforewarn-types.workspace = true\n\
    serde = \"1\"\nserde-json.workspace = true\n\n[dev-dependencies]\nproptest = \"1\"\n\n[lints]\nx = 1\n";

#[test]
fn a_section_ends_where_the_next_begins() {
    let found = declared(MANIFEST, "dependencies");
    assert_eq!(found.iter().collect::<Vec<_>>(), ["forewarn-types", "serde", "serde-json"]);
}

#[test]
fn what_no_code_names_is_a_fault() {
    let source = "use serde_json::Value; // forewarn_types::X\n const X: &str = \"forewarn_types::X\";";
    let tests = "mod serde; use serde::x; #[cfg(test)] mod tests { use serde::Serialize; }";
    let found = unused_faults(&Package::new(
        "made-up",
        MANIFEST,
        &[("src/lib.rs", source), ("src/main.rs", tests), ("src/serde.rs", "")],
    ));
    assert_eq!(
        found,
        [
            "made-up: the dependency forewarn-types is named nowhere in the code: remove it",
            "made-up: the dependency serde is named by tests only: move it to [dev-dependencies]",
            "made-up: the dev-dependency proptest is named nowhere in the code: remove it"
        ]
    );
}

#[test]
fn every_way_to_name_a_dependency_counts() {
    let source = "#[derive(serde::Serialize)] struct X; fn x() { format!(\"{}\", serde_json::json!(1)) } \
        pub use forewarn_types as types;";
    let tests = "use proptest::prelude::*;";
    let found =
        unused_faults(&Package::new("made-up", MANIFEST, &[("src/lib.rs", source), ("tests/x.rs", tests)]));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn arrows_that_go_up_are_faults() {
    let package = Package::new("made-up", MANIFEST, &[]);
    let fault = "made-up must not use forewarn-types: arrows go down only (see ARCHITECTURE.md)";
    assert_eq!(arrow_faults(&package, &[("made-up", &["types"])]), Vec::<String>::new());
    assert_eq!(arrow_faults(&package, &[("made-up", &["log"])]), [fault]);
    assert_eq!(arrow_faults(&package, &[("other", &[])]).len(), 1);
}

#[test]
fn what_no_package_takes_from_the_workspace_is_a_fault() {
    let workspace =
        "[workspace.dependencies]\nserde = \"1\"\nurl = { version = \"2\", features = [\n  \"x\",\n] }\n";
    let package = Package::new("made-up", MANIFEST, &[]);
    assert_eq!(
        untaken_faults(workspace, [&package].into_iter()),
        [("url".to_owned(), "Cargo.toml: no package takes url from [workspace.dependencies]".to_owned())]
    );
}
