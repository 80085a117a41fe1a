//! Silences, maintenance windows, and why an alert was told or not.

use axum::http::Method;
use forewarn_types::{AlertState, DefinitionFile, Definitions, Journal as _, Record, Transition};
use serde_json::json;

use super::{Server, step};

async fn with_a_route() -> Server {
    let server = Server::start().await;
    let text = "pipeline: p\nroutes: [ { name: all, to: [ops] }, { name: minor, match: { severity: minor }, to: [ops] } ]\n";
    let file = DefinitionFile { path: "p.yaml".into(), text: text.into() };
    let definitions = Definitions { files: vec![file], ..Definitions::default() };
    server.log.append(Record::Definitions(definitions)).await.unwrap();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_says_which_routes_tell_it_and_what_holds_it_back() {
    let server = with_a_route().await;
    let body = r#"{"assets":"**","duration":"8h","actor":"anna","comment":"works"}"#;
    let (first, second) = (
        step("hot", 1, Transition::Raised, AlertState::Unacknowledged),
        step("hot", 2, Transition::Raised, AlertState::Unacknowledged),
    );
    let path = |alert: &forewarn_types::AlertTransition| format!("/v1/alerts/{}/notifications", alert.alert);
    let (told, held) = (path(&first), path(&second));
    server.alert(first).await;
    let silence = server.post("/v1/silences", body).await.json();
    assert_eq!((&silence["active"], &silence["actor"]), (&json!(true), &json!("anna")), "{silence}");
    server.alert(second).await;

    let why = server.get(&told).await.json();
    assert_eq!(why["routes"][0]["said"], "firing", "{why}");
    assert_eq!(
        (&why["routes"][1]["matches"], &why["routes"][1]["because"]),
        (&json!(false), &json!("its severity does not match"))
    );
    assert_eq!(
        (&why["notifications"][0]["state"], &why["notifications"][0]["contact"]),
        (&json!("pending"), &json!("ops"))
    );
    let why = server.get(&held).await.json();
    assert!(why["muted"].as_str().unwrap().starts_with("silence "), "{why}");
    assert_eq!(why["routes"][0]["said"], json!(null), "{why}");

    let id = silence["id"].as_str().unwrap();
    assert_eq!(server.get("/v1/silences").await.json()["silences"][0]["id"], id);
    assert_eq!(server.get("/v1/maintenance-windows").await.json(), json!({ "maintenance_windows": [] }));
    assert_eq!(server.call(Method::DELETE, &format!("/v1/silences/{id}")).await.status, 204);
    assert_eq!(server.get(&held).await.json()["routes"][0]["said"], "firing");
    server.call(Method::DELETE, &format!("/v1/silences/{id}")).await.problem(404);
    let list = server.get("/v1/notifications?state=pending&limit=1").await.json();
    assert_eq!(
        (&list["truncated"], list["notifications"].as_array().unwrap().len()),
        (&json!(true), 1),
        "{list}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_and_windows_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    for (path, body, part) in [
        ("silences", "{}", "until"),
        ("silences", r#"{"duration":"400d"}"#, "31 days"),
        ("silences", r#"{"duration":"8h","assets":["a//b"]}"#, "empty level"),
        ("silences", r#"{"duration":"8h","severity":"huge"}"#, "huge"),
        ("silences", r#"{"duration":"8h","until":"2030-01-01T00:00:00Z"}"#, "either"),
        ("maintenance-windows", r#"{"assets":"**"}"#, "weekly"),
        ("maintenance-windows", r#"{"assets":[],"duration":"8h"}"#, "assets"),
        (
            "maintenance-windows",
            r#"{"assets":"**","weekly":{"days":["someday"],"hours":"06:00-08:00"}}"#,
            "someday",
        ),
        ("maintenance-windows", r#"{"assets":"**","weekly":{"days":["mon"],"hours":"6-8"}}"#, "6-8"),
        (
            "maintenance-windows",
            r#"{"assets":"**","weekly":{"days":["mon"],"hours":"06:00-08:00","timezone":"Mars"}}"#,
            "Mars",
        ),
        ("notifications/test", r#"{"to":"nobody"}"#, "nobody"),
    ] {
        let answer = server.post(&format!("/v1/{path}"), body).await;
        let text = answer.text();
        assert!(text.contains(part) && text.contains("urn:"), "{path} {body}: {text}");
    }
    let body = r#"{"assets":"plant1/**","weekly":{"days":["sat","sun"],"hours":"22:00-06:00","timezone":"Europe/Oslo"}}"#;
    let window = server.post("/v1/maintenance-windows", body).await.json();
    assert_eq!(
        window["weekly"],
        json!({ "days": ["sat", "sun"], "hours": "22:00-06:00", "timezone": "Europe/Oslo" })
    );
    server.get("/v1/notifications?state=lost").await.problem(400);
    server.stop().await;
}
