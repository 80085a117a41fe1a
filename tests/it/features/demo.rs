//! `forewarn demo`: what a newcomer sees first. It must warn before the failure, show the same in every run,
//! end at Ctrl-C, and go on without loss however it ended.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use forewarn_tests::site::{binary, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(5);
/// What the demo promises: Ctrl-C ends it within this long.
const PROMPT: Duration = Duration::from_secs(5);
/// Readings of a signal are this far apart, µs.
const STEP_US: i64 = 15 * 60 * 1_000_000;
const DAY_US: i64 = 86_400_000_000;

/// A demo that runs. It is killed when this is dropped.
struct Demo {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: Vec<String>,
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["demo", "--listen", "127.0.0.1:0", "--dir"]).arg(dir).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

impl Demo {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut process = command(dir, arguments).spawn().expect("the program starts");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, lines, told: Vec::new() }
    }

    /// Waits for a line that contains `part`, and gives it.
    async fn line(&mut self, part: &str) -> String {
        let found = timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.expect("its output can be read") {
                self.told.push(line);
                if self.told.last().is_some_and(|line| line.contains(part)) {
                    return self.told.last().cloned();
                }
            }
            None
        });
        found
            .await
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("no line with {part:?} in\n{}", self.told.join("\n")))
    }

    /// Waits until it has ended within `patience`, and keeps what it says.
    async fn end(&mut self, patience: Duration) -> ExitStatus {
        let ended = timeout(patience, async {
            while let Some(line) = self.lines.next_line().await.expect("its output can be read") {
                self.told.push(line);
            }
            self.process.wait().await.expect("its exit status")
        });
        ended
            .await
            .unwrap_or_else(|_| panic!("it has not ended within {patience:?}:\n{}", self.told.join("\n")))
    }

    async fn interrupt(&mut self) -> ExitStatus {
        let pid = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().await.expect("kill runs").success());
        self.end(PROMPT).await
    }

    /// The lines with one of `words` in the place where the kind of an event stands: `2026-06-05 10:30 ALERT
    /// plant1/…`. Those of one minute come from different parts of the server, in no order, so they are
    /// sorted.
    fn events(&self, words: &[&str]) -> Vec<String> {
        let is_one = |line: &&String| {
            line.get(18..).is_some_and(|rest| words.iter().any(|word| rest.starts_with(word)))
        };
        let mut events: Vec<String> = self.told.iter().filter(is_one).cloned().collect();
        events.sort();
        events
    }

    fn position(&self, part: &str) -> usize {
        let found = self.told.iter().position(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no line with {part:?} in\n{}", self.told.join("\n")))
    }

    /// The rows of a query.
    async fn sql(&mut self, query: &str) -> Vec<Vec<Value>> {
        if !self.told.iter().any(|line| line.contains("  look at   http://")) {
            self.line("  look at   http://").await;
        }
        let look = &self.told[self.position("  look at   http://")];
        let url = look.split_whitespace().nth(2).expect("a URL");
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let request = http.post(format!("{url}v1/sql")).header("content-type", "application/json");
        let response = request.body(json!({ "query": query }).to_string()).send().await.expect("an answer");
        let text = response.text().await.expect("a body");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let rows = answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}"));
        rows.iter().map(|row| row.as_array().expect("a row").clone()).collect()
    }
}

/// All that is shown of what happens in the plant.
const EVENTS: [&str; 6] = ["ALERT", "returned", "normal", "predicted", "installed", "FAILED"];
/// What does not depend on how often a demo was started.
const FACTS: [&str; 4] = ["ALERT", "returned", "normal", "installed"];

/// An undisturbed demo, up to its end.
async fn undisturbed() -> &'static Demo {
    static DEMO: OnceCell<Demo> = OnceCell::const_new();
    DEMO.get_or_init(to_its_end).await
}

async fn to_its_end() -> Demo {
    let dir = TempDir::new().expect("a folder for the test");
    let mut demo = Demo::start(dir.path(), &["--once"]);
    let status = demo.end(PATIENCE).await;
    assert_eq!(status.code(), Some(0), "{}", demo.told.join("\n"));
    demo
}

/// The words that announce a failure, up to what was predicted for it: a demo that is started again
/// predicts once more.
fn failure(line: &str) -> &str {
    line.split_once(';').map_or(line, |(failure, _)| failure)
}

#[tokio::test]
async fn a_demo_warns_before_the_failure_and_shows_the_same_in_every_run() {
    let first = undisturbed().await;
    let failed = first.position("  FAILED    ");
    assert!(
        first.position("  predicted ") < failed && first.position("  ALERT     ") < failed,
        "{}",
        first.told.join("\n")
    );
    assert!(first.told[failed].contains("3 d before, the model said it fails in "), "{}", first.told[failed]);
    assert!(first.position("summary: ") > failed, "{}", first.told.join("\n"));
    let last = first.told.last().expect("a summary");
    assert!(
        last.contains(" days after its first alert; ") && last.contains("prediction intervals about it held"),
        "{last}"
    );
    let second = to_its_end().await;
    assert_eq!(second.events(&EVENTS), first.events(&EVENTS), "a second run shows something else");
    assert!(first.events(&EVENTS).len() > 10, "{}", first.told.join("\n"));
}

#[tokio::test]
async fn a_demo_ends_at_ctrl_c_and_goes_on_without_loss() {
    let dir = TempDir::new().expect("a folder for the test");
    let mut first = Demo::start(dir.path(), &["--hours-per-second", "50"]);
    first.line("  ALERT     ").await;

    let second = command(dir.path(), &[]).stderr(Stdio::piped()).output().await.expect("the program starts");
    let complaint = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("is in use") && complaint.contains("--dir"), "{complaint}");

    assert_eq!(first.interrupt().await.code(), Some(0), "{}", first.told.join("\n"));
    assert!(first.position("stopping; started again") > 0);

    let mut again = Demo::start(dir.path(), &["--hours-per-second", "1000"]);
    again.line("history   is there already").await;
    let broken = again.line("  FAILED    ").await;
    let reference = undisturbed().await;
    assert_eq!(failure(&broken), failure(&reference.told[reference.position("  FAILED    ")]));
    assert!(broken.contains("3 d before, the model said it fails in "), "{broken}");
    let shown = [first.events(&FACTS), again.events(&FACTS)].concat();
    assert_eq!(shown, reference.events(&FACTS), "a demo that was stopped shows other alerts");
    assert_complete(&mut again).await;
}

#[tokio::test]
async fn a_demo_that_is_killed_while_it_imports_its_past_goes_on_without_loss() {
    let dir = TempDir::new().expect("a folder for the test");
    let mut first = Demo::start(dir.path(), &[]);
    // About an eighth of what the history takes in the log.
    eventually("some history in the log", async || log_bytes(dir.path()) > 1_000_000).await;
    first.process.kill().await.expect("it can be killed");

    let mut again = Demo::start(dir.path(), &["--hours-per-second", "1000"]);
    let rest = history(&again.line("  history   ").await);
    let reference = undisturbed().await;
    let whole = history(&reference.told[reference.position("  history   ")]);
    assert!(
        0 < rest && rest < whole,
        "it was not killed in the middle: {rest} of {whole} readings were left"
    );
    again.line("  FAILED    ").await;
    assert_eq!(
        again.events(&EVENTS),
        reference.events(&EVENTS),
        "a demo that was killed shows something else"
    );
    assert_complete(&mut again).await;
}

#[tokio::test]
async fn a_demo_refuses_an_address_that_is_in_use() {
    let dir = TempDir::new().expect("a folder for the test");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("its address").to_string();
    let mut command = Command::new(binary());
    command.args(["demo", "--listen", &listen, "--dir"]).arg(dir.path()).stdin(Stdio::null());
    let refused = command.output().await.expect("the program starts");
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{complaint}");
    assert!(
        complaint.contains(&format!("{listen} is in use")) && complaint.contains("--listen"),
        "{complaint}"
    );
}

/// The count of readings in the line about the history.
fn history(line: &str) -> u64 {
    let count = line.split_whitespace().nth(1).expect("a count").replace(',', "");
    count.parse().unwrap_or_else(|_| panic!("no count of readings: {line}"))
}

/// Bytes of the log's records: without the free space at the end of a file.
fn log_bytes(dir: &Path) -> usize {
    let files = std::fs::read_dir(dir.join("log")).into_iter().flatten().flatten();
    let used = |bytes: Vec<u8>| bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    files.filter_map(|file| std::fs::read(file.path()).ok()).map(used).sum()
}

/// Checks that the server of a demo holds every reading of the plant once: as long as a pump has a bearing
/// that has not failed, its four sensors read at every step.
async fn assert_complete(demo: &mut Demo) {
    let newest = demo.sql("SELECT max(time) FROM readings").await;
    // The plant runs on, and its newest failure may not be on record yet.
    let end = micros(&newest[0][0]) - DAY_US;
    let events = demo.sql("SELECT asset, event, time FROM life_events ORDER BY asset, time").await;
    let counts = "SELECT asset, signal, count(*), count(DISTINCT time) FROM readings GROUP BY asset, signal \
        ORDER BY asset, signal";
    let counts = demo.sql(&counts.replace("GROUP", &format!("WHERE time < '{}' GROUP", time(end)))).await;
    assert_eq!(counts.len(), 6 * 4, "{counts:?}");
    for row in counts {
        let steps = steps(events.iter().filter(|event| event[0] == row[0]), end);
        assert_eq!(
            (&row[2], &row[3]),
            (&json!(steps), &json!(steps)),
            "{row:?}: readings, and different ones"
        );
    }
}

/// How many steps before `end` a pump with these events runs.
fn steps<'a>(events: impl Iterator<Item = &'a Vec<Value>>, end: i64) -> i64 {
    let mut steps = 0;
    let mut installed = None;
    let until = |time: i64| (time.min(end) + STEP_US - 1).div_euclid(STEP_US);
    for event in events {
        let time = micros(&event[2]);
        if event[1] == "installed" {
            assert_eq!(installed.replace(time), None, "a second life begins within one: {event:?}");
        } else {
            let begun = installed.take();
            let begun = begun.unwrap_or_else(|| panic!("a life that did not begin: {event:?}"));
            steps += until(time) - until(begun);
        }
    }
    steps + installed.map_or(0, |installed| until(end) - until(installed))
}

/// µs since 1970 of a time in RFC 3339 and UTC.
fn micros(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let (whole, fraction) =
        text.trim_end_matches('Z').split_once('.').unwrap_or((text.trim_end_matches('Z'), "0"));
    let parts: Vec<i64> = whole.split(['-', 'T', ':']).map(|part| part.parse().expect("a number")).collect();
    let [year, month, day, hour, minute, second] = parts[..] else { panic!("no time: {text}") };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().expect("a fraction")
}

/// Days from 1970-01-01 to a day of this century: every fourth year has a day more.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before: i64 = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        .iter()
        .take(usize::try_from(month - 1).expect("a month"))
        .sum();
    let leap = i64::from(year % 4 == 0 && month > 2);
    (year - 1970) * 365 + (year - 1969) / 4 + before + leap + day - 1
}

/// A time of the year 2026 in RFC 3339.
fn time(micros: i64) -> String {
    let (day, rest) = (micros.div_euclid(DAY_US), micros.rem_euclid(DAY_US) / 1_000_000);
    let month = (1..=12).rev().find(|month| days(2026, *month, 1) <= day).expect("a day of 2026");
    let day = day - days(2026, month, 1) + 1;
    format!("2026-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
