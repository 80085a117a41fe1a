//! Definitions that are sent, over HTTP and with the commands.

use forewarn_tests::cli::assert_says;
use forewarn_tests::heat::{HOT, heat, only_alert};
use forewarn_tests::site::{Server, Site};
use reqwest::Method;
use serde_json::{Value, json};

use super::{WARM, rules};

/// Sends a text of the pipeline `p`; the answer's status, its body and its tag.
async fn put(server: &Server, query: &str, header: Option<(&str, &str)>, text: &str) -> (u16, Value, String) {
    let url = format!("{}/v1/pipelines/p{query}", server.url);
    let mut request = server.http().request(Method::PUT, url).body(text.to_owned());
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.expect("an answer");
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().expect("a text").to_owned());
    (answer.status().as_u16(), answer.json().await.expect("JSON"), tag.unwrap_or_default())
}

/// The text of the pipeline `p`, and its tag.
async fn text(server: &Server) -> (String, String) {
    let answer = server.http().get(format!("{}/v1/pipelines/p", server.url)).send().await.expect("an answer");
    let tag = answer.headers()["etag"].to_str().expect("a text").to_owned();
    (answer.text().await.expect("a text"), tag)
}

#[tokio::test]
async fn a_text_that_is_sent_is_written_and_in_force_at_once() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    heat(&server, "pump7", 95.0).await;
    let alert = only_alert(&server).await;
    let (read, tag) = text(&server).await;
    assert_eq!(read, HOT);
    let new = format!("{HOT}{WARM}");

    // Who does not say what was read, or read something else, changes nothing.
    assert_eq!(put(&server, "", None, &new).await.0, 428);
    let (status, told, _) = put(&server, "", Some(("if-match", "\"0123456789abcdef\"")), &new).await;
    assert_eq!(status, 412, "{told}");
    assert_eq!(put(&server, "", Some(("if-none-match", "*")), &new).await.0, 412);
    let broken = new.replace("minor", "tiny");
    let (status, told, _) = put(&server, "", Some(("if-match", &tag)), &broken).await;
    assert_eq!((status, &told["mistakes"][0]["line"]), (422, &json!(8)), "{told}");
    let other = new.replace("pipeline: p", "pipeline: q");
    assert_eq!(put(&server, "", Some(("if-match", &tag)), &other).await.0, 400);

    // A dry run says what would happen to the alert that is open.
    let raised = new
        .replace("> 90.0", "> 99.0")
        .replace("plant1/**\", when: \"temperature > 60", "plant1/**\", when: \"temprature > 60");
    let (status, told, _) = put(&server, "?dry_run=true", Some(("if-match", &tag)), &raised).await;
    assert_eq!(
        (status, &told["state"], &told["would"]["kept"]),
        (200, &json!("would_be"), &json!(0)),
        "{told}"
    );
    assert_eq!(told["would"]["ended"][0]["id"], alert.as_str(), "{told}");
    let notes = told["would"]["notes"].to_string();
    assert!(
        notes.contains("temprature was never heard") && notes.contains("did you mean temperature"),
        "{told}"
    );
    let retexted = HOT.replace("severity: critical", "severity: major");
    let (_, told, _) = put(&server, "?dry_run=true", Some(("if-match", &tag)), &retexted).await;
    assert_eq!((&told["would"]["kept"], &told["would"]["retexted_total"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!((text(&server).await.0.as_str(), rules(&server).await), (HOT, vec!["hot".to_owned()]));

    let (status, told, tagged) = put(&server, "", Some(("if-match", &tag)), &new).await;
    assert_eq!((status, &told["state"]), (200, &json!("in_force")), "{told}");
    assert_eq!(rules(&server).await, ["hot", "warm"], "at once");
    assert_eq!(std::fs::read_to_string(site.path().join("pipelines/test.yaml")).expect("the file"), new);
    assert_eq!(text(&server).await, (new.clone(), tagged.clone()));
    // The first of two who have read the same wins.
    assert_eq!(put(&server, "", Some(("if-match", &tag)), HOT).await.0, 412);
    let (_, told, _) = put(&server, "", Some(("if-match", &tagged)), &new).await;
    assert_eq!(told["offset"], Value::Null, "nothing changed: {told}");

    server.kill().await;
    let server = site.start().await;
    assert_eq!(rules(&server).await, ["hot", "warm"]);
    assert_eq!(only_alert_named(&server, "hot").await, alert);
    assert_eq!(server.metric("forewarn_definitions_changes_total").await, 0, "disk and force agree");
}

async fn only_alert_named(server: &Server, rule: &str) -> String {
    let alerts = server.alerts("").await;
    let of_rule: Vec<&Value> = alerts.iter().filter(|alert| alert["rule"] == rule).collect();
    assert_eq!(of_rule.len(), 1, "{alerts:?}");
    of_rule[0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_new_pipeline_and_a_model_get_files_of_their_own() {
    let site = Site::new();
    let server = site.start().await;
    let (status, told, _) = put(&server, "", Some(("if-none-match", "*")), HOT).await;
    assert_eq!(status, 200, "{told}");
    assert!(site.path().join("pipelines/p.yaml").exists());
    let url = format!("{}/v1/models/life/definition", server.url);
    let request = server.http().put(&url).header("if-none-match", "*").json(&json!({ "text": super::MODEL }));
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    assert_eq!(server.get("/v1/models/life/definition").await, super::MODEL);
    let request = server.http().get(&url).header("accept", "application/json");
    let told: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&told["text"], &told["state"]), (&json!(super::MODEL), &json!("in_force")));
    let (status, told) = server.try_get("/v1/pipelines/none").await;
    assert_eq!(status, 404, "{told}");
    let away = server.http().put(format!("{}/v1/pipelines/..%2F..%2Fx", server.url));
    let away = away.header("if-none-match", "*").body("pipeline: ../../x\n").send().await.expect("an answer");
    assert!(away.status().is_client_error());
}

#[tokio::test]
async fn definitions_are_applied_and_checked_from_the_command_line() {
    let site = Site::new();
    site.pipeline(HOT);
    let server = site.start().await;
    heat(&server, "pump7", 95.0).await;
    only_alert(&server).await;
    let folder = site.path().join("mine");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("warm.yaml"), format!("pipeline: warm\nrules:\n{WARM}")).expect("a file");
    let folder = folder.display().to_string();
    let apply = ["apply", &folder, "--server", &server.url];
    let dry: Vec<&str> = apply.iter().copied().chain(["--dry-run"]).collect();
    let (code, out, err) = site.run(&dry).await;
    assert_says(&out, &["open alerts: 1 would stay", "0 would end, 0 would be raised"]);
    assert_eq!((code, rules(&server).await.len()), (0, 1), "{err}");
    let (code, out, err) = site.run(&apply).await;
    assert_eq!((code, rules(&server).await.len()), (0, 2), "{err}");
    assert_says(&out, &["in force from offset"]);
    assert_says(&site.run(&apply).await.1, &["nothing changed"]);

    std::fs::write(site.path().join("mine/hot.yaml"), HOT).expect("a file");
    let (code, _, err) = site.run(&apply).await;
    assert_eq!(code, 1, "{err}");
    assert_says(&err, &["hot.yaml", "nothing has changed"]);

    // A check at a server takes the local files for all there are.
    let local = Site::new();
    local.pipeline(&HOT.replace("> 90.0", "> 99.0"));
    let config = local.config().display().to_string();
    let (code, out, err) = site.run(&["check", "--config", &config, "--server", &server.url]).await;
    assert_eq!(code, 0, "{err}");
    assert_says(&out, &["1 pipeline with 1 rule", "would end", "ends: hot on plant1/pump7"]);
}
