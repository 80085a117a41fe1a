//! Jobs: asked for, watched, and refused where there is nothing to do.

use std::time::Duration;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_asked_for_and_followed_to_its_end() {
    let server = Server::start().await;
    let jobs = server.get("/v1/jobs").await.json();
    assert_eq!(
        (jobs["jobs"][0]["name"].as_str(), jobs["jobs"][0]["kind"].as_str()),
        (Some("count"), Some("sql"))
    );

    let answer = server.post("/v1/jobs/count/run", r#"{"from":0,"to":"2026-01-01T00:00:00Z"}"#).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let run = answer.json()["run"].as_str().unwrap().to_owned();
    let path = format!("/v1/jobs/runs/{}", run.replace('/', "%2F").replace(' ', "%20"));
    let mut changes = server.scheduler.changes();
    let found = loop {
        let found = server.get(&path).await.json();
        if !matches!(found["state"].as_str(), Some("queued" | "running")) {
            break found;
        }
        changes.changed().await.unwrap();
    };
    assert_eq!((found["state"].as_str(), found["rows"].as_u64()), (Some("succeeded"), Some(7)), "{found}");
    assert_eq!(found["details"]["most"], 7, "details are JSON, not a text of it");
    assert_eq!(server.get("/v1/jobs/count/runs").await.json()["runs"][0]["run"], run);
    server.post(&format!("{path}/cancel"), "").await.problem(409);
    let runs = server.get("/v1/jobs/count/runs").await.json();
    assert_eq!((runs["runs"].as_array().unwrap().len(), &runs["truncated"]), (1, &serde_json::json!(false)));

    server.post("/v1/jobs/count/run", r#"{"from":5,"to":5}"#).await.problem(400);
    server.post("/v1/jobs/count/run", r#"{"from":0,"to":"2999-01-01T00:00:00Z"}"#).await.problem(400);
    server.post("/v1/jobs/count/run", "[1]").await.problem(400);
    server.post("/v1/jobs/count/backfill", r#"{"from":0,"to":1000}"#).await.problem(400);
    server.post("/v1/jobs/nothing/backfill", r#"{"from":0,"to":1000}"#).await.problem(404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_runs_on_record_cannot_be_read_all_else_goes_on() {
    let server = Server::with_queries(|queries| queries.timeout = Duration::ZERO).await;
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status.as_u16(), 200, "{}", ready.text());
    let checks = ready.json()["checks"].clone();
    let jobs = checks.as_array().unwrap().iter().find(|check| check["name"] == "jobs").unwrap();
    assert!(jobs["detail"].as_str().unwrap().contains("the history of runs could not be read"), "{jobs}");
    assert_eq!(server.get("/v1/jobs").await.json()["jobs"][0]["name"], "count");
    for answer in [server.get("/v1/jobs/count/runs").await, server.post("/v1/jobs/count/run", "").await] {
        let problem = answer.problem(503);
        assert!(
            problem["detail"].as_str().unwrap().contains("the history of runs could not be read"),
            "{problem}"
        );
    }
    server.stop().await;
}
