//! Limits of machines, what operators do to many alerts, and the figures of the alarm system.

use forewarn_tests::cli::{assert_says, done};
use forewarn_tests::heat::heat;
use forewarn_tests::site::{Server, Site};
use serde_json::{Value, json};

const LIMITED: &str = "\
pipeline: p
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > asset.limit\", severity: critical }
";

async fn limit(server: &Server, pump: &str, value: &Value) {
    let url = format!("{}/v1/assets/plant1%2F{pump}/attributes", server.url);
    let body = json!({ "attributes": { "limit": value, "maker": "acme" }, "actor": "ann" });
    let answer = server.http().put(url).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn each_machine_has_its_limit_and_another_one_takes_effect_at_once_and_survives_a_kill() {
    let site = Site::new();
    site.pipeline(LIMITED);
    let server = site.start().await;
    limit(&server, "pump1", &json!(90.0)).await;
    limit(&server, "pump2", &json!(99.0)).await;
    for pump in ["pump1", "pump2", "pump3"] {
        heat(&server, pump, 95.0).await;
    }
    let on = async |server: &Server| -> Vec<String> {
        let alerts = server.alerts("&state=active").await;
        let mut on: Vec<String> =
            alerts.iter().map(|alert| alert["asset"].as_str().expect("an asset").to_owned()).collect();
        on.sort();
        on
    };
    assert_eq!(on(&server).await, ["plant1/pump1"]);
    server.kill().await;
    let server = site.start().await;
    let kept = server.get("/v1/assets/plant1%2Fpump2/attributes").await;
    assert_eq!((&kept["attributes"]["limit"], &kept["actor"]), (&json!(99.0), &json!("ann")), "{kept}");
    limit(&server, "pump2", &json!(94.0)).await;
    assert_eq!(on(&server).await, ["plant1/pump1", "plant1/pump2"], "by the value of before");
    limit(&server, "pump1", &json!(98.0)).await;
    assert_eq!(on(&server).await, ["plant1/pump2"]);
    let (status, _) = server.try_get("/v1/assets/plant1%2Fnone/attributes").await;
    assert_eq!(status, 404);
    let url = format!("{}/v1/assets/plant1%2Fpump1/attributes", server.url);
    let wrong = server.http().put(url).json(&json!({ "attributes": { "no such": 1 } })).send().await;
    assert_eq!(wrong.expect("an answer").status(), 400);
}

#[tokio::test]
async fn the_figures_of_the_alarm_system_are_told() {
    let site = Site::new();
    site.pipeline(&LIMITED.replace("asset.limit", "90.0"));
    let server = site.start().await;
    for pump in 0..12 {
        heat(&server, &format!("pump{pump}"), 95.0).await;
    }
    let acknowledge = json!({
        "rule": "hot", "asset": "plant1/pump1", "action": "acknowledge", "actor": "ann", "reason": "nuisance"
    });
    assert_eq!(server.post("/v1/alerts/actions", &acknowledge).await["done"], 1);
    let kpis = server.get("/v1/alerts/kpis?by=asset").await;
    assert_eq!((&kpis["alerts"], &kpis["acknowledged"]["count"]), (&json!(12), &json!(1)), "{kpis}");
    assert_eq!(kpis["by_severity"], json!({ "critical": 12 }));
    assert_eq!(kpis["reasons"], json!([{ "rule": "hot", "said": 1, "nuisance": 1, "nuisance_share": 1.0 }]));
    assert_eq!(kpis["groups"].as_array().map(Vec::len), Some(12));
    assert_eq!(kpis["top"].as_array().map(Vec::len), Some(10));
    let (status, told) = server.try_get("/v1/alerts/kpis?by=moon").await;
    assert_eq!(status, 400, "{told}");
    let told = done(&server, &["alert", "kpis", "--by", "rule"]).await;
    assert_says(&told, &["12 alerts", "critical: 12 (100.0 %)", "most frequent", "groups"]);
}
