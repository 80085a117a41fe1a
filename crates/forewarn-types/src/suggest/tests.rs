//! Slips, swaps and long names.

use super::*;

#[test]
fn slips_are_recognised() {
    let names = ["temperature", "vibration_rms", "flow"];
    assert_eq!(did_you_mean("temprature", names), Some("temperature"));
    assert_eq!(did_you_mean("folw", names), Some("flow"));
    assert_eq!(did_you_mean("pressure", names), None);
}

#[test]
fn a_swap_is_one_slip_and_long_names_are_cut() {
    for (a, b, expected) in
        [("kitten", "sitting", 3), ("flow", "folw", 1), ("größe", "grosse", 3), ("", "ab", 2)]
    {
        assert_eq!(edit_distance(a, b), expected, "{a} and {b}");
    }
    let long = "ü".repeat(1_000_000);
    assert_eq!(edit_distance(&long, &"ü".repeat(MAX_LETTERS)), 0);
}
