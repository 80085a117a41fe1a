//! `forewarn model`: training, versions and predictions.

use forewarn_tests::cli::{asked, assert_says, done, done_json, file};
use forewarn_tests::site::Site;
use forewarn_tests::wear::{MODEL, wearing};
use serde_json::json;

#[tokio::test]
async fn models_are_trained_promoted_and_asked() {
    let site = Site::new();
    site.write("models/wear.yaml", MODEL);
    let server = site.start().await;
    let listed = done(&server, &["model", "list"]).await;
    assert_says(&listed, &["wear", "plant1/**", "hours", "has no version in force; train it"]);
    let said = asked(&server, &["model", "train", "wear", "--wait"]).await.with_code(1);
    assert_says(&said, &[" failed: "]);
    assert_eq!(done(&server, &["model", "predictions"]).await, "none\n");

    let import = ["--asset", "plant1/m{machine}", "--time", "time", "--lives"];
    let past = file(&site, "past.csv", &wearing(0..12, usize::MAX));
    assert_says(
        &done(&server, &[&["import", &past][..], &import, &["failed"]].concat()).await,
        &["24 life events recorded"],
    );
    let present = file(&site, "present.csv", &wearing(12..14, 30));
    assert_says(
        &done(&server, &[&["import", &present][..], &import, &["running"]].concat()).await,
        &["2 life events recorded"],
    );

    let trained = done(&server, &["model", "train", "wear", "--wait"]).await;
    assert_says(&trained, &[" succeeded; version ", " is in force: "]);
    let versions = done_json(&server, &["model", "versions", "wear"]).await;
    let version = versions["versions"][0]["version"].as_str().expect("a version").to_owned();
    let shown = done(&server, &["model", "versions", "wear"]).await;
    assert_says(&shown, &["rmse", "coverage", "ridge", "true", &version]);
    assert_says(&done(&server, &["model", "list"]).await, &[&version]);
    assert_says(
        &done(&server, &["model", "predict", "wear", "--wait"]).await,
        &[" succeeded, 2 predictions\n"],
    );

    let shown = done(&server, &["model", "predictions"]).await;
    let rows: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let assets: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    // Machine 13 wears faster than machine 12.
    assert_eq!(assets, ["plant1/m12", "plant1/m13"].map(|asset| asset), "{shown}");
    for row in &rows {
        let [p05, p50, p95] = [1, 2, 3].map(|column: usize| row[column].parse::<f64>().expect("a number"));
        assert!(p05 <= p50 && p50 <= p95 && p50 > 0.0 && p50 < 48.0, "{shown}");
    }
    let one = done_json(&server, &["model", "predictions", "--asset", "plant1/m13"]).await;
    assert_eq!(
        (one["predictions"].as_array().map(Vec::len), &one["truncated"]),
        (Some(1), &json!(false)),
        "{one}"
    );
    let cut = done(&server, &["model", "predictions", "--limit", "1"]).await;
    assert_says(&cut, &["plant1/m12", "(there are more: see --limit)"]);
    assert_says(&done(&server, &["model", "promote", "wear", &version]).await, &[&version, "true"]);
    let complaint = asked(&server, &["model", "promote", "wear", "v0"]).await.complaint(1);
    assert_says(&complaint, &["no version \"v0\"", "`forewarn model versions wear`"]);
}
