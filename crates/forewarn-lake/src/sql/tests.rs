//! What SQL may say, what it is turned into, and what it answers.

use super::*;
use crate::read::{MAX_QUERIES, TableView, Watch};
use crate::table::TableSchema;
use crate::tail::built_in;
use crate::testing::{NEW_YEAR, Plant, Running, csv};
use crate::{Branch, LakeOptions};
use forewarn_log::Log;
use forewarn_types::{Clock, Offset};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A view of the built-in tables without any rows.
fn empty_view() -> View {
    let table = |schema: TableSchema| {
        let name = schema.name.clone();
        (name, TableView { schema: Arc::new(schema), files: Arc::default(), committed: Some(Offset(0)) })
    };
    View { tables: built_in().into_iter().map(table).collect(), ..View::default() }
}

pub(super) fn plan(query: &str) -> Result<Plan, LakeError> {
    let hour = 3_600_000_000;
    let params = Some((Timestamp(NEW_YEAR), Timestamp(NEW_YEAR + hour)));
    let request = SqlRequest { query: query.into(), params, ..SqlRequest::default() };
    Plan::new(&request, &empty_view(), Timestamp(NEW_YEAR + 2 * hour))
}

#[test]
fn queries_are_rewritten() {
    let time = |text: &str| format!("TIMESTAMP '2026-01-01T{text}.000000'");
    let table = [
        ("time >= '2026-01-01T08:30:00Z'", format!("time >= {}", time("08:30:00"))),
        ("time >= '2026-01-01 08:30:00+02:00'", format!("time >= {}", time("06:30:00"))),
        ("time >= '2026-01-01T08:30Z'", format!("time >= {}", time("08:30:00"))),
        ("time >= '2026-01-01 08:30:00+02'", format!("time >= {}", time("06:30:00"))),
        ("'2026-01-01' < time", format!("{} < time", time("00:00:00"))),
        ("time = '2026-01-01 08:30'", format!("time = {}", time("08:30:00"))),
        ("r.time > TIMESTAMP '2026-01-01T01:00:00Z'", format!("r.time > {}", time("01:00:00"))),
        ("time > '2026-01-01T01:00:00+01:00'::timestamptz", format!("time > {}", time("00:00:00"))),
        ("time > CAST('2026-01-01' AS TIMESTAMP)", format!("time > {}", time("00:00:00"))),
        (
            "time BETWEEN '2026-01-01' AND '2026-01-01T02:00:00Z'",
            format!("time BETWEEN {} AND {}", time("00:00:00"), time("02:00:00")),
        ),
        ("time IN ('2026-01-01')", format!("time IN ({})", time("00:00:00"))),
        (
            "time >= :from AND time < :to",
            format!("time >= {} AND time < {}", time("00:00:00"), time("01:00:00")),
        ),
        ("time > now()", format!("time > {}", time("02:00:00"))),
        ("time > CURRENT_TIMESTAMP", format!("time > {}", time("02:00:00"))),
        ("time > now() - INTERVAL '1 hour'", format!("time > {}", time("01:00:00"))),
        ("time > now() - INTERVAL '90' MINUTE", format!("time > {}", time("00:30:00"))),
        ("asset = '2026-01-01T08:30:00Z'", "asset = '2026-01-01T08:30:00Z'".into()),
        ("offset > 3", "\"offset\" > 3".into()),
        ("date = '2026-01-01'", "date = '2026-01-01'".into()),
    ];
    for (condition, expected) in table {
        let plan = plan(&format!("SELECT value FROM readings AS r WHERE {condition}"))
            .unwrap_or_else(|error| panic!("{condition}: {error}"));
        assert_eq!(plan.sql, format!("SELECT value FROM readings AS r WHERE {expected}"));
    }
}

#[test]
fn what_does_not_read_is_refused() {
    let table = [
        ("INSERT INTO readings VALUES (1)", "INSERT is not allowed"),
        ("DROP TABLE readings", "DROP is not allowed"),
        ("UPDATE readings SET value = 1", "UPDATE is not allowed"),
        ("CREATE TABLE x AS SELECT * FROM readings", "CREATE is not allowed"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("", "empty"),
        ("SELEKT 1", "not SQL"),
        ("SELECT * INTO x FROM readings", "INTO is not allowed"),
        ("SELECT * FROM read_parquet('/etc/passwd')", "not allowed"),
        ("SELECT * FROM '/etc/passwd'", "there is no table /etc/passwd"),
        ("WITH x AS (DELETE FROM readings RETURNING *) SELECT * FROM x", "not allowed"),
        ("SELECT * FROM reading", "did you mean readings?"),
        ("SELECT * FROM (SELECT * FROM nowhere)", "there is no table nowhere"),
        ("SELECT * FROM readings WHERE time > 'soon'", "\"soon\" is not a time"),
        ("SELECT date_trunc('fortnight', time) FROM readings", "knows no unit fortnight"),
        ("SELECT time_bucket('1 month', time) FROM readings", "fixed length"),
        ("SELECT datetrunc('hour', time) FROM readings", "did you mean date_trunc?"),
        ("SELECT * FROM readings WHERE time > :start", "there are :from and :to"),
        ("SELECT * FROM readings, life_events WHERE event = 'failed'", "joined without a condition"),
        ("SELECT * FROM readings a, readings b WHERE a.asset = a.signal", "joined without a condition"),
        (
            "SELECT * FROM readings a, readings b, commands c WHERE a.asset = b.asset",
            "joined without a condition",
        ),
        ("SELECT * FROM readings a CROSS JOIN readings b", "write JOIN … ON"),
        ("SELECT * FROM readings a JOIN readings b", "joined without a condition"),
        (
            "SELECT 1 FROM (SELECT * FROM (readings a CROSS JOIN readings b) WHERE a.asset = b.asset) x",
            "joined without a condition",
        ),
        (
            "WITH readings AS (SELECT 1 AS one) SELECT * FROM readings",
            "WITH names readings, which is a table; choose another name",
        ),
        ("SELECT * FROM (WITH commands AS (SELECT 1 AS a) SELECT * FROM commands) x", "WITH names commands"),
    ];
    for (query, expected) in table {
        let error = plan(query).map(|plan| plan.sql).unwrap_err();
        assert!(error.is_callers_mistake() && error.to_string().contains(expected), "{query}: {error}");
    }
    let request =
        SqlRequest { query: "SELECT * FROM readings WHERE time > :from".into(), ..SqlRequest::default() };
    let error = Plan::new(&request, &empty_view(), Timestamp(0)).map(|plan| plan.sql).unwrap_err();
    assert!(error.to_string().contains("without from and to"), "{error}");
}

#[test]
fn conditions_become_bounds() {
    let at = |us: i64| NEW_YEAR + us;
    let day = 86_400_000_000;
    let of = |query: &str| plan(query).unwrap().tables.remove(0).1;
    let both = of(
        "SELECT * FROM readings WHERE time >= '2026-01-01' AND (time < '2026-01-02' AND asset = 'p1') AND value > 3",
    );
    assert_eq!(both.time("time"), Some((at(0), at(day - 1))));
    assert_eq!(both.texts("asset"), Some(&BTreeSet::from(["p1".to_owned()])));
    assert_eq!(
        of("SELECT * FROM readings WHERE date = '2026-01-02'").time("time"),
        Some((at(day), at(2 * day - 1)))
    );
    assert_eq!(
        of("SELECT * FROM readings WHERE date >= DATE '2026-01-02'").time("time"),
        Some((at(day), i64::MAX))
    );
    assert_eq!(
        of("SELECT * FROM readings WHERE signal IN ('a', 'b')").texts("signal").map(BTreeSet::len),
        Some(2)
    );
    let union = of(
        "SELECT * FROM readings WHERE asset = 'a' UNION ALL SELECT * FROM readings WHERE asset = 'b' AND time < '2026-01-01'",
    );
    assert_eq!((union.texts("asset").map(BTreeSet::len), union.time("time")), (Some(2), None));
    let joined = of(
        "SELECT * FROM readings a JOIN readings b ON a.time = b.time WHERE a.asset = 'x' AND b.asset = 'y' AND a.signal = 's'",
    );
    assert_eq!((joined.texts("asset").map(BTreeSet::len), joined.texts("signal")), (Some(2), None));
    let of_offsets = |condition: &str| of(&format!("SELECT * FROM readings WHERE {condition}")).int("offset");
    assert_eq!(of_offsets("offset > 3 AND offset <= 10"), Some((4, 10)));
    assert_eq!(of_offsets("-2 < offset"), Some((-1, i64::MAX)));
    assert_eq!(of_offsets("offset BETWEEN 5 AND 7 AND value > 3"), Some((5, 7)));
    assert_eq!(of_offsets("offset IN (9, 4, 6)"), Some((4, 9)));
    assert_eq!(of_offsets("offset > 3.5"), None);
    assert_eq!(of_offsets("offset = 3 OR offset = 8"), Some((3, 8)));
    let either = of(
        "SELECT * FROM readings WHERE (time < '2026-01-01' OR date = '2026-01-02') AND (asset = 'a' OR asset = 'b')",
    );
    assert_eq!(
        (either.time("time"), either.texts("asset").map(BTreeSet::len)),
        (Some((i64::MIN, at(2 * day - 1))), Some(2))
    );
    assert_eq!(
        of("SELECT * FROM readings WHERE date > '2026-01-01' AND date < '2026-01-03'").time("time"),
        Some((at(day), at(2 * day - 1)))
    );
    for nothing in [
        "SELECT * FROM readings WHERE time >= '2026-01-01' OR asset = 'p1'",
        "SELECT * FROM readings WHERE NOT (asset = 'p1')",
        "SELECT * FROM readings WHERE asset NOT IN ('p1')",
        "SELECT * FROM readings WHERE asset > 'p1'",
        "SELECT * FROM readings r, alert_events e WHERE r.asset = e.asset AND signal = 'p1'",
        "WITH r AS (SELECT * FROM readings) SELECT * FROM r WHERE asset = 'p1'",
        "SELECT * FROM (readings a JOIN life_events b ON a.asset = b.asset) WHERE a.asset = 'p1'",
    ] {
        let bounds =
            plan(nothing).unwrap().tables.into_iter().find(|(name, _)| name == "readings").unwrap().1;
        assert_eq!(bounds, Bounds::default(), "{nothing}");
    }
}

async fn filled() -> (Plant, Running) {
    let plant = Plant::new();
    let running = plant.start().await;
    let hour = 3_600_000_000;
    for day in 0..3 {
        for (asset, plus) in [("a", 0), ("b", 100)] {
            let rows: Vec<_> = (0..4_i32)
                .map(|h| (asset, "t", (day * 24 + i64::from(h)) * hour + 1, f64::from(h + plus)))
                .collect();
            plant.push(&rows);
        }
        if day < 2 {
            running.lake.flush().await.unwrap();
        }
    }
    (plant, running)
}

#[tokio::test]
async fn answers_span_files_and_tail() {
    let (_plant, running) = filled().await;
    let table = [
        ("SELECT count(*) AS n, sum(value) AS s FROM readings", "24,1236.0"),
        (
            "SELECT time, value FROM readings WHERE asset = 'a' AND time < '2026-01-01T02:00:00Z' ORDER BY time",
            "2026-01-01T00:00:00.000001Z,0\n2026-01-01T01:00:00.000001Z,1",
        ),
        (
            "SELECT date_trunc('day', time) AS day, max(value) FROM readings GROUP BY date_trunc('day', time) ORDER BY day",
            "2026-01-01T00:00:00Z,103\n2026-01-02T00:00:00Z,103\n2026-01-03T00:00:00Z,103",
        ),
        (
            "SELECT time_bucket('2h', time) AS t, count(*) AS n FROM readings WHERE date = '2026-01-03' GROUP BY t ORDER BY t",
            "2026-01-03T00:00:00Z,4\n2026-01-03T02:00:00Z,4",
        ),
        (
            "SELECT date_trunc('month', time) AS m, count(*) AS n FROM readings GROUP BY 1",
            "2026-01-01T00:00:00Z,24",
        ),
        (
            "SELECT date_trunc('quarter', time) AS m, date_trunc('year', time) AS y FROM readings LIMIT 1",
            "2026-01-01T00:00:00Z,2026-01-01T00:00:00Z",
        ),
        ("SELECT DISTINCT date_trunc('week', time) AS w FROM readings", "2025-12-29T00:00:00Z"),
        (
            "SELECT date_trunc('hour', date) AS h, time_bucket('7d', date) AS w, date_trunc('month', date) AS m FROM readings WHERE time > '2026-01-02' LIMIT 1",
            "2026-01-02T00:00:00Z,2025-12-29T00:00:00Z,2026-01-01T00:00:00Z",
        ),
        (
            "SELECT date FROM readings WHERE asset = 'b' AND value = 102 ORDER BY offset",
            "2026-01-01\n2026-01-02\n2026-01-03",
        ),
        (
            "SELECT \"offset\", offset + 1 AS next FROM readings WHERE value = 3 AND date < '2026-01-02'",
            "0,1",
        ),
        (
            "SELECT asset, max(time) AS newest FROM readings GROUP BY asset HAVING max(time) > '2026-01-03T01:00:00+00:00' ORDER BY asset",
            "a,2026-01-03T03:00:00.000001Z\nb,2026-01-03T03:00:00.000001Z",
        ),
        ("SELECT max(time) - min(time) AS span FROM readings", "183600"),
        (
            "WITH r AS (SELECT * FROM readings WHERE time >= :from AND time < :to) SELECT r.asset, l.event FROM r LEFT JOIN life_events l ON r.asset = l.asset ORDER BY r.asset",
            "a,\nb,",
        ),
        (
            "SELECT quality, late, arrived FROM readings WHERE value = 3 LIMIT 1",
            "good,false,2026-01-01T00:00:00Z",
        ),
        (
            "SELECT count(*) AS n FROM readings WHERE asset IN ('a', 'zz') AND time BETWEEN '2026-01-02' AND '2026-01-03T00:00:00Z'",
            "4",
        ),
        (
            "SELECT count(*) FROM readings WHERE time > now() - INTERVAL '1 day' AND time < now() + INTERVAL '2 days'",
            "16",
        ),
        ("SELECT value FROM readings WHERE value > 1000", ""),
        ("SELECT count(*) FROM readings a, readings b WHERE a.asset = b.asset AND a.time = b.time", "24"),
        (
            "SELECT time, offset FROM readings AS r WHERE r.offset = 1 AND offset >= 0 ORDER BY offset, time LIMIT 1 OFFSET 2",
            "2026-01-01T02:00:00.000001Z,1",
        ),
        ("SELECT max(offset) AS offset FROM readings", "5"),
        ("SELECT 1 AS one", "1"),
    ];
    for (query, expected) in table {
        let found = running.csv(query).await;
        assert_eq!(found, expected.replace(".0\n", "\n").trim_end_matches(".0"), "{query}");
    }
    running.shut_down().await;
}

#[tokio::test]
async fn pruning_skips_files() {
    let (_plant, running) = filled().await;
    running.lake.flush().await.unwrap();
    let table = [
        ("SELECT count(*) FROM readings", 3, 24),
        ("SELECT count(*) FROM readings WHERE time >= '2026-01-02' AND time < '2026-01-03'", 1, 8),
        ("SELECT count(*) FROM readings WHERE date = '2026-01-02'", 1, 8),
        ("SELECT count(*) FROM readings WHERE asset = 'b' AND date >= '2026-01-02'", 2, 8),
        ("SELECT count(*) FROM readings WHERE asset = 'c'", 0, 0),
        ("SELECT count(*) FROM readings WHERE offset >= 4", 1, 8),
        ("SELECT count(*) FROM readings WHERE offset = 1", 1, 4),
        ("SELECT count(*) FROM readings WHERE asset = 'a' AND (offset < 2 OR offset BETWEEN 2 AND 3)", 2, 8),
        ("SELECT count(*) FROM readings WHERE signal IN ('t', 'x') AND time > '2027-01-01T00:00:00Z'", 0, 0),
    ];
    for (query, files, rows) in table {
        let before = running.lake.files_scanned();
        assert_eq!(running.int(query).await, rows, "{query}");
        assert_eq!(running.lake.files_scanned() - before, files, "{query}");
    }
    running.shut_down().await;
}

#[test]
fn rows_and_aggregates_do_not_mix_without_a_group() {
    let check = |query: &str, column: Option<&str>| {
        let outcome = plan(query).map(drop).map_err(|error| error.to_string());
        let expected = column.map(|column| format!("{column} is taken from each row"));
        match (&outcome, &expected) {
            (Ok(()), None) => {}
            (Err(problem), Some(expected)) => assert!(problem.contains(expected), "{query}: {problem}"),
            _ => panic!("{query}: {outcome:?}, not {expected:?}"),
        }
    };
    check("SELECT asset, count(*) FROM readings", Some("asset"));
    check("SELECT max(value), min(time), r.asset FROM readings r", Some("r.asset"));
    check("SELECT value - avg(value) AS d FROM readings", Some("value"));
    check("SELECT *, count(*) FROM readings", Some("*"));
    check("SELECT date_trunc('hour', time) AS h, max(value) FROM readings", Some("time"));
    check("SELECT x FROM (SELECT signal AS x, sum(value) AS s FROM readings) AS inner_query", Some("signal"));
    check("SELECT count(*), max(value) - min(value) AS span, 1 AS one FROM readings", None);
    check("SELECT count(*) FILTER (WHERE late) AS late FROM readings", None);
    check("SELECT asset, count(*) FROM readings GROUP BY asset", None);
    check("SELECT asset, count(*) FROM readings GROUP BY ALL", None);
    check(
        "SELECT asset, row_number() OVER (ORDER BY time) AS n, avg(value) OVER (PARTITION BY asset) AS m FROM readings",
        None,
    );
    check("SELECT asset, (SELECT max(value) FROM readings) AS most FROM readings", None);
    check("SELECT DISTINCT asset FROM readings", None);
}

#[tokio::test]
async fn errors_and_limits_say_what_to_do() {
    let (_plant, running) = filled().await;
    let error = running.sql("SELECT valu FROM readings").await.unwrap_err();
    assert!(error.is_callers_mistake());
    let text = error.to_string();
    assert!(
        text.contains("no column valu") && text.contains("did you mean value?") && text.contains("quality"),
        "{text}"
    );
    let limited = SqlRequest {
        query: "SELECT value FROM readings ORDER BY value".into(),
        max_rows: Some(2),
        ..SqlRequest::default()
    };
    let result = running.lake.sql(limited).await.unwrap();
    assert_eq!((result.row_count(), result.truncated(), csv(&result).as_str()), (2, true, "0\n0"));
    let mut json = Vec::new();
    result.write_json(&mut json);
    assert_eq!(
        String::from_utf8(json).unwrap(),
        r#"{"columns":["value"],"rows":[[0.0],[0.0]],"truncated":true}"#
    );
    let hasty = SqlRequest {
        query: "SELECT count(*) FROM readings".into(),
        timeout: Some(Duration::ZERO),
        ..SqlRequest::default()
    };
    assert!(matches!(running.lake.sql(hasty).await, Err(LakeError::Timeout(0))));
    running.shut_down().await;
}

#[tokio::test]
async fn whoever_waits_for_the_branch_is_not_told_that_the_query_is_slow() {
    let plant = Plant::new();
    let lake = plant.open(LakeOptions { sql_timeout: Duration::ZERO, ..plant.options() }).await;
    let clock: Arc<dyn Clock> = Arc::clone(&plant.clock) as Arc<dyn Clock>;
    // A branch that does not get on, as with a store that cannot be reached.
    let _stalled = Branch::build(lake.clone(), Arc::clone(&plant.log) as Arc<dyn Log>, clock);
    plant.push(&[("a", "t", 0, 1.0)]);
    let error = crate::testing::sql(&lake, "SELECT value FROM readings").await.unwrap_err();
    assert!(matches!(error, LakeError::Behind(_)), "{error}");
    let query = crate::ReadingsQuery {
        series: vec![plant.series("a", "t")],
        from: Timestamp::MIN,
        to: Timestamp::MAX,
    };
    let error = lake.readings(query).await.unwrap_err();
    assert!(matches!(error, LakeError::Behind(_)) && error.is_retryable(), "{error}");
}

/// One query that goes over rows and one that goes over groups.
const BOTH_WAYS: [&str; 2] =
    ["SELECT value FROM readings ORDER BY value", "SELECT asset, max(value) FROM readings GROUP BY asset"];

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_nobody_waits_for_ends_and_frees_its_slot() {
    const FILES: usize = 64;
    let plant = Plant::new();
    let mut lake = plant.open(plant.options()).await;
    // Tells when a query has begun to read, and keeps it from reading on until the gate is gone.
    let checks = Arc::new(AtomicUsize::new(0));
    let (reading, has_begun) = std::sync::mpsc::channel();
    let gate: Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>> = Arc::default();
    let (counted, closed) = (Arc::clone(&checks), Arc::clone(&gate));
    let probe = move || {
        if counted.fetch_add(1, Ordering::Relaxed) > 0 {
            let _ = reading.send(());
            let _ = closed.lock().as_ref().map(std::sync::mpsc::Receiver::recv);
        }
        None
    };
    Arc::get_mut(&mut lake.queries).unwrap().watch = Watch::with_probe(1, Box::new(probe));
    let running = plant.run(lake);
    for file in 0..i64::try_from(FILES).unwrap() {
        plant.push(&[("a", "t", file, 1.0)]);
        running.lake.flush().await.unwrap();
    }
    let has_begun = Arc::new(Mutex::new(has_begun));
    for query in BOTH_WAYS {
        let (open, receiver) = std::sync::mpsc::channel();
        *gate.lock() = Some(receiver);
        checks.store(0, Ordering::Relaxed);
        let lake = running.lake.clone();
        let waiting = tokio::spawn(async move { crate::testing::sql(&lake, query).await });
        let begun = Arc::clone(&has_begun);
        tokio::task::spawn_blocking(move || begun.lock().recv()).await.unwrap().unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        drop(open);
        let queries = &running.lake.queries.users;
        drop(queries.acquire_many(u32::try_from(MAX_QUERIES).unwrap()).await.unwrap());
        assert!(checks.load(Ordering::Relaxed) < FILES / 2, "{query}: {checks:?} of {FILES} files were read");
        while has_begun.lock().try_recv().is_ok() {}
    }
    running.shut_down().await;
}

#[tokio::test]
async fn a_query_that_takes_too_much_memory_is_told_what_to_narrow() {
    let plant = Plant::new();
    let running = plant.run(plant.open(LakeOptions { sql_memory_bytes: 0, ..plant.options() }).await);
    plant.push(&[("a", "t", 0, 1.0)]);
    running.lake.flush().await.unwrap();
    for query in BOTH_WAYS {
        let error = running.sql(query).await.unwrap_err();
        let text = error.to_string();
        assert!(
            error.is_callers_mistake()
                && text.contains("narrow its time range")
                && text.contains("limits.max_sql_memory"),
            "{text}"
        );
    }
    assert_eq!(running.lake.queries.users.available_permits(), MAX_QUERIES);
    running.shut_down().await;
}

#[test]
fn a_join_in_parentheses_may_mean_every_column() {
    let names = |query: &str| plan(query).unwrap().names;
    assert!(names("SELECT value FROM (readings a JOIN life_events b USING (asset))").is_none());
    assert!(
        names("SELECT value FROM readings a JOIN life_events b USING (asset)")
            .is_some_and(|names| names.contains("asset"))
    );
}

/// Queries with `links` operators in a row, each of which makes the tree one level deeper.
fn chains(links: usize) -> Vec<String> {
    let chain = |head: &str, link: &str, links: usize| format!("{head}{}", link.repeat(links));
    let select = |expr: String| format!("SELECT {expr} AS x FROM readings LIMIT 1");
    let count = |condition: String| format!("SELECT count(*) FROM readings WHERE {condition}");
    vec![
        format!("SELECT {} AS x", chain("1", "+1", links)),
        select(chain("value", "+1", links)),
        select(chain("value", "::DOUBLE", links)),
        select(format!("CASE {} ELSE 0 END", chain("", "WHEN late THEN 1 ", links))),
        select(chain("asset", "||'x'", links)),
        count(chain("value=1", " OR value=1", links - 1)),
        count(chain("value>-1", " AND value<>9", links - 2)),
        count(chain("late", " IS NULL", links)),
        select(chain(&format!("({})", chain("value", "+1", links / 2)), "+1", links.div_ceil(2))),
        select(chain(&format!("abs(abs({}))", chain("value", "+1", links / 2)), "+1", links.div_ceil(2))),
        select(chain(&format!("coalesce({}, 1)", chain("value", "+1", links / 2)), "+1", links.div_ceil(2))),
    ]
}

#[tokio::test]
async fn long_chains_are_answered_up_to_the_bound_and_refused_above() {
    let (_plant, running) = filled().await;
    let unions = |n: usize| format!("SELECT 1 AS x{}", " UNION ALL SELECT 1".repeat(n - 1));
    let wide =
        format!("SELECT {} FROM readings LIMIT 1", vec!["value + 1 > 2 AND late"; 200].join(" AS x, "));
    let wide = (0..200).fold(wide, |wide, n| wide.replacen(" AS x,", &format!(" AS x{n},"), 1));
    for query in [chains(limits::MAX_CHAIN), vec![unions(limits::MAX_TABLES), wide]].concat() {
        let answer = running.sql(&query).await;
        let wrong = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(answer.is_ok(), "{}: {wrong}", &query[..80]);
    }
    // The last one is as long as a query may be.
    let longest = vec![format!("SELECT 1{}", "+1".repeat(32_000))];
    for query in [chains(limits::MAX_CHAIN + 1), chains(8 * limits::MAX_CHAIN), longest].concat() {
        let error = running.sql(&query).await.unwrap_err();
        let text = error.to_string();
        assert!(
            error.is_callers_mistake()
                && text.contains("more than 150 operators in a row")
                && text.contains("x IN (…)"),
            "{text}"
        );
    }
    let tables =
        format!("SELECT 1 FROM readings{}", " JOIN readings USING (time)".repeat(limits::MAX_TABLES));
    for query in [unions(limits::MAX_TABLES + 1), tables] {
        assert!(
            running.sql(&query).await.unwrap_err().to_string().contains("more than 64 tables or subqueries")
        );
    }
    for query in [format!("SELECT {}1", "(".repeat(60_000)), format!("SELECT 1{}", ")".repeat(60_000))] {
        assert!(running.sql(&query).await.unwrap_err().is_callers_mistake());
    }
    let nested = (0..30).fold("time".to_owned(), |inner, _| format!("date_trunc('quarter', {inner})"));
    let error = running.sql(&format!("SELECT {nested} FROM readings")).await.unwrap_err();
    assert!(error.to_string().contains("too deep in one another"), "{error}");
    running.shut_down().await;
}

#[tokio::test]
async fn the_servers_own_queries_have_limits_and_slots_of_their_own() {
    let plant = Plant::new();
    let options = crate::LakeOptions { sql_max_rows: 1, ..plant.options() };
    let running = plant.run(plant.open(options).await);
    plant.push(&[("a", "t", 0, 1.0), ("a", "t", 1, 2.0)]);
    let queries = Arc::clone(&running.lake.queries.users);
    let taken = queries.acquire_many(u32::try_from(queries.available_permits()).unwrap()).await.unwrap();
    let query = |internal, max_rows| SqlRequest {
        query: "SELECT value FROM readings".into(),
        max_rows: Some(max_rows),
        internal,
        ..SqlRequest::default()
    };
    let all = running.lake.sql(query(true, 10)).await.unwrap();
    assert_eq!((all.row_count(), all.truncated()), (2, false), "with every slot of the users taken");
    drop(taken);
    assert!(running.lake.sql(query(true, 1)).await.unwrap().truncated());
    assert!(running.lake.sql(query(false, 10)).await.unwrap().truncated());
    running.shut_down().await;
}

#[tokio::test]
async fn groups_are_sorted_by_their_aggregates_and_counts_can_be_subtracted() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[
        ("a", "t", 0, 1.0),
        ("b", "t", 1, 2.0),
        ("b", "t", 2, 3.0),
        ("c", "t", 3, 0.5),
        ("c", "t", 4, 0.5),
        ("c", "t", 5, 0.5),
    ]);
    // With a condition on the value the query goes over rows.
    for condition in ["", "WHERE value > 0"] {
        let ask = async |select: &str, order: &str| {
            running.csv(&format!("SELECT {select} FROM readings {condition} GROUP BY asset {order}")).await
        };
        assert_eq!(ask("asset, count(*)", "ORDER BY count(*) DESC").await, "c,3\nb,2\na,1");
        assert_eq!(ask("asset, max(value) AS m", "ORDER BY max(value)").await, "c,0.5\na,1\nb,3");
        assert_eq!(
            ask("asset, count(*) - 2 AS n", "HAVING count(*) - 3 < 0 ORDER BY asset").await,
            "a,-1\nb,0"
        );
        let query = format!("SELECT asset FROM readings {condition} GROUP BY asset ORDER BY min(value)");
        let error = running.sql(&query).await.unwrap_err().to_string();
        assert!(error.contains("ORDER BY min(value) is no column of the answer"), "{error}");
    }
    running.shut_down().await;
}

#[tokio::test]
async fn many_lists_of_names_are_no_burden() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p7", "t", 0, 1.0)]);
    let list =
        |part: usize| (part * 64..(part + 1) * 64).map(|n| format!("'p{n}'")).collect::<Vec<_>>().join(", ");
    let lists: Vec<String> = (0..20).map(|part| format!("asset IN ({})", list(part))).collect();
    assert_eq!(running.int(&format!("SELECT count(*) FROM readings WHERE {}", lists.join(" OR "))).await, 1);
    running.shut_down().await;
}
