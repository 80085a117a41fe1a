//! The fingerprints of the draft.

use super::*;

/// Values that the draft lists. A change of one would give every rule, run and alert another name.
#[test]
fn fingerprints_are_those_of_the_draft() {
    for (text, expected) in
        [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")]
    {
        assert_eq!(fingerprint(text.as_bytes()), expected, "{text}");
    }
    for (text, expected) in [
        ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d),
        ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
        ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
    ] {
        assert_eq!(fingerprint_128(text.bytes()), expected, "{text}");
    }
}
