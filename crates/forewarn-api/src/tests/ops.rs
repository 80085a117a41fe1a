//! What operators look at, and whether the description of the routes tells the truth.

use std::collections::BTreeSet;

use axum::http::Method;
use forewarn_types::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{NOW, Server};
use crate::access::Access;
use crate::routes;

/// Every route that users were promised.
const ROUTES: &[&str] = &[
    "GET /",
    "GET /health",
    "GET /healthz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /ping",
    "GET /readyz",
    "GET /v1/alerts",
    "GET /v1/alerts/stream",
    "GET /v1/alerts/{id}",
    "GET /v1/assets",
    "GET /v1/assets/{asset}",
    "GET /v1/assets/{asset}/life-events",
    "GET /v1/assets/{asset}/prediction",
    "GET /v1/assets/{asset}/signals/{signal}/readings",
    "GET /v1/console",
    "GET /v1/jobs",
    "GET /v1/jobs/runs/{id}",
    "GET /v1/jobs/{job}/runs",
    "GET /v1/models",
    "GET /v1/models/{model}/definition",
    "GET /v1/models/{model}/versions",
    "GET /v1/pipelines",
    "GET /v1/pipelines/{pipeline}",
    "POST /v1/alerts/actions",
    "POST /v1/apply",
    "POST /v1/check",
    "PUT /v1/models/{model}/definition",
    "PUT /v1/pipelines/{pipeline}",
    "GET /v1/predictions",
    "GET /v1/rules",
    "GET /v1/rules/{rule}",
    "GET /v1/sources",
    "GET /v1/sources/{source}/dead-letters",
    "POST /api/v2/write",
    "POST /api/v3/write_lp",
    "POST /v1/alerts/{id}/acknowledge",
    "POST /v1/alerts/{id}/comment",
    "POST /v1/alerts/{id}/shelve",
    "POST /v1/alerts/{id}/unshelve",
    "POST /v1/assets/{asset}/life-events",
    "POST /v1/backups",
    "POST /v1/jobs/runs/{id}/cancel",
    "POST /v1/jobs/{job}/backfill",
    "POST /v1/jobs/{job}/run",
    "POST /v1/models/{model}/predict",
    "POST /v1/models/{model}/promote",
    "POST /v1/models/{model}/train",
    "POST /v1/readings",
    "POST /v1/sql",
    "POST /write",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_and_the_routes_agree() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} has no summary"
            );
            assert!(
                operation["responses"].as_object().is_some_and(|all| !all.is_empty()),
                "{method} {path} has no responses"
            );
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    assert_eq!(described, ROUTES.iter().map(|route| (*route).to_owned()).collect());
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let place = reference.split('"').next().unwrap();
        assert!(document.pointer(place).is_some(), "{place} is missing");
    }
    // Every path described is served: a method that no route takes is told so, not that the path is unknown.
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{asset}", "a").replace("{signal}", "s").replace(['{', '}'], "");
        assert_eq!(server.call(Method::PATCH, &path).await.status, 405, "{path}");
    }
    let (_, document) = routes::all(&Access::open()).split_for_parts();
    let paths: BTreeSet<&str> = ROUTES.iter().filter_map(|route| route.split(' ').nth(1)).collect();
    assert_eq!(document.paths.paths.len(), paths.len(), "two groups have one path of other names");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_how_the_server_is() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    // The list of jobs waits for the runs on record, as long as a slow machine may need.
    assert_eq!(server.get("/v1/jobs").await.status, 200);
    let ready = server.get("/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()["status"].as_str().map(str::to_owned)),
        (200, Some("ready".into())),
        "{}",
        ready.text()
    );
    server.post("/v1/readings", r#"{"asset":"a","signal":"s","value":1}"#).await;
    server.get("/v1/assets/a").await;
    server.get("/nowhere").await;
    let page = server.get("/metrics").await.text();
    for line in [
        "forewarn_readings_accepted_total 1",
        "forewarn_series 1",
        "forewarn_http_requests_total{route=\"/v1/assets/{asset}\",method=\"GET\",status=\"200\"} 1",
        "forewarn_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 1",
        "forewarn_http_request_duration_seconds_count{route=\"/v1/readings\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
    }
    assert!(server.get("/").await.text().contains("/v1/alerts"));
    server.shutdown.cancel();
    assert_eq!(server.get("/readyz").await.status, 503);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_whose_clock_runs_ahead_is_named() {
    let server = Server::start().await;
    let ahead = Timestamp::parse(NOW).unwrap().plus_us(600_000_000);
    let body = format!(r#"{{"asset":"plant/p7","signal":"temperature","time":"{ahead}","value":71}}"#);
    let answer = server.post("/v1/readings", body).await.json();
    assert_eq!((&answer["accepted"], &answer["ahead"], &answer["late"]), (&json!(1), &json!(1), &json!(0)));
    let ready = server.get("/readyz").await.text();
    assert!(ready.contains("temperature of plant/p7 is 10m ahead of the server's clock"), "{ready}");
    let page = server.get("/metrics").await.text();
    for line in ["forewarn_readings_ahead_total 1", "forewarn_sender_ahead_seconds{asset=\"plant/p7\"} 600"] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_stream_does_not_hold_up_shutdown() {
    let server = Server::start_served().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /v1/alerts/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    server.shutdown.cancel();
    server.serving.await.unwrap().unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream ends in order");
}
