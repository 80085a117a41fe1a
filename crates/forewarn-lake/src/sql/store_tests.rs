//! Queries that wait for a store which does not answer.

use std::sync::atomic::Ordering;

use super::*;
use crate::read::MAX_QUERIES;
use crate::testing::{OddStore, Plant, sql};

const DAY_US: i64 = 86_400_000_000;
/// One query that goes over rows and one that goes over groups.
const BOTH_WAYS: [&str; 2] =
    ["SELECT value FROM readings ORDER BY value", "SELECT asset, max(value) FROM readings GROUP BY asset"];

/// Waits until so many requests wait for an answer of the store.
async fn waits(store: &OddStore, requests: impl Fn(usize) -> bool) {
    while !requests(store.odd.waiting.load(Ordering::SeqCst)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_waits_for_the_store_ends_once_nobody_waits_for_it() {
    let (plant, store) = (Plant::new(), OddStore::default());
    let running = plant.run(plant.open_on(store.files()).await);
    plant.push(&[("a", "t", 0, 1.0), ("a", "t", DAY_US, 1.0)]);
    running.lake.flush().await.unwrap();
    for query in BOTH_WAYS {
        *store.odd.silent.lock() = Some("date=");
        let lake = running.lake.clone();
        let waiting = tokio::spawn(async move { sql(&lake, query).await });
        waits(&store, |requests| requests > 0).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        let queries = &running.lake.queries.users;
        drop(queries.acquire_many(u32::try_from(MAX_QUERIES).unwrap()).await.unwrap());
        assert_eq!(store.odd.waiting.load(Ordering::SeqCst), 0, "{query}: its requests are dropped");
        *store.odd.silent.lock() = None;
        assert_eq!(
            sql(&running.lake, query).await.unwrap().row_count(),
            if query == BOTH_WAYS[0] { 2 } else { 1 }
        );
    }
    running.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_of_a_query_stop_once_one_of_them_gives_up() {
    let (plant, store) = (Plant::new(), OddStore::default());
    let running = plant.run(plant.open_on(store.files()).await);
    plant.push(&[("a", "t", 0, 1.0)]);
    running.lake.flush().await.unwrap();
    for day in 1..20 {
        plant.push(&[("a", "t", day * DAY_US, 1.0)]);
    }
    running.lake.flush().await.unwrap();
    *store.odd.broken.lock() = Some("date=2026-01-01");
    *store.odd.silent.lock() = Some("date=2026-01-1");
    let lake = running.lake.clone();
    let groups = move || {
        let view = lake.reader.view();
        let table = &view.tables[READINGS];
        let partial = partial::plan(&rewrite::parse(BOTH_WAYS[1]).unwrap(), &table.schema).unwrap();
        let bounds = Bounds::default();
        groups::frame(&lake, &lake.reader.scan(&view, table, &bounds), &partial, &lake.queries.watch.begin())
            .map(drop)
    };
    let error = tokio::task::spawn_blocking(groups).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("a broken disk"), "{error}");
    assert_eq!(store.odd.waiting.load(Ordering::SeqCst), 0);
    running.shut_down().await;
}

#[tokio::test]
async fn what_is_taken_from_each_row_of_a_group_is_refused() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("a", "t", 0, 1.0), ("a", "t", 1, 3.0), ("b", "t", 2, 5.0)]);
    for query in [
        "SELECT asset, value - avg(value) AS d FROM readings GROUP BY asset",
        "SELECT asset, signal || 'x' AS d, max(value) FROM readings GROUP BY asset",
        "SELECT asset, value AS d FROM readings GROUP BY asset",
    ] {
        let error = running.sql(query).await.unwrap_err();
        assert!(
            matches!(error, LakeError::Query(_)) && error.to_string().contains("GROUP BY"),
            "{query}: {error}"
        );
    }
    let mixed = "SELECT asset, value - avg(value) AS d FROM readings GROUP BY asset";
    assert!(
        running.sql(mixed).await.unwrap_err().to_string().contains("column d takes a value from each row")
    );
    assert_eq!(
        running
            .csv("SELECT asset, max(value) - avg(value) AS d FROM readings GROUP BY asset ORDER BY asset")
            .await,
        "a,1\nb,0"
    );
    assert_eq!(
        running
            .csv("SELECT asset, upper(asset) AS d, count(*) AS n FROM readings GROUP BY asset ORDER BY asset")
            .await,
        "a,A,2\nb,B,1"
    );
    let listed =
        running.csv("SELECT asset, array_agg(value) AS d FROM readings GROUP BY asset ORDER BY asset").await;
    assert!(listed.contains("1.0, 3.0"), "{listed}");
    running.shut_down().await;
}
