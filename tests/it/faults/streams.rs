//! Event streams that nobody reads: they cost those who read nothing, have their bound, and are cut off.

use std::collections::BTreeSet;

use forewarn_tests::heat::HOT;
use forewarn_tests::raw;
use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::json;

const STREAMS: usize = 100;
const PUMPS: u64 = 200;
const ROUNDS: u64 = 40;
const FIRST_MS: u64 = 1_767_225_600_000;
const MIB: u64 = 1 << 20;

/// Heats all pumps up in even rounds, and cools them down in odd ones.
async fn round(server: &Server, round: u64) {
    let value = if round.is_multiple_of(2) { 99.0 } else { 20.0 };
    let time = FIRST_MS + round * 60_000;
    let line = |pump| reading(format!("plant1/pump{pump}"), "temperature", time, value).to_string();
    let body = (0..PUMPS).map(line).collect::<Vec<_>>().join("\n");
    let (status, answer) = server.send("/v1/readings", body).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(PUMPS)), "{answer}");
}

#[tokio::test]
async fn streams_that_are_not_read_cost_others_nothing_and_are_cut_off() {
    let mut site = Site::new();
    site.pipeline(HOT);
    let streams = STREAMS + 1;
    site.settings =
        format!("connections: {{ streams: 1000, streams_per_client: {streams}, write_timeout: 2s }}\n");
    let server = site.start().await;
    let mut reader = server
        .http()
        .get(format!("{}/v1/alerts/stream?after=-1", server.url))
        .send()
        .await
        .expect("a stream");
    assert_eq!(reader.status(), 200);
    let ask = raw::get(&server, "/v1/alerts/stream");
    let mut unread = Vec::new();
    for _ in 0..STREAMS {
        unread.push(raw::send(&server, &ask).await);
    }
    eventually("all streams", async || server.metric("forewarn_http_streams").await == streams as u64).await;
    let mut one_more = raw::send(&server, &ask).await;
    assert_eq!(raw::status(&mut one_more).await, Some(503), "there is a bound for one client");

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        while let Ok(Some(chunk)) = reader.chunk().await {
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
            while let Some((event, rest)) = text.split_once("\n\n") {
                if event.contains("event: alert") {
                    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id");
                    let _ = tell.send(id.parse::<u64>().expect("a number"));
                }
                text = rest.to_owned();
            }
        }
    });
    for number in 0..ROUNDS {
        round(&server, number).await;
    }
    // The one who reads gets every transition once, in order.
    let transitions = "SELECT count(*) FROM alert_events";
    eventually("each pump in each round", async || server.count(transitions).await >= PUMPS * ROUNDS).await;
    let expected = usize::try_from(server.count(transitions).await).expect("a small number");
    let mut seen = Vec::new();
    while seen.len() < expected {
        seen.push(told.recv().await.expect("the stream goes on"));
    }
    assert!(seen.is_sorted() && seen.iter().collect::<BTreeSet<_>>().len() == expected);

    eventually("unread streams are cut off", async || server.metric("forewarn_http_streams").await <= 1)
        .await;
    reading.abort();
    let peak = server.peak_memory_bytes() / MIB;
    println!("peak memory with {STREAMS} unread streams and {expected} events: {peak} MiB");
    assert!(peak < 768, "{peak} MiB");
}
