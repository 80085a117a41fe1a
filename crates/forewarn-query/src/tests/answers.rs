//! What is answered: every row once, and as PostgreSQL and time-series databases compute it.

use super::*;
use crate::Form;
use futures::StreamExt as _;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_span_files_and_tail() {
    let plant = Plant::start().await;
    let table = [
        ("SELECT count(*), sum(value) FROM readings", "240,134280"),
        (
            "SELECT asset, min(value), max(value) FROM readings GROUP BY asset ORDER BY asset",
            "plant1/pump1,0,119|plant1/pump2,1000,1119",
        ),
        (
            "SELECT value FROM readings WHERE asset = 'plant1/pump1' AND time >= '2026-01-01T00:59:00Z' AND time < '2026-01-01 01:01' ORDER BY time",
            "59|60",
        ),
        ("SELECT count(*) FROM readings WHERE time >= :from AND time < :to", "120"),
        ("SELECT date, count(*) FROM readings GROUP BY date", "2026-01-01,240"),
        (
            "SELECT count(*) FROM readings WHERE date = '2026-01-01' AND signal IN ('temperature', 'flow')",
            "240",
        ),
        ("SELECT asset, event FROM life_events", "plant1/pump1,repaired"),
        (
            "SELECT time, value FROM readings WHERE asset LIKE '%2' ORDER BY time DESC LIMIT 1",
            "2026-01-01T01:59:00Z,1119",
        ),
        ("SELECT max(offset) - min(offset) > 0 FROM readings", "true"),
        ("SELECT count(*) FROM readings WHERE time > now() - INTERVAL '10 minutes'", "18"),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(query).await, expected, "{query}");
    }
    plant.queries.lake().flush().await.unwrap();
    for (query, expected) in table {
        assert_eq!(plant.csv(query).await, expected, "all in files: {query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_sees_what_is_durable_when_it_is_asked() {
    let plant = Plant::start().await;
    for round in 0..20 {
        let mut batch = ReadingBatch::with_capacity(Timestamp(NEW_YEAR), 1);
        batch.push(
            SeriesId(0),
            Timestamp(NEW_YEAR + (200 + round) * MINUTE),
            1.0,
            ReadingFlags::new(Quality::Good, false),
        );
        plant.log.append(Record::Readings(batch)).await.unwrap();
        assert_eq!(plant.int("SELECT count(*) FROM readings").await, 241 + round);
        if round % 7 == 3 {
            plant.queries.lake().flush().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_numbers_fail_where_they_would_wrap() {
    let plant = Plant::start().await;
    for query in [
        "SELECT 9223372036854775807 + count(*) FROM readings",
        "SELECT -9223372036854775807 - count(*) FROM readings",
        "SELECT 4611686018427387904 * count(*) FROM readings",
        "SELECT sum(9223372036854775807) FROM readings",
        "SELECT sum(9223372036854775807) OVER () FROM readings",
        "SELECT CAST(1e30 AS BIGINT)",
        "SELECT CAST(40000 AS SMALLINT)",
    ] {
        plant.error(query).await;
    }
    let table = [
        ("SELECT count(*) - 241 FROM readings", "-1"),
        ("SELECT row_number() OVER (ORDER BY time, asset) - 2 AS n FROM readings ORDER BY n LIMIT 2", "-1|0"),
        ("SELECT array_length(make_array(1, 2)) - 3", "-1"),
        ("SELECT sum(CASE WHEN value > 10 THEN 1000000000 ELSE 0 END) FROM readings", "229000000000"),
        (
            "SELECT CAST(2.5 AS INTEGER), CAST(3.5 AS INTEGER), CAST(-2.5 AS BIGINT), CAST(49.625 AS SMALLINT)",
            "2,4,-2,50",
        ),
        ("SELECT 7 / 2, -7 / 2, 7 % 3, mod(-7, 3)", "3,-3,1,-1"),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_bucketed_by_the_clock_of_a_zone() {
    let plant = Plant::start().await;
    let bucket = |width: &str, time: &str, zone: &str| {
        format!("SELECT time_bucket('{width}', CAST('{time}' AS TIMESTAMPTZ), '{zone}')")
    };
    let table = [
        (bucket("1d", "2026-01-15T23:30:00Z", "Europe/Oslo"), "2026-01-15T23:00:00Z"),
        (bucket("1d", "2026-07-15T21:59:00Z", "Europe/Oslo"), "2026-07-14T22:00:00Z"),
        // The day on which the clock goes forward has 23 hours, the one on which it goes back 25.
        (bucket("1d", "2026-03-29T21:59:59Z", "Europe/Oslo"), "2026-03-28T23:00:00Z"),
        (bucket("1d", "2026-10-25T22:59:59Z", "Europe/Oslo"), "2026-10-24T22:00:00Z"),
        // The repeated hour stays two hours.
        (bucket("1h", "2026-10-25T00:30:00Z", "Europe/Oslo"), "2026-10-25T00:00:00Z"),
        (bucket("1h", "2026-10-25T01:30:00Z", "Europe/Oslo"), "2026-10-25T01:00:00Z"),
        (bucket("15m", "2026-01-01T00:44:59Z", "UTC"), "2026-01-01T00:30:00Z"),
        (bucket("1 week", "2026-01-01T00:00:00Z", "UTC"), "2025-12-29T00:00:00Z"),
        (bucket("1 month", "2026-02-28T23:30:00Z", "Europe/Oslo"), "2026-02-28T23:00:00Z"),
        (bucket("1 quarter", "2026-05-05T00:00:00Z", "UTC"), "2026-04-01T00:00:00Z"),
        ("SELECT date_trunc('week', TIMESTAMPTZ '2026-01-01T00:00:00Z', 'America/New_York')".into(), "2025-12-29T05:00:00Z"),
        ("SELECT TIMESTAMPTZ '2026-07-01T10:00:00Z' AT TIME ZONE 'Europe/Oslo' = TIMESTAMP '2026-07-01 12:00:00'".into(), "true"),
        ("SELECT TIMESTAMP '2026-07-01 12:00:00' AT TIME ZONE 'Europe/Oslo'".into(), "2026-07-01T10:00:00Z"),
        ("SELECT date_diff('hour', TIMESTAMP '2026-01-01 00:59', TIMESTAMP '2026-01-01 02:00')".into(), "2"),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_time_series_databases_are_known() {
    let plant = Plant::start().await;
    let table = [
        ("SELECT first(value, time), last(value, time) FROM readings WHERE asset = 'plant1/pump1'", "0,119"),
        ("SELECT last(value ORDER BY time) FROM readings WHERE asset = 'plant1/pump1'", "119"),
        ("SELECT arg_max(time, value) FROM readings WHERE asset = 'plant1/pump1'", "2026-01-01T01:59:00Z"),
        (
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM readings WHERE asset LIKE '%1'",
            "59.5",
        ),
        (
            "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY value) FROM readings WHERE asset LIKE '%1'",
            "59",
        ),
        ("SELECT quantile_disc(value, 1.0) FROM readings WHERE asset LIKE '%1'", "119"),
        ("SELECT mode() WITHIN GROUP (ORDER BY signal), mode(quality) FROM readings", "temperature,good"),
        (
            "SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY value) FROM readings WHERE asset LIKE '%1'",
            "29.75",
        ),
        ("SELECT extract(epoch FROM TIMESTAMP '2026-01-01 00:00:01.25' - TIMESTAMP '2026-01-01')", "1.25"),
        (
            "SELECT max(time) - min(time) > INTERVAL '1 hour', max(time) - min(time) > INTERVAL '1 day' FROM readings",
            "true,false",
        ),
        ("SELECT count_if(value > 100) FROM readings WHERE asset LIKE '%1'", "19"),
        ("SELECT bool_or(late), bool_and(value >= 0), every(value < 5) FROM readings", "false,true,false"),
        (
            "SELECT to_char(time, 'YYYY-MM-DD HH24:MI') FROM readings ORDER BY time, asset LIMIT 1",
            "2026-01-01 00:00",
        ),
        (
            "SELECT INTERVAL '1h30m' = INTERVAL '01:30:00', INTERVAL '1 hour ago' = INTERVAL '-1 hour'",
            "true,true",
        ),
        ("SELECT asset FROM readings WHERE asset LIKE 'plant1/pump!1' ESCAPE '!' LIMIT 1", "plant1/pump1"),
        ("SELECT value FROM readings ORDER BY value DESC FETCH FIRST 2 ROWS ONLY", "1119|1118"),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_columns_may_be_asked_for_at_once() {
    let plant = Plant::start().await;
    let table = [
        (
            "SELECT count(*) FROM readings WHERE (asset, signal) IN (SELECT asset, signal FROM readings WHERE value = 5)",
            "120",
        ),
        (
            "SELECT asset, value FROM readings WHERE value > 3 AND ((asset, time) IN (SELECT asset, max(time) FROM readings GROUP BY asset)) ORDER BY 1",
            "plant1/pump1,119|plant1/pump2,1119",
        ),
        (
            "SELECT count(*) FROM readings r WHERE (r.asset, r.value + 1) IN (SELECT asset, value FROM readings LIMIT 1000)",
            "238",
        ),
        (
            "SELECT count(*) FROM readings WHERE (asset, value) IN (SELECT asset, NULL::double FROM readings)",
            "0",
        ),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_and_one_may_stand_for_false_and_true() {
    let plant = Plant::start().await;
    for (condition, expected) in
        [("late = 0", "240"), ("late = 1", "0"), ("late <> 1", "240"), ("1 = late", "0")]
    {
        let query = format!("SELECT count(*) FROM readings WHERE {condition}");
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_whole_however_their_rows_stand_and_however_many_there_are() {
    let plant = Plant::start().await;
    let table = [
        // Runs of 120 rows, and of ten.
        (
            "SELECT asset, signal, count(*), sum(value) FROM readings GROUP BY 1, 2 ORDER BY 1",
            "plant1/pump1,temperature,120,7140|plant1/pump2,temperature,120,127140",
        ),
        (
            "SELECT count(*), min(n), max(n), sum(s) FROM (SELECT asset, time_bucket('10m', time), count(*) AS n, sum(value) AS s FROM readings GROUP BY 1, 2)",
            "24,10,10,134280",
        ),
        // No runs at all.
        (
            "SELECT count(*), min(n), max(n) FROM (SELECT time, count(*) AS n FROM readings GROUP BY 1)",
            "120,2,2",
        ),
        // More groups than a thread holds, each of which comes back four times.
        (
            "SELECT count(*), min(n), max(n), sum(s) FROM (SELECT a.value AS x, b.value AS y, count(*) AS n, sum(c.value) AS s \
             FROM readings a, readings b, (SELECT value FROM readings WHERE value < 4) c GROUP BY 1, 2)",
            "57600,4,4,345600",
        ),
        (
            "SELECT count(*), sum(n) FROM (SELECT a.value AS x, b.value AS y, c.value AS z, count(*) AS n \
             FROM readings a, readings b, (SELECT value FROM readings WHERE value < 4) c GROUP BY 1, 2, 3)",
            "230400,230400",
        ),
    ];
    for round in ["in the tail", "in files"] {
        for (query, expected) in table {
            assert_eq!(plant.csv(query).await, expected, "{round}: {query}");
        }
        plant.queries.lake().flush().await.unwrap();
    }
    let plan = plant.csv("EXPLAIN SELECT asset, count(*) FROM readings GROUP BY asset").await;
    assert!(plan.contains("RunsExec"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_are_filled_with_nothing_the_last_value_or_a_line() {
    let plant = Plant::start().await;
    // Readings of every 30 minutes, out of those of every minute.
    let rows = "FROM readings WHERE value % 30 = 0 AND signal = 'temperature'";
    let table = [
        (
            format!(
                "SELECT time_bucket_gapfill('15m', time) AS at, avg(value) AS v, locf(avg(value)) AS l, interpolate(avg(value)) AS i {rows} AND asset = 'plant1/pump1' GROUP BY at ORDER BY at LIMIT 4"
            ),
            "2026-01-01T00:00:00Z,0,0,0|2026-01-01T00:15:00Z,,0,15|2026-01-01T00:30:00Z,30,30,30|2026-01-01T00:45:00Z,,30,45",
        ),
        // Without bounds from the first row of all keys to the last.
        (
            format!(
                "SELECT asset, time_bucket_gapfill('10m', time), count(*) {rows} GROUP BY asset, 2 ORDER BY 1, 2 LIMIT 3"
            ),
            "plant1/pump1,2026-01-01T00:00:00Z,1|plant1/pump1,2026-01-01T00:10:00Z,|plant1/pump1,2026-01-01T00:20:00Z,",
        ),
        (
            format!(
                "SELECT count(*) FROM (SELECT asset, time_bucket_gapfill('10m', time) AS at, count(*) AS n {rows} GROUP BY asset, at)"
            ),
            "24",
        ),
        // With bounds, also before and behind the rows.
        (
            format!(
                "SELECT count(*), count(n), sum(n), count(l) FROM (SELECT time_bucket_gapfill('1h', time) AS at, coalesce(count(*), 0) AS n, locf(max(value)) AS l {rows} AND time >= '2025-12-31 22:00' AND time < '2026-01-01 05:00' AND asset = 'plant1/pump1' GROUP BY at)"
            ),
            "7,7,4,5",
        ),
        (
            format!(
                "SELECT count(*) FROM (SELECT time_bucket_gapfill('1h', time) AS at {rows} AND time BETWEEN '2025-12-31 22:00' AND '2026-01-01 05:00' GROUP BY 1)"
            ),
            "8",
        ),
        // By the clock of a zone, over a month.
        (
            format!(
                "SELECT at, n FROM (SELECT time_bucket_gapfill('1 month', time, 'Europe/Oslo') AS at, count(*) AS n {rows} AND time >= '2025-12-15' AND time < '2026-02-15' GROUP BY 1) ORDER BY at"
            ),
            "2025-11-30T23:00:00Z,|2025-12-31T23:00:00Z,8|2026-01-31T23:00:00Z,",
        ),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
    let error = plant.error("SELECT time_bucket_gapfill('1us', time) AS at, count(*) FROM readings WHERE time >= '2025-01-01' AND time < '2026-01-02' GROUP BY 1").await;
    assert!(error.contains("1000000 rows"), "{error}");
    let error = plant.error("SELECT time_bucket_gapfill('1h', time) AS at, count(*) FROM readings").await;
    assert!(error.contains("GROUP BY"), "{error}");
    let error = plant.error("SELECT locf(avg(value)) FROM readings").await;
    assert!(error.contains("time_bucket_gapfill"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_unnest_makes_of_a_row_is_grouped_and_sorted_by_all_keys() {
    let plant = Plant::start().await;
    let rows =
        "FROM (SELECT k, unnest(make_array(3, 1, 2)) AS u FROM (SELECT DISTINCT asset AS k FROM readings))";
    let table = [
        (
            "SELECT k, u ROWS ORDER BY k, u",
            "plant1/pump1,1|plant1/pump1,2|plant1/pump1,3|plant1/pump2,1|plant1/pump2,2|plant1/pump2,3",
        ),
        (
            "SELECT k, count(*) ROWS GROUP BY k, u ORDER BY 1",
            "plant1/pump1,1|plant1/pump1,1|plant1/pump1,1|plant1/pump2,1|plant1/pump2,1|plant1/pump2,1",
        ),
        ("SELECT max(u) FROM (SELECT k, u ROWS WHERE u < 3 ORDER BY k DESC, u DESC LIMIT 1)", "2"),
        ("SELECT count(*) FROM (SELECT DISTINCT k, u ROWS)", "6"),
    ];
    for (query, expected) in table {
        let query = query.replace("ROWS", rows);
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_and_percentiles_take_what_postgresql_takes() {
    let plant = Plant::start().await;
    let rows = "FROM readings WHERE asset = 'plant1/pump1' AND value < 4";
    let table = [
        (
            "SELECT value, bool_and(value < 2) OVER w, bool_or(value >= 2) OVER w ROWS WINDOW w AS (ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY 1",
            "0,true,false|1,true,false|2,false,true|3,false,true",
        ),
        ("SELECT bool_and(value < 9), bool_or(value > 9) ROWS", "true,false"),
        (
            "SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY value DESC), percentile_disc(0.25) WITHIN GROUP (ORDER BY value DESC), percentile_cont(0.25) WITHIN GROUP (ORDER BY value) ROWS",
            "2.25,3,0.75",
        ),
        (
            "SELECT max(m) FROM (SELECT value, max(value) FILTER (WHERE time BETWEEN '2026-01-01 00:00' AND '2026-01-01 00:01') OVER (PARTITION BY signal) AS m ROWS)",
            "1",
        ),
        (
            "SELECT asset, percentile_cont(0.5) WITHIN GROUP (ORDER BY value), percentile_cont(1) WITHIN GROUP (ORDER BY value) FILTER (WHERE value < 3), percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE value < 0) ROWS GROUP BY asset",
            "plant1/pump1,1.5,2,",
        ),
    ];
    for (query, expected) in table {
        let query = query.replace("ROWS WINDOW", &format!("{rows} WINDOW"));
        let query = if query.contains("FROM readings") { query } else { query.replace("ROWS", rows) };
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
}

/// The value of `x op ALL/ANY (rows)` by the words of the standard: `true`, `false`, or empty for unknown.
fn by_the_standard(x: Option<i64>, op: &str, all: bool, rows: &[Option<i64>]) -> &'static str {
    let compare = |row: Option<i64>| {
        let (x, row) = (x?, row?);
        Some(match op {
            "=" => x == row,
            "<>" => x != row,
            "<" => x < row,
            "<=" => x <= row,
            ">" => x > row,
            _ => x >= row,
        })
    };
    let each: Vec<Option<bool>> = rows.iter().map(|row| compare(*row)).collect();
    match (each.contains(&Some(!all)), each.contains(&None)) {
        (true, _) => {
            if all {
                "false"
            } else {
                "true"
            }
        }
        (false, true) => "",
        (false, false) => {
            if all {
                "true"
            } else {
                "false"
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comparisons_with_all_and_any_row_follow_the_standard() {
    let plant = Plant::start().await;
    let sets: [&[Option<i64>]; 5] =
        [&[], &[None], &[Some(1), Some(3)], &[Some(1), None], &[Some(2), Some(2)]];
    for rows in sets {
        let text = |value: &Option<i64>| value.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
        let listed: Vec<String> =
            rows.iter().map(|row| format!("SELECT CAST({} AS BIGINT) AS c", text(row))).collect();
        let subquery = if rows.is_empty() {
            "SELECT CAST(1 AS BIGINT) AS c WHERE false".to_owned()
        } else {
            listed.join(" UNION ALL ")
        };
        for x in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            for op in ["=", "<>", "<", "<=", ">", ">="] {
                for (word, all) in [("ALL", true), ("ANY", false)] {
                    let query = format!("SELECT CAST({} AS BIGINT) {op} {word} ({subquery})", text(&x));
                    assert_eq!(plant.csv(&query).await, by_the_standard(x, op, all, rows), "{query}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_null_among_the_rows_makes_not_in_unknown_wherever_it_stands() {
    let plant = Plant::start().await;
    let nulls = "SELECT comment FROM life_events";
    let table = [
        (format!("SELECT count(*) FROM readings WHERE quality NOT IN ({nulls})"), "0"),
        (format!("SELECT count(*) FROM readings WHERE quality = 'x' OR quality NOT IN ({nulls})"), "0"),
        (
            format!("SELECT count(*) FROM readings WHERE quality IN ({nulls}) OR quality NOT IN ({nulls})"),
            "0",
        ),
        (
            "SELECT count(*) FROM readings WHERE asset IN (SELECT asset FROM life_events) OR value > 1100"
                .into(),
            "139",
        ),
        (
            "SELECT DISTINCT asset, asset IN (SELECT asset FROM life_events) FROM readings ORDER BY 1".into(),
            "plant1/pump1,true|plant1/pump2,false",
        ),
        ("SELECT EXISTS (SELECT 1 FROM life_events WHERE event = 'failed')".into(), "false"),
    ];
    for (query, expected) in table {
        assert_eq!(plant.csv(&query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_can_be_looked_up() {
    let plant = Plant::start().await;
    assert!(plant.csv("SHOW TABLES").await.contains("readings"));
    assert!(plant.csv("DESCRIBE readings").await.contains("quality"));
    assert!(plant.csv("SHOW COLUMNS FROM life_events").await.contains("event"));
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'readings' ORDER BY ordinal_position LIMIT 3";
    assert_eq!(plant.csv(columns).await, "time|asset|signal");
    assert!(plant.csv("EXPLAIN SELECT count(*) FROM readings").await.contains("readings"));
    assert!(plant.csv("EXPLAIN ANALYZE SELECT count(*) FROM readings").await.contains("metrics"));
}

async fn encoded(plant: &Plant, text: &str, form: Form, max_rows: Option<usize>) -> Vec<u8> {
    let query = Query { text: text.to_owned(), max_rows, ..Query::default() };
    let mut pieces = Box::pin(plant.queries.run(query).await.unwrap().encoded(form));
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_an_answer_holds_its_rows() {
    let plant = Plant::start().await;
    let text = "SELECT time, asset, value, late, value / 0 AS endless, make_array(1, 2) AS list, INTERVAL '90 s' AS span FROM readings \
                WHERE value = 1 ORDER BY time";
    let json: serde_json::Value =
        serde_json::from_slice(&encoded(&plant, text, Form::Json, None).await).unwrap();
    assert_eq!(
        json["columns"],
        serde_json::json!(["time", "asset", "value", "late", "endless", "list", "span"])
    );
    let row =
        serde_json::json!(["2026-01-01T00:01:00Z", "plant1/pump1", 1.0, false, "Infinity", [1, 2], 90.0]);
    assert_eq!(json["rows"], serde_json::json!([row]));
    assert_eq!(json["truncated"], serde_json::Value::Null);
    let cut: serde_json::Value =
        serde_json::from_slice(&encoded(&plant, "SELECT value FROM readings", Form::Json, Some(7)).await)
            .unwrap();
    assert_eq!((cut["rows"].as_array().unwrap().len(), &cut["truncated"]), (7, &serde_json::json!(true)));
    let csv = encoded(
        &plant,
        "SELECT asset, '' AS none, NULL AS nothing FROM readings WHERE value = 1",
        Form::Csv,
        None,
    )
    .await;
    assert_eq!(String::from_utf8(csv).unwrap(), "asset,none,nothing\r\nplant1/pump1,\"\",\r\n");
    let all = "SELECT time, asset, value FROM readings ORDER BY asset, time";
    let parquet = bytes::Bytes::from(encoded(&plant, all, Form::Parquet, None).await);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    let stream = encoded(&plant, all, Form::Arrow, None).await;
    let arrow = arrow_ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(
        *arrow.schema().field(1).data_type(),
        arrow::datatypes::DataType::Utf8,
        "every reader knows it"
    );
    assert_eq!((rows, arrow.map(|batch| batch.unwrap().num_rows()).sum::<usize>()), (240, 240));
}
