//! What is refused, and what its author is told.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_reading_is_allowed() {
    let plant = Plant::start().await;
    for text in [
        "INSERT INTO readings VALUES (1)",
        "UPDATE readings SET value = 1",
        "DELETE FROM readings",
        "DROP TABLE readings",
        "CREATE TABLE t AS SELECT * FROM readings",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
        "COPY readings TO '/tmp/x.parquet'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SELECT * INTO t FROM readings",
        "SET datafusion.execution.batch_size = 1",
        "SHOW ALL",
        "RESET ALL",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "EXPLAIN DELETE FROM readings",
        "EXPLAIN COPY readings TO '/tmp/x'",
        "WITH x AS (INSERT INTO readings VALUES (1) RETURNING *) SELECT * FROM x",
        "SELECT 1; SELECT 2",
        "SELECT * FROM readings FOR UPDATE",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'http://localhost/x.parquet'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT B'1'' AS a, * FROM read_parquet(''/etc/passwd'') --'",
        "SELECT input_file_name() FROM readings",
        "SELECT * FROM other.readings",
        "SELECT arrow_cast(1, 'Utf8')",
    ] {
        plant.error(text).await;
    }
    assert_eq!(plant.int("SELECT count(*) FROM readings").await, 240);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clause_that_would_be_passed_over_is_refused() {
    let plant = Plant::start().await;
    let table = [
        ("SELECT * FROM readings TABLESAMPLE BERNOULLI (1)", "random()"),
        ("SELECT TOP 1 value FROM readings", "LIMIT"),
        ("SELECT value FROM readings FETCH FIRST 1 ROWS WITH TIES", "rank()"),
        ("SELECT last(value) FROM readings", "last(value, time)"),
        ("SELECT last_value(value) OVER (PARTITION BY asset) FROM readings", "ORDER BY time"),
        ("SELECT date_trunc('hour', time) AS time, count(*) FROM readings GROUP BY time", "GROUP BY 1"),
        ("SELECT to_char(time, 'QQQ') FROM readings", "YYYY"),
        ("SELECT approx_quantile(value, 0.5) FROM readings", "percentile_cont"),
        ("SELECT asset FROM readings EXCEPT ALL SELECT asset FROM readings", "row_number()"),
        ("SELECT INTERVAL '1 day' > INTERVAL '23 hours'", "intervals cannot be ordered"),
        ("SELECT * FROM readings WHERE time > $1", ":from"),
        ("SELECT * FROM readings WHERE time > :start", ":from"),
    ];
    for (query, hint) in table {
        let error = plant.error(query).await;
        assert!(error.contains(hint), "{query}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_say_what_is_wrong_where_and_what_to_write() {
    let plant = Plant::start().await;
    let table = [
        ("SELECT temprature FROM readings", "there is no column temprature"),
        ("SELECT valeu FROM readings", "did you mean value?"),
        ("SELECT value\nFROM readings WHERE asste = 'x'", "line 2"),
        ("SELECT * FROM reading", "reading"),
        ("SELECT asset FROM readings WHERE asset = \"plant1/pump1\"", "single quotes"),
        ("SELEC 1", "the query is not SQL"),
        ("", "the query is empty"),
        ("SELECT time_bucket('1 parsec', time) FROM readings", "is not a length of time"),
        ("SELECT time_bucket('1h', time, 'Europe/Olso') FROM readings", "no time zone"),
        ("SELECT value FROM readings WHERE time > 'yesterday'", "yesterday"),
    ];
    for (query, expected) in table {
        let error = plant.error(query).await;
        assert!(error.contains(expected), "{query:?}: {error}");
        for word in ["Internal", "bug", "LogicalPlan", "Expr", "backtrace", "DataFusion"] {
            assert!(!error.contains(word), "{query:?} speaks of {word}: {error}");
        }
    }
}

#[test]
fn a_query_is_checked_without_tables() {
    assert!(crate::check("SELECT a FROM b WHERE time >= :from AND time < :to").is_ok());
    assert!(crate::check("SELECT a FROM b WHERE time >= :since").is_err());
    assert!(crate::check("DELETE FROM readings").is_err());
    assert!(crate::check("SELECT (").is_err());
}
