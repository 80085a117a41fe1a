//! Bodies of compressed and plain text: bounds, and what all decoders share.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::{inflate, number, parse_time, time};
use crate::IngestError;

mod json;
mod line_protocol;

#[test]
fn compressed_bodies_of_every_kind_are_unpacked() {
    let text = b"{\"asset\":\"a\"}\n".repeat(20_000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&text).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&text).unwrap();
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
    bare.write_all(&text).unwrap();
    for body in [gzip.clone(), zlib.finish().unwrap(), bare.finish().unwrap()] {
        assert_eq!(inflate(&body, text.len()).unwrap(), text);
    }
    let twice = [gzip.clone(), gzip].concat();
    assert_eq!(inflate(&twice, 2 * text.len()).unwrap().len(), 2 * text.len());
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 1_000_001]).unwrap();
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 5_000);
    let error = inflate(&bomb, 1_000_000).unwrap_err();
    assert!(matches!(error, IngestError::BodyTooLarge { limit: 1_000_000 }));
    assert_eq!(
        error.to_string(),
        "the body has more than limits.max_body_bytes = 1000000 bytes once unpacked; send it in parts"
    );
    let whole = inflate(&bomb, 1_000_001).unwrap();
    assert_eq!(whole.len(), 1_000_001);
    assert!(whole.capacity() <= 1_000_001);
}

#[test]
fn damaged_compressed_bodies_are_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"some text that is cut off").unwrap();
    let body = gzip.finish().unwrap();
    for damaged in [&body[..body.len() - 6], b"\x1f\x8bnonsense" as &[u8], b"{\"asset\":\"not compressed\"}"]
    {
        let error = inflate(damaged, 1_000).unwrap_err();
        assert!(matches!(error, IngestError::Compression(_)), "{error}");
    }
}

#[test]
fn times_agree_with_the_general_parser() {
    let samples = [
        "2026-01-31T08:30:00Z",
        "2024-02-29T23:59:59.999999999Z",
        "1969-12-31T23:59:59.5Z",
        "0000-03-01T00:00:00Z",
        "2000-12-31T00:00:00.000001Z",
        "9999-12-31T23:59:59Z",
        "2026-01-31T08:30:00+02:00",
        "2016-12-31T23:59:60Z",
    ];
    for text in samples {
        assert_eq!(parse_time(text).unwrap(), forewarn_types::Timestamp::parse(text).unwrap().0, "{text}");
    }
    for bad in [
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z",
        "é",
        "",
    ] {
        assert_eq!(
            parse_time(bad).unwrap_err(),
            format!("{bad:?} is not a time; write RFC 3339 such as 2026-01-31T08:30:00Z")
        );
    }
}

#[test]
fn epoch_milliseconds_may_have_a_fraction() {
    for (text, us) in [
        ("0", 0),
        ("1767225600000", 1_767_225_600_000_000),
        ("-1.5", -1_500),
        ("1767225600000.25", 1_767_225_600_000_250),
    ] {
        assert_eq!(time::parse_epoch_ms(text), Ok(us), "{text}");
    }
    for bad in ["9300000000000000", "1e300", "12x"] {
        let expected =
            format!("time {bad} is not milliseconds since 1970 within range; send them or RFC 3339 text");
        assert_eq!(time::parse_epoch_ms(bad), Err(expected));
    }
}

#[test]
fn numbers_are_converted_as_the_standard_library_does() {
    let samples = [
        "0",
        "-0.0",
        "91.2",
        "1e-7",
        "123456789012345678",
        "0.1",
        "5e-324",
        "1.7976931348623157e308",
        "73.96732207",
        "74.93588199999998",
    ];
    for text in samples {
        let number = number::scan(text).unwrap();
        assert_eq!(
            (number.value.to_bits(), number.len),
            (text.parse::<f64>().unwrap().to_bits(), text.len()),
            "{text}"
        );
    }
    assert_eq!(number::scan("12 rest").map(|number| (number.len, number.integer)), Some((2, Some(12))));
    for bad in ["", "-", ".5", "1.", "1e", "x", "+1"] {
        assert_eq!(number::scan(bad), None, "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn any_decimal_is_rounded_correctly(
        mantissa in proptest::num::i64::ANY, digits in 0_usize..20, exponent in -30..30_i32,
    ) {
        for text in [
            format!("{mantissa}.{:0digits$}1", 0),
            format!("{mantissa}e{exponent}"),
            format!("{}.{digits}", mantissa >> 40),
        ] {
            let number = number::scan(&text).unwrap();
            let expected: f64 = text.parse().unwrap();
            proptest::prop_assert_eq!(number.value.to_bits(), expected.to_bits(), "{}", text);
        }
    }
}
