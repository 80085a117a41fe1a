//! Two servers on copies of one data folder and one lake: the newer one feeds the lake, the other one takes
//! nothing more and says why. So nothing that either acknowledges from then on is lost.

use std::path::Path;

use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use tempfile::TempDir;

const FIRST_MS: i64 = 1_767_225_600_000;

/// A site whose lake is in `lake`, and whose branch commits when asked to, or at its end.
fn site(lake: &Path, commit_every: &str) -> Site {
    let mut site = Site::new();
    site.lake_url = Some(format!("file://{}", lake.display()));
    site.settings = format!("branch: {{ commit_every: {commit_every} }}\n");
    site
}

fn copy_log(from: &Site, to: &Site) {
    let (from, to) = (from.path().join("data/log"), to.path().join("data/log"));
    std::fs::create_dir_all(&to).expect("a folder for the copy");
    for entry in std::fs::read_dir(from).expect("the log's folder") {
        let entry = entry.expect("a file");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("the file can be copied");
    }
}

async fn send(server: &Server, asset: &str, second: i64) -> u16 {
    let body = reading(asset.to_owned(), "temperature", FIRST_MS + second * 1_000, 70.0).to_string();
    server.send("/v1/readings", body).await.0
}

#[tokio::test]
async fn of_two_servers_on_copies_the_older_one_stops_taking_readings() {
    let lake = TempDir::new().expect("a folder for the lake");
    let (first, second) = (site(lake.path(), "1h"), site(lake.path(), "1h"));
    let server = first.start().await;
    assert_eq!(send(&server, "plant1/common", 0).await, 200);
    assert!(server.stop().await.success(), "{}", first.log());
    copy_log(&first, &second);

    let older = first.start().await;
    assert_eq!(send(&older, "plant1/older", 1).await, 200);
    let newer = second.start().await;
    assert_eq!(newer.metric("forewarn_taken_over").await, 0);
    eventually("the older server is not ready", async || older.try_get("/readyz").await.0 == 503).await;
    let (_, why) = older.try_get("/readyz").await;
    let place = second.path().display().to_string();
    assert!(why.to_string().contains(&format!("another server ({place}/data")), "{why}");
    assert_eq!(send(&older, "plant1/older", 2).await, 503);
    assert_eq!(older.metric("forewarn_taken_over").await, 1);
    assert!(first.log().contains("this server takes no more readings"), "{}", first.log());
    assert_eq!(older.try_get("/healthz").await.0, 200, "a restart would only take the lake back");

    // At its end a server commits what it has; this one must not.
    older.stop().await;
    assert_eq!(send(&newer, "plant1/newer", 3).await, 200);
    assert_eq!(newer.try_get("/readyz").await.0, 200);
    assert!(newer.stop().await.success(), "{}", second.log());
    let again = second.start().await;
    let rows = again.sql("SELECT asset FROM readings ORDER BY asset").await;
    assert_eq!(rows, [["plant1/common"], ["plant1/newer"]]);
}

#[tokio::test]
async fn a_copy_that_is_older_than_the_lake_takes_nothing_over() {
    let lake = TempDir::new().expect("a folder for the lake");
    let (first, second) = (site(lake.path(), "100ms"), site(lake.path(), "100ms"));
    let server = first.start().await;
    assert!(server.stop().await.success(), "{}", first.log());
    copy_log(&first, &second);

    let server = first.start().await;
    assert_eq!(send(&server, "plant1/pump1", 0).await, 200);
    let rows = "SELECT count(*) FROM readings";
    assert_eq!(server.count(rows).await, 1);
    eventually("a commit", async || server.metric("forewarn_lake_tail_rows").await == 0).await;
    assert!(second.try_launch().await.is_err(), "an old copy must not start");
    assert!(second.log().contains("is an old copy"), "{}", second.log());
    assert_eq!(send(&server, "plant1/pump1", 1).await, 200);
    assert_eq!(server.count(rows).await, 2);
    assert_eq!(server.try_get("/readyz").await.0, 200);
}
