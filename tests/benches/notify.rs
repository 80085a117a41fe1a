//! How long it takes from a reading to the webhook that tells of its alert: 100 alerts a second for ten
//! seconds, sent whether or not those before have arrived.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "this is test code")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use forewarn_tests::hook::Hook;
use forewarn_tests::site::{Site, eventually};
use serde_json::json;

const ALERTS: usize = 1_000;
const EVERY: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() {
    let hook = Hook::start().await;
    let mut site = Site::new();
    site.settings = format!("contacts: {{ ops: {{ webhook: \"{}\" }} }}\n", hook.url);
    site.pipeline(
        "pipeline: p\nroutes: [ { to: [ops] } ]\nrules:\n  \
         - { name: hot, assets: \"**\", when: \"temperature > 90.0\", severity: critical }\n",
    );
    let server = site.start().await;
    let mut pace = tokio::time::interval(EVERY);
    let mut sent: BTreeMap<String, SystemTime> = BTreeMap::new();
    for number in 0..ALERTS {
        pace.tick().await;
        let asset = format!("plant1/pump{number:04}");
        sent.insert(asset.clone(), SystemTime::now());
        let reading = json!({ "asset": asset, "signal": "temperature", "value": 95.5 });
        let request = server.http().post(format!("{}/v1/readings", server.url)).json(&reading);
        tokio::spawn(async move { request.send().await });
    }
    let arrived = || -> BTreeMap<String, SystemTime> {
        let mut arrived = BTreeMap::new();
        for request in hook.taken() {
            for alert in request.body["alerts"].as_array().into_iter().flatten() {
                let asset = alert["asset"].as_str().unwrap_or_default().to_owned();
                arrived.entry(asset).or_insert(request.came);
            }
        }
        arrived
    };
    eventually("all alerts are told", async || arrived().len() == ALERTS).await;
    let mut latencies: Vec<Duration> =
        arrived().iter().map(|(asset, came)| came.duration_since(sent[asset]).unwrap_or_default()).collect();
    latencies.sort();
    let at = |share: usize| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)];
    println!(
        "reading to webhook, {ALERTS} alerts at 100/s: p50 {:?}, p90 {:?}, p99 {:?}, most {:?}, {} requests",
        at(50),
        at(90),
        at(99),
        at(100),
        hook.taken().len()
    );
}
