//! Circles are found, and only circles.

use super::faults;
use crate::tree::Package;

#[test]
fn a_circle_through_a_facade_is_found() {
    let found = faults(&Package::new(
        "made-up",
        "",
        &[
            ("src/lib.rs", "mod a; mod b; mod c; pub use c::Low;"),
            ("src/a.rs", "use crate::b::Mid; pub struct High;"),
            ("src/b.rs", "use crate::Low; pub struct Mid;"),
            ("src/c.rs", "use crate::a::High; pub struct Low;"),
        ],
    ));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("made-up: 3 modules need each other: a, b, c\n"), "{}", found[0]);
    assert!(found[0].contains("\n    b -> c by crate::Low in line 1\n"), "{}", found[0]);
}

#[test]
fn modules_in_layers_are_no_circle() {
    let found = faults(&Package::new(
        "made-up",
        "",
        &[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "mod c; pub use c::Child; use crate::b::Low;"),
            ("src/a/c.rs", "use crate::b::Low; pub struct Child;"),
            ("src/b.rs", "pub struct Low; #[cfg(test)] mod tests { use crate::a::Child; }"),
        ],
    ));
    assert_eq!(found, Vec::<String>::new());
}
