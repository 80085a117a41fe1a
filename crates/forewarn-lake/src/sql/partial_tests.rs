//! Which queries go over groups, and that these answer as the rows do.

use proptest::prelude::*;

use super::super::Plan;
use super::super::tests::plan;
use super::*;
use crate::testing::{Plant, Running, csv};

const HOUR: i64 = 3_600_000_000;

fn partial(query: &str) -> Option<Partial> {
    plan(query).unwrap_or_else(|error| panic!("{query}: {error}")).partial
}

#[test]
fn queries_over_groups_are_recognised() {
    let check = |query: &str, by_asset: bool, by_signal: bool, bucket: Option<(i64, i64)>| {
        let partial = partial(query).unwrap_or_else(|| panic!("{query} is not recognised"));
        assert_eq!(
            (partial.by_asset, partial.by_signal, partial.bucket),
            (by_asset, by_signal, bucket),
            "{query}: {}",
            partial.sql
        );
    };
    let hourly = Some((HOUR, 0));
    check(
        "SELECT asset, signal, count(*), avg(value) FROM readings GROUP BY asset, signal",
        true,
        true,
        None,
    );
    check(
        "SELECT r.asset, max(r.value) AS m FROM readings AS r WHERE r.signal = 's' GROUP BY r.asset ORDER BY m LIMIT 3",
        true,
        false,
        None,
    );
    check("SELECT date_trunc('hour', time) AS h, sum(value) FROM readings GROUP BY h", false, false, hourly);
    check(
        "SELECT date_trunc('hour', time), sum(value) FROM readings GROUP BY 1 HAVING count(*) > 3",
        false,
        false,
        hourly,
    );
    check(
        "SELECT time_bucket('7d', time) AS w, min(time), max(time) FROM readings GROUP BY w",
        false,
        false,
        Some((7 * DAY_US, 4 * DAY_US)),
    );
    check(
        "SELECT date, signal, min(value) FROM readings WHERE date >= '2026-01-02' GROUP BY date, signal",
        false,
        true,
        Some((DAY_US, 0)),
    );
    check(
        "SELECT date, round(avg(value), 2) AS m FROM readings GROUP BY date, date_trunc('hour', time)",
        false,
        false,
        hourly,
    );
    check(
        "SELECT CASE WHEN avg(value) > 3 THEN 'high' ELSE asset END AS x FROM readings GROUP BY asset",
        true,
        false,
        None,
    );
}

#[test]
fn what_groups_cannot_answer_goes_the_general_way() {
    for query in [
        "SELECT count(*) FROM readings",
        "SELECT asset, median(value) FROM readings GROUP BY asset",
        "SELECT asset, count(DISTINCT value) FROM readings GROUP BY asset",
        "SELECT asset, count(*) FILTER (WHERE late) FROM readings GROUP BY asset",
        "SELECT asset, sum(value * 2) FROM readings GROUP BY asset",
        "SELECT asset, max(\"offset\") FROM readings GROUP BY asset",
        "SELECT asset, count(quality) FROM readings GROUP BY asset",
        "SELECT asset, max(value) FROM readings WHERE value > 3 GROUP BY asset",
        "SELECT asset, max(value) FROM readings WHERE late GROUP BY asset",
        "SELECT asset, max(value) FROM readings WHERE asset = 'a' OR signal = 'b' GROUP BY asset",
        "SELECT asset, max(value) FROM readings WHERE time < '2026-01-01' OR time > '2026-01-02' GROUP BY asset",
        "SELECT asset, max(value) FROM readings WHERE offset > 3 GROUP BY asset",
        "SELECT quality, count(*) FROM readings GROUP BY quality",
        "SELECT upper(asset) AS u, count(*) FROM readings GROUP BY upper(asset)",
        "SELECT signal AS asset, count(*) FROM readings GROUP BY signal",
        "SELECT date_trunc('hour', time) AS h, count(*) FROM readings GROUP BY h, date_trunc('day', time)",
        "SELECT date_trunc('month', time) AS m, count(*) FROM readings GROUP BY m",
        "SELECT date, time_bucket('7h', time) AS w, count(*) FROM readings GROUP BY date, w",
        "SELECT asset, count(*) FROM readings GROUP BY signal",
        "SELECT asset, count(*), sum(count(*)) OVER () FROM readings GROUP BY asset",
        "SELECT asset, count(*), (SELECT max(value) FROM readings) AS m FROM readings GROUP BY asset",
        "SELECT DISTINCT asset, count(*) FROM readings GROUP BY asset",
        "WITH r AS (SELECT asset, count(*) AS n FROM readings GROUP BY asset) SELECT * FROM r",
        "SELECT r.asset, count(*) FROM readings r JOIN life_events l ON r.asset = l.asset GROUP BY r.asset",
        "SELECT asset, max(value) FROM readings GROUP BY asset UNION ALL SELECT signal, 1 FROM readings GROUP BY signal",
        "SELECT asset, count(*) FROM alert_events GROUP BY asset",
        "SELECT asset AS \"of rows\", count(*) FROM readings GROUP BY asset",
    ] {
        assert_eq!(partial(query).map(|partial| partial.sql), None, "{query}");
    }
}

/// Queries that go over groups.
const QUERIES: [&str; 10] = [
    "SELECT asset, signal, count(*), count(value) AS n, avg(value), min(value) AS low, max(value) AS high, sum(value) AS s FROM readings GROUP BY asset, signal ORDER BY asset, signal",
    "SELECT signal, count(*), count(value) FROM readings GROUP BY signal ORDER BY signal",
    "SELECT asset, date_trunc('hour', time) AS h, avg(value) AS m, count(value) AS n FROM readings GROUP BY asset, h ORDER BY asset, h",
    "SELECT signal, time_bucket('90m', time), max(value) FROM readings GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT date, min(time) AS first, max(time) AS last FROM readings GROUP BY date ORDER BY date",
    "SELECT asset, date, sum(value) FROM readings WHERE signal IN ('s', 'none') GROUP BY asset, date ORDER BY asset, date",
    "SELECT signal, count(*) FROM readings WHERE asset = 'b' AND time >= '2026-01-01T00:30:00Z' AND time < '2026-01-01T05:00:00Z' GROUP BY signal ORDER BY signal",
    "SELECT signal, round(avg(value), 1) AS m FROM readings WHERE date = '2026-01-02' GROUP BY signal HAVING count(*) > 1 ORDER BY m, signal",
    "SELECT asset, max(value) - min(value) AS span FROM readings WHERE asset <> 'zz' GROUP BY asset ORDER BY span DESC, asset LIMIT 2",
    "SELECT r.signal, avg(r.value) FROM readings r WHERE r.time BETWEEN '2026-01-01T01:00:00Z' AND '2026-01-01T03:00:00Z' GROUP BY r.signal ORDER BY r.signal",
];

/// Both answers to `query`.
fn both(running: &Running, query: &str) -> (String, String) {
    let view = running.lake.reader.view();
    let answer = |plan: &Plan| {
        let watched = std::sync::Arc::new(running.lake.queries.watch.begin());
        let result = plan
            .run(&running.lake, &view, 1_000, &watched)
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        format!("{:?}\n{}", result.schema(), csv(&result))
    };
    let over_groups = plan(query).unwrap();
    let over_rows = Plan { partial: None, ..plan(query).unwrap() };
    (answer(&over_groups), answer(&over_rows))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Values are multiples of 1/8, whose sums are exact in any order.
    #[test]
    fn groups_answer_as_rows_do(
        rows in prop::collection::vec((0..3_usize, 0..2_usize, 0..40_i64, -80..80_i32), 0..120),
        flush in prop::collection::vec(any::<bool>(), 4),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let plant = Plant::new();
            let running = plant.start().await;
            let readings: Vec<_> = rows
                .iter()
                .map(|&(asset, signal, step, eighths)| (["a", "b", "c"][asset], ["s", "t"][signal], step * HOUR * 3 / 4, f64::from(eighths) / 8.0))
                .collect();
            for (part, flush) in readings.chunks(readings.len() / 4 + 1).zip(flush) {
                plant.push(part);
                if flush {
                    running.lake.flush().await.unwrap();
                }
            }
            running.lake.reader.progress.wait_current().await.unwrap();
            for query in QUERIES {
                let (over_groups, over_rows) = both(&running, query);
                assert_eq!(over_groups, over_rows, "{query}");
            }
            running.shut_down().await;
        });
    }
}
