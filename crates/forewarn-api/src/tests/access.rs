//! Who acts: what a request's body and its principal say, and what reaches the records.

use forewarn_types::{AlertState, Transition};

use super::{Server, step};
use crate::access::{Access, GROUP};

fn anna() -> Access {
    Access::operator("anna")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_has_the_name_of_the_principal_and_no_other() {
    let server = Server::with_access(anna()).await;
    let alert = step("hot", 1, Transition::Raised, AlertState::Unacknowledged);
    let base = format!("/v1/alerts/{}", alert.alert);
    server.alert(alert).await;
    let after = server.post(&format!("{base}/acknowledge"), "{}").await.json();
    assert_eq!(after["acknowledged_by"], "anna", "{after}");
    let body = r#"{"actor":"anna","comment":"bearing ordered"}"#;
    let after = server.post(&format!("{base}/comment"), body).await.json();
    assert_eq!(after["transitions"][2]["actor"], "anna", "{after}");
    let problem = server.post(&format!("{base}/comment"), body.replace("anna", "bert")).await.problem(403);
    assert!(problem["detail"].as_str().unwrap().contains("may not act as \"bert\""), "{problem}");

    let event =
        server.post("/v1/assets/a/life-events", r#"{"event":"installed","new_asset":true}"#).await.json();
    assert_eq!(event["actor"], "anna", "{event}");
    let refused = server.post("/v1/assets/a/life-events", r#"{"event":"failed","actor":"bert"}"#).await;
    refused.problem(403);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_says_what_it_allows() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let allows = operation[GROUP].as_str().unwrap_or_default();
            let groups = ["look", "enter", "own", "read", "ingest", "operate", "engineer", "administer"];
            let known = groups.contains(&allows);
            assert!(known, "{method} {path} allows {allows:?}");
            // Of accounts also what reads is for administrators.
            let reads = method == "get" || ["/v1/sql", "/v1/check"].contains(&path.as_str());
            if reads && ["own", "administer"].contains(&allows) {
                continue;
            }
            let acts = ["enter", "own", "operate", "engineer", "administer"].contains(&allows);
            assert_eq!(acts || allows == "ingest", !reads, "{method} {path} allows {allows:?}");
        }
    }
    server.stop().await;
}
