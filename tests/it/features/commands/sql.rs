//! `forewarn sql`: answers as tables for people and in forms that programs read.

use std::process::Stdio;

use forewarn_tests::cli::{Said, asked, asked_with_input, assert_says, done, done_json};
use forewarn_tests::peers;
use forewarn_tests::site::{Site, binary};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
async fn queries_are_answered_as_a_table_as_json_and_as_csv() {
    let site = Site::new();
    let server = site.start().await;
    let readings = [("pump1", 71.5), ("pump2", 118.25), ("pump2", 9.0)].into_iter().enumerate();
    for (index, (pump, value)) in readings {
        let time = format!("2026-01-01T00:00:0{index}Z");
        server
            .post(
                "/v1/readings",
                &json!({ "asset": pump, "signal": "temperature", "time": time, "value": value }),
            )
            .await;
    }
    let query = "SELECT asset, time, value FROM readings ORDER BY time";
    let table = done(&server, &["sql", query]).await;
    let expected = "asset  time                   value\n\
        pump1  2026-01-01T00:00:00Z   71.50\n\
        pump2  2026-01-01T00:00:01Z  118.25\n\
        pump2  2026-01-01T00:00:02Z    9.00\n(3 rows)\n";
    assert_eq!(table, expected);
    let answer = done_json(&server, &["sql", query]).await;
    assert_eq!(answer["columns"], json!(["asset", "time", "value"]));
    assert_eq!(answer["rows"][1], json!(["pump2", "2026-01-01T00:00:01Z", 118.25]));
    let csv = asked_with_input(
        &server.url,
        &["sql", "--csv", "-"],
        "SELECT asset, value,\n 'a,b' AS text FROM readings ORDER BY time LIMIT 2\n",
    )
    .await;
    assert_eq!(csv.with_code(0), "asset,value,text\r\npump1,71.5,\"a,b\"\r\npump2,118.25,\"a,b\"\r\n");
    let cut = asked(&server, &["sql", query, "--csv", "--max-rows", "1"]).await;
    assert_says(&cut.err, &["not all rows", "--max-rows"]);
    assert_eq!(cut.with_code(0).lines().count(), 2, "the header and a row");
    let cut = done(&server, &["sql", query, "--max-rows", "1"]).await;
    assert_says(&cut, &["(1 row, and there are more: see --max-rows)"]);
    let complaint = asked(&server, &["sql", "SELECT vlue FROM readings"]).await.complaint(1);
    assert_says(&complaint, &["there is no column vlue", "did you mean value?"]);
    let complaint = asked(&server, &["sql", "SELECT 1", "--csv", "--json"]).await.complaint(2);
    assert_says(&complaint, &["--csv", "--json"]);
}

#[tokio::test]
async fn rows_go_to_files_and_pipes_in_forms_that_programs_read() {
    let site = Site::new();
    let server = site.start().await;
    let readings = [("pump1", 71.5), ("pump2", 118.25)]
        .map(|(pump, value)| json!({ "asset": pump, "signal": "flow", "value": value }));
    server.post("/v1/readings", &json!(readings)).await;
    let query = "SELECT asset, value FROM readings ORDER BY asset";
    let rows = "asset,value\r\npump1,71.5\r\npump2,118.25\r\n";
    assert_eq!(done(&server, &["sql", query, "--format", "csv"]).await, rows);
    let written = site.path().join("rows.csv").display().to_string();
    assert_eq!(done(&server, &["sql", query, "--format", "csv", "--output", &written]).await, "");
    assert_eq!(std::fs::read_to_string(&written).expect("the file is there"), rows);
    // A file that is there is replaced whole.
    let cut =
        asked(&server, &["sql", query, "--format", "json", "--output", &written, "--max-rows", "1"]).await;
    assert_says(&cut.err, &["not all rows"]);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&written).expect("the file is there"))
        .expect("JSON and nothing else");
    assert_eq!(json, json!({ "columns": ["asset", "value"], "rows": [["pump1", 71.5]], "truncated": true }));
    let table = done(&server, &["sql", query, "--format", "table"]).await;
    assert_says(&table, &["pump2  118.25", "(2 rows)"]);

    let mut forms = Vec::new();
    for format in ["parquet", "arrow"] {
        let file = site.path().join(format).display().to_string();
        assert_eq!(done(&server, &["sql", query, "--format", format, "--output", &file]).await, "");
        let piped = Command::new(binary())
            .args(["sql", query, "--format", format, "--server", &server.url])
            .output()
            .await;
        let (file, piped) =
            (std::fs::read(file).expect("the file is there"), piped.expect("the program starts"));
        assert!(piped.status.success() && piped.stdout == file, "{format}: what is piped is what is written");
        forms.push(file);
    }
    assert!(forms[0].starts_with(b"PAR1") && forms[0].ends_with(b"PAR1"), "a whole Parquet file");
    // A stream begins with the mark of a message and ends with an empty one.
    assert!(
        forms[1].starts_with(&[0xff; 4]) && forms[1].ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        "a whole Arrow stream"
    );

    let complaint = asked(&server, &["sql", query, "--format", "excel"]).await.complaint(2);
    assert_says(&complaint, &["table, json, csv, arrow, parquet"]);
    assert_says(
        &asked(&server, &["sql", query, "--format", "csv", "--json"]).await.complaint(2),
        &["--format", "--json"],
    );
    let complaint = asked(&server, &["sql", query, "--output", "/no/such/folder/rows"]).await.complaint(2);
    assert_says(&complaint, &["cannot write the rows to /no/such/folder/rows", "No such file"]);
}

#[tokio::test]
async fn a_terminal_is_spared_from_bytes_that_are_no_text() {
    let site = Site::new();
    let server = site.start().await;
    // `script` gives the program a terminal.
    let Some(script) = peers::program("script") else { return };
    let line =
        format!("{} sql 'SELECT 1 AS one' --format parquet --server {}", binary().display(), server.url);
    let said = Command::new(script)
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .await;
    let said = Said::of(&said.expect("it starts"));
    assert_says(&said.out, &["no text for a terminal", "--output FILE"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}
