//! Bodies of Influx line protocol: what is taken, how it is named, what is refused and with which words.

use std::fmt::Write as _;

use forewarn_types::{check_asset, check_signal};
use proptest::prelude::*;

use crate::decode::line_protocol::{Precision, decode};
use crate::decode::{DecodeOptions, InfluxMapping};
use crate::{NO_TIME, RawBatch};

fn mapping() -> InfluxMapping {
    InfluxMapping::new("{tags}", "{measurement}_{field}").unwrap()
}

fn decode_ns(body: &str) -> RawBatch {
    decode(body.as_bytes(), Precision::Nanoseconds, &mapping(), &DecodeOptions::default()).unwrap()
}

fn rows(batch: &RawBatch) -> Vec<(&str, &str, i64, f64)> {
    (0..batch.len())
        .map(|row| {
            let (asset, signal) = batch.name_of(row);
            (asset, signal, batch.time[row], batch.value[row])
        })
        .collect()
}

#[test]
fn lines_become_readings() {
    let cases = [
        (
            "pump,unit=p7 temp=91.2 1767225600000000999",
            vec![("p7", "pump_temp", 1_767_225_600_000_000, 91.2)],
        ),
        ("pump,unit=p7,site=s1 value=1", vec![("s1/p7", "pump", NO_TIME, 1.0)]),
        ("pump value=1 -1", vec![("pump", "pump", -1, 1.0)]),
        (
            "cpu,host=a idle=1.5,busy=-2i,n=9007199254740992u,up=t,down=FALSE 1000",
            vec![
                ("a", "cpu_idle", 1, 1.5),
                ("a", "cpu_busy", 1, -2.0),
                ("a", "cpu_n", 1, 9_007_199_254_740_992.0),
                ("a", "cpu_up", 1, 1.0),
                ("a", "cpu_down", 1, 0.0),
            ],
        ),
        (
            "m,t=a v=1.,w=.5,x=+3,y=-1.25e-3",
            vec![
                ("a", "m_v", NO_TIME, 1.0),
                ("a", "m_w", NO_TIME, 0.5),
                ("a", "m_x", NO_TIME, 3.0),
                ("a", "m_y", NO_TIME, -0.001_25),
            ],
        ),
        (r"my\ m\,x,tag\ a=v\=1\,2\ 3 f\=\ 1=2 0", vec![("v_x3D_1_x2C_2 3", "my_m_x2C_x_f_x3D__1", 0, 2.0)]),
        (r"a\\b,t=C:\dir v=1 0", vec![("C:_x5C_dir", "a_x5C_b_v", 0, 1.0)]),
        ("disk,path=/,host=h used=1 0", vec![("h/_", "disk_used", 0, 1.0)]),
        ("disk,path=/var/log used=1 0", vec![("var/log", "disk_used", 0, 1.0)]),
        ("m,a=..,b=x* 1f=1 0", vec![("_x2E__x2E_/x_x2A_", "m_1f", 0, 1.0)]),
        ("m,a=P#7 v=1 0", vec![("P_x23_7", "m_v", 0, 1.0)]),
        ("m,a=P_7,b=P_x23_7 v=1 0", vec![("P_7/P_x5F_x23_7", "m_v", 0, 1.0)]),
        ("ปั๊มน้ำ,ที่=โรงงาน ค่า=1 0", vec![("โรงงาน", "ปั๊มน้ำ_ค่า", 0, 1.0)]),
        ("m,ort=Su\u{308}d v=1 0", vec![("Su\u{308}d", "m_v", 0, 1.0)]),
        ("wärme,ort=Süd wert=1 0", vec![("Süd", "wärme_wert", 0, 1.0)]),
        ("# a comment, with = and \" signs", vec![]),
        ("  pump,unit=p7   temp=1   5000  \r", vec![("p7", "pump_temp", 5, 1.0)]),
    ];
    for (body, expected) in cases {
        let batch = decode_ns(body);
        assert_eq!(rows(&batch), expected, "{body}");
        assert_eq!(batch.errors, [], "{body}");
        for (asset, signal) in &batch.names {
            assert_eq!((check_asset(asset), check_signal(signal)), (Ok(()), Ok(())), "{body}");
        }
    }
}

/// Checks what is refused of a line, and how many of its readings are kept.
fn check_refusals(cases: &[(&str, usize, Vec<&str>)]) {
    for (line, kept, reasons) in cases {
        // Twice, as a series is only taken apart the first time.
        let batch = decode_ns(&format!("ok,t=z v=1 0\n\n{line}\n{line}\nok,t=z v=2 0"));
        let twice: Vec<(usize, &str)> =
            [3, 4].iter().flat_map(|number| reasons.iter().map(move |reason| (*number, *reason))).collect();
        assert_eq!(
            batch.errors.iter().map(|error| (error.line, error.reason.as_str())).collect::<Vec<_>>(),
            twice,
            "{line}"
        );
        assert_eq!(
            (batch.len(), batch.line.first(), batch.line.last()),
            (2 + 2 * kept, Some(&1), Some(&5)),
            "{line}"
        );
    }
}

#[test]
fn refusals_name_the_line_and_the_field() {
    let cases = [
        (
            "m,t=a v=abc,w=2 0",
            0,
            vec![
                "field \"v\" is abc; write a number (1.5, 2i, 3u) or a boolean (true, false); nothing of the \
                 line is stored",
            ],
        ),
        (
            "m,t=a v=NaN,w=-Inf 0",
            0,
            vec![
                "field \"v\" is NaN; leave it out where there is no number",
                "field \"w\" is -Inf; leave it out where there is no number",
            ],
        ),
        ("m,t=a v=1e999 0", 0, vec!["field \"v\" is 1e999, which is too large for a 64-bit float"]),
        (
            "m,t=a v=9223372036854775808i,w=18446744073709551616u,x=1 0",
            1,
            vec![
                "field \"v\" is 9223372036854775808i, which is no whole number of 64 bits",
                "field \"w\" is 18446744073709551616u, which is no whole number of 64 bits",
            ],
        ),
        (
            "m,t=a v=9223372036854775808i,w=-1u 0",
            0,
            vec![
                "field \"w\" is -1u; write a number (1.5, 2i, 3u) or a boolean (true, false); nothing of the \
                 line is stored",
            ],
        ),
        (
            "m,t=a v=,w=1 0",
            0,
            vec!["field \"v\" has no value; write name=value; nothing of the line is stored"],
        ),
        (
            "m,t=a v,w=1 0",
            0,
            vec!["field \"v\" has no value; write name=value; nothing of the line is stored"],
        ),
        (
            "m,t=a v=21,5 0",
            0,
            vec![
                "field \"5\" has no value; write name=value; a decimal point is a point, not a comma; \
                 nothing of the line is stored",
            ],
        ),
    ];
    check_refusals(&cases);
}

#[test]
fn refusals_of_lines_name_what_cannot_be_made_out() {
    let cases = [
        ("m,t=a =1 0", 0, vec!["a field has no name; write name=value"]),
        ("m,t=a v=1,s=\"open 0", 0, vec!["field \"s\" is text that is not closed with a quote on its line"]),
        (
            "m,t=a s=\"x\"y 0",
            0,
            vec!["field \"s\" has something after its closing quote; write a comma or a blank"],
        ),
        (
            "m,t=a v=1 12.5",
            0,
            vec!["timestamp \"12.5\" is not a whole number; after the fields comes one, or nothing"],
        ),
        (
            "m,t=a v=1 1 2",
            0,
            vec!["timestamp \"1 2\" is not a whole number; after the fields comes one, or nothing"],
        ),
        ("m,t=a", 0, vec!["the line has no field; write measurement,tag=value field=1.5 timestamp"]),
        (",t=a v=1", 0, vec!["the measurement is missing; write measurement,tag=value field=1.5 timestamp"]),
        ("m,t v=1", 0, vec!["tag \"t\" is not name=value; escape blanks, commas and equals signs with \\"]),
        ("m,t= v=1", 0, vec!["tag \"t=\" is not name=value; escape blanks, commas and equals signs with \\"]),
        ("m,t=1,t=2 v=1", 0, vec!["tag \"t\" is given twice"]),
    ];
    check_refusals(&cases);
}

#[test]
fn texts_are_passed_over_and_no_refusal() {
    let body = "m,t=a v=1,s=\"on, = x\\\" \",w=2 0\nsystem,host=h uptime_format=\"3:21\" 0\n\
        system,host=h up=t,uptime_format=\"3:22\" 1000";
    let batch = decode_ns(body);
    assert_eq!((batch.errors.as_slice(), batch.rejected, batch.skipped), (&[][..], 0, 3));
    assert_eq!((batch.value.as_slice(), batch.line.as_slice()), (&[1.0, 2.0, 1.0][..], &[1, 1, 3][..]));
    assert!(batch.names.iter().all(|(_, signal)| !signal.contains("uptime_format")), "{:?}", batch.names);
}

#[test]
fn a_line_with_a_syntax_error_is_refused_whole() {
    for line in [
        "temperature=21,5",
        "temperature=21,5 1767225600000000000",
        "flow=3,temperature=21,5,level=2",
        "flow=3,temperature=21.5.1",
        "flow=3,temperature=warm",
        "flow=3,temperature=0x1F",
        "flow=3,temperature=1e5i",
        "flow=3,temperature",
        "flow=3,temperature=",
        "flow=3,=21.5",
        "flow=3,text=\"a\"b",
        "flow=3,temperature=21 5 7",
        "flow=3,temperature=21 5s",
        "flow=3,temperature=NaN,level=2,",
        "flow=3,text=\"a\",temperature=21,5",
    ] {
        let batch = decode_ns(&format!("pump,unit=p7 {line}\npump,unit=p7 level=7"));
        assert_eq!(rows(&batch), [("p7", "pump_level", NO_TIME, 7.0)], "{line}");
        assert_eq!((batch.rejected, batch.errors.len(), batch.errors[0].line), (1, 1, 1), "{line}");
        assert_eq!(batch.skipped, 0, "{line}");
    }
}

#[test]
fn a_line_end_in_a_text_is_part_of_the_text() {
    let valve = "alarm,unit=p7 text=\"valve stuck\nsee x=5\nlevel,unit=p9 v=99 0\n\",level=3 1000";
    for (text, lines) in [
        (valve, [1, 5]),
        (&valve.replace('\n', "\r\n"), [1, 5]),
        ("alarm,unit=p7 level=3,text=\"two\n\nlines\" 1000", [1, 4]),
        ("alarm,unit=p7 level=3,text=\"a \\\"quote\\\" x=1\ny=2 \\\\\" 1000", [1, 3]),
        ("alarm,unit=p7 a=\"\n\",level=3,b=\"\nb=1\",c=\"c\nc c=1\" 1000\r", [1, 5]),
    ] {
        let batch = decode_ns(&format!("{text}\nalarm,unit=p7 level=4 2000\n"));
        let expected = [("p7", "alarm_level", 1, 3.0), ("p7", "alarm_level", 2, 4.0)];
        assert_eq!(rows(&batch), expected, "{text}");
        assert_eq!((batch.line.as_slice(), batch.errors.as_slice()), (&lines[..], &[][..]), "{text}");
    }
    // A body that is not UTF-8 as a whole is split in the same way.
    let body = b"alarm text=\"a\nb x=1\",level=3 1000\nalarm level=\xff\nalarm text=\"\xff\nb\",level=4 0";
    let batch = decode(body, Precision::Nanoseconds, &mapping(), &DecodeOptions::default()).unwrap();
    assert_eq!((rows(&batch), batch.errors[0].line), (vec![("alarm", "alarm_level", 1, 3.0)], 3));
}

#[test]
fn a_text_that_no_quote_closes_costs_no_good_line_and_makes_up_none() {
    let batch = decode_ns("m,t=a v=1,s=\"cut off\nsee x=5\nok,t=b v=2\nok v=3 1000\nsee y=6");
    assert_eq!(rows(&batch), [("b", "ok_v", NO_TIME, 2.0), ("ok", "ok_v", 1, 3.0)]);
    let expected = "the line may belong to the text that line 1 begins and no quote closes; close it, or \
                    send this line with its tags or its time";
    assert_eq!(batch.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 2, 5]);
    assert_eq!(batch.errors[1].reason, expected);
    // What follows a text in good order is in no doubt, though it has no tags and no time.
    let batch = decode_ns("m v=1,s=\"a\nb\"\nm v=2\nm v=3,s=\"a\nb\" 5x\nm v=4\nm v=5");
    assert_eq!(batch.value, [1.0, 2.0, 4.0, 5.0]);
    // A text ends within the longest line.
    let options = DecodeOptions { max_line_bytes: 40 };
    let long = format!("m v=1,s=\"a\n{}\"\nok,t=b v=2", "b".repeat(40));
    let batch = decode(long.as_bytes(), Precision::Nanoseconds, &mapping(), &options).unwrap();
    assert_eq!((rows(&batch), batch.rejected), (vec![("b", "ok_v", NO_TIME, 2.0)], 2));
}

#[test]
fn whole_numbers_keep_their_digits_or_are_refused() {
    let exact = ["9007199254740992i", "9007199254740994", "-9007199254740992i", "9223372036854774784i"];
    for value in exact {
        let batch = decode_ns(&format!("m v={value} 0"));
        let digits = value.trim_end_matches('i');
        assert_eq!(format!("{:.0}", batch.value[0]), digits, "{value}");
    }
    // A float that was written out: its digits are those that make it.
    assert_eq!(decode_ns("m v=12345678901234567000 0").value, [1.234_567_890_123_456_7e19]);
    for value in ["9007199254740993i", "-9007199254740993i", "18446744073709551615u", "9007199254740993"] {
        let batch = decode_ns(&format!("m v={value},w=1 0"));
        assert_eq!(batch.value, [1.0], "{value}");
        let reason = format!(
            "field \"v\" is {value}, which has more digits than a 64-bit float holds (whole numbers are \
             exact up to 2^53); send it in a larger unit"
        );
        assert_eq!(batch.errors[0].reason, reason);
    }
}

#[test]
fn series_are_bounded_and_the_known_ones_go_on() {
    let most = crate::raw::MAX_NAMES;
    let mut body = (0..most + 2).map(|number| format!("m,t={number} v=1 0\n")).collect::<Vec<_>>().concat();
    body.push_str("m,t=5 v=2 0\nm,t=5 v=2,w=3 0");
    let batch = decode_ns(&body);
    assert_eq!((batch.names.len(), batch.len(), batch.rejected), (most, most + 2, 3));
    let lines: Vec<_> = batch.errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [most + 1, most + 2, most + 4]);
    assert!(batch.errors.iter().all(|error| error.reason.contains("send it in parts")), "{:?}", batch.errors);
}

#[test]
fn timestamps_have_the_precision_of_the_request() {
    let cases = [
        ("", 7),
        ("n", 7),
        ("ns", 7),
        ("u", 7_000),
        ("us", 7_000),
        ("ms", 7_000_000),
        ("s", 7_000_000_000),
        ("m", 420_000_000_000),
        ("h", 25_200_000_000_000),
    ];
    for (precision, us) in cases {
        let precision = Precision::parse(precision).unwrap();
        let batch = decode(b"m v=1 7000", precision, &mapping(), &DecodeOptions::default()).unwrap();
        assert_eq!(batch.time, [us], "{precision:?}");
    }
    assert_eq!(
        Precision::parse("d").unwrap_err().to_string(),
        "line protocol: precision \"d\" is unknown; send ns, us, ms or s"
    );
    let batch =
        decode(b"m v=1 9223372036854775807", Precision::Seconds, &mapping(), &DecodeOptions::default())
            .unwrap();
    assert_eq!(
        batch.errors[0].reason,
        "timestamp 9223372036854775807 is out of range; check the parameter precision"
    );
}

#[test]
fn templates_name_assets_and_signals() {
    let cases = [
        ("{tags}", "{field}", "s1/p7", "value"),
        (
            "plant/{tag:site}/{measurement}-{tag:unit}",
            "{measurement}.{field}",
            "plant/s1/pump-p7",
            "pump.value",
        ),
        ("{measurement}", "{measurement}_{field}", "pump", "pump"),
    ];
    for (asset, signal, path, name) in cases {
        let mapping = InfluxMapping::new(asset, signal).unwrap();
        let batch = decode(
            b"pump,unit=p7,site=s1 value=1 0",
            Precision::Nanoseconds,
            &mapping,
            &DecodeOptions::default(),
        )
        .unwrap();
        assert_eq!(batch.name_of(0), (path, name));
    }
    let mapping = InfluxMapping::new("{tag:host}", "{field}").unwrap();
    let batch = decode(
        b"pump,unit=p7 value=1 0\npump,host=h value=1 0",
        Precision::Nanoseconds,
        &mapping,
        &DecodeOptions::default(),
    )
    .unwrap();
    assert_eq!(
        batch.errors[0].reason,
        "tag \"host\" is missing, which the asset's template (influx.asset) needs"
    );
    assert_eq!(batch.line, [2]);
    let bad = [
        (
            "{tagz}",
            "{field}",
            "the template \"{tagz}\" holds {tagz}; known are {measurement}, {tag:NAME}, {tags} and {field}",
        ),
        ("{tags", "{field}", "the template \"{tags\" has a { without }; write {measurement}"),
        (
            "{field}",
            "{field}",
            "influx.asset cannot hold {field}: one asset has many; use {measurement}, {tag:NAME} or {tags}",
        ),
        ("{tags}", "{tag:x}", "influx.signal cannot hold tags; use {field} and {measurement}"),
    ];
    for (asset, signal, problem) in bad {
        assert_eq!(
            InfluxMapping::new(asset, signal).unwrap_err().to_string(),
            format!("line protocol: {problem}")
        );
    }
}

#[test]
fn fields_in_changing_order_keep_their_names() {
    let batch =
        decode_ns("m,t=a x=1,y=2\nm,t=b y=3\nm,t=a y=4,x=5\nm,t=a z=6,y=7\nm,t=b x=8\nm,t=a x=\"no\",y=9");
    let expected = [
        ("a", "x", 1.0),
        ("a", "y", 2.0),
        ("b", "y", 3.0),
        ("a", "y", 4.0),
        ("a", "x", 5.0),
        ("a", "z", 6.0),
        ("a", "y", 7.0),
        ("b", "x", 8.0),
        ("a", "y", 9.0),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(asset, field, value)| (asset, format!("m_{field}"), value)).collect();
    let found: Vec<_> =
        rows(&batch).into_iter().map(|(asset, signal, _, value)| (asset, signal.to_owned(), value)).collect();
    assert_eq!(found, expected);
    assert_eq!(batch.names.len(), 5);
}

#[test]
fn hostile_lines_cost_only_themselves() {
    let options = DecodeOptions { max_line_bytes: 100 };
    let body = [b"m v=1", &b"m v="[..], &[b'1'; 200], b"\nm,t=\xff v=1\nm,\\\nm v=2\\"].concat();
    let batch =
        decode(&[&body[..5], b"\n", &body[5..]].concat(), Precision::Nanoseconds, &mapping(), &options)
            .unwrap();
    assert_eq!(batch.line, [1]);
    assert_eq!(batch.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
    let error = decode(b" \r\n", Precision::Nanoseconds, &mapping(), &options).unwrap_err().to_string();
    assert!(error.starts_with("the body is empty; send lines such as pump,"), "{error}");
}

fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| [matches!(c, '\\' | ',' | '=' | ' ').then_some('\\'), Some(c)])
        .flatten()
        .collect()
}

fn asset_of(tag: &str) -> String {
    let last = tag.chars().count() - 1;
    tag.chars()
        .enumerate()
        .map(|(i, c)| match c {
            ' ' if i > 0 && i < last => c.to_string(),
            c if c.is_alphanumeric() => c.to_string(),
            c => format!("_x{:X}_", u32::from(c)),
        })
        .collect()
}

proptest! {
    #[test]
    fn no_body_panics(
        body in proptest::collection::vec(any::<u8>(), 0..200), text in "[a,= \"\\\\1.\nit#é]{0,200}",
    ) {
        let _ = decode(&body, Precision::Hours, &mapping(), &DecodeOptions::default());
        let options = DecodeOptions { max_line_bytes: 40 };
        let _ = decode(text.as_bytes(), Precision::Nanoseconds, &mapping(), &options);
    }

    #[test]
    fn good_lines_among_bad_ones_are_all_kept(
        lines in proptest::collection::vec((any::<bool>(), "[^\n\r ]{1,40}"), 1..30),
    ) {
        let mut body = String::from("ok v=1\n");
        let mut expected = vec![1];
        for ((good, rubbish), line) in lines.iter().zip(2..) {
            if *good {
                body.push_str("pump,unit=p7 temp=1.5 5\n");
                expected.push(line);
            } else {
                writeln!(body, "x{rubbish}").unwrap();
            }
        }
        let batch = decode_ns(&body);
        prop_assert_eq!(batch.rejected, (lines.len() + 1 - expected.len()) as u64);
        prop_assert_eq!(batch.line, expected);
    }

    #[test]
    fn escaped_names_are_read_back(
        sent in proptest::collection::vec(
            (
                // Without x, so that nothing looks like an escape that was sent; see `encode.rs` for those.
                "[a-wyzé][a-wyz,= \\\\]{0,6}",
                "[a-wyzü,= \\\\]{1,6}",
                "[a-wyz,= \\\\]{1,6}",
                any::<i64>(),
                -1e9..1e9_f64,
            ),
            1..20,
        )
    ) {
        let mut body = String::new();
        for (measurement, tag, field, time, value) in &sent {
            let (measurement, tag, field) = (escape(measurement), escape(tag), escape(field));
            writeln!(body, "{measurement},t={tag} {field}={value},i={}i {time}", time / 2048).unwrap();
        }
        let mapping = InfluxMapping::new("{tags}", "{measurement}:{field}").unwrap();
        let options = DecodeOptions::default();
        let batch = decode(body.as_bytes(), Precision::Microseconds, &mapping, &options).unwrap();
        let plain = |text: &str| -> String {
            text.chars()
                .map(|c| match c {
                    ' ' => "_".to_owned(),
                    c if c.is_alphanumeric() => c.to_string(),
                    c => format!("_x{:X}_", u32::from(c)),
                })
                .collect()
        };
        let expected: Vec<_> = sent
            .iter()
            .filter(|(_, _, _, time, _)| *time != NO_TIME)
            .flat_map(|(measurement, tag, field, time, value)| {
                let signal = |field| format!("{}:{}", plain(measurement), plain(field));
                let part = (time / 2048) as f64;
                [(asset_of(tag), signal(field), *time, *value), (asset_of(tag), signal("i"), *time, part)]
            })
            .collect();
        let found: Vec<_> = rows(&batch)
            .into_iter()
            .map(|(asset, signal, time, value)| (asset.to_owned(), signal.to_owned(), time, value))
            .collect();
        prop_assert_eq!(&batch.errors, &[]);
        prop_assert_eq!(found, expected);
    }
}
