//! Arrows upwards are found.

use super::faults;
use crate::tree::Package;

const FLOORS: [&str; 2] = ["low", "high"];

fn package(ground: &str, low: &str, high: &str) -> Package {
    let root = "mod ground; mod low; mod high; pub struct Root;";
    Package::new(
        "made-up",
        "",
        &[
            ("src/lib.rs", root),
            ("src/ground.rs", ground),
            ("src/low.rs", "mod inner; pub use inner::Low;"),
            ("src/low/inner.rs", low),
            ("src/high.rs", high),
        ],
    )
}

#[test]
fn arrows_down_are_allowed() {
    let package =
        package("pub struct Ground;", "use crate::ground::Ground; pub struct Low;", "use crate::low::Low;");
    assert_eq!(faults(&package, &FLOORS), Vec::<String>::new());
}

#[test]
fn each_arrow_up_is_a_fault() {
    let package = package(
        "use crate::low::Low;",
        "use crate::high::High; pub struct Low;",
        "fn x() { crate::Root; } pub struct High;",
    );
    assert_eq!(
        faults(&package, &FLOORS),
        [
            "made-up: ground must not use low::inner, which lies above it (crate::low::Low in line 1)",
            "made-up: low::inner must not use high, which lies above it (crate::high::High in line 1)",
            "made-up: high must not use the crate's root, which lies above it (crate::Root in line 1)"
        ]
    );
}

#[test]
fn a_floor_that_is_not_there_is_a_fault() {
    let found = faults(&package("", "", ""), &["low", "loft", "high"]);
    assert_eq!(found, ["made-up: there is no floor loft"]);
}
