//! Random edits of definitions while readings come in, and the server is killed at some of them.
//!
//! `FOREWARN_EDITS=1000` makes more of them; `FOREWARN_SEED` gives others.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use forewarn_tests::heat::{heat, only_alert};
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site, eventually};
use serde_json::json;

use super::{rules, standing};

const BATCH: u64 = 200;
const FIRST_MS: u64 = 1_769_904_000_000;

/// Sends readings of a fan without end, each batch until it is accepted, wherever the server is.
struct Load {
    url: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let url = Arc::new(Mutex::new(server.url.clone()));
        let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (http, at, end, count) =
            (server.http().clone(), Arc::clone(&url), Arc::clone(&stop), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            for batch in 0_u64.. {
                let line = |n: u64| {
                    let time = FIRST_MS + n;
                    format!("{{\"asset\":\"plant2/fan\",\"signal\":\"speed\",\"time\":{time},\"value\":{n}}}")
                };
                let lines = (batch * BATCH..(batch + 1) * BATCH).map(line).collect::<Vec<_>>().join("\n");
                loop {
                    let to = format!("{}/v1/readings", at.lock().expect("no thread panics with it"));
                    let sent = http.post(to).body(lines.clone()).send().await;
                    if sent.is_ok_and(|answer| answer.status() == 200) {
                        break;
                    }
                    if end.load(Ordering::Relaxed) {
                        return;
                    }
                }
                count.fetch_add(BATCH, Ordering::Relaxed);
                if end.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { url, stop, accepted, task }
    }

    fn lead_to(&self, server: &Server) {
        self.url.lock().expect("no thread panics with it").clone_from(&server.url);
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the load ends");
        self.accepted.load(Ordering::Relaxed)
    }
}

/// An edit: the text of the file, and the rules that it has, or none if it has a mistake.
fn edit(random: &mut Random) -> (String, Option<Vec<String>>) {
    // An alert of 95 degrees stays under each of these limits, and under other words.
    let limit = 80 + random.below(14);
    let severity = random.of(&["critical", "major", "minor"]);
    let mut text = format!(
        "pipeline: p\nrules:\n  - {{ name: hot, assets: \"plant1/**\", when: \"temperature > {limit}.5\", \
         severity: {severity} }}\n"
    );
    let mut names = vec!["hot".to_owned()];
    for _ in 0..random.below(4) {
        let name = format!("speed{}", random.below(1_000_000));
        let limit = random.below(1_000);
        _ = writeln!(
            text,
            "  - {{ name: {name}, assets: \"plant2/**\", when: \"speed < {limit}.5\", severity: warning }}"
        );
        names.push(name);
    }
    let broken = random.once_in(3);
    if broken {
        let mistake = random.of(&[
            "  - { name: hot, assets: \"**\", when: \"a > 1.0\", severity: minor }\n",
            "  - { name: x, assets: \"**\", when: \"a >\", severity: minor }\n",
            "  - { name: x, assets: \"**\", when: \"a > 1.0\", severity: loud }\n",
            "  - [\n",
            "rules: []\n",
            "other: 1\n",
        ]);
        text.push_str(mistake);
    }
    (text, (!broken).then_some(names))
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_edits_lose_no_reading_and_touch_no_alert_and_each_is_in_force_whole_or_refused_whole() {
    let site = Site::new();
    let mut random = Random::new(setting("FOREWARN_SEED", 11));
    let (text, mut in_force) = loop {
        if let (text, Some(names)) = edit(&mut random) {
            break (text, names);
        }
    };
    site.pipeline(&text);
    let mut server = site.start().await;
    heat(&server, "pump7", 95.0).await;
    let alert = only_alert(&server).await;
    server.post(&format!("/v1/alerts/{alert}/acknowledge"), &json!({ "actor": "ann" })).await;
    let load = Load::start(&server);
    for number in 0..setting("FOREWARN_EDITS", 24) {
        let (text, names) = edit(&mut random);
        site.pipeline(&text);
        let is_killed = random.once_in(6);
        if is_killed {
            server.kill().await;
            server = site.start().await;
            load.lead_to(&server);
        }
        let state = if names.is_some() { "in_force" } else { "refused" };
        let what = format!("edit {number} is {state}:\n{text}");
        eventually(&what, async || {
            let listed = standing(&server, "p").await;
            let request = server.http().get(format!("{}/v1/pipelines/p", server.url)).send().await;
            let shown = request.expect("an answer").text().await.expect("a text");
            listed["state"] == state && shown == text
        })
        .await;
        in_force = names.unwrap_or(in_force);
        assert_eq!(rules(&server).await, in_force, "edit {number}:\n{text}");
        let kept = server.get(&format!("/v1/alerts/{alert}")).await;
        assert_eq!(kept["state"], "acknowledged", "edit {number}:\n{text}\n{kept}");
    }
    let accepted = load.end().await;
    assert_eq!(server.count("SELECT count(*) FROM readings WHERE asset = 'plant2/fan'").await, accepted);
    assert_eq!(
        server.count("SELECT count(DISTINCT time) FROM readings WHERE asset = 'plant2/fan'").await,
        accepted
    );
    let hot = server.alerts("&state=all&asset=plant1%2Fpump7").await;
    assert_eq!(hot.len(), 1, "no edit has raised it again: {hot:?}");
    assert!(server.stop().await.success(), "{}", site.log());
}
