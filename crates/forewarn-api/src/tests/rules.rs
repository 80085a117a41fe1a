//! How rules stand on assets, as clients see it.

use forewarn_types::{DefinitionFile, Definitions, Journal as _, Record, Timestamp};
use serde_json::{Value, json};

use super::{NOW, Server};

const RULES: &str = "\
pipeline: pumps
rules:
  - { name: hot, assets: \"plant/*\", when: \"temperature > 90.0\", severity: critical }
  - { name: warm, assets: \"plant/*\", when: \"temprature > 60.0\", for: 30s, severity: minor }
  - { name: elsewhere, assets: \"other/**\", when: \"temperature > 90.0\", severity: major }
";

async fn server() -> Server {
    let server = Server::start().await;
    define(&server, RULES).await;
    let readings = [("plant/p1", 95.0), ("plant/p2", 20.0), ("plant/p3", 30.0)];
    for (asset, value) in readings {
        let reading = json!({ "asset": asset, "signal": "temperature", "value": value }).to_string();
        assert_eq!(server.post("/v1/readings", reading).await.status, 200);
    }
    server.log.append(Record::Tick(Timestamp::parse(NOW).unwrap())).await.unwrap();
    server
}

async fn define(server: &Server, text: &str) {
    let file = DefinitionFile { path: "pumps.yaml".into(), text: text.into() };
    server.log.append(Record::Definitions(Definitions::of(vec![file]))).await.unwrap();
}

fn assets(page: &Value) -> Vec<&str> {
    page["per_asset"].as_array().unwrap().iter().map(|row| row["asset"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_listed_with_counts_and_a_misspelt_signal_shows_at_once() {
    let server = server().await;
    let listed = server.get("/v1/rules").await.json();
    let [hot, warm, elsewhere] = listed["rules"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    let states = |one: &Value| {
        ["normal", "pending", "alert", "unknown", "never_decided", "retired"]
            .map(|state| one["states"][state].as_u64().unwrap())
    };
    assert_eq!(
        (&hot["name"], &hot["pipeline"], &hot["severity"], &hot["assets"], &hot["condition"]),
        (&json!("hot"), &json!("pumps"), &json!("critical"), &json!("plant/*"), &json!("temperature > 90.0"))
    );
    assert_eq!((states(hot), &hot["matches"], &hot["notes"]), ([2, 0, 1, 0, 0, 0], &json!(3), &json!([])));
    assert_eq!(states(warm), [0, 0, 0, 0, 3, 0]);
    assert_eq!(
        warm["notes"],
        json!([
            "temprature was never heard on any of the 3 assets, such as plant/p1; did you mean temperature?"
        ])
    );
    assert_eq!(warm["condition"], "temprature > 60.0, for 30s");
    assert_eq!((states(elsewhere), &elsewhere["matches"]), ([0; 6], &json!(0)));
    assert_eq!(elsewhere["notes"], json!(["it matches none of the assets that are known: other/**"]));
    assert_eq!(listed["refused"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_shows_its_state_on_each_asset_and_what_it_waits_for() {
    let server = server().await;
    let hot = server.get("/v1/rules/hot").await.json();
    assert_eq!((assets(&hot), &hot["next"]), (vec!["plant/p1", "plant/p2", "plant/p3"], &json!(null)));
    let [first, second, _] = hot["per_asset"].as_array().unwrap().as_slice() else { panic!("{hot}") };
    assert_eq!((&first["state"], &first["alert_state"]), (&json!("alert"), &json!("unacknowledged")));
    assert!(first["alert"].as_str().is_some_and(|id| !id.is_empty()), "{first}");
    assert_eq!(*second, json!({ "asset": "plant/p2", "state": "normal", "waits_for": [], "why": "" }));

    let warm = server.get("/v1/rules/warm").await.json();
    assert_eq!(
        warm["per_asset"][0],
        json!({
            "asset": "plant/p1",
            "state": "never_decided",
            "waits_for":
                [{ "signal": "temprature", "reason": "never_heard", "did_you_mean": "temperature" }],
            "why": "temprature was never heard on this asset; did you mean temperature?",
        })
    );
    assert_eq!((&warm["name"], &warm["states"]["never_decided"]), (&json!("warm"), &json!(3)));

    // Later the values are too old.
    let later = Timestamp::parse(NOW).unwrap().plus_us(600_000_000);
    server.log.append(Record::Tick(later)).await.unwrap();
    let hot = server.get("/v1/rules/hot?state=unknown").await.json();
    assert_eq!((assets(&hot).len(), &hot["states"]["unknown"]), (3, &json!(3)), "{hot}");
    let second = &hot["per_asset"][1];
    let wait = &second["waits_for"][0];
    assert_eq!((&wait["reason"], &wait["tolerance_seconds"]), (&json!("too_old"), &json!(300.0)), "{wait}");
    assert_eq!((&wait["age_seconds"], &wait["last"]), (&json!(600.0), &json!(NOW)), "{wait}");
    assert_eq!(second["why"], "temperature is 10m old, its tolerance is 5m");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_assets_of_a_rule_come_in_pages() {
    let server = server().await;
    let first = server.get("/v1/rules/hot?limit=2").await.json();
    assert_eq!((assets(&first), &first["next"]), (vec!["plant/p1", "plant/p2"], &json!("plant/p2")));
    let rest = server.get("/v1/rules/hot?limit=2&cursor=plant%2Fp2").await.json();
    assert_eq!((assets(&rest), &rest["next"]), (vec!["plant/p3"], &json!(null)));
    assert_eq!(rest["matches"], 3, "counts are of all assets: {rest}");
    let normal = server.get("/v1/rules/hot?limit=1&state=normal").await.json();
    assert_eq!((assets(&normal), &normal["next"]), (vec!["plant/p2"], &json!("plant/p2")));

    let problem = server.get("/v1/rules/hottest").await.problem(404);
    assert_eq!(problem["detail"], "there is no rule hottest");
    let problem = server.get("/v1/rules/hot?state=bad").await.problem(400);
    assert!(problem["hint"].as_str().unwrap().contains("never_decided"), "{problem}");
    server.get("/v1/rules/hot?limit=1001").await.problem(400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_shown_are_those_in_force_now() {
    let server = server().await;
    define(&server, &RULES.replace("temprature", "temperature")).await;
    let reading = json!({ "asset": "plant/p1", "signal": "temperature", "value": 70.0, "time": "2026-01-01T12:00:01Z" });
    assert_eq!(server.post("/v1/readings", reading.to_string()).await.status, 200);
    let warm = server.get("/v1/rules/warm").await.json();
    assert_eq!((&warm["states"]["pending"], &warm["notes"]), (&json!(1), &json!([])), "{warm}");
    assert_eq!(warm["per_asset"][0]["alert_state"], "pending");
    server.stop().await;
}
