//! The command line as people use it: what each command prints, and the exit code it ends with.

use std::fmt::Write as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, binary};
use forewarn_tests::{data, peers};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::clients::peer;

pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
const NAB: &str = "nab/realKnownCause/machine_temperature_system_failure.csv";
/// The columns of C-MAPSS, and how its cycles become times.
const FLEET: [&str; 8] = [
    "--columns",
    "unit,cycle,setting1..3,s1..s21",
    "--time",
    "cycle",
    "--time-start",
    "2000-01-01T00:00:00Z",
    "--time-step",
    "1h",
];

/// What a command has said, and its exit code.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Told {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Standard output of a command that must have ended with `code`.
    fn with_code(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.out
    }

    /// Standard error of a command that must have ended with `code` and printed nothing.
    fn complaint(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:?}");
        self.err
    }
}

/// Runs a command against the server at `url`, with `input` on its standard input.
async fn tell_input(url: &str, arguments: &[&str], input: &str) -> Told {
    let mut command = Command::new(binary());
    command.args(arguments).args(["--server", url]).env_remove("FOREWARN_SERVER");
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = process.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await.expect("the program reads");
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, process.wait_with_output())
        .await
        .expect("the command ends")
        .expect("its output");
    Told::of(&output)
}

async fn tell(server: &Server, arguments: &[&str]) -> Told {
    tell_input(&server.url, arguments, "").await
}

/// What a command prints that must succeed.
pub(crate) async fn done(server: &Server, arguments: &[&str]) -> String {
    tell(server, arguments).await.with_code(0)
}

/// What a command prints with `--json`.
pub(crate) async fn done_json(server: &Server, arguments: &[&str]) -> Value {
    let out = done(server, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}"))
}

pub(crate) fn file(site: &Site, name: &str, text: &str) -> String {
    site.write(name, text);
    site.path().join(name).display().to_string()
}

pub(crate) fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn the_history_of_a_real_machine_is_imported_and_counted_at_once() {
    let Some(path) = data::path(NAB) else { return };
    let (site, path) = (Site::new(), path.display().to_string());
    let server = site.start().await;
    let import =
        ["import", &path, "--asset", "nab/machine", "--time", "timestamp", "--signal", "value=temperature"];
    let told = done(&server, &import).await;
    assert_eq!(server.count("SELECT count(*) FROM readings WHERE signal = 'temperature'").await, 22_695);
    assert_says(&told, &["22,695 readings stored from 1 file in "]);
    let again = done_json(&server, &import).await;
    assert_eq!(
        (&again["accepted"], &again["duplicate"], &again["refused"]),
        (&json!(0), &json!(22_695), &json!(0)),
        "{again}"
    );
}

#[tokio::test]
async fn tables_of_a_fleet_become_readings_and_lives() {
    let (Some(train), Some(test)) =
        (data::path("cmapss/train_FD001.txt"), data::path("cmapss/test_FD001.txt"))
    else {
        return;
    };
    let site = Site::new();
    let server = site.start().await;
    for (path, asset, end, events) in
        [(&train, "fd001/unit{unit}", "failed", 200), (&test, "fd001/test{unit}", "running", 100)]
    {
        let rows = std::fs::read_to_string(path)
            .expect("the file is text")
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        let path = path.display().to_string();
        let import = [&["import", &path, "--asset", asset, "--lives", end][..], &FLEET].concat();
        let told = done_json(&server, &import).await;
        // Three settings and 21 sensors in each row.
        assert_eq!(
            (&told["accepted"], &told["refused"], &told["life_events"]),
            (&json!(rows * 24), &json!(0), &json!(events)),
            "{told}"
        );
        let glob = asset.replace("{unit}", "%");
        assert_eq!(
            server.count(&format!("SELECT count(*) FROM readings WHERE asset LIKE '{glob}'")).await,
            rows as u64 * 24
        );
    }
    let lives = server.sql("SELECT event, count(*) FROM life_events GROUP BY event ORDER BY event").await;
    assert_eq!(json!(lives), json!([["failed", 100], ["installed", 200]]));
    // The first engine ran for 192 cycles, counted from 1: its life begins a step before the first.
    let life =
        server.sql("SELECT time, event FROM life_events WHERE asset = 'fd001/unit1' ORDER BY time").await;
    assert_eq!(
        json!(life),
        json!([["2000-01-01T00:00:00Z", "installed"], ["2000-01-09T00:00:00Z", "failed"]])
    );
    let first = server
        .sql(
            "SELECT time, value FROM readings WHERE asset = 'fd001/unit1' AND signal = 's2' \
             ORDER BY time LIMIT 1",
        )
        .await;
    assert_eq!(json!(first), json!([["2000-01-01T01:00:00Z", 641.82]]));
}

const RUN_TO_FAILURE: &str = "time,wear\n2026-01-01 00:00,1\n2026-01-01 01:00,2\n2026-01-01 02:00,4\n";

#[tokio::test]
async fn an_import_that_is_repeated_adds_no_second_life() {
    let site = Site::new();
    let server = site.start().await;
    let path = file(&site, "pump.csv", RUN_TO_FAILURE);
    let import = ["import", &path, "--asset", "plant1/pump1", "--time", "time", "--lives", "failed"];
    assert_says(&done(&server, &import).await, &["3 readings stored", "2 life events recorded"]);
    let again = done(&server, &import).await;
    assert_says(&again, &["0 readings stored", "3 had been stored before"]);
    assert!(!again.contains("life event"), "{again}");
    assert_eq!(server.count("SELECT count(*) FROM life_events").await, 2);
}

#[tokio::test]
async fn a_life_in_several_files_is_one_life() {
    let site = Site::new();
    let server = site.start().await;
    let february = file(
        &site,
        "february.csv",
        "time,pump,wear\n2026-02-01 00:00,1,4\n2026-02-01 01:00,1,5\n2026-02-01 01:00,2,1\n",
    );
    let january = file(&site, "january.csv", "time,pump,wear\n2026-01-01 00:00,1,1\n2026-01-01 01:00,1,2\n");
    let import = [
        "import",
        &february,
        &january,
        "--asset",
        "plant1/pump{pump}",
        "--time",
        "time",
        "--signal",
        "wear",
        "--lives",
        "failed",
    ];
    assert_says(&done(&server, &import).await, &["5 readings stored from 2 files", "4 life events recorded"]);
    let events =
        server.sql("SELECT asset, time, event FROM life_events ORDER BY asset, time, event DESC").await;
    let expected = [
        ["plant1/pump1", "2025-12-31T23:00:00Z", "installed"],
        ["plant1/pump1", "2026-02-01T01:00:00Z", "failed"],
        ["plant1/pump2", "2026-02-01T01:00:00Z", "installed"],
        ["plant1/pump2", "2026-02-01T01:00:00Z", "failed"],
    ];
    assert_eq!(json!(events), json!(expected));
}

#[tokio::test]
async fn bad_lines_are_named_and_lose_none_of_the_others() {
    let site = Site::new();
    let server = site.start().await;
    let text = "time;temperature;flow\n2026-01-01 00:00:00;70.5;100\n2026-01-01 00:01:00;warm;101\n\
        noon;71;102\n2026-01-01 00:03:00;72;\n2026-01-01 00:04:00;73\n\
        2999-01-01 00:05:00;74;105\n2026-01-01 00:06:00;75;106\n";
    let path = file(&site, "bad.csv", text);
    let import = [
        "import",
        &path,
        "--asset",
        "plant1/pump1",
        "--time",
        "time",
        "--signal",
        "temperature",
        "--signal",
        "flow",
    ];
    let told = tell(&server, &import).await;
    let complaints: Vec<&str> = told.err.lines().collect();
    for (line, reason) in [
        (3, "column \"temperature\" is \"warm\", not a number"),
        (4, "\"noon\", not a time"),
        (6, "2 cells"),
        (7, "in the future"),
    ] {
        let place = format!("{path}:{line}: ");
        assert!(
            complaints.iter().any(|told| told.starts_with(&place) && told.contains(reason)),
            "{place}{reason}: {complaints:#?}"
        );
    }
    // Both readings of line 7 are refused.
    assert_eq!(complaints.len(), 5, "{complaints:#?}");
    assert_says(&told.out, &["6 readings stored from 1 file", "5 lines refused", "1 cell without a value"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let stored = server.sql("SELECT signal, value FROM readings ORDER BY signal, value").await;
    let expected = [
        ("flow", 100.0),
        ("flow", 101.0),
        ("flow", 106.0),
        ("temperature", 70.5),
        ("temperature", 72.0),
        ("temperature", 75.0),
    ];
    assert_eq!(json!(stored), json!(expected));
}

#[tokio::test]
async fn a_mapping_that_does_not_fit_sends_nothing() {
    let site = Site::new();
    let server = site.start().await;
    let good = file(&site, "good.csv", "time,temperature\n2026-01-01 00:00:00,70.5\n");
    let other = file(&site, "other.csv", "when,temperature\n2026-01-01 00:00:00,70.5\n");
    let asset = ["--asset", "plant1/pump1"];
    // The first file fits, the second one does not.
    let complaint = tell(&server, &[&["import", &good, &other, "--time", "time"][..], &asset].concat())
        .await
        .complaint(2);
    assert_says(
        &complaint,
        &["other.csv", "there is no column \"time\"", "the columns are when, temperature"],
    );
    let misspelt = ["import", &good, "--time", "time", "--signal", "temprature"];
    let complaint = tell(&server, &[&misspelt[..], &asset].concat()).await.complaint(2);
    assert_says(&complaint, &["there is no column \"temprature\"", "time, temperature"]);
    // What a mapping lacks is said in words of the command line.
    let cycles = file(&site, "cycles.csv", "cycle,temperature\n1,70.5\n");
    let told = tell(&server, &[&["import", &cycles, "--time", "cycle"][..], &asset].concat()).await;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert_says(&told.err, &["cycles.csv:2: ", "--time-unit", "--time-start and --time-step"]);
    let complaint = tell(&server, &[&["import", "missing.csv", "--time", "time"][..], &asset].concat())
        .await
        .complaint(2);
    assert_says(&complaint, &["missing.csv", "No such file"]);
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 0);
}

#[tokio::test]
async fn parquet_of_polars_is_imported() {
    let site = Site::new();
    let path = site.path().join("history.parquet").display().to_string();
    let Some(written) = peer("write_parquet.py", &path).await else { return };
    let server = site.start().await;
    let told = done_json(&server, &["import", &path, "--asset", "plant1/pump{pump}", "--time", "when"]).await;
    // Of 3,000 rows in three columns that hold numbers or truth values, 30 temperatures are missing.
    assert_eq!(
        (&told["accepted"], &told["empty_cells"], &told["refused"]),
        (&json!(8_970), &json!(30), &json!(0)),
        "{told}"
    );
    let rows =
        server.sql("SELECT signal, count(*), sum(value) FROM readings GROUP BY signal ORDER BY signal").await;
    let expected = [
        json!(["running", 3_000, 1_500.0]),
        json!(["temperature", 2_970, written["temperature"]]),
        json!(["vibration", 3_000, 562_312.5]),
    ];
    assert_eq!(rows.into_iter().map(Value::from).collect::<Vec<_>>(), expected);
    let last = server.sql("SELECT asset, time FROM readings ORDER BY time DESC LIMIT 1").await;
    assert_eq!(json!(last), json!([["plant1/pump2", "2026-01-03T01:59:00Z"]]));
}

#[tokio::test]
async fn without_a_server_a_command_says_so() {
    let told = tell_input("127.0.0.1:1", &["sql", "SELECT 1 AS one"], "").await;
    assert_says(
        &told.complaint(2),
        &["no answer from http://127.0.0.1:1", "onnection refused", "is the server running"],
    );
    let told = tell_input("ftp://host", &["alert", "list"], "").await;
    assert_says(&told.complaint(2), &["--server", "http://127.0.0.1:8080"]);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_for_a_server_on_this_machine() {
    let site = Site::new();
    let server = site.start().await;
    let mut command = Command::new(binary());
    command
        .args(["sql", "SELECT 1 AS one", "--server", &server.url])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    let told = Told::of(&command.stdin(Stdio::null()).output().await.expect("the program starts"));
    assert_says(&told.with_code(0), &["one", "(1 row)"]);
}

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
    let csv = tell_input(
        &server.url,
        &["sql", "--csv", "-"],
        "SELECT asset, value,\n 'a,b' AS text FROM readings ORDER BY time LIMIT 2\n",
    )
    .await;
    assert_eq!(csv.with_code(0), "asset,value,text\r\npump1,71.5,\"a,b\"\r\npump2,118.25,\"a,b\"\r\n");
    let cut = tell(&server, &["sql", query, "--csv", "--max-rows", "1"]).await;
    assert_says(&cut.err, &["not all rows", "--max-rows"]);
    assert_eq!(cut.with_code(0).lines().count(), 2, "the header and a row");
    let cut = done(&server, &["sql", query, "--max-rows", "1"]).await;
    assert_says(&cut, &["(1 row, and there are more: see --max-rows)"]);
    let complaint = tell(&server, &["sql", "SELECT vlue FROM readings"]).await.complaint(1);
    assert_says(&complaint, &["there is no column vlue", "did you mean value?"]);
    let complaint = tell(&server, &["sql", "SELECT 1", "--csv", "--json"]).await.complaint(2);
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
        tell(&server, &["sql", query, "--format", "json", "--output", &written, "--max-rows", "1"]).await;
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

    let complaint = tell(&server, &["sql", query, "--format", "excel"]).await.complaint(2);
    assert_says(&complaint, &["table, json, csv, arrow, parquet"]);
    assert_says(
        &tell(&server, &["sql", query, "--format", "csv", "--json"]).await.complaint(2),
        &["--format", "--json"],
    );
    let complaint = tell(&server, &["sql", query, "--output", "/no/such/folder/rows"]).await.complaint(2);
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
    let told = Command::new(script)
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .await;
    let told = Told::of(&told.expect("it starts"));
    assert_says(&told.out, &["no text for a terminal", "--output FILE"]);
    assert_eq!(told.code, Some(2), "{told:?}");
}

const JOBS: &str = "\
pipeline: p
jobs:
  - name: hottest
    schedule: \"0 * * * *\"
    sql: >
      SELECT asset, max(value) AS hottest FROM readings WHERE time >= :from AND time < :to GROUP BY asset
    into: hottest_hourly
  - name: broken
    schedule: \"0 0 1 1 *\"
    sql: \"SELECT asset FROM hottest_hourly WHERE time >= :from AND time < :to\"
    into: never
";

#[tokio::test]
async fn jobs_are_listed_run_and_made_up_for() {
    let site = Site::new();
    site.pipeline(JOBS);
    let server = site.start().await;
    for hour in 0..3 {
        let reading = reading("pump1", "t", format!("2026-01-01T0{hour}:30:00Z"), 60 + hour);
        server.post("/v1/readings", &reading).await;
    }
    let listed = done(&server, &["job", "list"]).await;
    assert_says(&listed, &["job ", "schedule", "hottest", "0 * * * *", "broken", "sql"]);

    let (from, to) = (["--from", "2026-01-01T00:00:00Z"], ["--to", "2026-01-01T03:00:00Z"]);
    let ran = done(&server, &[&["job", "run", "hottest", "--wait"][..], &from, &to].concat()).await;
    assert_says(&ran, &[" succeeded, 1 row\n"]);
    assert_eq!(
        json!(server.sql("SELECT asset, hottest FROM hottest_hourly").await),
        json!([["pump1", 62.0]])
    );
    let queued = done(&server, &["job", "run", "hottest"]).await;
    let run = queued.trim().strip_prefix("queued as ").expect("the run's name");
    assert_eq!(server.run_ended(run).await["state"], "succeeded");
    let told = tell(&server, &["job", "run", "broken", "--wait"]).await.with_code(1);
    assert_says(&told, &[" failed: ", "time"]);

    let told = done(&server, &[&["job", "backfill", "hottest"][..], &from, &to].concat()).await;
    assert_says(&told, &["0 runs queued; 3 intervals computed already, or about to be"]);
    let told = tell(&server, &[&["job", "run", "hottest"][..], &from, &to].concat()).await.complaint(1);
    assert_says(&told, &["has written the rows from 2026-01-01T00:00:00Z to 2026-01-01T03:00:00Z already"]);
    let told =
        done(&server, &[&["job", "backfill", "hottest", "--from", "2025-12-31T21:00:00Z"][..], &to].concat())
            .await;
    assert_says(
        &told,
        &[
            "3 runs queued; `forewarn job runs hottest` shows them",
            "3 intervals computed already, or about to be",
        ],
    );
    assert_eq!(
        json!(server.sql("SELECT asset, hottest FROM hottest_hourly").await),
        json!([["pump1", 62.0]])
    );
    let runs = done_json(&server, &["job", "runs", "hottest"]).await;
    let runs = runs["runs"].as_array().expect("runs");
    assert_eq!(runs.iter().filter(|run| run["trigger"] == "backfill").count(), 3, "{runs:?}");
    for run in runs {
        assert_eq!(server.run_ended(run["run"].as_str().expect("a run")).await["state"], "succeeded");
    }
    let shown = done(&server, &["job", "runs", "hottest"]).await;
    assert_says(&shown, &["2025-12-31T23:00:00Z  2026-01-01T00:00:00Z  backfill", "request"]);
    assert_eq!(shown.lines().count(), 1 + 5, "{shown}");
    assert_says(
        &done(&server, &["job", "runs", "hottest", "--limit", "2"]).await,
        &["(there are more: see --limit)"],
    );

    let complaint = tell(&server, &["job", "run", "hotest"]).await.complaint(1);
    assert_says(&complaint, &["there is no job hotest", "`forewarn job list` lists all"]);
    let complaint = tell(&server, &["job", "backfill", "hottest", "--from", "yesterday", "--to", "today"])
        .await
        .complaint(2);
    assert_says(&complaint, &["--from", "\"yesterday\" is not a time"]);
}

pub(crate) const MODEL: &str = "\
model: wear
kind: time_to_failure
assets: \"plant1/**\"
signals: [wear]
features: { every: 1h, windows: [5h], statistics: [last, mean, slope] }
target: { unit: hours, cap: 48 }
algorithms: [ridge]
validate: { folds: 3, group: life }
interval: { coverage: 0.8 }
";

/// Machines that wear evenly, each at a pace of its own, until the wear is 100 or `hours` are over.
pub(crate) fn wearing(machines: std::ops::Range<usize>, hours: usize) -> String {
    let mut text = String::from("machine,time,wear\n");
    for machine in machines {
        let life = 40 + 7 * machine % 31;
        for hour in 0..=life.min(hours) {
            // Multiples of 1/8 with some noise in them, the same in every run.
            let noise = (machine * 31 + hour * 17) % 9;
            let wear = (800 * hour / life + noise) as f64 / 8.0;
            let _ = writeln!(text, "{machine},2026-01-0{} {:02}:00:00,{wear}", 1 + hour / 24, hour % 24);
        }
    }
    text
}

#[tokio::test]
async fn models_are_trained_promoted_and_asked() {
    let site = Site::new();
    site.write("models/wear.yaml", MODEL);
    let server = site.start().await;
    let listed = done(&server, &["model", "list"]).await;
    assert_says(&listed, &["wear", "plant1/**", "hours", "has no version in force; train it"]);
    let told = tell(&server, &["model", "train", "wear", "--wait"]).await.with_code(1);
    assert_says(&told, &[" failed: "]);
    assert_eq!(done(&server, &["model", "predictions"]).await, "none\n");

    let import = ["--asset", "plant1/m{machine}", "--time", "time", "--lives"];
    let past = file(&site, "past.csv", &wearing(0..12, usize::MAX));
    assert_says(
        &done(&server, &[&["import", &past][..], &import, &["failed"]].concat()).await,
        &["24 life events recorded"],
    );
    let present = file(&site, "present.csv", &wearing(12..14, 30));
    assert_says(
        &done(&server, &[&["import", &present][..], &import, &["running"]].concat()).await,
        &["2 life events recorded"],
    );

    let trained = done(&server, &["model", "train", "wear", "--wait"]).await;
    assert_says(&trained, &[" succeeded; version ", " is in force: "]);
    let versions = done_json(&server, &["model", "versions", "wear"]).await;
    let version = versions["versions"][0]["version"].as_str().expect("a version").to_owned();
    let shown = done(&server, &["model", "versions", "wear"]).await;
    assert_says(&shown, &["rmse", "coverage", "ridge", "true", &version]);
    assert_says(&done(&server, &["model", "list"]).await, &[&version]);
    assert_says(
        &done(&server, &["model", "predict", "wear", "--wait"]).await,
        &[" succeeded, 2 predictions\n"],
    );

    let shown = done(&server, &["model", "predictions"]).await;
    let rows: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let assets: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    // Machine 13 wears faster than machine 12.
    assert_eq!(assets, ["plant1/m12", "plant1/m13"].map(|asset| asset), "{shown}");
    for row in &rows {
        let [p05, p50, p95] = [1, 2, 3].map(|column: usize| row[column].parse::<f64>().expect("a number"));
        assert!(p05 <= p50 && p50 <= p95 && p50 > 0.0 && p50 < 48.0, "{shown}");
    }
    let one = done_json(&server, &["model", "predictions", "--asset", "plant1/m13"]).await;
    assert_eq!(
        (one["predictions"].as_array().map(Vec::len), &one["truncated"]),
        (Some(1), &json!(false)),
        "{one}"
    );
    let cut = done(&server, &["model", "predictions", "--limit", "1"]).await;
    assert_says(&cut, &["plant1/m12", "(there are more: see --limit)"]);
    assert_says(&done(&server, &["model", "promote", "wear", &version]).await, &[&version, "true"]);
    let complaint = tell(&server, &["model", "promote", "wear", "v0"]).await.complaint(1);
    assert_says(&complaint, &["no version \"v0\"", "`forewarn model versions wear`"]);
}

pub(crate) const HOT: &str = "\
pipeline: p
rules:
  - name: hot
    assets: \"plant1/**\"
    when: \"temperature > 90.0\"
    severity: critical
    action: \"Reduce speed\"
";

pub(crate) async fn heat(server: &Server, pump: &str, value: f64) {
    server
        .post(
            "/v1/readings",
            &json!({ "asset": format!("plant1/{pump}"), "signal": "temperature", "value": value }),
        )
        .await;
}

pub(crate) async fn only_alert(server: &Server) -> String {
    let alerts = done_json(server, &["alert", "list"]).await;
    assert_eq!(alerts["alerts"].as_array().map(Vec::len), Some(1), "{alerts}");
    alerts["alerts"][0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn alerts_are_listed_shown_and_acted_on() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    assert_eq!(done(&server, &["alert", "list"]).await, "none\n");
    heat(&server, "pump7", 93.0).await;
    let id = only_alert(&server).await;
    let listed = done(&server, &["alert", "list", "--severity", "critical", "--asset", "plant1/*"]).await;
    assert_says(
        &listed,
        &["started", "critical", "unacknowledged", "plant1/pump7", "hot", "temperature 93", &id],
    );
    assert_eq!(done(&server, &["alert", "list", "--severity", "minor"]).await, "none\n");

    let by = |verb, who| ["alert", verb, id.as_str(), "--actor", who];
    let told =
        done(&server, &[&by("ack", "anna")[..], &["-m", "on my way", "--reason", "true"]].concat()).await;
    assert_eq!(told, format!("{id} is acknowledged\n"));
    let complaint = tell(&server, &by("ack", "bob")).await.complaint(1);
    assert_says(&complaint, &["the alert has been acknowledged already", "`forewarn alert comment`"]);
    let told = done(&server, &[&by("comment", "anna")[..], &["-m", "seal replaced"]].concat()).await;
    assert_eq!(told, format!("the comment on {id} is recorded\n"));
    assert_eq!(
        done(&server, &[&by("shelve", "bob")[..], &["--for", "2h"]].concat()).await,
        format!("{id} is shelved\n")
    );
    assert_says(&done(&server, &["alert", "list", "--state", "shelved"]).await, &[&id]);
    assert_eq!(done(&server, &by("unshelve", "bob")).await, format!("{id} is acknowledged\n"));

    let shown = done(&server, &["alert", "show", &id]).await;
    assert_says(
        &shown,
        &["hot on plant1/pump7: critical, acknowledged", "action: Reduce speed", "acknowledged by: anna"],
    );
    assert_says(&shown, &["evidence: readings from ", "  temperature 93 at ", "rule version"]);
    let steps: Vec<&str> =
        shown.lines().rev().take(5).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(steps, ["unshelved", "shelved", "commented", "acknowledged", "raised"], "{shown}");
    assert_says(&shown, &["on my way", "seal replaced", "bob"]);

    let complaint = tell(&server, &by("unshelve", "bob")).await.complaint(1);
    assert_says(&complaint, &["the alert is not shelved", "`forewarn alert comment`"]);
    assert_says(&tell(&server, &by("comment", "anna")).await.complaint(2), &["--comment"]);
    let complaint =
        tell(&server, &[&by("shelve", "bob")[..], &["--for", "soon"]].concat()).await.complaint(1);
    assert_says(&complaint, &["\"soon\" is not a duration"]);
    assert_says(
        &tell(&server, &["alert", "show", "nix"]).await.complaint(1),
        &["there is no alert nix", "`forewarn alert list`"],
    );
    assert_says(
        &tell(&server, &["alert", "list", "--state", "bad"]).await.complaint(1),
        &["\"bad\"", "acknowledged"],
    );
}

#[tokio::test]
async fn definitions_are_checked_with_an_exit_code_for_scripts() {
    let site = Site::new();
    site.pipeline(HOT);
    let config = site.config().display().to_string();
    let check = ["check", "--config", &config];
    let (code, out, err) = site.run(&check).await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "1 pipeline with 1 rule, 0 models: no mistakes\n", "")
    );
    site.pipeline(&HOT.replace("critical", "fatal").replace("> 90.0", "> "));
    let (code, out, err) = site.run(&check).await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert_says(
        &err,
        &["test.yaml:5:", "test.yaml:6:", "'fatal' is not one of critical", "the expression ends too early"],
    );
    let (code, _, err) = site.run(&["check", "--config", "missing.yaml"]).await;
    assert_eq!(code, 2, "{err}");
    assert_says(&err, &["cannot read the settings missing.yaml"]);
}
