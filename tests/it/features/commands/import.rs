//! `forewarn import`: histories become readings and lives, and what does not fit is named.

use forewarn_tests::cli::{asked, assert_says, done, done_json, file};
use forewarn_tests::data;
use forewarn_tests::peers;
use forewarn_tests::site::Site;
use serde_json::{Value, json};

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

#[tokio::test]
async fn the_history_of_a_real_machine_is_imported_and_counted_at_once() {
    let Some(path) = data::path(NAB) else { return };
    let (site, path) = (Site::new(), path.display().to_string());
    let server = site.start().await;
    let import =
        ["import", &path, "--asset", "nab/machine", "--time", "timestamp", "--signal", "value=temperature"];
    let said = done(&server, &import).await;
    assert_eq!(server.count("SELECT count(*) FROM readings WHERE signal = 'temperature'").await, 22_695);
    assert_says(&said, &["22,695 readings stored from 1 file in "]);
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
        let said = done_json(&server, &import).await;
        // Three settings and 21 sensors in each row.
        assert_eq!(
            (&said["accepted"], &said["refused"], &said["life_events"]),
            (&json!(rows * 24), &json!(0), &json!(events)),
            "{said}"
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
    let said = asked(&server, &import).await;
    let complaints: Vec<&str> = said.err.lines().collect();
    for (line, reason) in [
        (3, "column \"temperature\" is \"warm\", not a number"),
        (4, "\"noon\", not a time"),
        (6, "2 cells"),
        (7, "in the future"),
    ] {
        let place = format!("{path}:{line}: ");
        assert!(
            complaints.iter().any(|said| said.starts_with(&place) && said.contains(reason)),
            "{place}{reason}: {complaints:#?}"
        );
    }
    // Both readings of line 7 are refused.
    assert_eq!(complaints.len(), 5, "{complaints:#?}");
    assert_says(&said.out, &["6 readings stored from 1 file", "5 lines refused", "1 cell without a value"]);
    assert_eq!(said.code, Some(1), "{said:?}");
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
    let complaint = asked(&server, &[&["import", &good, &other, "--time", "time"][..], &asset].concat())
        .await
        .complaint(2);
    assert_says(
        &complaint,
        &["other.csv", "there is no column \"time\"", "the columns are when, temperature"],
    );
    let misspelt = ["import", &good, "--time", "time", "--signal", "temprature"];
    let complaint = asked(&server, &[&misspelt[..], &asset].concat()).await.complaint(2);
    assert_says(&complaint, &["there is no column \"temprature\"", "time, temperature"]);
    // What a mapping lacks is said in words of the command line.
    let cycles = file(&site, "cycles.csv", "cycle,temperature\n1,70.5\n");
    let said = asked(&server, &[&["import", &cycles, "--time", "cycle"][..], &asset].concat()).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_says(&said.err, &["cycles.csv:2: ", "--time-unit", "--time-start and --time-step"]);
    let complaint = asked(&server, &[&["import", "missing.csv", "--time", "time"][..], &asset].concat())
        .await
        .complaint(2);
    assert_says(&complaint, &["missing.csv", "No such file"]);
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 0);
}

#[tokio::test]
async fn parquet_of_polars_is_imported() {
    let site = Site::new();
    let path = site.path().join("history.parquet").display().to_string();
    let Some(written) = peers::script("write_parquet.py", &path).await else { return };
    let server = site.start().await;
    let said = done_json(&server, &["import", &path, "--asset", "plant1/pump{pump}", "--time", "when"]).await;
    // Of 3,000 rows in three columns that hold numbers or truth values, 30 temperatures are missing.
    assert_eq!(
        (&said["accepted"], &said["empty_cells"], &said["refused"]),
        (&json!(8_970), &json!(30), &json!(0)),
        "{said}"
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
async fn what_a_file_shows_is_proposed_and_what_is_left_out_is_told() {
    let site = Site::new();
    let server = site.start().await;
    let text = "Logger 7\nhall 3\n\ndate;clock;temperature;remark\n01.02.2026;00:00;21,5;ok\n\
        01.02.2026;00:01;Bad;ok\n01.02.2026;00:02;22,5;17\n";
    let path = file(&site, "logger.csv", text);
    let import = ["import", &path, "--asset", "plant1/oven", "--time-columns", "date", "clock"];
    let said = asked(&server, &import).await;
    assert_says(
        &said.err,
        &[
            "the first 3 lines are no table",
            "semicolons and decimal commas: reading it so; say --decimal . if not",
            "column \"remark\" holds numbers in 1 of 3 cells and is left out",
            ":6: column \"temperature\" is \"Bad\"",
        ],
    );
    assert_says(&said.out, &["2 readings stored", "1 line refused", "1 number in columns that are left out"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let again = asked(&server, &[&import[..], &["--signal", "temperature", "--decimal", ","]].concat()).await;
    assert_says(&again.out, &["0 readings stored", "2 had been stored before"]);
    let rows = server.sql("SELECT time, value FROM readings ORDER BY time").await;
    assert_eq!(json!(rows), json!([["2026-02-01T00:00:00Z", 21.5], ["2026-02-01T00:02:00Z", 22.5]]));
}

#[tokio::test]
async fn older_histories_need_a_word() {
    let site = Site::new();
    let server = site.start().await;
    let path =
        file(&site, "old.csv", "time,temperature\n1985-06-01 00:00:00,70.5\n1985-06-02 00:00:00,71.5\n");
    let import = ["import", &path, "--asset", "plant1/oven", "--time", "time"];
    let said = asked(&server, &import).await;
    assert_says(&said.err, &["old.csv:2: ", "before limits.min_time (or --min-time)"]);
    assert_says(&said.out, &["0 readings stored", "2 lines refused"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let said = done(&server, &[&import[..], &["--min-time", "1980-01-01"]].concat()).await;
    assert_says(&said, &["2 readings stored"]);
}
