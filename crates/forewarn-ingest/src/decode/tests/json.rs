//! JSON bodies: what is taken, what is refused and with which words.

use std::fmt::Write as _;

use forewarn_types::Quality;
use proptest::prelude::*;

use crate::decode::{DecodeOptions, json::decode_readings};
use crate::{NO_TIME, RawBatch};

fn decode(body: &str) -> RawBatch {
    decode_readings(body.as_bytes(), &DecodeOptions::default()).unwrap()
}

fn rows(batch: &RawBatch) -> Vec<(&str, &str, i64, f64, Quality, u32)> {
    (0..batch.len())
        .map(|row| {
            let (asset, signal) = batch.name_of(row);
            (asset, signal, batch.time[row], batch.value[row], batch.quality[row], batch.line[row])
        })
        .collect()
}

fn reasons(batch: &RawBatch) -> Vec<(usize, &str)> {
    batch.errors.iter().map(|error| (error.line, error.reason.as_str())).collect()
}

#[test]
fn every_way_to_write_a_reading() {
    let good = Quality::Good;
    let cases = [
        (
            r#"{"asset":"p/1","signal":"t","time":"1970-01-01T00:00:01Z","value":91.2,"quality":"good"}"#,
            ("p/1", "t", 1_000_000, 91.2, good),
        ),
        (r#" { "value" : -1e2 , "signal" : "t" , "asset" : "p" } "#, ("p", "t", NO_TIME, -100.0, good)),
        (r#"{"asset":"p","signal":"t","time":1500,"value":true}"#, ("p", "t", 1_500_000, 1.0, good)),
        (
            r#"{"asset":"p","signal":"t","time":1500.25,"value":false,"quality":"bad"}"#,
            ("p", "t", 1_500_250, 0.0, Quality::Bad),
        ),
        (r#"{"asset":"p","signal":"t","time":1.5e3,"value":0}"#, ("p", "t", 1_500_000, 0.0, good)),
        (
            r#"{"asset":"p","signal":"t","time":null,"quality":null,"value":0}"#,
            ("p", "t", NO_TIME, 0.0, good),
        ),
        (
            r#"{"asset":"W\u00fcrth\/\"1\"","signal":"t","value":1,"quality":"uncertain"}"#,
            ("Würth/\"1\"", "t", NO_TIME, 1.0, Quality::Uncertain),
        ),
        (
            r#"{"\u0061sset":"p","signal":"t","time":"1970-01-01T00:00:01\u005a","value":2}"#,
            ("p", "t", 1_000_000, 2.0, good),
        ),
        (
            r#"{"asset":"p","signal":"t","time":"1970-01-01T02:00:01+02:00","value":2}"#,
            ("p", "t", 1_000_000, 2.0, good),
        ),
        (
            r#"{"asset":"p","signal":"t","time":"9999-12-31T23:59:59Z","value":2}"#,
            ("p", "t", 253_402_300_799_000_000, 2.0, good),
        ),
        (r#"{"asset":"p","time":0,"values":{"t\n":5e-324}}"#, ("p", "t\n", 0, 5e-324, good)),
    ];
    for (text, (asset, signal, time, value, quality)) in cases {
        for body in [
            text.to_owned(),
            format!("[{text}]"),
            format!("\u{feff}{text}\r\n\r\n"),
            text.replace(',', ",\n"),
        ] {
            let batch = decode(&body);
            assert_eq!(
                (rows(&batch), batch.errors.len()),
                (vec![(asset, signal, time, value, quality, 1)], 0),
                "{body} {:?}",
                batch.errors
            );
        }
    }
}

/// Each text is refused for its reason, and the lines around it are kept.
fn check_refusals(cases: &[(&str, String)]) {
    let fine = r#"{"asset":"p","signal":"t","value":1}"#;
    for (text, reason) in cases {
        let batch = decode(&format!("{fine}\n{text}\n{fine}"));
        assert_eq!(reasons(&batch), [(2, reason.as_str())], "{text}");
        assert_eq!(batch.line, [1, 3], "{text}");
    }
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_send() {
    let keys = "the keys are asset, signal, time, value, quality, or values in place of signal and value";
    let nan = "JSON has no NaN or Infinity; leave the reading out or send the last value with quality bad";
    let cases = [
        (r#"{"asset":"p","signal":"t","valeu":1}"#, format!("unknown key \"valeu\"; {keys}")),
        (
            r#"{"asset":"p","signal":"t","value":1,"unit":{"deep":[1]}}"#,
            format!("unknown key \"unit\"; {keys}"),
        ),
        (r#"{"asset":"p","signal":"t","value":1,"value":2}"#, "key \"value\" is given twice".into()),
        (
            r#"{"asset":"p","signal":"t","value":"12"}"#,
            "value is the text \"12\"; send a number or true/false".into(),
        ),
        (
            r#"{"asset":"p","signal":"t","value":null}"#,
            "value is null; leave the reading out, or send the last value with quality bad".into(),
        ),
        (
            r#"{"asset":"p","signal":"t","value":[1]}"#,
            "value is an array; send a number or true/false".into(),
        ),
        (
            r#"{"asset":"p","signal":"t","value":1e999}"#,
            "value is 1e999, which is too large for a 64-bit float; check the sender".into(),
        ),
        (r#"{"asset":"p","signal":"t","value":NaN}"#, format!("not JSON (expected value, column 35): {nan}")),
        (
            r#"{"asset":"p","signal":"t","value":-Infinity}"#,
            format!("not JSON (invalid number, column 36): {nan}"),
        ),
        (r#"{"asset":"p","signal":"t"}"#, "value is missing; send a number or true/false".into()),
        (r#"{"asset":"p","value":1}"#, "signal is missing".into()),
        (r#"{"signal":"t","value":1}"#, "asset is missing".into()),
        (r#"{"asset":7,"signal":"t","value":1}"#, "asset is the number 7; send a string".into()),
        (
            r#"{"asset":"p","signal":"t","value":1,"quality":"ok"}"#,
            "quality is the text \"ok\"; send good, uncertain or bad".into(),
        ),
    ];
    check_refusals(&cases);
}

#[test]
fn refusals_of_times_and_forms_say_what_is_wrong_and_what_to_send() {
    let cases = [
        (
            r#"{"asset":"p","signal":"t","value":1,"time":true}"#,
            "time is the boolean true; send RFC 3339 text or milliseconds since 1970".into(),
        ),
        (
            r#"{"asset":"p","signal":"t","value":1,"time":"noon"}"#,
            "\"noon\" is not a time; write RFC 3339 such as 2026-01-31T08:30:00Z".into(),
        ),
        (
            r#"{"asset":"p","values":{"t":1},"value":1}"#,
            "values stands beside signal or value; send either signal and value, or values".into(),
        ),
        (
            r#"{"asset":"p","values":[1]}"#,
            "values is an array; send an object such as {\"temperature\":91.2}".into(),
        ),
        (r#"{"asset":"p","values":{}}"#, "values is empty; send at least one signal with its value".into()),
        (r#"["p","t",1]"#, "invalid type: sequence, expected an object with asset, signal and value".into()),
        (
            r#"{"asset":"p","signal":"t","value":01}"#,
            "not JSON (invalid number, column 36); send one object a line, or an array of objects".into(),
        ),
        (
            r#"{"asset":"p","signal":"t","value":1"#,
            "not JSON (EOF while parsing an object, column 35); send one object a line, or an array of \
             objects"
                .into(),
        ),
    ];
    check_refusals(&cases);
}

#[test]
fn the_wide_form_refuses_only_the_bad_value() {
    let batch = decode("{\"asset\":\"p\",\"time\":1,\"values\":{\"a\":1.5,\"b\":\"x\",\"c\":true}}");
    assert_eq!(
        rows(&batch),
        [("p", "a", 1_000, 1.5, Quality::Good, 1), ("p", "c", 1_000, 1.0, Quality::Good, 1)]
    );
    assert_eq!(reasons(&batch), [(1, "values: \"b\" is the text \"x\"; send a number or true/false")]);
}

#[test]
fn an_array_keeps_what_stands_before_its_break() {
    let fine = r#"{"asset":"p","signal":"t","value":1}"#;
    let breaks = "the array breaks off here, what stands before is kept: ";
    let cases = [
        ("[]".into(), vec![], None),
        (
            format!("[{fine},{{\"asset\":3}},{fine}]"),
            vec![1, 3],
            Some((2, "asset is the number 3; send a string".into())),
        ),
        (
            format!("[{fine},{fine}"),
            vec![1, 2],
            Some((
                2,
                "the array breaks off after this element, what stands before is kept: , or ] is missing"
                    .into(),
            )),
        ),
        (format!("[{fine},"), vec![1], Some((2, format!("{breaks}an element or ] is missing")))),
        (
            format!("[{fine},{{\"asset\":\"p]"),
            vec![1],
            Some((
                2,
                format!(
                    "{breaks}not JSON (EOF while parsing a string, column 12); send one object a line, or \
                     an array of objects"
                ),
            )),
        ),
        (
            format!("[{fine}]{fine}"),
            vec![1],
            Some((
                1,
                "there is more after the end of the array; send one array, or one object a line".into(),
            )),
        ),
        (
            "[] x".into(),
            vec![],
            Some((
                1,
                "there is more after the end of the array; send one array, or one object a line".into(),
            )),
        ),
    ];
    for (body, lines, error) in cases {
        let batch = decode(&body);
        assert_eq!(batch.line, lines, "{body}");
        assert_eq!(
            batch.errors.iter().map(|error| (error.line, error.reason.clone())).next(),
            error,
            "{body}"
        );
    }
}

#[test]
fn an_empty_body_is_refused_as_a_whole() {
    for body in ["", " \n\r\n", "\u{feff}"] {
        let error = decode_readings(body.as_bytes(), &DecodeOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("the body is empty; send readings such as {\"asset\""), "{error}");
    }
}

#[test]
fn hostile_lines_cost_only_themselves() {
    let fine = br#"{"asset":"p","signal":"t","value":1}"#;
    let options = DecodeOptions { max_line_bytes: 1_000 };
    let deep = ["{\"asset\":".repeat(100), "[".repeat(900), "[".repeat(1_000_000)];
    let huge = format!("{{\"asset\":\"{}\",\"signal\":\"t\",\"value\":1}}", "x".repeat(2_000));
    let latin = b"{\"asset\":\"W\xfcrth\",\"signal\":\"t\",\"value\":1}";
    for bad in [deep[0].as_bytes(), deep[1].as_bytes(), deep[2].as_bytes(), huge.as_bytes(), latin] {
        let body = [fine, bad, fine].join(&b"\n"[..]);
        let batch = decode_readings(&body, &options).unwrap();
        assert_eq!((batch.line.as_slice(), batch.rejected, batch.errors[0].line), (&[1, 3][..], 1, 2));
        let body = [b"[", &fine[..], b",", bad, b"]"].concat();
        let batch = decode_readings(&body, &options).unwrap();
        assert_eq!((batch.line.as_slice(), batch.rejected), (&[1][..], 1));
    }
    let batch = decode_readings(&[fine, huge.as_bytes()].join(&b"\n"[..]), &options).unwrap();
    let expected = format!(
        "the line has {} bytes, more than limits.max_line_bytes = 1000; send shorter lines",
        huge.len()
    );
    assert_eq!(reasons(&batch), [(2, expected.as_str())]);
    let batch = decode_readings(&[fine, &latin[..]].join(&b"\n"[..]), &options).unwrap();
    assert_eq!(reasons(&batch), [(2, "the line is not UTF-8 text (byte 12); send UTF-8")]);
}

proptest! {
    #[test]
    fn no_body_panics(
        body in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:a-z0-9.\\\\ \n]{0,200}",
    ) {
        let _ = decode_readings(&body, &DecodeOptions::default());
        let _ = decode_readings(text.as_bytes(), &DecodeOptions { max_line_bytes: 50 });
    }

    #[test]
    fn good_lines_among_bad_ones_are_all_kept(
        lines in proptest::collection::vec((any::<bool>(), "[^\n\r\\[]{1,40}"), 1..30),
    ) {
        let mut body = String::from("{}\n");
        let mut expected = Vec::new();
        for ((good, rubbish), line) in lines.iter().zip(2..) {
            if *good {
                body.push_str("{\"asset\":\"p\",\"signal\":\"t\",\"value\":1}\n");
                expected.push(line);
            } else {
                writeln!(body, "x{rubbish}").unwrap();
            }
        }
        let batch = decode(&body);
        prop_assert_eq!(batch.rejected, (lines.len() + 1 - expected.len()) as u64);
        prop_assert_eq!(batch.line, expected);
    }

    #[test]
    fn what_is_written_as_ndjson_is_read_back(
        sent in proptest::collection::vec(
            (
                "[a-zé\"\\\\/ \\n]{1,8}",
                "[a-zü]{1,8}",
                -60_000_000_000_000_000_i64..250_000_000_000_000_000,
                any::<f64>(),
                0..3_usize,
            ),
            1..40,
        )
    ) {
        let mut batch = RawBatch::default();
        for ((asset, signal, time, value, quality), line) in sent.iter().zip(1..) {
            let value = if value.is_finite() { *value } else { 0.5 };
            let quality = [Quality::Good, Quality::Uncertain, Quality::Bad][*quality];
            batch.push(asset, signal, if time % 5 == 0 { NO_TIME } else { *time }, value, quality, line);
        }
        let mut body = Vec::new();
        batch.write_ndjson(&mut body);
        let read = decode_readings(&body, &DecodeOptions::default()).unwrap();
        prop_assert_eq!(&read.errors, &[]);
        prop_assert_eq!(rows(&read), rows(&batch));
    }
}
