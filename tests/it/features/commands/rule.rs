//! `forewarn rule`: what is listed and shown, and that a misspelt signal is seen at once.

use forewarn_tests::cli::{asked, assert_says, done};
use forewarn_tests::heat::heat;
use forewarn_tests::site::Site;

const RULES: &str = "\
pipeline: pumps
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 90.0\", severity: critical }
  - { name: hotter, assets: \"plant1/**\", when: \"temprature > 95.0\", severity: critical }
  - { name: elsewhere, assets: \"plant2/**\", when: \"temperature > 90.0\", severity: minor }
";

#[tokio::test]
async fn rules_are_listed_and_shown_and_a_misspelt_signal_is_seen_at_once() {
    let site = Site::new();
    site.pipeline(RULES);
    let server = site.start().await;
    heat(&server, "pump7", 93.0).await;
    let listed = done(&server, &["rule", "list"]).await;
    let line = |name: &str| {
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{listed}")).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("hot")[..8], ["hot", "critical", "1", "0", "0", "1", "0", "0"], "{listed}");
    assert_eq!(line("hotter")[..8], ["hotter", "critical", "1", "0", "0", "0", "0", "1"], "{listed}");
    assert_says(
        &listed,
        &[
            "never decided",
            "temprature > 95.0",
            "hotter: temprature was never heard on plant1/pump7, the only asset; did you mean temperature?",
            "elsewhere: it matches none of the assets that are known: plant2/**",
        ],
    );
    let shown = done(&server, &["rule", "show", "hotter"]).await;
    assert_says(
        &shown,
        &[
            "hotter: critical, pipeline pumps\ntemprature > 95.0\nassets: plant1/**\n",
            "plant1/pump7  never_decided  -",
            "temprature was never heard on this asset; did you mean temperature?",
        ],
    );
    assert_says(&done(&server, &["rule", "show", "hot", "--state", "alert"]).await, &["plant1/pump7  alert"]);
    assert_says(&done(&server, &["rule", "show", "hot", "--state", "normal"]).await, &["\nnone\n"]);
    let json = done(&server, &["rule", "show", "hot", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["states"]["alert"], 1, "{json}");
    let json = done(&server, &["rule", "list", "--json"]).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["rules"][1]["name"], "hotter");
    let complaint = asked(&server, &["rule", "show", "hottest"]).await.complaint(1);
    assert_says(&complaint, &["there is no rule hottest", "`forewarn rule list` lists all"]);
}
