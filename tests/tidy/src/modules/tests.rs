//! Where paths lead.

use super::Modules;
use crate::tree::Package;

/// The edges of a crate of these files, as `from -> to by path`.
fn edges(files: &[(&str, &str)]) -> Vec<String> {
    let package = Package::new("made-up", "", files);
    let modules = Modules::of(&package).remove(0);
    let name = |module| modules.name(module).replace("the crate's root", "root");
    modules
        .edges()
        .iter()
        .map(|edge| format!("{} -> {} by {}", name(edge.from), name(edge.to), edge.path))
        .collect()
}

#[test]
fn every_way_to_name_another_module_counts() {
    let found = edges(&[
        ("src/lib.rs", "mod a; mod b; mod c; mod d; mod e; mod f;"),
        ("src/a.rs", "use crate::f::{self, G}; fn x() { f::y() }"),
        ("src/b.rs", "use super::f::G as H;"),
        ("src/c.rs", "fn x(g: &crate::f::G) {}"),
        ("src/d.rs", "use crate::f; fn x() { println!(\"{}\", f::y()) }"),
        ("src/e.rs", "mod inside { use super::super::f::*; }"),
        ("src/f.rs", "pub struct G; pub fn y() {}"),
    ]);
    assert_eq!(
        found,
        [
            "a -> f by crate::f::G",
            "b -> f by super::f::G",
            "c -> f by crate::f::G",
            "d -> f by f::y",
            "e -> f by super::super::f::*"
        ]
    );
}

#[test]
fn a_facade_is_what_it_passes_on() {
    let found = edges(&[
        ("src/lib.rs", "mod facade; mod user; pub use facade::Thing;"),
        ("src/facade.rs", "mod one; mod two; pub use one::Thing; pub(crate) use two::*;"),
        ("src/facade/one.rs", "use super::Other; pub struct Thing;"),
        ("src/facade/two.rs", "pub struct Other;"),
        ("src/user.rs", "use crate::Thing; fn x() -> crate::facade::Other {}"),
    ]);
    assert_eq!(
        found,
        [
            "facade::one -> facade::two by super::Other",
            "user -> facade::one by crate::Thing",
            "user -> facade::two by crate::facade::Other"
        ]
    );
}

#[test]
fn a_facade_that_uses_what_it_passes_on_needs_it() {
    let found = edges(&[
        ("src/lib.rs", "mod a;"),
        ("src/a.rs", "mod b; pub use b::Thing; pub fn x(thing: Thing) {}"),
        ("src/a/b.rs", "pub struct Thing; fn y() { super::x(Thing) }"),
    ]);
    assert_eq!(found, ["a -> a::b by b::Thing", "a::b -> a by super::x"]);
}

#[test]
fn tests_and_other_crates_make_no_edges() {
    let found = edges(&[
        ("src/lib.rs", "mod a; mod parquet; #[cfg(test)] mod testing;"),
        (
            "src/a.rs",
            "use parquet::x; use serde::Serialize; #[cfg(test)] mod tests { use crate::parquet::Y; }",
        ),
        ("src/parquet.rs", "pub struct Y;"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}
