//! That what is fetched of a file is what is read of it.

use super::*;
use crate::table::Bounds;
use crate::testing::{NEW_YEAR, Plant};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_query_needs_is_fetched_and_it_reads_the_same() {
    let plant = Plant::new();
    let running = plant.start().await;
    // More than a row group of each of two assets in a file, and another file.
    let rows = |asset: &'static str, from: i64| {
        (from..from + 90_000).map(move |step| (asset, "t", step, step as f64 / 8.0))
    };
    plant.push(&rows("a", 0).chain(rows("b", 0)).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    plant.push(&rows("c", 100_000).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    let lake = running.lake.clone();
    let text = |text: &str| Limit::Text(BTreeSet::from([text.to_owned()]));
    let check = move |bounds: Vec<(&str, Limit)>, columns: &[&str], sources: usize, rows: usize| {
        let view = lake.reader.view();
        let bounds =
            Bounds { columns: bounds.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect() };
        let scan = lake.reader.scan(&view, &view.tables[READINGS], &bounds);
        let wanted = |column: &str| columns.contains(&column);
        let collect = |sources| {
            of_sources(sources, &scan, &wanted)
                .unwrap()
                .collect_with_engine(pl::Engine::Streaming)
                .unwrap()
                .unwrap_single()
        };
        let fetched = fetched(&lake, &scan, &wanted, &lake.queries.watch.begin()).unwrap();
        let found = fetched.as_ref().map_or(0, pl::ScanSources::len);
        assert_eq!(found, sources, "{bounds:?}");
        let expected = collect(mapped(&scan));
        assert_eq!(expected.height(), rows, "{bounds:?}");
        if let Some(fetched) = fetched {
            assert!(collect(fetched).equals(&expected), "{bounds:?}");
        }
    };
    let checks = move || {
        check(vec![], &["time", "asset", "value", "offset", "quality"], 2, 270_000);
        check(vec![("asset", text("b"))], &["value"], 1, 90_000);
        check(
            vec![("asset", text("b")), ("time", Limit::Time(NEW_YEAR, NEW_YEAR + 9))],
            &["date", "late"],
            1,
            10,
        );
        check(vec![("offset", Limit::Int(1, 5))], &["asset"], 1, 90_000);
        check(vec![("asset", text("none"))], &["asset"], 0, 0);
        // Within the bounds of a file, and of none of its row groups.
        check(vec![("asset", text("aa"))], &["asset"], 1, 0);
    };
    tokio::task::spawn_blocking(checks).await.unwrap();
    running.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_group_that_cannot_matter_is_not_fetched() {
    let plant = Plant::new();
    let running = plant.start().await;
    let rows = |asset: &'static str| (0..131_072).map(move |step| (asset, "t", step, 1.0));
    plant.push(&rows("a").chain(rows("b")).collect::<Vec<_>>());
    running.lake.flush().await.unwrap();
    let bytes = async |asset: &str, wanted: fn(&str) -> bool| {
        let bounds = Bounds {
            columns: [("asset".to_owned(), Limit::Text(BTreeSet::from([asset.to_owned()])))].into(),
        };
        let file = Arc::clone(&running.lake.reader.view.read().tables[READINGS].files[0]);
        excerpt::excerpt(&running.lake, &file, wanted, &bounds)
            .await
            .unwrap()
            .map_or(0, |excerpt| excerpt.bytes())
    };
    let (one, other) = (bytes("a", |_| true).await, bytes("b", |_| true).await);
    assert!(one > 0 && other > 0 && bytes("a", |name| name == "value").await < one / 2);
    assert_eq!(bytes("aa", |_| true).await, 0, "no group has it");
    let size = running.lake.reader.view.read().tables[READINGS].files[0].size_bytes;
    assert!(one + other < size, "each has its own");
    running.shut_down().await;
}
