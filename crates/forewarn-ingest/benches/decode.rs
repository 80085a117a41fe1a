//! How fast bodies are decoded, against what `serde_json` alone needs for the same bytes.
//!
//! `cargo bench -p forewarn-ingest` prints nanoseconds a reading and the ratio; the best of several rounds
//! counts, since what disturbs a round only ever makes it slower.

#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use forewarn_ingest::decode::line_protocol::{self, Precision};
use forewarn_ingest::decode::{DecodeOptions, InfluxMapping, json};
use forewarn_types::Timestamp;

const LINES: usize = 20_000;
const ROUNDS: usize = 15;

/// What a decoder that keeps nothing would do at least.
#[derive(serde::Deserialize)]
struct Bare<'a> {
    #[serde(borrow)]
    asset: std::borrow::Cow<'a, str>,
    signal: &'a str,
    time: &'a str,
    value: f64,
}

fn main() {
    let options = DecodeOptions::default();
    let ndjson = ndjson();
    println!("NDJSON, {} bytes a line", ndjson.len() / LINES - 1);
    let bare = measure(LINES, || {
        let mut sum = 0.0;
        for line in ndjson.split_terminator('\n') {
            let reading: Bare<'_> = serde_json::from_str(line).unwrap();
            sum += reading.value + (reading.asset.len() + reading.signal.len() + reading.time.len()) as f64;
        }
        black_box(sum);
    });
    let ours = measure(LINES, || {
        black_box(json::decode_readings(ndjson.as_bytes(), &options).unwrap());
    });
    println!("  serde_json, borrowed struct {bare:7.1} ns/reading");
    println!("  decode_readings             {ours:7.1} ns/reading   {:.2} x serde_json", ours / bare);

    let array = format!("[{}]", ndjson.trim_end().replace('\n', ","));
    let ours = measure(LINES, || {
        black_box(json::decode_readings(array.as_bytes(), &options).unwrap());
    });
    println!("  decode_readings, array      {ours:7.1} ns/reading");
    let wide = wide();
    let ours = measure(LINES, || {
        black_box(json::decode_readings(wide.as_bytes(), &options).unwrap());
    });
    println!("  decode_readings, wide form  {ours:7.1} ns/reading");

    let mapping = InfluxMapping::new("{tags}", "{measurement}_{field}").unwrap();
    for fields in [1, 4] {
        let body = lines(fields);
        let ours = measure(LINES, || {
            black_box(
                line_protocol::decode(body.as_bytes(), Precision::Nanoseconds, &mapping, &options).unwrap(),
            );
        });
        println!(
            "line protocol, {fields} field(s) a line {ours:7.1} ns/reading   ({} bytes a line)",
            body.len() * fields / LINES
        );
    }
}

fn measure(readings: usize, mut work: impl FnMut()) -> f64 {
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64 / readings as f64
    };
    (0..ROUNDS).map(|_| round(&mut work)).fold(f64::INFINITY, f64::min)
}

fn time(index: usize) -> i64 {
    1_767_225_600_000_000 + i64::try_from(index).unwrap() * 1_000_000
}

/// 82 bytes a line (without its end), 50 pumps with 4 signals each.
fn ndjson() -> String {
    let mut body = String::new();
    for index in 0..LINES {
        let (pump, signal) = (10 + index / 4 % 50, ["temp", "flow", "vibr", "amps"][index % 4]);
        let value = 60 + index % 40;
        let part = index * 7 % 10;
        let _ = writeln!(
            body,
            r#"{{"asset":"hall/pump{pump}","signal":"{signal}","time":"{}","value":{value}.{part}}}"#,
            Timestamp(time(index)),
        );
    }
    body
}

fn wide() -> String {
    let mut body = String::new();
    for index in (0..LINES).step_by(4) {
        let (pump, value) = (10 + index / 4 % 50, 60 + index % 40);
        let _ = writeln!(
            body,
            "{{\"asset\":\"plant/pump{pump}\",\"time\":\"{}\",\"values\":{{\"temp\":{value}.1,\
             \"flow\":{value}.2,\"vibr\":0.{value},\"amps\":{value}}}}}",
            Timestamp(time(index)),
        );
    }
    body
}

fn lines(fields: usize) -> String {
    let mut body = String::new();
    for index in (0..LINES).step_by(fields) {
        let (pump, value) = (10 + index / 4 % 50, 60 + index % 40);
        let _ = write!(body, "pump,site=plant1,unit=pump{pump} ");
        for (place, field) in ["temp", "flow", "vibr", "amps"][..fields].iter().enumerate() {
            let _ = write!(body, "{}{field}={value}.{place}", if place > 0 { "," } else { "" });
        }
        let _ = writeln!(body, " {}", time(index) * 1_000);
    }
    body
}
