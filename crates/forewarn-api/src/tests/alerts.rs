//! Alerts: lists, operators' actions, and the stream that resumes.

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use forewarn_log::Log as _;
use forewarn_types::{AlertState, AlertTransition, Offset, Severity, Timestamp, Transition};
use futures::StreamExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{HOST, Server, events, step};

fn raised(rule: &str, started: i64) -> AlertTransition {
    step(rule, started, Transition::Raised, AlertState::Unacknowledged)
}

async fn stream(server: &Server, path: &str, last: Option<&str>) -> BodyDataStream {
    let mut request = Request::get(path).header("host", HOST);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body().into_data_stream()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_filtered_and_paged() {
    let server = Server::start().await;
    for started in 1..=5 {
        server.alert(raised("hot", started)).await;
    }
    server.alert(step("hot", 5, Transition::Normal, AlertState::Normal)).await;
    server.alert(step("cold", 9, Transition::Pending, AlertState::Pending)).await;
    server.alert(AlertTransition { severity: Severity::Critical, ..raised("loud", 3) }).await;

    let count = async |query: &str| {
        server.get(&format!("/v1/alerts?{query}")).await.json()["alerts"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 6, "pending ones are not shown");
    assert_eq!(count("state=all").await, 7);
    assert_eq!(count("state=open").await, 5);
    assert_eq!(count("state=normal,pending").await, 2);
    assert_eq!(count("severity=critical").await, 1);
    assert_eq!(count("rule=loud&asset=plant/**").await, 1);
    assert_eq!(count("asset=elsewhere/**").await, 0);
    assert_eq!(count("from=1970-01-01T00:00:00.000002Z&to=1970-01-01T00:00:00.000004Z").await, 3);

    let mut seen = Vec::new();
    let mut path = "/v1/alerts?limit=4".to_owned();
    loop {
        let page = server.get(&path).await.json();
        seen.extend(
            page["alerts"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/alerts?limit=4&cursor={next}");
    }
    assert_eq!(seen.len(), 6);
    assert_eq!(seen.iter().collect::<std::collections::BTreeSet<_>>().len(), 6, "no alert comes twice");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_the_effect_of_what_they_do() {
    let server = Server::start().await;
    let alert = raised("hot", 1);
    let base = format!("/v1/alerts/{}", alert.alert);
    server.post(&format!("{base}/acknowledge"), r#"{"actor":"anna"}"#).await.problem(404);
    server.alert(alert).await;

    let answer = server
        .post(&format!("{base}/acknowledge"), r#"{"actor":"anna","comment":"on my way","reason":"true"}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = answer.json();
    assert_eq!(
        (after["state"].as_str(), after["acknowledged_by"].as_str()),
        (Some("acknowledged"), Some("anna"))
    );
    assert_eq!(after["transitions"][1]["comment"], "on my way");
    assert_eq!(after["message"], "hot raised");

    let after = server.post(&format!("{base}/shelve"), r#"{"actor":"anna","duration":"2h"}"#).await.json();
    assert_eq!(
        (after["state"].as_str(), after["shelved_until"].as_str()),
        (Some("shelved"), Some("2026-01-01T14:00:00Z"))
    );
    assert_eq!(
        server.post(&format!("{base}/unshelve"), r#"{"actor":"anna"}"#).await.json()["state"],
        "unacknowledged"
    );
    let after = server
        .post(&format!("{base}/comment"), r#"{"actor":"bert","comment":"bearing ordered"}"#)
        .await
        .json();
    assert_eq!(after["transitions"][4]["actor"], "bert");

    for (action, body) in [
        ("acknowledge", "{}"),
        ("acknowledge", r#"{"actor":"  "}"#),
        ("acknowledge", r#"{"actor":"anna","reason":"bored"}"#),
        ("comment", r#"{"actor":"anna"}"#),
        ("shelve", r#"{"actor":"anna"}"#),
        ("shelve", r#"{"actor":"anna","until":"2025-01-01T00:00:00Z"}"#),
        ("shelve", r#"{"actor":"anna","duration":"90d"}"#),
    ] {
        server.post(&format!("{base}/{action}"), body).await.problem(400);
    }
    server.post(&format!("{base}/unshelve"), r#"{"actor":"anna"}"#).await.problem(409);
    server.alert(step("hot", 1, Transition::Normal, AlertState::Normal)).await;
    server.post(&format!("{base}/acknowledge"), r#"{"actor":"anna"}"#).await.problem(409);
    assert_eq!(server.get(&base).await.json()["transitions"].as_array().unwrap().len(), 6);
    server.stop().await;
}

/// The fault: all of them got 200, and the comments of the others were lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_who_acknowledge_one_does_and_the_others_learn_who() {
    let server = Server::start().await;
    let alert = raised("hot", 1);
    let path = format!("/v1/alerts/{}/acknowledge", alert.alert);
    server.alert(alert.clone()).await;
    let names = ["anna", "bert", "carl", "dora"];
    let posts = names.map(|name| {
        let (server, path) = (&server, &path);
        let body = format!(r#"{{"actor":"{name}","comment":"{name} looks"}}"#);
        async move { server.post(path, body).await }
    });
    let answers = futures::future::join_all(posts).await;
    let winners: Vec<&str> = names
        .into_iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.status == 200)
        .map(|(name, _)| name)
        .collect();
    let [winner] = winners[..] else { panic!("{winners:?} have all acknowledged it") };
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.status, 409, "{}", answer.text());
        let expected =
            format!("acknowledged already, by {winner} at 2026-01-01T12:00:00Z; your comment is kept");
        assert!(answer.text().contains(&expected), "{}", answer.text());
    }
    // Who comes later learns the same, and is heard too.
    let late = server.post(&path, r#"{"actor":"emil","comment":"emil looks"}"#).await;
    assert!(late.status == 409 && late.text().contains(winner), "{}", late.text());
    server.get("/readyz").await;
    let after = server.get(&format!("/v1/alerts/{}", alert.alert)).await.json();
    let said: std::collections::BTreeSet<&str> =
        after["transitions"].as_array().unwrap().iter().filter_map(|step| step["comment"].as_str()).collect();
    assert_eq!(said, ["anna looks", "bert looks", "carl looks", "dora looks", "emil looks"].into());
    assert_eq!(after["acknowledged_by"], winner);
    server.stop().await;
}

/// The fault: 145 answers of 200 for one acknowledgement, as all were from the same operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_sent_many_times_at_once_is_done_once() {
    let server = Server::start().await;
    let alert = raised("hot", 1);
    let base = format!("/v1/alerts/{}", alert.alert);
    server.alert(alert).await;
    for (action, body) in [
        ("shelve", r#"{"actor":"anna","duration":"2h"}"#),
        ("unshelve", r#"{"actor":"anna"}"#),
        ("acknowledge", r#"{"actor":"anna"}"#),
    ] {
        let path = format!("{base}/{action}");
        let posts = (0..64).map(|_| server.post(&path, body));
        let answers = futures::future::join_all(posts).await;
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers.iter().filter(|answer| answer.status == 409).count();
        let after = server.get(&base).await.json();
        let steps = after["transitions"].as_array().unwrap();
        let caused = steps.iter().filter(|step| step["transition"] == format!("{action}d").as_str()).count();
        assert_eq!((done, done + refused), (caused, 64), "{action}: {after}");
        assert!(action != "acknowledge" || done == 1, "{action}: {done}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_are_refused_in_what_operators_write() {
    let server = Server::start().await;
    let alert = raised("hot", 1);
    let path = format!("/v1/alerts/{}/comment", alert.alert);
    server.alert(alert).await;
    for (body, status) in [
        (r#"{"actor":"anna","comment":"two\nlines"}"#, 200),
        (r#"{"actor":"anna","comment":"\u001b[2J"}"#, 400),
        (r#"{"actor":"anna","comment":"\u202eback"}"#, 400),
        (r#"{"actor":"an\nna","comment":"x"}"#, 400),
    ] {
        let answer = server.post(&path, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_resumes_without_loss_or_repetition() {
    let server = Server::start().await;
    let mut offsets = Vec::new();
    for started in 1..=3 {
        server.post("/v1/readings", r#"{"asset":"a","signal":"s","value":1}"#).await;
        offsets.push(server.alert(raised("hot", started)).await.to_string());
    }
    let mut body = stream(&server, "/v1/alerts/stream", Some(&offsets[0])).await;
    offsets.push(server.alert(raised("hot", 4)).await.to_string());
    let found = events(&mut body, 3).await;
    assert_eq!(found.iter().map(|(_, id, _)| id.clone()).collect::<Vec<_>>(), offsets[1..]);
    let (event, _, data) = &found[2];
    assert_eq!(event, "alert");
    for field in [
        "id",
        "rule",
        "asset",
        "severity",
        "state",
        "started",
        "ended",
        "value",
        "message",
        "transition",
        "time",
    ] {
        assert!(data.get(field).is_some(), "{field} is missing in {data}");
    }
    assert_eq!(data["transition"], "raised");

    let mut body = stream(&server, &format!("/v1/alerts/stream?after={}", offsets[2]), None).await;
    assert_eq!(events(&mut body, 1).await[0].1, offsets[3]);
    server
        .send(Request::get("/v1/alerts/stream").header("last-event-id", "x").body(Body::empty()).unwrap())
        .await
        .problem(400);
    server.stop().await;
}

/// The id that a stream begins with.
async fn first_id(body: &mut BodyDataStream) -> String {
    let hello = String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    hello
        .lines()
        .find_map(|line| line.strip_prefix("id:"))
        .expect("the stream says where it begins")
        .trim()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_seen_no_alert_resumes_where_its_stream_began() {
    let server = Server::start().await;
    assert_eq!(server.log.end(), Offset(0));
    for started in 1..=2 {
        let began = first_id(&mut stream(&server, "/v1/alerts/stream", None).await).await;
        let missed = server.alert(raised("hot", started)).await;
        let mut body = stream(&server, "/v1/alerts/stream", Some(&began)).await;
        assert_eq!(first_id(&mut body).await, began);
        assert_eq!(
            events(&mut body, 1).await[0].1,
            missed.to_string(),
            "the alert between the two streams, and it alone"
        );
        assert_eq!(began, (i64::try_from(missed.0).unwrap() - 1).to_string());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_begins_now_filters_and_ends_with_the_server() {
    let server = Server::start().await;
    server.alert(AlertTransition { severity: Severity::Critical, ..raised("old", 1) }).await;
    let mut body = stream(&server, "/v1/alerts/stream?severity=critical&asset=plant/**", None).await;
    server.alert(raised("mild", 2)).await;
    server
        .alert(AlertTransition {
            asset: "elsewhere".into(),
            severity: Severity::Critical,
            ..raised("far", 3)
        })
        .await;
    let wanted = server.alert(AlertTransition { severity: Severity::Critical, ..raised("new", 4) }).await;
    let found = events(&mut body, 1).await;
    assert_eq!(found[0].1, wanted.to_string(), "what went before, and what is filtered out, does not come");
    server.shutdown.cancel();
    assert_eq!(events(&mut body, 1).await, [], "the stream ends");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_know_when_their_alert_was_raised_and_who_has_acknowledged_it() {
    let server = Server::start().await;
    let at = |seconds: i64, transition, state| AlertTransition {
        time: Timestamp(seconds * 1_000_000),
        ..step("hot", 1_000_000, transition, state)
    };
    let mut acknowledged = at(5, Transition::Acknowledged, AlertState::Acknowledged);
    acknowledged.actor = Some("anna".into());
    let steps = [
        at(1, Transition::Pending, AlertState::Pending),
        at(3, Transition::Raised, AlertState::Unacknowledged),
        acknowledged,
        at(6, Transition::Unknown, AlertState::Acknowledged),
        at(7, Transition::Reraised, AlertState::Unacknowledged),
        at(8, Transition::Returned, AlertState::Returned),
        at(9, Transition::Normal, AlertState::Normal),
    ];
    let expected = [
        (None, None),
        (Some("1970-01-01T00:00:03Z"), None),
        (Some("1970-01-01T00:00:03Z"), Some("anna")),
        (Some("1970-01-01T00:00:03Z"), Some("anna")),
        (Some("1970-01-01T00:00:03Z"), None),
        (Some("1970-01-01T00:00:03Z"), None),
        (Some("1970-01-01T00:00:03Z"), None),
    ];
    let mut live = stream(&server, "/v1/alerts/stream", None).await;
    for step in steps {
        server.alert(step).await;
    }
    let mut replayed = stream(&server, "/v1/alerts/stream", Some("-1")).await;
    for body in [&mut live, &mut replayed] {
        let found = events(body, expected.len()).await;
        let told: Vec<_> = found
            .iter()
            .map(|(_, _, data)| (data["raised"].as_str(), data["acknowledged_by"].as_str()))
            .collect();
        assert_eq!(told, expected);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_says_what_it_cannot_show_any_more() {
    let server = Server::with_log(|options| options.segment_bytes = 4_096).await;
    let mut last = None;
    for started in 0..40 {
        last = Some(server.alert(raised("hot", started)).await);
    }
    server.lake.flush().await.unwrap();
    let start = server.log.start();
    assert!(start > Offset(0), "the log has been trimmed");
    let mut body = stream(&server, "/v1/alerts/stream?after=0", None).await;
    let found = events(&mut body, 2).await;
    assert_eq!((found[0].0.as_str(), &found[0].2), ("gap", &serde_json::json!({"from": 1, "to": start.0})));
    assert_eq!(found[1].1, start.to_string());
    assert!(last > Some(start));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_action_is_done_to_many_alerts_and_those_that_do_not_allow_it_are_skipped_with_the_reason() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for started in 1..=3 {
        let alert = raised("hot", started);
        ids.push(alert.alert.to_string());
        server.alert(alert).await;
    }
    server.alert(step("hot", 3, Transition::Normal, AlertState::Normal)).await;
    let unknown = "0".repeat(32);
    let asked =
        |ids: &[&str], more: &str| format!("{{\"ids\":{},{more}}}", serde_json::to_string(ids).unwrap());
    let all = [&*ids[0], &ids[1], &ids[1], &ids[2], &unknown, "x"];
    let body = asked(&all, r#""action":"acknowledge","actor":"ann","reason":"test","comment":"flood""#);
    let done = server.post("/v1/alerts/actions", body).await.json();
    assert_eq!(done["done"], 2, "{done}");
    let skipped: Vec<_> = done["skipped"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(skipped, [ids[2].as_str(), &unknown, "x"]);
    assert!(done["skipped"][0]["why"].as_str().unwrap().contains("the alert is over"), "{done}");
    let alert = server.get(&format!("/v1/alerts/{}", ids[1])).await.json();
    assert_eq!(
        (&alert["acknowledged_by"], &alert["state"]),
        (&"ann".into(), &"acknowledged".into()),
        "{alert}"
    );

    let shelve = asked(&[&ids[0]], r#""action":"shelve","actor":"ann","duration":"8h""#);
    assert_eq!(server.post("/v1/alerts/actions", shelve).await.json()["done"], 1);
    let of_rule = r#"{"rule":"hot","asset":"plant/**","action":"assign","to":"bert","actor":"ann"}"#;
    assert_eq!(server.post("/v1/alerts/actions", of_rule).await.json()["done"], 2, "the third is over");
    assert_eq!(server.get(&format!("/v1/alerts/{}", ids[1])).await.json()["assigned_to"], "bert");
    server.post(&format!("/v1/alerts/{}/assign", ids[1]), r#"{"actor":"ann"}"#).await;
    assert_eq!(server.get(&format!("/v1/alerts/{}", ids[1])).await.json()["assigned_to"], Value::Null);
    for wrong in [
        r#"{"action":"acknowledge","actor":"ann"}"#.to_owned(),
        asked(&[&ids[0]], r#""rule":"hot","action":"acknowledge","actor":"ann""#),
        asked(&[&ids[0]], r#""action":"shelve","actor":"ann""#),
        asked(&[&ids[0]], r#""action":"comment","actor":"ann""#),
        asked(&[&ids[0]], r#""action":"forget","actor":"ann""#),
        asked(&[&ids[0]], r#""action":"acknowledge""#),
        asked(&vec!["x"; 1_001], r#""action":"acknowledge","actor":"ann""#),
    ] {
        server.post("/v1/alerts/actions", wrong).await.problem(400);
    }
    server.stop().await;
}
