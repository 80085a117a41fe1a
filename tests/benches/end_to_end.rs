//! End to end over loopback HTTP: line protocol in, every request acknowledged only after the fsync, rules
//! judging, the branch writing.
//!
//! `cargo bench -p forewarn-tests --bench end_to_end` drives the program of the same profile (`FOREWARN_BIN`
//! names another) and prints readings a second, up to the last acknowledgement and up to the moment when the
//! engine has judged the last reading, beside three baselines of the same run: the same client and bodies
//! against a server that only reads them, which is the most that client and loopback allow; and the same
//! bytes written and fsynced request by request, to one file, and to a file for each connection at the same
//! time, which is what the disk alone allows senders that wait. `FOREWARN_BENCH_READINGS` says how many
//! readings (default 3,000,000).

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and a broken one may end"
)]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use forewarn_tests::random::Random;
use forewarn_tests::site::{Site, eventually};

const LINES: usize = 5_000;
const CONNECTIONS: usize = 4;
/// Assets of one connection; each has the signals of [`SIGNALS`].
const ASSETS: usize = 500;
const SIGNALS: [&str; 5] = ["vibration", "temperature", "pressure", "flow", "current"];
const DEFAULT_READINGS: usize = 3_000_000;
/// 2026-01-01T00:00:00Z.
const START_S: usize = 1_767_225_600;

const PIPELINE: &str = r#"
pipeline: bench
rules:
  - { name: high, assets: "plant1/**", when: "vibration > 9.9", for: 10s, severity: major }
  - name: unusual
    assets: "plant1/**"
    deviation: { signal: temperature, method: learned_limits }
    severity: warning
"#;

/// What each connection sends, one request after the other.
type Bodies = Vec<Vec<String>>;

fn main() {
    let readings = std::env::var("FOREWARN_BENCH_READINGS")
        .map_or(DEFAULT_READINGS, |text| text.parse().expect("a number of readings"));
    let requests = readings.div_ceil(LINES * CONNECTIONS).max(1);
    let bodies: Bodies = (0..CONNECTIONS).map(|connection| bodies(connection, requests)).collect();
    let readings = requests * CONNECTIONS * LINES;
    let bytes: usize = bodies.iter().flatten().map(String::len).sum();
    println!(
        "{readings} readings of {} series in {} requests of {LINES} lines over {CONNECTIONS} connections, \
         {} bytes a line",
        CONNECTIONS * ASSETS * SIGNALS.len(),
        requests * CONNECTIONS,
        bytes / readings
    );

    let sink = report("a server that only reads", readings, send(sink(), &bodies));
    let disk = report("write and fsync to a file", readings, write_and_fsync(&bodies));
    let disks = report("the same to a file each", readings, write_and_fsync_apart(&bodies));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ours = runtime.block_on(forewarn(&bodies));
    println!(
        "  forewarn against a server that only reads: {:.3}; against write and fsync: {:.3}; to a file \
         each: {:.3}",
        ours / sink,
        ours / disk,
        ours / disks
    );
}

fn report(name: &str, readings: usize, elapsed: Duration) -> f64 {
    let rate = readings as f64 / elapsed.as_secs_f64();
    println!("  {name:<26} {rate:>12.0} readings/s   {:>8.2} s", elapsed.as_secs_f64());
    rate
}

/// The requests of one connection. It has series of its own, so that nothing is late however connections
/// overtake one another.
fn bodies(connection: usize, requests: usize) -> Vec<String> {
    let mut random = Random::new(connection as u64);
    let mut lines = (0..).flat_map(move |second| {
        (0..ASSETS).flat_map(move |asset| {
            SIGNALS.map(move |signal| (START_S + second, connection * ASSETS + asset, signal))
        })
    });
    let mut body = || {
        let mut body = String::with_capacity(LINES * 80);
        for (second, asset, signal) in lines.by_ref().take(LINES) {
            let value = random.below(10_000) as f64 / 1_000.0;
            // Writing to a string cannot fail.
            let _ = writeln!(
                body,
                "{signal},a=plant1,b=line{},c=pump{asset} value={value} {second}000000000",
                asset % 8
            );
        }
        body
    };
    (0..requests).map(|_| body()).collect()
}

/// Posts all bodies, each connection from a thread of its own; gives the time until the last acknowledgement.
fn send(address: SocketAddr, bodies: &Bodies) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for bodies in bodies {
            scope.spawn(move || {
                let stream = TcpStream::connect(address).expect("the server listens");
                stream.set_nodelay(true).expect("a socket option");
                let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
                let mut stream = stream;
                for body in bodies {
                    let head = format!(
                        "POST /api/v2/write HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream
                        .write_all(head.as_bytes())
                        .and_then(|()| stream.write_all(body.as_bytes()))
                        .expect("the server reads");
                    expect_no_content(&mut answers);
                }
            });
        }
    });
    started.elapsed()
}

/// Reads one answer, which must be 204 and so has no body.
fn expect_no_content(answers: &mut impl std::io::BufRead) {
    let mut status = String::new();
    let mut line = String::new();
    answers.read_line(&mut status).expect("an answer");
    while line != "\r\n" {
        line.clear();
        assert_ne!(
            answers.read_line(&mut line).expect("headers"),
            0,
            "the connection ended after {status:?}"
        );
    }
    assert!(status.starts_with("HTTP/1.1 204"), "{status}");
}

/// A server that reads bodies and forgets them.
fn sink() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            thread::spawn(move || swallow(&stream));
        }
    });
    address
}

/// Answers one connection until it ends.
fn swallow(stream: &TcpStream) -> Option<()> {
    let mut requests = BufReader::with_capacity(1 << 16, stream);
    let mut answers = stream;
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            requests.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(number) = line.strip_prefix("content-length: ") {
                length = number.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        requests.read_exact(&mut body).ok()?;
        answers.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}

/// Appends each body to a file and waits for the disk, one after the other.
fn write_and_fsync(bodies: &Bodies) -> Duration {
    // Beside the server's folder, so that both stand on the same disk.
    let folder = tempfile::tempdir().expect("a folder");
    let started = Instant::now();
    append_each(&folder.path().join("bytes"), bodies.iter().flatten());
    started.elapsed()
}

/// The same with a file and a thread for each connection.
fn write_and_fsync_apart(bodies: &Bodies) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Instant::now();
    thread::scope(|scope| {
        for (connection, bodies) in bodies.iter().enumerate() {
            let path = folder.path().join(connection.to_string());
            scope.spawn(move || append_each(&path, bodies.iter()));
        }
    });
    started.elapsed()
}

fn append_each<'a>(path: &Path, bodies: impl Iterator<Item = &'a String>) {
    let mut file = File::create(path).expect("a file");
    for body in bodies {
        file.write_all(body.as_bytes()).and_then(|()| file.sync_data()).expect("the disk takes it");
    }
}

/// Sends everything to the real server and tells what came of it; gives the readings a second.
async fn forewarn(bodies: &Bodies) -> f64 {
    let site = Site::new();
    site.pipeline(PIPELINE);
    let server = site.start().await;
    let address = server.url.trim_start_matches("http://").parse().expect("an address");
    let elapsed = tokio::task::block_in_place(|| send(address, bodies));
    let readings = bodies.iter().flatten().count() * LINES;
    let rate = report("forewarn", readings, elapsed);

    let acknowledged = Instant::now();
    let judged = async {
        eventually("the engine to come up with the log", async || {
            server.metric("forewarn_state_lag_records").await == 0
        })
        .await;
        acknowledged.elapsed()
    };
    let counted = async {
        let count = server.count("SELECT count(*) AS n FROM readings").await;
        assert_eq!(count, readings as u64, "every acknowledged reading is there once");
        acknowledged.elapsed()
    };
    let (judged_in, counted_in) = tokio::join!(judged, counted);
    report("  up to the last judgement", readings, elapsed + judged_in);
    let commits = std::fs::read_dir(site.lake().join("readings/_delta_log")).map_or(0, Iterator::count);
    let waiting = server.metric("forewarn_lake_tail_rows").await;
    let memory = server.peak_memory_bytes() / (1 << 20);
    println!(
        "    after the last acknowledgement: all judged in {:.2} s, counted by SQL meanwhile in {:.2} s; \
         peak memory {memory} MiB",
        judged_in.as_secs_f64(),
        counted_in.as_secs_f64()
    );
    println!(
        "    the table has {commits} entries in its Delta log; {waiting} rows of all tables wait for the \
         next commit"
    );
    rate
}
