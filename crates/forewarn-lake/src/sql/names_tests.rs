//! What the columns of answers are called, and keys that are named twice.

use super::super::SqlRequest;
use crate::testing::{Plant, Running};

async fn filled() -> (Plant, Running) {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("a", "s", 0, 1.0), ("a", "t", 1, 5.0), ("b", "s", 2, 3.0)]);
    running.lake.reader.progress.wait_current().await.unwrap();
    (plant, running)
}

/// The answer with its header.
async fn whole(running: &Running, request: SqlRequest) -> String {
    let mut out = Vec::new();
    running
        .lake
        .sql(request.clone())
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", request.query))
        .write_csv(&mut out);
    String::from_utf8(out).unwrap().replace("\r\n", "\n")
}

fn asked(query: &str) -> SqlRequest {
    SqlRequest { query: query.into(), ..SqlRequest::default() }
}

#[tokio::test]
async fn a_column_without_a_name_is_called_what_was_written() {
    let (_plant, running) = filled().await;
    for (query, expected) in [
        ("SELECT count(*) FROM readings", "count(*)\n3\n"),
        (
            "SELECT max(value), min(value), max(value) AS top FROM readings",
            "max(value),min(value),top\n5,1,5\n",
        ),
        (
            "SELECT asset, max(value), min(value) FROM readings GROUP BY asset ORDER BY max(value) DESC",
            "asset,max(value),min(value)\na,5,1\nb,3,3\n",
        ),
        ("SELECT 1, value + 1, r.asset FROM readings AS r WHERE value = 3", "1,value + 1,asset\n1,4,b\n"),
        ("SELECT max(\"offset\") FROM readings", "max(offset)\n0\n"),
        ("SELECT upper(asset) FROM readings GROUP BY upper(asset) ORDER BY 1", "upper(asset)\nA\nB\n"),
    ] {
        assert_eq!(whole(&running, asked(query)).await, expected, "{query}");
    }
    let request = SqlRequest { internal: true, ..asked("SELECT max(value) FROM readings") };
    assert_eq!(whole(&running, request).await, "value\n5\n", "a job's table keeps the columns it has");
    running.shut_down().await;
}

#[tokio::test]
async fn keys_that_are_named_twice_or_computed_from_one_column_are_no_fault() {
    let (plant, running) = filled().await;
    for (query, expected) in [
        ("SELECT value FROM readings ORDER BY asset DESC, value, asset, value LIMIT 2", "value\n3\n1\n"),
        (
            "SELECT date_trunc('day', time) AS d, date_trunc('hour', time) AS h, count(*) AS n FROM readings \
             GROUP BY date_trunc('day', time), date_trunc('hour', time)",
            "d,h,n\n2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,3\n",
        ),
        (
            "SELECT asset, upper(asset) AS big, var_samp(value) AS v FROM readings GROUP BY asset, upper(asset) ORDER BY 1",
            "asset,big,v\na,A,8\nb,B,\n",
        ),
        (
            "SELECT asset, date_trunc('hour', time) AS h, count(*) AS n FROM readings GROUP BY asset, date_trunc('hour', time) \
             ORDER BY date_trunc('hour', time), asset DESC",
            "asset,h,n\nb,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:00Z,2\n",
        ),
        (
            "SELECT asset, date_trunc('hour', time), count(*) FROM readings GROUP BY asset, date_trunc('hour', time) \
             ORDER BY date_trunc('hour', time), asset",
            "asset,\"date_trunc('hour', time)\",count(*)\na,2026-01-01T00:00:00Z,2\nb,2026-01-01T00:00:00Z,1\n",
        ),
        (
            "SELECT upper(asset) AS big, upper(asset) || 'x' AS y, count(*) AS n FROM readings GROUP BY upper(asset), signal ORDER BY big, n",
            "big,y,n\nA,Ax,1\nA,Ax,1\nB,Bx,1\n",
        ),
        ("SELECT var_samp(value) AS v, total(value) AS t FROM readings", "v,t\n4,9\n"),
        (
            // Such a name is a column's, which would be another key.
            "SELECT upper(asset) AS signal, value > 2 AS high, count(*) AS n FROM readings GROUP BY upper(asset), value > 2 ORDER BY signal, high",
            "signal,high,n\nA,false,1\nA,true,1\nB,true,1\n",
        ),
    ] {
        assert_eq!(whole(&running, asked(query)).await, expected, "{query}");
    }
    // The name may be that of a column of the subquery, by which it must not be grouped.
    plant.push(&[("b", "s", 3_600_000_000, 9.0)]);
    running.lake.reader.progress.wait_current().await.unwrap();
    let query = "WITH h AS (SELECT asset, date_trunc('hour', time) AS hour, max(value) AS m FROM readings GROUP BY asset, hour) \
                 SELECT date_trunc('day', hour) AS hour, date_trunc('week', hour) AS w, count(*) AS n FROM h GROUP BY date_trunc('day', hour), w";
    assert_eq!(
        whole(&running, asked(query)).await,
        "hour,w,n\n2026-01-01T00:00:00Z,2025-12-29T00:00:00Z,3\n"
    );
    let query = "WITH h AS (SELECT asset, date_trunc('hour', time) AS hour, max(value) AS m FROM readings GROUP BY asset, hour) \
                 SELECT asset, date_trunc('day', hour) AS hour, max(m) AS m FROM h GROUP BY asset, date_trunc('day', hour) ORDER BY asset";
    assert_eq!(
        whole(&running, asked(query)).await,
        "asset,hour,m\na,2026-01-01T00:00:00Z,5\nb,2026-01-01T00:00:00Z,9\n"
    );
    let problem = running.sql("SELECT asset, asset FROM readings").await.unwrap_err().to_string();
    assert!(problem.contains("two columns or keys are called asset"), "{problem}");
    running.shut_down().await;
}
