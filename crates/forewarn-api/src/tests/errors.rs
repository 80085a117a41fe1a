//! Every kind of error is a problem with a hint, and none of them leaks or loses anything.

use axum::body::Body;
use axum::http::{Method, Request};
use forewarn_lake::LakeError;
use forewarn_types::{Journal as _, Record};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use super::Server;
use crate::http::watch::panicked;
use crate::problems;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_explained() {
    let server = Server::start().await;
    let hint = |problem: &serde_json::Value| problem["hint"].as_str().unwrap_or_default().to_owned();

    assert!(hint(&server.get("/v1/alert").await.problem(404)).contains("/v1/alerts"));
    assert!(hint(&server.get("/v1/assets/plant1/pump7").await.problem(404)).contains("%2F"));
    let answer = server.call(Method::DELETE, "/v1/alerts").await;
    answer.problem(405);
    assert!(answer.headers["allow"].to_str().unwrap().contains("GET"));

    let form = Request::post("/v1/sql").header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert!(hint(&server.send(form).await.problem(415)).contains("application/json"));
    // What a page gets past its browser, and what curl sends, without more ado.
    let untyped = Request::post("/v1/sql").body(Body::from("{}")).unwrap();
    server.send(untyped).await.problem(415);
    let form = Request::post("/v1/alerts/7/acknowledge")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("{}"))
        .unwrap();
    let problem = server.send(form).await.problem(415);
    assert_eq!(problem["type"], "urn:forewarn:problem:unsupported-type");
    assert!(hint(&problem).contains("-H content-type:application/json"), "{problem}");
    for (header, value, status) in [
        ("origin", "https://evil.example", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("host", "evil.example", 421),
    ] {
        for path in ["/v1/readings", "/v1/sql", "/v1/alerts/7/acknowledge", "/write", "/nowhere"] {
            let request = Request::post(path).header(header, value).body(Body::empty()).unwrap();
            let problem = server.send(request).await.problem(status);
            assert!(hint(&problem).contains("forewarn.yaml"), "{problem}");
        }
    }
    server.post("/v1/sql", "{").await.problem(400);
    server.post("/v1/sql", "").await.problem(400);
    server.post("/v1/sql", r#"{"query":"SELEC 1"}"#).await.problem(400);
    server.post("/v1/sql", r#"{"sql":"SELECT 1"}"#).await.problem(400);
    server.post("/v1/sql", r#"{"query":"DELETE FROM readings"}"#).await.problem(400);
    let xml = Request::post("/v1/sql")
        .header("accept", "application/xml")
        .header("content-type", "application/json");
    server.send(xml.body(Body::from(r#"{"query":"SELECT 1"}"#)).unwrap()).await.problem(406);

    for path in [
        "state=wrong",
        "severity=huge",
        "from=yesterday",
        "limit=0",
        "cursor=x",
        "asset=a**%5B",
        "colour=red",
        "from=2&to=1",
    ] {
        server.get(&format!("/v1/alerts?{path}")).await.problem(400);
    }
    server.get("/v1/alerts/0123").await.problem(404);
    server.get("/v1/assets/nowhere").await.problem(404);
    server.get("/v1/assets/nowhere/signals/x/readings").await.problem(404);
    server.get("/v1/assets/%00").await.problem(400);
    server.get("/v1/assets/%FF").await.problem(400);
    server.get("/v1/assets/%00/prediction").await.problem(400);
    server.get("/v1/assets/%00/life-events").await.problem(400);
    server.get("/v1/jobs/count/runs?limit=0").await.problem(400);
    server.post("/v1/models/none/promote", "{}").await.problem(400);
    server.get("/v1/models/none/versions").await.problem(404);
    server.post("/v1/models/none/train", "").await.problem(404);
    server.get("/v1/jobs/none/runs").await.problem(404);
    server.get("/v1/jobs/runs/none").await.problem(404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_bounds() {
    let server = Server::start().await;
    server.post("/v1/readings", vec![b' '; 20_001]).await.problem(413);
    let unannounced =
        Body::from_stream(futures::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1_000]))));
    server.post("/v1/readings", unannounced).await.problem(413);
    let bomb = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 1_000_000]).unwrap();
        encoder.finish().unwrap()
    };
    assert!(bomb.len() < 20_000);
    let packed = |encoding: &str, body: Vec<u8>| {
        Request::post("/v1/readings").header("content-encoding", encoding).body(body.into()).unwrap()
    };
    server.send(packed("gzip", bomb)).await.problem(413);
    server.send(packed("gzip", b"not gzip".to_vec())).await.problem(400);
    server.send(packed("br", b"x".to_vec())).await.problem(415);
    server.post("/v1/readings", "   ").await.problem(400);
    for path in [
        "sql",
        "alerts/0/acknowledge",
        "assets/a/life-events",
        "jobs/count/run",
        "jobs/count/backfill",
        "models/none/promote",
    ] {
        let path = format!("/v1/{path}");
        server.post(&path, vec![b' '; 20_001]).await.problem(413);
        let packed =
            Request::post(&path).header("content-type", "application/json").header("content-encoding", "br");
        server.send(packed.body("{}".into()).unwrap()).await.problem(415);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_log_says_come_back() {
    // The folder has room for some batches only, and nobody trims.
    let server = Server::with_log(|options| {
        options.segment_bytes = 4_096;
        options.max_bytes = 65_536;
        options.consumers = vec!["nobody".into()];
    })
    .await;
    let mut refused = None;
    for minute in 0..200 {
        let readings: Vec<String> = (0..100)
            .map(|second| {
                format!(
                    "{{\"asset\":\"a\",\"signal\":\"s\",\"time\":{},\"value\":{second}}}",
                    1_700_000_000_000_i64 + minute * 60_000 + second
                )
            })
            .collect();
        let answer = server.post("/v1/readings", readings.join("\n")).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the log never filled up");
    assert!(refused.problem(503)["hint"].as_str().unwrap().contains("again"));
    assert!(refused.headers.contains_key("retry-after"));
    // What is left of the room is too little for those readings, but a record without content is smaller.
    while server.log.append(Record::Series(Vec::new())).await.is_ok() {}
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    let log = ready.json()["checks"][0].clone();
    assert_eq!((log["name"].as_str(), log["ok"].as_bool()), (Some("log"), Some(false)), "{log}");
    let line = Request::post("/write").body(Body::from("a,b=c d=1")).unwrap();
    let influx = server.send(line).await;
    assert_eq!(
        (influx.status.as_u16(), influx.json()["code"].as_str().map(str::to_owned)),
        (503, Some("unavailable".to_owned()))
    );
    server.stop().await;
}

#[test]
fn a_lake_that_is_behind_is_no_fault_of_the_query() {
    let behind = problems::lake(&LakeError::Behind("its store has failed".into()));
    assert_eq!((behind.status().as_u16(), behind.retry_after_s().is_some()), (503, true));
    assert_eq!(problems::lake(&LakeError::Timeout(30)).status(), 400);
}

async fn fails() -> &'static str {
    panic!("secret")
}

#[tokio::test]
async fn a_panic_becomes_an_answer_that_tells_nothing() {
    let routes = axum::Router::new().route("/", axum::routing::get(fails));
    let routes: axum::Router = routes.layer(CatchPanicLayer::custom(panicked));
    let response = routes.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
}
