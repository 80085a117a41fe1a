//! Who is bound to `plant1/**` learns nothing of plant2: not by a route, and not by any query.

use axum::http::{Method, StatusCode};
use forewarn_types::{AlertId, AlertState, Role, Timestamp, Transition};
use serde_json::{Value, json};

use super::accounts::By;
use super::{Server, step};

/// What stands in every foreign name and text.
const SECRET: &str = "xsecretx";
/// What stands in every foreign number.
const NUMBER: &str = "98765";
/// Readings of plant1.
const OWN: u64 = 14;
/// Queries in CI; `FOREWARN_QUERIES` asks for more.
const QUERIES: usize = 300;

/// A server that knows two plants, with tokens of a viewer and an operator who are bound to the first one, and
/// of a viewer who is not. Half of what it knows is in files, half is in the log's tail.
async fn two_plants() -> (Server, String, String, String) {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let (viewer, _) = server.token(&cookie, Role::Viewer, &["plant1/**"], json!({})).await;
    let (operator, _) = server.token(&cookie, Role::Operator, &["plant1/**"], json!({})).await;
    let (unbound, _) = server.token(&cookie, Role::Viewer, &[], json!({})).await;
    for half in 0..2 {
        let mut lines = Vec::new();
        for count in 0..OWN / 2 {
            let time = format!("2026-01-01T0{half}:00:{count:02}Z");
            let pump = format!("plant1/pump{}", count % 3);
            lines.push(json!({ "asset": pump, "signal": "temperature", "time": time, "value": count }));
        }
        for count in 0..61 {
            let time = format!("2026-01-01T0{half}:00:{:02}Z", count % 60);
            let pump = format!("plant2/{SECRET}{count}");
            let value = format!("{NUMBER}{half}{count}").parse::<f64>().unwrap();
            lines
                .push(json!({ "asset": pump, "signal": format!("s{SECRET}"), "time": time, "value": value }));
        }
        let answer = server.by(By::Cookie(&cookie), Method::POST, "/v1/readings", Some(json!(lines))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        for asset in ["plant1/pump1".to_owned(), format!("plant2/{SECRET}1")] {
            server.alert(alert(&asset, half)).await;
            let path = format!("/v1/assets/{}/life-events", asset.replace('/', "%2F"));
            let comment = if asset.starts_with("plant1") { "own" } else { SECRET };
            let event = json!({ "event": "repaired", "comment": comment });
            let answer = server.by(By::Cookie(&cookie), Method::POST, &path, Some(event)).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        }
        if half == 0 {
            server.lake.flush().await.unwrap();
        }
    }
    (server, viewer, operator, unbound)
}

fn alert(asset: &str, half: i64) -> forewarn_types::AlertTransition {
    let mut alert = step("hot", half + 1, Transition::Raised, AlertState::Unacknowledged);
    alert.alert = AlertId::derive("hot", asset, Timestamp(half + 1));
    alert.asset = asset.into();
    if asset.starts_with("plant2") {
        alert.rule = format!("r{SECRET}").into();
        alert.message = format!("{SECRET} is at {NUMBER}");
        alert.value = Some(9_876_543.0);
    }
    alert
}

fn assert_clean(what: &str, text: &str) {
    assert!(!text.contains(SECRET) && !text.contains(NUMBER), "{what} reveals a foreign asset: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_tell_of_no_foreign_asset() {
    let (server, viewer, operator, _) = two_plants().await;
    let foreign = alert(&format!("plant2/{SECRET}1"), 0).alert;
    let get = async |path: &str| server.by(By::Token(&viewer), Method::GET, path, None).await;
    let path = format!("plant2%2F{SECRET}1");
    for path in [
        "/v1/assets".to_owned(),
        "/v1/assets?tree=true".to_owned(),
        "/v1/assets?under=plant2".to_owned(),
        "/v1/alerts?state=all".to_owned(),
        "/v1/alerts?asset=plant2/**".to_owned(),
        "/v1/predictions".to_owned(),
        "/v1/rules".to_owned(),
        "/v1/assets/plant1%2Fpump1".to_owned(),
        "/v1/assets/plant1%2Fpump1/signals/sx/readings".to_owned(),
        "/v1/rules/rx".to_owned(),
        format!("/v1/alerts/{foreign}"),
    ] {
        assert_clean(&path, &get(&path).await.text());
    }
    let known = get("/v1/assets?limit=2").await.json();
    assert_eq!(known["assets"].as_array().unwrap().len(), 2, "{known}");
    let rest = get("/v1/assets?limit=2&cursor=plant1%2Fpump1").await.json();
    assert_eq!((rest["assets"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null), "{rest}");
    assert_eq!(get("/v1/alerts?state=all").await.json()["alerts"].as_array().unwrap().len(), 2);
    // An asset that is foreign and one that does not exist are refused in the same words.
    for kind in ["", "/life-events", "/prediction", "/signals/s/readings"] {
        let there = get(&format!("/v1/assets/{path}{kind}")).await.problem(403)["detail"].to_string();
        let not = get(&format!("/v1/assets/plant2%2Fnone{kind}")).await.problem(403)["detail"].to_string();
        assert_eq!(there.replace(&format!("{SECRET}1"), "none"), not);
    }
    get(&format!("/v1/alerts/{foreign}")).await.problem(404);

    let act = async |path: &str, body| server.by(By::Token(&operator), Method::POST, path, Some(body)).await;
    act(&format!("/v1/alerts/{foreign}/acknowledge"), json!({})).await.problem(404);
    act(&format!("/v1/alerts/{foreign}/comment"), json!({ "comment": "x" })).await.problem(404);
    let event = json!({ "event": "failed", "new_asset": true });
    act(&format!("/v1/assets/{path}/life-events"), event).await.problem(403);
    let own = alert("plant1/pump1", 0).alert;
    let done = act(&format!("/v1/alerts/{own}/acknowledge"), json!({})).await;
    assert_eq!(done.json()["acknowledged_by"], "token/operator", "{}", done.text());
    let meant = act("/v1/assets/plant1%2Fpumo1/life-events", json!({ "event": "failed" })).await;
    assert!(meant.text().contains("plant1/pump1"), "{}", meant.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_writes_its_own_assets_and_no_other() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let (token, _) = server.token(&cookie, Role::Ingest, &["plant1/**", "!plant1/vault/**"], json!({})).await;
    let send = async |path, body: &str| {
        let request = axum::http::Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .body(axum::body::Body::from(body.to_owned()))
            .unwrap();
        server.send(request).await
    };
    let lines = r#"{"asset":"plant1/a","signal":"s","value":1}
{"asset":"plant2/a","signal":"s","value":1}
{"asset":"plant1/vault/a","signal":"s","value":1}
{"asset":"plant1/b","signal":"s","value":1}"#;
    let result = send("/v1/readings", lines).await.json();
    assert_eq!((&result["accepted"], &result["rejected_total"]), (&json!(2), &json!(2)), "{result}");
    assert_eq!([&result["rejected"][0]["line"], &result["rejected"][1]["line"]], [&json!(2), &json!(3)]);
    assert!(
        result["rejected"][0]["reason"].as_str().unwrap().contains("may only write plant1/**"),
        "{result}"
    );
    let influx = send("/write", "m,host=plant2/x v=1\nm,host=plant1/x v=1").await;
    assert!(
        influx.status == StatusCode::BAD_REQUEST && influx.text().contains("1 refused"),
        "{}",
        influx.text()
    );
    let known = server.by(By::Cookie(&cookie), Method::GET, "/v1/assets", None).await.text();
    assert!(known.contains("plant1/x") && !known.contains("plant2") && !known.contains("vault"), "{known}");
    server.by(By::Token(&token), Method::GET, "/v1/assets", None).await.problem(403);
    server.stop().await;
}

async fn ask(server: &Server, token: &str, query: &str) -> (StatusCode, String) {
    let answer = server.by(By::Token(token), Method::POST, "/v1/sql", Some(json!({ "query": query }))).await;
    (answer.status, answer.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_are_answered_as_if_there_were_no_other_assets() {
    let (server, viewer, ..) = two_plants().await;
    let rows = async |query: &str| {
        let (status, text) = ask(&server, &viewer, query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {text}");
        assert_clean(query, &text);
        serde_json::from_str::<Value>(&text).unwrap()["rows"].clone()
    };
    let own = json!([[OWN]]);
    for query in [
        "SELECT count(*) FROM readings",
        "SELECT count(1) FROM readings r",
        "SELECT count(asset) FROM readings",
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM readings GROUP BY signal, asset)",
        "SELECT count(*) FROM readings WHERE asset LIKE 'plant%' OR true",
        "WITH r AS (SELECT * FROM readings) SELECT count(*) FROM r",
        "SELECT count(*) FROM (SELECT DISTINCT \"offset\", asset, time FROM readings)",
        "SELECT count(*) FROM forewarn.public.readings",
    ] {
        assert_eq!(rows(query).await, own, "{query}");
    }
    assert_eq!(
        rows("SELECT min(asset), max(asset), max(value), count(DISTINCT asset) FROM readings").await,
        json!([["plant1/pump0", "plant1/pump2", 6.0, 3]])
    );
    assert_eq!(rows("SELECT count(*) FROM readings WHERE asset LIKE 'plant2%'").await, json!([[0]]));
    assert_eq!(rows("SELECT count(*) FROM alert_events").await, json!([[2]]));
    assert_eq!(rows("SELECT count(*) FROM life_events").await, json!([[2]]));
    assert_eq!(rows("SELECT value FROM readings ORDER BY value DESC LIMIT 1").await, json!([[6.0]]));
    let tables = rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'").await;
    let tables: Vec<&str> = tables.as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    for hidden in ["audit", "commands", "job_runs", "promotions"] {
        assert!(!tables.contains(&hidden), "{tables:?}");
        let (status, text) = ask(&server, &viewer, &format!("SELECT * FROM {hidden}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    }
    // How many rows were read, and out of how many files, is not told either.
    let (status, plan) =
        ask(&server, &viewer, "EXPLAIN ANALYZE SELECT * FROM readings WHERE value > 3").await;
    assert_eq!(status, StatusCode::OK, "{plan}");
    assert!(plan.contains(&format!("(6/{OWN})")), "{plan}");
    let counts = [136, 122, 61, 68].map(|rows| [format!("rows={rows},"), format!("/{rows})")]);
    assert!(!plan.contains(".parquet"), "{plan}");
    assert!(counts.iter().flatten().all(|count| !plan.contains(count)), "{plan}");
    // Errors come from rows that are visible.
    let (status, text) = ask(&server, &viewer, "SELECT CAST(asset AS BIGINT) FROM readings").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("plant1/"), "{text}");
    assert_clean("a failing cast", &text);
    server.stop().await;
}

/// A random query that may or may not make sense.
fn random_query(random: &mut fastrand::Rng) -> String {
    let table = |random: &mut fastrand::Rng| pick(random, TABLES).to_owned();
    // Mostly a column that all visible tables have, so that queries make sense.
    let column = |random: &mut fastrand::Rng| {
        let list = if random.u8(0..3) == 0 { COLUMNS } else { COMMON };
        pick(random, list).to_owned()
    };
    let (one, other) = (table(random), table(random));
    let (a, b, c) = (column(random), column(random), column(random));
    let aggregate = pick(random, AGGREGATES).replace('$', &a);
    let condition = pick(random, CONDITIONS).replace('$', &b);
    let body = match random.u8(0..13) {
        0 => format!("SELECT * FROM {one} WHERE {condition}"),
        1 => format!("SELECT {aggregate} FROM {one} WHERE {condition}"),
        2 => format!("SELECT {b}, {aggregate} FROM {one} GROUP BY {b} ORDER BY 2 DESC, 1"),
        3 => format!("SELECT x.*, y.* FROM {one} x JOIN {other} y ON x.{a} = y.{b}"),
        4 => format!("SELECT x.{a}, y.{b} FROM {one} x FULL JOIN {other} y ON x.{c} < y.{c}"),
        5 => format!("SELECT {a} FROM {one} WHERE {b} IN (SELECT {b} FROM {other} WHERE {condition})"),
        6 => format!("SELECT {a}, (SELECT {aggregate} FROM {other} y WHERE y.asset = x.asset) FROM {one} x"),
        7 => format!(
            "SELECT {a}, lag({a}) OVER (PARTITION BY {b} ORDER BY {c}), rank() OVER (ORDER BY {a}) FROM {one}"
        ),
        8 => format!("SELECT {a} FROM {one} UNION ALL SELECT {a} FROM {other} ORDER BY 1 DESC LIMIT 50"),
        9 => format!("SELECT {a} FROM {one} EXCEPT SELECT {a} FROM {other}"),
        10 => format!("SELECT CAST({a} AS {}) FROM {one}", pick(random, TYPES)),
        11 => format!(
            "SELECT * FROM information_schema.{}",
            pick(random, &["tables", "columns", "views", "schemata", "df_settings"])
        ),
        _ => {
            format!("WITH t AS (SELECT {a}, {b} FROM {one} ORDER BY {c} LIMIT 40) SELECT {aggregate} FROM t")
        }
    };
    match random.u8(0..10) {
        0 => format!("EXPLAIN {body}"),
        1 => format!("EXPLAIN ANALYZE {body}"),
        2 => format!("EXPLAIN VERBOSE {body}"),
        _ => body,
    }
}

fn pick<'a>(random: &mut fastrand::Rng, list: &[&'a str]) -> &'a str {
    list[random.usize(..list.len())]
}

const TABLES: &[&str] = &[
    "readings",
    "readings",
    "readings",
    "alert_events",
    "alert_events",
    "life_events",
    "predictions",
    "commands",
    "job_runs",
    "audit",
    "promotions",
    "public.readings",
    "forewarn.public.alert_events",
    "nosuch",
];
const COLUMNS: &[&str] = &[
    "asset",
    "asset",
    "signal",
    "value",
    "time",
    "\"offset\"",
    "rule",
    "message",
    "comment",
    "quality",
    "alert",
    "date",
    "actor",
    "principal",
    "nosuch",
    "asset || signal",
    "1",
    "length(asset)",
];
const COMMON: &[&str] = &["asset", "asset", "time", "\"offset\"", "length(asset)", "asset || 'x'"];
const AGGREGATES: &[&str] = &[
    "count(*)",
    "count($)",
    "min($)",
    "max($)",
    "sum($)",
    "avg($)",
    "string_agg($, ',')",
    "array_agg($)",
    "count(DISTINCT $)",
    "first_value($)",
    "last(value, time)",
    "approx_distinct($)",
    "max(asset)",
    "mode($)",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY $)",
    "bool_or($ IS NULL)",
    "count(*) FILTER (WHERE $ IS NOT NULL)",
];
const CONDITIONS: &[&str] = &[
    "true",
    "asset LIKE 'plant2%'",
    "asset > 'plant1/z'",
    "$ IS NOT NULL",
    "value > 1000",
    "asset NOT LIKE 'plant1%'",
    "1 / (CASE WHEN asset LIKE 'plant2%' THEN 0 ELSE 1 END) = 1",
    "CAST(asset AS BIGINT) = 1",
    "$ = $",
    "value BETWEEN 9000000 AND 99999999",
    "time > '2026-01-01T00:30:00Z'",
    "regexp_like(asset, 'x.*x')",
    "NOT EXISTS (SELECT 1 FROM readings r WHERE r.asset LIKE 'plant2%')",
    "asset IN ('plant1/pump1', 'plant2/a')",
];
const TYPES: &[&str] = &["BIGINT", "DOUBLE PRECISION", "TIMESTAMP", "BOOLEAN", "DATE", "TEXT", "INTERVAL"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_reveal_no_foreign_name_and_no_foreign_number() {
    let (server, viewer, ..) = two_plants().await;
    let count = std::env::var("FOREWARN_QUERIES").ok().and_then(|text| text.parse().ok()).unwrap_or(QUERIES);
    let seed = std::env::var("FOREWARN_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut answered = 0;
    for _ in 0..count {
        let query = random_query(&mut random);
        let (status, text) = ask(&server, &viewer, &query).await;
        answered += usize::from(status == StatusCode::OK);
        assert!(!status.is_server_error(), "{query}: {text}");
        assert_clean(&query, &text);
    }
    assert!(answered > count / 4, "only {answered} of {count} queries make sense");
    println!("{answered} of {count} random queries were answered, and none reveals a foreign asset");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_found_is_there() {
    let (server, _, _, unbound) = two_plants().await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut revealing = 0;
    for _ in 0..QUERIES {
        let (_, text) = ask(&server, &unbound, &random_query(&mut random)).await;
        revealing += usize::from(text.contains(SECRET) || text.contains(NUMBER));
    }
    assert!(revealing >= 5, "only {revealing} of {QUERIES} queries would find something");
    println!("{revealing} of {QUERIES} queries reveal something to whom nothing is hidden");
    server.stop().await;
}
