//! The console's files: whoever asks for whatever below `/ui/` gets it under the strict policy. The tests hold
//! with and without the console in the program.

use axum::body::Body;
use axum::http::{Request, header};

use super::{NOW, Server};
use crate::routes::ui;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_below_ui_answers_under_the_strict_policy() {
    let server = Server::start().await;
    for path in ["/ui/", "/ui/alerts", "/ui/assets/plant1/hall1/pump2", "/ui/static/gone-00000000.js"] {
        let answer = server.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'; "), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer", "{path}");
        let found = ui::is_there() && !path.contains("/static/");
        assert_eq!(answer.status, if found { 200 } else { 404 }, "{path}");
        if found {
            assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
            assert!(answer.text().contains("<title>Forewarn</title>"), "{path}");
            assert!(!answer.text().contains("<style"), "{path}: the policy lets no inline style pass");
        } else if !ui::is_there() {
            assert!(answer.text().contains("make ui"), "{path}: {}", answer.text());
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_leads_browsers_to_the_console_and_others_to_the_routes() {
    let server = Server::start().await;
    let browser = Request::get("/").header(header::ACCEPT, "text/html,application/xhtml+xml");
    let answer = server.send(browser.body(Body::empty()).unwrap()).await;
    if ui::is_there() {
        assert_eq!(
            (answer.status.as_u16(), &answer.headers[header::LOCATION]),
            (307, &"/ui/".parse().unwrap())
        );
    } else {
        assert_eq!(answer.status, 200);
    }
    assert!(server.get("/").await.text().contains("/v1/alerts"), "curl gets the list of routes");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_learns_the_servers_clock_and_place_in_the_log() {
    let server = Server::start().await;
    server.post("/v1/readings", r#"{"asset":"a","signal":"s","value":1}"#).await;
    let answer = server.get("/v1/console").await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let view = answer.json();
    assert!(view["now"].as_str().unwrap().starts_with(&NOW[..19]), "{view}");
    // The series and the reading.
    assert!(view["end"].as_u64().unwrap() >= 2, "{view}");
    assert!(view["log"].is_string() && view["version"].is_string(), "{view}");
    server.stop().await;
}
