//! Broken and hostile questions in SQL, one after the other, to one server. Each is answered or refused in
//! time, and afterwards the server lives, answers others rightly, has shown nothing of a file that is none of
//! its tables, and needs no more memory than it did.
//!
//! `make test` asks a few hundred of one seed. `make fuzz-sql SECONDS=3600` asks for an hour, from a seed of
//! its own (`FOREWARN_SEED`) or that of the clock. A failure prints seed, number and question; with
//! `FOREWARN_SEED` and `FOREWARN_FUZZ_FROM` it is asked again first.

use std::time::{Duration, Instant};

use forewarn_tests::fuzz;
use forewarn_tests::random::Random;
use forewarn_tests::readings::reading;
use forewarn_tests::site::{Server, Site};
use serde_json::json;

/// Questions of the slice in `make test`.
const SLICE: u64 = 250;
const SLICE_SEED: u64 = 20_260_101;
/// The server's own limit on a question's time, and how much later the answer must be there: a machine that
/// tests run on is busy.
const SETTINGS: &str = "limits: { max_sql: 3s, max_sql_memory: 256MB }\n";
const PATIENCE: Duration = Duration::from_mins(1);
/// Questions between two looks at the server.
const ROUND: u64 = 25;
/// What the server may ever have: its own, the 256 MB for questions, and what the allocator keeps of them.
const MOST_BYTES: u64 = 3 << 29;
/// With fewer rounds than this one heavy question hides whether memory grows.
const FEWEST_ROUNDS: usize = 40;
/// By so much the least memory of the last quarter may exceed that of the second.
const GROWTH_BYTES: u64 = 100 << 20;
const READINGS: u64 = 3_000;
const SECRET: &str = "d41f-this-line-is-in-no-table";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

async fn fill(server: &Server) {
    let mut random = Random::new(1);
    let mut line = |n: u64| {
        let asset = format!("plant1/pump{}", random.below(4));
        let signal = random.of(&["temperature", "flow", "speed"]);
        reading(asset, signal, 1_767_225_600_000 + n * 60_000, random.below(800) as f64 / 8.0).to_string()
    };
    let body: Vec<String> = (0..READINGS).map(&mut line).collect();
    let (status, answer) = server.send("/v1/readings", body.join("\n")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(READINGS)), "{answer}");
    let event = json!({ "event": "failed", "time": "2026-01-02T00:00:00Z" });
    server.post("/v1/assets/plant1%2Fpump1/life-events", &event).await;
}

/// The body of a request. Bytes that are no text go as they are: the server must refuse them as well.
fn body(question: &[u8]) -> Vec<u8> {
    if let Ok(text) = std::str::from_utf8(question) {
        return json!({ "query": text }).to_string().into_bytes();
    }
    [b"{\"query\": \"", question, b"\"}"].concat()
}

/// Asks a question and judges the answer; its status comes back.
async fn ask(server: &Server, question: &[u8], what: &str) -> u16 {
    let sent = server
        .http()
        .post(format!("{}/v1/sql", server.url))
        .header("content-type", "application/json")
        .body(body(question))
        .send();
    let answer = async {
        let response = sent.await.unwrap_or_else(|error| panic!("no answer: {error:?}: {what}"));
        let status = response.status().as_u16();
        // An answer that grows too large is cut off by the server: it has begun to answer by then.
        (status, response.bytes().await.unwrap_or_default())
    };
    let Ok((status, bytes)) = tokio::time::timeout(PATIENCE, answer).await else {
        panic!("no answer within {PATIENCE:?}: {what}");
    };
    assert!(status == 200 || (400..500).contains(&status) || status == 503, "status {status}: {what}");
    let shown = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!shown, "a file was read: {what}");
    status
}

/// Memory goes up and down with the questions; its least in a stretch goes up only with what is never given
/// back.
fn check_growth(memory: &[u64]) {
    let least = |part: usize| memory.chunks(memory.len() / 4).nth(part).and_then(|chunk| chunk.iter().min());
    if memory.len() >= FEWEST_ROUNDS
        && let (Some(before), Some(after)) = (least(1), least(3))
    {
        assert!(*after < before + GROWTH_BYTES, "{before} bytes have become {after}: {memory:?}");
    }
}

#[tokio::test]
async fn no_question_harms_the_server() {
    let mut site = Site::new();
    site.settings.push_str(SETTINGS);
    site.write("canary.csv", &format!("secret\n{SECRET}\n"));
    let canary = site.path().join("canary.csv").display().to_string();
    let server = site.start().await;
    fill(&server).await;
    let seconds = number("FOREWARN_FUZZ_SECONDS");
    let seed = number("FOREWARN_SEED").unwrap_or(SLICE_SEED);
    let first = number("FOREWARN_FUZZ_FROM").unwrap_or(0);
    #[expect(clippy::disallowed_methods, reason = "this measures how long it has been asking")]
    let begun = Instant::now();
    let goes_on =
        |asked: u64| seconds.map_or(asked < SLICE, |seconds| begun.elapsed() < Duration::from_secs(seconds));
    let (mut asked, mut answered, mut memory) = (0, 0, Vec::new());
    while goes_on(asked) {
        let question = fuzz::question(seed, first + asked, &canary);
        let shown: String = String::from_utf8_lossy(&question).chars().take(2_000).collect();
        let what = format!("FOREWARN_SEED={seed} FOREWARN_FUZZ_FROM={} asks\n{shown}", first + asked);
        answered += u64::from(ask(&server, &question, &what).await == 200);
        asked += 1;
        if asked % ROUND == 0 {
            assert_eq!(server.count("SELECT count(*) AS n FROM readings").await, READINGS, "up to {what}");
            memory.push(server.memory_bytes());
            let most = server.peak_memory_bytes();
            assert!(most < MOST_BYTES, "{most} bytes of memory, up to {what}");
        }
    }
    let most = server.peak_memory_bytes() >> 20;
    println!("seed {seed}: {asked} questions, {answered} of them answered, at most {most} MiB of memory");
    // Questions that are all refused would show little.
    assert!(asked < SLICE || answered * 10 > asked, "{answered} of {asked} questions were answered");
    check_growth(&memory);
    assert!(server.stop().await.success(), "{}", site.log());
    let written = std::fs::read_to_string(canary).expect("the file is there");
    assert_eq!(written, format!("secret\n{SECRET}\n"), "no question writes a file");
}
