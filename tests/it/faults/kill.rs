//! The server is killed again and again while readings stream in. What was acknowledged must be there exactly
//! once, and the alerts must be those of a run without any kill.
//!
//! Each asset has a sender of its own, which sends one request after the other and repeats it until it is
//! acknowledged. So the order within an asset is the same in every run, and in flight there is always more
//! than one request. What happens when is drawn from a seed (`FOREWARN_SEED`, for trying others); no
//! assertion depends on how fast anything is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forewarn_tests::plant::{self, History, Manner, RULE_COUNT, RULES, Reading, Stored};
use forewarn_tests::random::Random;
use forewarn_tests::site::{Server, Site};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

const ASSETS: usize = 10;
const STEPS: usize = 900;
/// Readings of one request, give or take what is late or repeated.
const REQUEST_READINGS: usize = 60;
const KILLS: usize = 24;
/// Every so often the server is asked to end, which also leaves a snapshot behind for later starts.
const STOP_EVERY: usize = 5;
/// No run takes as long; a sender that waits for ever must not hang the test.
const PATIENCE: Duration = Duration::from_mins(5);

const JSON: &str = "/v1/readings";
const LINES: &str = "/api/v2/write?precision=ms";

/// Commits, log segments and trims come so often that a kill may meet any of them.
const SETTINGS: &str = "\
branch: { commit_rows: 1500, commit_every: 300ms }
log: { segment_bytes: 64KB }
influx: { asset: \"{tags}\", signal: \"{measurement}_{field}\" }
";

/// One request of a sender.
pub(crate) struct Request {
    path: &'static str,
    body: String,
    readings: usize,
    /// What the sender's asset has once this request is stored.
    stored: Stored,
}

/// The requests of each asset, in order.
pub(crate) type Stream = Arc<Vec<Vec<Request>>>;

/// What the assets send in `steps` steps, about `request_readings` readings at a time.
pub(crate) fn stream(seed: u64, steps: usize, request_readings: usize) -> Stream {
    let mut random = Random::new(seed);
    let requests = |asset| {
        let readings = plant::readings(seed, asset, steps, Manner::Untidy);
        let parts: Vec<&[Reading]> = readings.chunks(request_readings).collect();
        let stored = plant::stored(parts.iter().copied());
        parts.iter().zip(stored).map(|(part, stored)| request(part, stored, random.once_in(2))).collect()
    };
    Arc::new((0..ASSETS).map(requests).collect())
}

/// Line protocol cannot say that a reading is bad.
fn request(readings: &[Reading], stored: Stored, as_lines: bool) -> Request {
    if as_lines && !readings.iter().any(|reading| reading.bad) {
        let body = readings.iter().map(Reading::line_protocol).collect();
        Request { path: LINES, body, readings: readings.len(), stored }
    } else {
        Request {
            path: JSON,
            body: readings.iter().map(Reading::json).collect(),
            readings: readings.len(),
            stored,
        }
    }
}

/// Sends the whole stream to whichever server is announced.
pub(crate) struct Senders {
    tasks: JoinSet<()>,
    /// How many servers there have been, and the URL of the newest.
    server: watch::Sender<(usize, String)>,
    /// How many requests of each asset have been acknowledged.
    acknowledged: Arc<Vec<AtomicUsize>>,
    /// A word for each acknowledgement.
    words: mpsc::UnboundedReceiver<()>,
    /// How many requests may still be begun.
    pub(crate) allowed: Arc<Semaphore>,
}

impl Senders {
    /// Senders that may send everything.
    pub(crate) fn start(stream: &Stream) -> Self {
        Self::start_with(stream, Semaphore::MAX_PERMITS)
    }

    /// Senders that may begin so many requests, until they are allowed more.
    pub(crate) fn start_with(stream: &Stream, allowed: usize) -> Self {
        // A connection for each request: none is ever left over from a server that is gone.
        let http =
            reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().expect("an HTTP client");
        let (server, _) = watch::channel((0, String::new()));
        let (word, words) = mpsc::unbounded_channel();
        let acknowledged: Arc<Vec<AtomicUsize>> =
            Arc::new(stream.iter().map(|_| AtomicUsize::new(0)).collect());
        let allowed = Arc::new(Semaphore::new(allowed));
        let mut tasks = JoinSet::new();
        for asset in 0..stream.len() {
            let (stream, acknowledged, word, mut server) =
                (Arc::clone(stream), Arc::clone(&acknowledged), word.clone(), server.subscribe());
            let (http, allowed) = (http.clone(), Arc::clone(&allowed));
            tasks.spawn(async move {
                for request in &stream[asset] {
                    allowed.acquire().await.expect("the test runs").forget();
                    deliver(&http, request, &mut server).await;
                    acknowledged[asset].fetch_add(1, Ordering::SeqCst);
                    // Once the controller needs no more words it may have let go of them.
                    let _heard = word.send(());
                }
            });
        }
        Self { tasks, server, acknowledged, words, allowed }
    }

    /// How many requests of each asset have been acknowledged.
    pub(crate) fn acknowledged(&self) -> Vec<usize> {
        self.acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    /// From now on requests go to `server`.
    pub(crate) fn announce(&self, server: &Server) {
        self.server.send_modify(|(number, url)| {
            *number += 1;
            url.clone_from(&server.url);
        });
    }

    /// Waits until so many requests have been acknowledged since the last time.
    async fn next(&mut self, count: usize) {
        for _ in 0..count {
            self.words.recv().await.expect("requests are left");
        }
    }

    /// Waits until everything has been acknowledged.
    pub(crate) async fn finish(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a sender has come to its end");
        }
    }
}

/// Sends one request until it is acknowledged.
async fn deliver(http: &reqwest::Client, request: &Request, server: &mut watch::Receiver<(usize, String)>) {
    loop {
        let (number, url) = server.wait_for(|(number, _)| *number > 0).await.expect("the test runs").clone();
        let attempt = send(http, &url, request);
        let acknowledged = tokio::select! {
            acknowledged = attempt => acknowledged,
            // The server that might still answer is gone.
            next = server.wait_for(|(newest, _)| *newest > number) => {
                next.expect("the test runs");
                continue;
            }
        };
        match acknowledged {
            Ok(true) => return,
            Ok(false) => {}
            Err(_) => {
                server.wait_for(|(newest, _)| *newest > number).await.expect("the test runs");
            }
        }
    }
}

/// Sends one request once. Whether it was acknowledged comes back; if not, the server says that it may be
/// tried again.
async fn send(http: &reqwest::Client, url: &str, request: &Request) -> reqwest::Result<bool> {
    let answer = http.post(format!("{url}{}", request.path)).body(request.body.clone()).send().await?;
    match answer.status() {
        StatusCode::SERVICE_UNAVAILABLE => return Ok(false),
        StatusCode::NO_CONTENT if request.path == LINES => return Ok(true),
        status => {
            assert!(status == StatusCode::OK && request.path == JSON, "{} answers {status}", request.path);
        }
    }
    let result: Value = serde_json::from_str(&answer.text().await?).expect("the answer is JSON");
    let taken = result["accepted"].as_u64().zip(result["duplicate"].as_u64()).map(|(new, old)| new + old);
    assert_eq!(taken, Some(request.readings as u64), "{result}");
    Ok(true)
}

/// A site with the rules of the plant.
pub(crate) fn site(settings: &str) -> Site {
    let mut site = Site::new();
    site.settings.push_str(settings);
    site.pipeline(&format!("pipeline: plant\n{RULES}"));
    site
}

/// The history of a server that takes in the stream and is left in peace.
pub(crate) async fn undisturbed(stream: &Stream) -> History {
    let site = site(SETTINGS);
    let server = site.start().await;
    let senders = Senders::start(stream);
    senders.announce(&server);
    senders.finish().await;
    check_totals(&server, stream).await;
    History::of(&server).await
}

/// What [`check_acknowledged`] looks at.
pub(crate) const BY_ASSET: &str =
    "SELECT asset, count(*) AS n, sum(value) AS total FROM readings GROUP BY asset";

/// Each asset has in `rows`, the answer to [`BY_ASSET`], what its sender was acknowledged before it was asked
/// for, and at most the one request more that was in flight, wholly. How many have this one request more
/// comes back: their senders are about to repeat what is stored.
pub(crate) fn check_acknowledged(rows: &[Vec<Value>], stream: &Stream, acknowledged: &[usize]) -> usize {
    let mut unanswered = 0;
    for (asset, &acknowledged) in acknowledged.iter().enumerate() {
        let row = rows.iter().find(|row| row[0] == plant::asset_path(asset).as_str());
        let found =
            row.map_or((0, 0.0), |row| (row[1].as_u64().expect("a count"), row[2].as_f64().expect("a sum")));
        let after = |requests: usize| {
            let stored = requests.checked_sub(1).map_or(Stored::default(), |last| stream[asset][last].stored);
            (stored.count, stored.sum)
        };
        let in_flight = (acknowledged + 1).min(stream[asset].len());
        assert!(
            found == after(acknowledged) || found == after(in_flight),
            "asset {asset} has {found:?} after {acknowledged} acknowledged requests: {:?} or, with the \
             next, {:?}",
            after(acknowledged),
            after(in_flight)
        );
        unanswered += usize::from(found != after(acknowledged));
    }
    unanswered
}

/// No asset has in `counts` more than it was acknowledged and the one request that was in flight.
pub(crate) fn check_not_more(counts: &Value, stream: &Stream, acknowledged: &[usize]) {
    for (asset, acknowledged) in acknowledged.iter().enumerate() {
        let count = counts[plant::asset_path(asset)].as_u64().unwrap_or(0);
        let most = stream[asset][(*acknowledged).min(stream[asset].len() - 1)].stored.count;
        assert!(count <= most, "asset {asset} has {count} readings of {most}");
    }
}

/// Every reading of the stream is there once.
pub(crate) async fn check_totals(server: &Server, stream: &Stream) {
    let last = stream.iter().map(|requests| requests.last().expect("a request").stored);
    let all = last.fold(Stored::default(), |all, one| Stored {
        count: all.count + one.count,
        late: all.late + one.late,
        sum: all.sum + one.sum,
    });
    let row = &server
        .sql("SELECT count(*) AS n, sum(value) AS total FROM readings WHERE asset LIKE 'plant1/%'")
        .await[0];
    assert_eq!((row[0].as_u64(), row[1].as_f64()), (Some(all.count), Some(all.sum)));
    let different = "SELECT count(*) AS n FROM (SELECT DISTINCT asset, signal, time FROM readings WHERE \
        asset LIKE 'plant1/%') AS different";
    assert_eq!(server.count(different).await, all.count);
    assert_eq!(
        server.count("SELECT count(*) AS n FROM readings WHERE late AND asset LIKE 'plant1/%'").await,
        all.late
    );
}

/// Sends the beginning of a request, whose readings must never be seen.
async fn send_half(server: &Server, random: &mut Random) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    let body = "{\"asset\":\"plant1/half\",\"signal\":\"temperature\",\"time\":1767225600000,\"value\":1}\n"
        .repeat(40);
    let request = format!(
        "POST /v1/readings HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(address).await.expect("the server listens");
    let part = 1 + usize::try_from(random.below(request.len() as u64 - 1)).expect("a length");
    connection.write_all(&request.as_bytes()[..part]).await.expect("the server reads");
    connection
}

/// Lets a server that has just been killed be killed once more while it recovers.
async fn kill_in_recovery(site: &Site, random: &mut Random) {
    if random.once_in(2) {
        let mut process = site.spawn();
        // This is the moment of the kill, not a wait for anything: wherever the server has got by then will
        // do.
        tokio::time::sleep(Duration::from_micros(random.below(300_000))).await;
        process.kill().await.expect("the server can be killed");
    } else {
        site.launch().await.kill().await;
    }
}

/// The history of a server that is killed at seeded moments while it takes in the stream; how often it was
/// killed, and how many requests it had stored and not answered.
async fn disturbed(stream: &Stream, seed: u64) -> (History, usize, usize) {
    let mut random = Random::new(!seed);
    let site = site(SETTINGS);
    let mut server = site.start().await;
    let mut senders = Senders::start(stream);
    let requests: usize = stream.iter().map(Vec::len).sum();
    let pace = u64::try_from(requests / (KILLS + KILLS / 2)).expect("a count");
    let (mut kills, mut turn, mut unanswered) = (0, 0, 0);
    while kills < KILLS {
        turn += 1;
        senders.announce(&server);
        senders.next(usize::try_from(pace / 2 + random.below(pace)).expect("a count")).await;
        if turn % STOP_EVERY == 0 {
            assert!(server.stop().await.success(), "{}", site.log());
        } else {
            let _half = if random.once_in(3) { Some(send_half(&server, &mut random).await) } else { None };
            // Also the moment of the kill: somewhere in the work on the requests that are in flight.
            tokio::time::sleep(Duration::from_micros(random.below(40_000))).await;
            server.kill().await;
            kills += 1;
            if random.once_in(4) {
                kill_in_recovery(&site, &mut random).await;
                kills += 1;
            }
        }
        server = site.start().await;
        let acknowledged = senders.acknowledged();
        unanswered += check_acknowledged(&server.sql(BY_ASSET).await, stream, &acknowledged);
    }
    senders.announce(&server);
    senders.finish().await;
    check_totals(&server, stream).await;
    assert!(
        server.metric("forewarn_log_start_offset").await > 0,
        "starts that read the whole log leave the snapshots untested"
    );
    // Now all of it lies in the lake, and the next server has it from there.
    assert!(server.stop().await.success(), "{}", site.log());
    let server = site.start().await;
    check_totals(&server, stream).await;
    (History::of(&server).await, kills, unanswered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_repeat_nothing_and_change_no_alert() {
    let seed = std::env::var("FOREWARN_SEED")
        .map_or(20_260_101, |seed| seed.parse().expect("FOREWARN_SEED is a number"));
    println!("seed {seed}");
    let stream = stream(seed, STEPS, REQUEST_READINGS);
    let runs = async {
        let calm = undisturbed(&stream).await;
        assert_eq!(calm.transitions_by_rule().len(), RULE_COUNT, "a rule that never speaks proves nothing");
        let (shaken, kills, unanswered) = disturbed(&stream, seed).await;
        shaken.assert_same(&calm);
        println!("{kills} kills, {unanswered} requests stored but not answered");
        println!(
            "{} readings, {} transitions: {:?}",
            calm.readings.len(),
            calm.transitions.len(),
            calm.transitions_by_rule()
        );
    };
    tokio::time::timeout(PATIENCE, runs).await.expect("the stream comes to its end");
}
