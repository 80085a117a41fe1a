//! What an operator sees of the sources.

use forewarn_sources::Letter;
use serde_json::json;

use super::{NOW, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_are_listed_with_how_they_fare() {
    let server = Server::start().await;
    server.sources[0].count_received();
    let sources = server.get("/v1/sources").await.json();
    let one = json!({
        "name": "line-1", "kind": "mqtt", "connected": true, "failures": 0, "received": 1,
        "last_received": NOW, "acknowledged": 0, "refused": 0, "dead_letters": 0, "lag": 1,
    });
    let two = json!({
        "name": "line-2", "kind": "mqtt", "connected": false, "problem": "connection refused", "failures": 1,
        "received": 0, "acknowledged": 0, "refused": 0, "dead_letters": 0, "lag": 0,
    });
    assert_eq!(sources, json!({ "sources": [one, two] }));

    let metrics = server.get("/metrics").await.text();
    for line in [
        r#"forewarn_source_connected{source="line-1",kind="mqtt"} 1"#,
        r#"forewarn_source_connected{source="line-2",kind="mqtt"} 0"#,
        r#"forewarn_source_lag_messages{source="line-1",kind="mqtt"} 1"#,
        r#"forewarn_source_failures_total{source="line-2",kind="mqtt"} 1"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }

    let ready = server.get("/readyz").await.json();
    let check = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "sources").unwrap();
    let detail = "1 of 2 are connected; mqtt line-2: connection refused";
    let expected = json!({ "name": "sources", "ok": true, "detail": detail });
    assert_eq!(*check, expected, "a source that is away does not make the server unready");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_shown_newest_first() {
    let server = Server::start().await;
    for payload in ["first", "second"] {
        let letter = Letter { topic: "plant1/x", payload: payload.as_bytes(), payload_bytes: payload.len() };
        server.sources[0].keep_dead_letter(letter, "the payload is not JSON".into());
    }
    let letters = server.get("/v1/sources/line-1/dead-letters").await.json();
    let letter = |payload: &str| {
        json!({
            "time": NOW, "topic": "plant1/x", "reason": "the payload is not JSON", "payload": payload,
            "payload_bytes": payload.len(),
        })
    };
    assert_eq!(letters, json!({ "dead_letters": [letter("second"), letter("first")], "total": 2 }));
    let problem = server.get("/v1/sources/line-3/dead-letters").await.problem(404);
    assert_eq!(problem["detail"], "there is no source line-3");
    server.stop().await;
}
