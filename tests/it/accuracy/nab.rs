//! A real machine with known failures: the temperature sensor of NAB's industrial machine, sent as a gateway
//! would send it.

use forewarn_tests::data;
use forewarn_tests::site::{Server, Site};
use serde_json::Value;

const FILE: &str = "realKnownCause/machine_temperature_system_failure.csv";
const ASSET: &str = "plant1/machine";
const ROWS: usize = 22_695;
/// Lines of one request.
const PART: usize = 4_000;
/// The share of the rows that a detector may use to learn, in percent.
const LEARNING: usize = 15;
const MAX_FALSE_ONSETS: usize = 14;

/// The rows at which an independent implementation of the prescribed detector sees onsets at the same
/// sensitivity.
const ONSET_ROWS: [usize; 19] = [
    312, 321, 519, 801, 2073, 2337, 2818, 3965, 5985, 5986, 11746, 12850, 15166, 16330, 16978, 18057, 18970,
    19306, 21526,
];

const PIPELINE: &str = "\
pipeline: machine
signals:
  - { name: temperature, assets: \"plant1/**\", unit: °F }
rules:
  - name: temperature-unusual
    assets: \"plant1/**\"
    deviation: { signal: temperature, method: learned_limits, sensitivity: high }
    severity: major
";

/// Times as `2013-12-02T21:15:00Z`, and values as the file spells them.
fn rows() -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(data::path(&format!("nab/{FILE}"))?).expect("the file is text");
    let row = |line: &str| {
        let (time, value) = line.split_once(',').expect("two columns");
        (utc(time), value.trim().to_owned())
    };
    Some(text.lines().skip(1).map(row).collect())
}

/// The file writes times without a zone; they are UTC. Fractions of a second are zero throughout.
fn utc(time: &str) -> String {
    let (date, clock) = time[..19].split_once([' ', 'T']).expect("a date and a time of day");
    format!("{date}T{clock}Z")
}

/// The stretches that its owner labelled as failures, first and last time.
fn windows() -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(data::path("nab/windows.json")?).expect("the labels are text");
    let labels: Value = serde_json::from_str(&text).expect("the labels are JSON");
    let time = |value: &Value| utc(value.as_str().expect("a time"));
    Some(
        labels[FILE]
            .as_array()
            .expect("windows")
            .iter()
            .map(|window| (time(&window[0]), time(&window[1])))
            .collect(),
    )
}

fn ndjson(rows: &[(String, String)]) -> String {
    let line = |(time, value): &(String, String)| {
        format!(
            "{{\"asset\":\"{ASSET}\",\"signal\":\"temperature\",\"time\":\"{time}\",\"value\":{value}}}\n"
        )
    };
    rows.iter().map(line).collect()
}

/// Rows not newer than the newest before them. The file repeats an hour's times with other values; none of
/// those is a duplicate.
fn late_rows(rows: &[(String, String)]) -> u64 {
    let mut newest = "";
    let mut late = 0;
    for (time, _) in rows {
        if time.as_str() <= newest {
            late += 1;
        } else {
            newest = time;
        }
    }
    late
}

/// What a run of the whole file leaves behind.
struct Outcome {
    /// Event times of the onsets, in the order found.
    onsets: Vec<String>,
    /// The alert of each onset.
    alerts: Vec<String>,
    /// All alerts, oldest start first.
    listed: Vec<String>,
}

/// Sends the file in several requests and asks at once for what became of it.
async fn run(rows: &[(String, String)]) -> Outcome {
    let site = Site::new();
    site.pipeline(PIPELINE);
    let server = site.start().await;
    let (mut accepted, mut late) = (0, 0);
    for part in rows.chunks(PART) {
        let (status, answer) = server.send("/v1/readings", ndjson(part)).await;
        assert_eq!((status, answer["rejected_total"].as_u64()), (200, Some(0)), "{answer}");
        accepted += answer["accepted"].as_u64().expect("a count");
        late += answer["late"].as_u64().expect("a count");
    }
    // Nothing is waited for here: an acknowledged reading is visible at once.
    assert_eq!(server.count("SELECT count(*) FROM readings").await, ROWS as u64);
    assert_eq!((accepted, late), (ROWS as u64, late_rows(rows)));
    let outcome = outcome(&server).await;
    assert_eq!(server.stop().await.code(), Some(0), "{}", site.log());
    outcome
}

async fn outcome(server: &Server) -> Outcome {
    // The list comes once the engine has judged every reading; the table then holds all that it found.
    let mut listed: Vec<(String, String)> =
        server.alerts("").await.iter().map(|alert| (text(&alert["started"]), text(&alert["id"]))).collect();
    listed.sort();
    let query = "SELECT time, alert, asset, rule FROM alert_events WHERE transition IN ('raised', \
        'reraised') ORDER BY \"offset\"";
    let mut outcome = Outcome {
        onsets: Vec::new(),
        alerts: Vec::new(),
        listed: listed.into_iter().map(|(_, id)| id).collect(),
    };
    for row in server.sql(query).await {
        assert_eq!((row[2].as_str(), row[3].as_str()), (Some(ASSET), Some("temperature-unusual")));
        outcome.onsets.push(utc(&text(&row[0])));
        outcome.alerts.push(text(&row[1]));
    }
    outcome
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn check_onsets(rows: &[(String, String)], windows: &[(String, String)], onsets: &[String]) {
    // RFC 3339 times of one form sort as the times do.
    let inside = |onset: &String| windows.iter().any(|(from, to)| from <= onset && onset <= to);
    let hit =
        windows.iter().filter(|(from, to)| onsets.iter().any(|onset| from <= onset && onset <= to)).count();
    let learnt = &rows[rows.len() * LEARNING / 100].0;
    let outside = onsets.iter().filter(|onset| *onset >= learnt && !inside(onset)).count();
    println!(
        "NAB machine temperature: {} onsets, {hit} of {} labelled windows hit, {outside} onsets outside \
         after the first {LEARNING} % of rows",
        onsets.len(),
        windows.len()
    );
    let expected: Vec<&String> = ONSET_ROWS.iter().map(|row| &rows[*row].0).collect();
    assert_eq!(onsets.iter().collect::<Vec<_>>(), expected, "the onsets differ from the reference's");
    assert_eq!((hit, windows.len()), (4, 4), "labelled windows hit");
    assert!(outside <= MAX_FALSE_ONSETS, "{outside} onsets outside of the labelled windows");
}

#[tokio::test]
async fn accuracy_on_a_real_machine_is_that_of_the_reference_and_the_same_in_every_run() {
    let (Some(rows), Some(windows)) = (rows(), windows()) else { return };
    assert_eq!(rows.len(), ROWS);
    let first = run(&rows).await;
    check_onsets(&rows, &windows, &first.onsets);
    assert!(!first.listed.is_empty());
    assert!(
        first.alerts.iter().all(|alert| first.listed.contains(alert)),
        "an onset belongs to an alert that is not listed"
    );
    let second = run(&rows).await;
    assert_eq!(second.listed, first.listed, "a second run gives other alerts");
    assert_eq!(
        (second.onsets, second.alerts),
        (first.onsets, first.alerts),
        "a second run gives other onsets"
    );
}
