//! Queries that would take the server with them, and the limits that keep them from it.

use std::time::Duration;

use super::*;

/// The engine still answers.
async fn lives(plant: &Plant) {
    assert_eq!(plant.int("SELECT count(*) FROM readings").await, 240);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_nests_deeply_is_refused() {
    let plant = Plant::start().await;
    let texts = [
        format!("SELECT 1{}", "+1".repeat(5_000)),
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}'1 day'", "INTERVAL ".repeat(1_940)),
        format!("SELECT {}'1 day'", "INTERVAL ".repeat(7_000)),
        format!("SELECT {}true", "NOT ".repeat(10_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(2_000), " END".repeat(2_000)),
        format!("SELECT {}1{}", "ARRAY[".repeat(5_000), "]".repeat(5_000)),
        format!("SELECT * FROM {}readings{}", "(SELECT * FROM ".repeat(3_000), ")".repeat(3_000)),
        format!("SELECT 1 WHERE true{}", " OR false".repeat(5_000)),
        format!("SELECT 1{}", "::int".repeat(5_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(3_000)),
        format!("SELECT value{} FROM readings", " || value".repeat(3_000)),
        "x".repeat(100_000),
        format!("SELECT {}1{}", "abs(".repeat(40), ")".repeat(40)),
    ];
    for text in texts {
        let error = plant.error(&text).await;
        assert!(error.len() < 1_000, "{}…: {error}", &text[..40]);
    }
    lives(&plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_text_that_grows_is_refused() {
    let plant = Plant::start().await;
    let doubling = |parts: usize, first: &str, next: &dyn Fn(usize) -> String| {
        let steps: Vec<String> = (1..parts).map(|part| format!("t{part} AS ({})", next(part - 1))).collect();
        format!("WITH t0 AS ({first}), {} SELECT * FROM t{}", steps.join(", "), parts - 1)
    };
    let rows = |of: usize| format!("SELECT * FROM t{of} UNION ALL SELECT * FROM t{of}");
    let columns = |of: usize| format!("SELECT a.*, b.* FROM t{of} a, t{of} b");
    let sums = |of: usize| format!("SELECT v + v AS v FROM t{of} WHERE v + v > 0");
    let texts = |of: usize| format!("SELECT v || v AS v FROM t{of}");
    for parts in [15, 40] {
        plant.error(&doubling(parts, "SELECT value FROM readings", &rows)).await;
        plant.error(&doubling(parts, "SELECT value FROM readings", &columns)).await;
        plant.error(&doubling(parts.max(40), "SELECT value AS v FROM readings", &sums)).await;
        plant.error(&doubling(parts.max(40), "SELECT asset AS v FROM readings", &texts)).await;
    }
    for text in [
        "SELECT lpad('x', 500000000)",
        "SELECT repeat('x', 2000000000)",
        "SELECT rpad(asset, 100000000) FROM readings",
        "SELECT replace(repeat('a', 100000), 'a', repeat('b', 100000))",
        "SELECT range(0, 10000000000)",
        "SELECT array_repeat('x', 1000000000)",
        "SELECT count(*) FROM (SELECT unnest(range(0, 100000000000)))",
    ] {
        plant.error(text).await;
    }
    lives(&plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_query_ends_when_its_time_is_over_or_its_reader_goes() {
    let endless = "SELECT count(*) FROM generate_series(1, 1000000000) a(x), generate_series(1, 1000000000) b(y) WHERE a.x = b.y + 0.5";
    let options = QueryOptions { timeout: Duration::from_millis(300), ..QueryOptions::default() };
    let plant = Plant::filled(options).await;
    assert!(matches!(plant.ask(endless).await, Err(QueryError::Timeout(_))));
    lives(&plant).await;

    let options = QueryOptions { running: 1, waiting: 1, ..QueryOptions::default() };
    let plant = Plant::filled(options).await;
    for _ in 0..5 {
        // Dropped before it has an answer: its turn must be free for the next one.
        let query = Query { text: endless.to_owned(), ..Query::default() };
        drop(plant.queries.run(query).await.unwrap());
    }
    lives(&plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_the_line_full_is_told_to_come_again() {
    let options = QueryOptions { running: 1, waiting: 0, ..QueryOptions::default() };
    let plant = Plant::filled(options).await;
    let query = Query { text: "SELECT * FROM generate_series(1, 1000000000)".to_owned(), ..Query::default() };
    let held = plant.queries.run(query).await.unwrap();
    assert!(matches!(plant.ask("SELECT 1").await, Err(QueryError::Busy(_))));
    let internal = Query { text: "SELECT 1".to_owned(), internal: true, ..Query::default() };
    assert_eq!(plant.queries.run(internal).await.unwrap().collect().await.unwrap().row_count(), 1);
    drop(held);
    while plant.ask("SELECT 1").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_needs_too_much_memory_is_told_what_to_narrow() {
    let options = QueryOptions { memory_bytes: 4 << 20, spill_bytes: 1 << 20, ..QueryOptions::default() };
    let plant = Plant::filled(options).await;
    let large = "SELECT array_agg(a.x) FROM generate_series(1, 5000000) a(x) GROUP BY a.x % 1000003";
    let error = plant.ask(large).await.unwrap_err();
    assert!(
        matches!(&error, QueryError::TooLarge(text) if text.contains("narrow its time range")),
        "{error:?}"
    );
    lives(&plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_ends_where_it_has_more_bytes_than_allowed() {
    use futures::StreamExt as _;
    let plant = Plant::filled(QueryOptions { max_bytes: 100_000, ..QueryOptions::default() }).await;
    for form in [crate::Form::Json, crate::Form::Csv] {
        let text = "SELECT a.time, b.value FROM readings a, readings b".to_owned();
        let answer = plant.queries.run(Query { text, ..Query::default() }).await.unwrap();
        let mut pieces = Box::pin(answer.encoded(form));
        let (mut bytes, mut error) = (0, None);
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => bytes += piece.len(),
                Err(found) => {
                    error = Some(found.to_string());
                    break;
                }
            }
        }
        let error = error.expect("the answer has 57,600 rows");
        assert!(bytes <= 100_000 && error.contains("more than 100000 bytes"), "{bytes} bytes, then {error}");
    }
    lives(&plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subqueries_that_are_compared_in_one_another_are_refused_before_they_grow() {
    let plant = Plant::start().await;
    let mut text = "SELECT value FROM readings".to_owned();
    for _ in 0..14 {
        text = format!("SELECT CASE WHEN value IN ({text}) THEN value END FROM readings");
    }
    let error = plant.error(&text).await;
    assert!(error.contains("parts"), "{error}");
    lives(&plant).await;
}
