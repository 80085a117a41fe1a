//! Messages about alerts, sent to real counterparts while the server is killed.

mod counterparts;

use std::collections::{BTreeMap, BTreeSet};

use forewarn_tests::heat::heat;
use forewarn_tests::hook::{Answer, Hook, Request};
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::{Value, json};

const SEED: u64 = 11;
const ROUNDS: usize = 12;
/// Alerts that are raised in each round; those of the round before end.
const ALERTS: usize = 25;

/// A pipeline with a rule for hot machines, and one for silent ones, and a route that tells `ops`.
const RULES: &str = "\
pipeline: p
signals: [ { name: temperature, assets: \"**\", unit: °C } ]
rules:
  - { name: hot, assets: \"**\", when: \"temperature > 90.0\", tolerance: 2s, severity: critical,
      action: \"Reduce speed\" }
routes: [ { match: { severity: [critical] }, to: [ops] } ]
";

fn site(hook: &Hook) -> Site {
    let mut site = Site::new();
    site.settings = format!("contacts: {{ ops: {{ webhook: \"{}/alerts\" }} }}\n", hook.url);
    site.pipeline(RULES);
    site
}

/// Sends a temperature of each of these pumps.
async fn heat_all(server: &Server, pumps: impl Iterator<Item = String>, value: f64) {
    let readings: Vec<Value> = pumps
        .map(|pump| json!({ "asset": format!("plant1/{pump}"), "signal": "temperature", "value": value }))
        .collect();
    // A server that is killed meanwhile answers nothing.
    let request = server.http().post(format!("{}/v1/readings", server.url)).json(&readings);
    let _answer = request.send().await;
}

/// How many messages wait for `ops`.
async fn pending(server: &Server) -> u64 {
    server.metric("forewarn_notifications_pending{contact=\"ops\",channel=\"webhook\"}").await
}

/// The statuses of each alert, in the order in which they were taken; those of a key count once.
fn told(taken: &[Request]) -> BTreeMap<String, Vec<String>> {
    let mut keys = BTreeSet::new();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in taken.iter().filter(|request| keys.insert(request.key.clone())) {
        for (alert, status) in request.alerts() {
            told.entry(alert).or_default().push(status);
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_and_its_end_are_told_by_a_webhook() {
    let hook = Hook::start().await;
    let site = site(&hook);
    let server = site.start().await;
    heat(&server, "pump7", 95.5).await;
    eventually("the alert", async || hook.taken().len() == 1).await;
    let request = &hook.taken()[0];
    let alert = &request.body["alerts"][0];
    assert_eq!(request.path, "/alerts");
    assert_eq!(
        (&alert["rule"], &alert["asset"], &alert["value"], &alert["unit"], &alert["action"]),
        (&json!("hot"), &json!("plant1/pump7"), &json!(95.5), &json!("°C"), &json!("Reduce speed"))
    );
    assert!(!request.key.is_empty() && request.body["key"] == json!(request.key), "{request:?}");
    let link = alert["link"].as_str().expect("a link");
    assert_eq!(link, format!("{}/v1/alerts/{}", server.url, alert["id"].as_str().expect("an id")));

    heat(&server, "pump7", 50.0).await;
    eventually("its end", async || hook.taken().len() == 2).await;
    assert_eq!(hook.taken()[1].body["status"], "resolved");
    eventually("the record", async || server.count("SELECT count(*) AS n FROM notifications").await == 2)
        .await;
    let rows = server.sql("SELECT outcome, contact, channel, kind FROM notifications").await;
    assert!(
        rows.iter()
            .all(|row| *row == vec![json!("delivered"), json!("ops"), json!("webhook"), json!("alert")])
    );

    // Nothing of it is told again by the next server.
    server.kill().await;
    let server = site.start().await;
    heat(&server, "pump8", 99.0).await;
    eventually("the next alert", async || hook.taken().len() >= 3).await;
    assert_eq!(told(&hook.taken()).len(), 2);
    assert_eq!(hook.taken().len(), 3, "{:?}", hook.taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_a_bad_counterpart_lose_no_message_and_change_none() {
    // Of 20 requests 6 fail, 1 is asked to come again, and 1 breaks off; two never get an answer.
    let hook = Hook::start_with(|number| match number % 20 {
        _ if number == 7 || number == 150 => Answer::Hang,
        1 | 4 | 8 | 11 | 15 | 18 => Answer::Fail,
        6 => Answer::TooMany,
        13 => Answer::Close,
        _ => Answer::Ok,
    })
    .await;
    let mut site = site(&hook);
    // Nothing goes stale here, however slow the machine is.
    site.pipeline(&RULES.replace("tolerance: 2s, ", ""));
    // Links stay the same though each server has another address.
    site.settings.push_str("public_url: \"http://forewarn\"\n");
    let mut random = Random::new(SEED);
    let pump = |round: usize| (0..ALERTS).map(move |number| format!("pump{round}-{number}"));
    let mut killed = 0;
    for round in 0..ROUNDS {
        let point = random.of(&["notify.sent", "notify.before", "alert.before", "log.segment.synced"]);
        let passage = 3 + random.below(12);
        site.environment = vec![("FOREWARN_KILL_AT".to_owned(), format!("{point}:{passage}"))];
        let Ok(mut server) = site.try_launch().await else {
            killed += 1;
            continue;
        };
        heat_all(&server, pump(round), 95.0).await;
        if round > 0 {
            heat_all(&server, pump(round - 1), 50.0).await;
        }
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), server.ended()).await;
        killed += usize::from(ended.is_ok());
        if ended.is_err() {
            server.kill().await;
        }
    }
    assert!(killed > ROUNDS / 2, "only {killed} of {ROUNDS} kills came");

    site.environment.clear();
    let server = site.start().await;
    // What a killed server never took in is sent again: every alert is there, and all but the last end.
    for round in 0..ROUNDS {
        heat_all(&server, pump(round), 95.0).await;
    }
    for round in 0..ROUNDS - 1 {
        heat_all(&server, pump(round), 50.0).await;
    }
    let alerts = server.alerts("&state=all").await;
    assert!(alerts.len() >= ROUNDS * ALERTS, "{}", alerts.len());
    eventually("all messages", async || {
        let told = told(&hook.taken());
        let is_told = |alert: &Value| {
            let said = told.get(alert["id"].as_str().expect("an id"));
            let last =
                if alert["ended"].is_null() && alert["state"] != "returned" { "firing" } else { "resolved" };
            said.is_some_and(|said| said.last().is_some_and(|said| said == last))
        };
        alerts.iter().all(is_told) && pending(&server).await == 0
    })
    .await;

    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for request in hook.requests() {
        let first = bodies.entry(request.key.clone()).or_insert_with(|| request.text.clone());
        assert_eq!(*first, request.text, "two messages with the key {}", request.key);
    }
    for (alert, said) in told(&hook.taken()) {
        assert!(said.first().is_some_and(|first| first == "firing"), "{alert}: {said:?}");
        assert!(said.windows(2).all(|two| two[0] != two[1]), "{alert}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_that_falls_silent_is_told_as_unknown_and_never_as_resolved() {
    let hook = Hook::start().await;
    let site = site(&hook);
    let server = site.start().await;
    heat(&server, "pump7", 95.5).await;
    eventually("the alert", async || hook.taken().len() == 1).await;
    // Another sensor goes on, as event time passes for each by itself.
    eventually("the gap is told", async || {
        server
            .post("/v1/readings", &json!({ "asset": "plant1/pump7", "signal": "other", "value": 1.0 }))
            .await;
        hook.taken().iter().any(|request| request.body["status"] == "unknown")
    })
    .await;
    assert!(hook.taken().iter().all(|request| request.body["status"] != "resolved"));

    // The server is away and comes back: still no word of an end.
    server.kill().await;
    let server = site.start().await;
    heat(&server, "pump7", 96.0).await;
    eventually("it is known again", async || {
        hook.taken().iter().any(|request| request.body["status"] == "known")
    })
    .await;
    assert!(hook.taken().iter().all(|request| request.body["status"] != "resolved"));
    heat(&server, "pump7", 50.0).await;
    eventually("it is over", async || {
        hook.taken().last().is_some_and(|request| request.body["status"] == "resolved")
    })
    .await;
}
