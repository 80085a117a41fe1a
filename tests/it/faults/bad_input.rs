//! What senders get wrong, by accident or on purpose: each mistake is answered clearly, what was good is
//! kept, and the server lives on.

use std::fmt::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use forewarn_tests::readings::gzip;
use forewarn_tests::site::{Server, Site};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const GOOD: &str =
    r#"{"asset":"plant1/good","signal":"temperature","time":"2026-01-01T00:00:00Z","value":1.5}"#;
const MIB: usize = 1 << 20;

/// An answer: its status, content type and body.
struct Answer {
    status: u16,
    kind: String,
    body: Value,
}

impl Answer {
    /// What a person reads: the detail and hint of a problem, or the message that clients of line protocol
    /// show.
    fn words(&self) -> String {
        let text = |key: &str| self.body[key].as_str().unwrap_or_default();
        format!("{} {} {}", text("detail"), text("hint"), text("message"))
    }
}

async fn request(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = server.http().request(method, format!("{}{path}", server.url)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let kind = response
        .headers()
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    Answer { status, kind, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// Asks for something wrong and expects a problem with this status that says `words`.
async fn check_problem(
    server: &Server,
    method: Method,
    path: &str,
    body: impl Into<reqwest::Body>,
    status: u16,
    words: &str,
) {
    let what = format!("{method} {path}");
    let json = [("content-type", "application/json")];
    let answer = request(server, method, path, &json, body).await;
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (status, "application/problem+json"),
        "{what}: {}",
        answer.body
    );
    assert_eq!(answer.body["status"], status, "{what}: {}", answer.body);
    assert!(
        answer.body["title"].is_string() && answer.words().contains(words),
        "{what} should say {words:?}: {}",
        answer.body
    );
}

/// Sends good lines around `line` and expects that it alone is refused, for a reason that says `words`.
async fn check_line(server: &Server, line: &[u8], words: &str) {
    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
    let first = server.count("SELECT count(*) FROM readings").await;
    let good = |n: u64| {
        format!(
            "{{\"asset\":\"plant1/good\",\"signal\":\"temperature\",\"time\":{},\"value\":1}}",
            1_767_225_600_001 + first + n
        )
    };
    let body = [good(0).as_bytes(), line, good(1).as_bytes()].join(&b'\n');
    let answer = request(server, Method::POST, "/v1/readings", &[], body).await;
    let (rejected, accepted) = (&answer.body["rejected"], &answer.body["accepted"]);
    assert_eq!((answer.status, accepted), (200, &json!(2)), "{shown}: {}", answer.body);
    assert_eq!(
        (&answer.body["rejected_total"], &rejected[0]["line"]),
        (&json!(1), &json!(2)),
        "{shown}: {}",
        answer.body
    );
    assert!(
        rejected[0]["reason"].as_str().is_some_and(|reason| reason.contains(words)),
        "{shown} should say {words:?}: {rejected}"
    );
    assert_eq!(server.count("SELECT count(*) FROM readings").await, first + 2, "{shown}");
}

/// The same for line protocol, where a partly refused request is answered with 400.
async fn check_influx_line(server: &Server, line: &[u8], words: &str) {
    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
    let first = server.count("SELECT count(*) FROM readings").await;
    let good = |n: u64| format!("good,site=plant1 value=1 {}", 1_767_225_600_001 + first + n);
    let body = [good(0).as_bytes(), line, good(1).as_bytes()].join(&b'\n');
    let answer = request(server, Method::POST, "/api/v2/write?precision=ms", &[], body).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (400, &json!(2)), "{shown}: {}", answer.body);
    assert_eq!(answer.body["rejected"][0]["line"], 2, "{shown}: {}", answer.body);
    assert!(answer.words().contains(words), "{shown} should say {words:?}: {}", answer.body);
    assert_eq!(server.count("SELECT count(*) FROM readings").await, first + 2, "{shown}");
}

/// After all that: the server is ready, and takes and shows a reading.
async fn check_alive(server: &Server) {
    assert_eq!(server.try_get("/readyz").await.0, 200);
    let answer = server.send("/v1/readings", GOOD).await;
    assert_eq!((answer.0, &answer.1["accepted"]), (200, &json!(1)), "{}", answer.1);
    assert_eq!(server.count("SELECT count(*) FROM readings WHERE value = 1.5").await, 1);
}

#[tokio::test]
async fn requests_that_make_no_sense_get_a_problem_that_says_why() {
    let site = Site::new();
    let server = site.start().await;
    for (method, path, body, status, words) in [
        (Method::GET, "/v1/alert", "", 404, "/v1/alerts"),
        (Method::GET, "/v2/readings", "", 404, "there is no route"),
        (Method::GET, "/v1/assets/plant1/pump7", "", 404, "percent-encoded"),
        (Method::DELETE, "/v1/readings", "", 405, "does not take DELETE"),
        (Method::GET, "/v1/assets/plant1%2Fnowhere", "", 404, "plant1/nowhere"),
        (Method::GET, "/v1/assets/..%2Fetc", "", 400, ".."),
        (Method::GET, "/v1/alerts?limit=many", "", 400, "limit"),
        (Method::GET, "/v1/alerts?limit=0", "", 400, "between 1 and"),
        (Method::GET, "/v1/alerts?colour=red", "", 400, "colour"),
        (Method::GET, "/v1/alerts?from=yesterday", "", 400, "RFC 3339"),
        (Method::GET, "/v1/alerts?state=asleep", "", 400, "unacknowledged"),
        (Method::GET, "/v1/alerts/7", "", 404, "there is no alert 7"),
        (Method::GET, "/v1/jobs/runs/none", "", 404, "there is no run none"),
        (Method::POST, "/v1/models/none/train", "", 404, "there is no model none"),
        (Method::POST, "/v1/sql", "", 400, "no body"),
        (Method::POST, "/v1/sql", "{\"query\": 7}", 400, "expected a string"),
        (Method::POST, "/v1/sql", "{\"query\": \"SELECT", 400, "line 1"),
        (Method::POST, "/v1/sql", "{\"query\": \"DROP TABLE readings\"}", 400, "SELECT"),
        (Method::POST, "/v1/sql", "{\"query\": \"SELECT * FROM nothing\"}", 400, "nothing"),
        (Method::POST, "/v1/sql", "{\"sql\": \"SELECT 1\"}", 400, "unknown field"),
        (
            Method::POST,
            "/v1/assets/plant1%2Fpump7/life-events",
            "{\"event\": \"exploded\"}",
            400,
            "installed, repaired, failed, retired",
        ),
        (
            Method::POST,
            "/v1/assets/plant1%2Fpump7/life-events",
            "{\"event\": \"failed\", \"time\": \"9999-01-01T00:00:00Z\"}",
            400,
            "future",
        ),
        (Method::POST, "/v1/readings", "", 400, "the body is empty"),
        (Method::POST, "/v1/readings", " \n\n", 400, "the body is empty"),
    ] {
        check_problem(&server, method, path, body, status, words).await;
    }
    let headers = [("content-type", "text/plain")];
    let form = request(&server, Method::POST, "/v1/sql", &headers, "{\"query\": \"SELECT 1\"}").await;
    assert_eq!(
        (form.status, form.kind.as_str()),
        (415, "application/problem+json"),
        "a page in a browser must not be able to ask"
    );
    let encoded = request(&server, Method::POST, "/v1/readings", &[("content-encoding", "br")], GOOD).await;
    assert_eq!(
        (encoded.status, encoded.kind.as_str()),
        (415, "application/problem+json"),
        "{}",
        encoded.body
    );
    let empty = request(&server, Method::POST, "/api/v2/write", &[], "").await;
    assert!(empty.status == 400 && empty.words().contains("the body is empty"), "{}", empty.body);
    let precision = request(&server, Method::POST, "/write?precision=weeks", &[], "m v=1").await;
    assert!(
        precision.status == 400 && precision.words().contains("send ns, us, ms or s"),
        "{}",
        precision.body
    );
    check_alive(&server).await;
}

#[tokio::test]
async fn a_bad_line_of_json_is_refused_alone() {
    let site = Site::new();
    let server = site.start().await;
    let field = |key: &str, value: &str| {
        let mut line: Value = serde_json::from_str(GOOD).expect("JSON");
        line[key] = serde_json::from_str(value).expect("JSON");
        line.to_string()
    };
    let value =
        |text: &str| format!("{{\"asset\":\"a\",\"signal\":\"s\",\"time\":1767225600000,\"value\":{text}}}");
    for (line, words) in [
        (field("value", "\"hot\""), "send a number"),
        (field("value", "null"), "null"),
        (field("value", "[1]"), "an array"),
        (field("asset", "7"), "asset is the number 7"),
        (field("asset", "\"plant1//pump\""), "empty level"),
        (field("asset", "\"../etc\""), "level . or .."),
        (field("signal", "\"drop table\""), "a character other than"),
        (field("time", "true"), "RFC 3339"),
        (field("time", "\"yesterday\""), "yesterday"),
        (field("time", "\"9999-12-31T23:59:59Z\""), "too far in the future"),
        (field("time", "\"1950-01-01T00:00:00Z\""), "lies before 1970"),
        (field("time", "-631152000000"), "lies before 1970"),
        (field("time", "253402300799000"), "too far in the future"),
        (field("quality", "\"superb\""), "good, uncertain or bad"),
        (field("colour", "\"red\""), "unknown key \"colour\""),
        (value("NaN"), "JSON has no NaN"),
        (value("-Infinity"), "JSON has no NaN or Infinity"),
        (value("1e999"), "too large"),
        ("[1, 2".to_owned(), "expected an object with asset, signal and value"),
        ("hello".to_owned(), "not JSON"),
        ("[".repeat(10_000), "expected an object"),
    ] {
        check_line(&server, line.as_bytes(), words).await;
    }
    check_line(&server, b"{\"asset\":\"pump\xff\",\"signal\":\"s\",\"value\":1}", "not UTF-8").await;
    check_line(&server, &vec![0xfe; 1_000], "not UTF-8").await;
    check_line(&server, &vec![b'x'; 10 * MIB], "limits.max_line_bytes").await;
    let long = format!("{{\"asset\":\"{}\",\"signal\":\"s\",\"value\":1}}", "a".repeat(10 * MIB));
    check_line(&server, long.as_bytes(), "limits.max_line_bytes").await;
    check_alive(&server).await;
}

#[tokio::test]
async fn a_bad_line_of_line_protocol_is_refused_alone() {
    let site = Site::new();
    let server = site.start().await;
    for (line, words) in [
        ("pump value=NaN 1767225600000", "NaN"),
        ("pump value=+Inf 1767225600000", "Inf"),
        ("pump value=1e999 1767225600000", "too large"),
        ("pump value=hot 1767225600000", "write a number"),
        ("pump value=1 253402300799000", "too far in the future"),
        ("pump value=1 -631152000000", "lies before 1970"),
        ("pump value=1 99999999999999999999", "timestamp"),
        ("pump value=1 noon", "not a whole number"),
        ("pump", "no field"),
        ("pump value=", "no value"),
    ] {
        check_influx_line(&server, line.as_bytes(), words).await;
    }
    check_influx_line(&server, b"pump,unit=\xc3\x28 value=1 1767225600000", "not UTF-8").await;
    check_influx_line(
        &server,
        &[&b"pump value="[..], &vec![b'1'; 10 * MIB]].concat(),
        "limits.max_line_bytes",
    )
    .await;
    check_alive(&server).await;
}

/// Announces a body of `bytes` as curl does with large ones, and gives the answer that comes in place of the
/// leave to send it.
async fn announce(server: &Server, bytes: usize) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!(
        "POST /v1/readings HTTP/1.1\r\nHost: {address}\r\nContent-Length: {bytes}\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers and closes the connection");
    answer
}

#[tokio::test]
async fn input_that_is_nested_without_end_does_not_exhaust_the_stack() {
    const DEPTH: usize = 100_000;
    let site = Site::new();
    let server = site.start().await;
    let query = json!({ "query": format!("SELECT {}1{}", "(".repeat(DEPTH), ")".repeat(DEPTH)) });
    check_problem(&server, Method::POST, "/v1/sql", query.to_string(), 400, "").await;
    let query = json!({ "query": format!("SELECT {}1", "- ".repeat(DEPTH)) });
    check_problem(&server, Method::POST, "/v1/sql", query.to_string(), 400, "").await;
    for (link, links, words) in [
        ("+1", 32_000, "operators or subqueries in one another"),
        (" OR 1=1", 9_000, "operators or subqueries in one another"),
        (" IS NULL", 8_000, "operators or subqueries in one another"),
        (" UNION SELECT 1", 4_000, "64 are allowed"),
    ] {
        let query = json!({ "query": format!("SELECT 1{}", link.repeat(links)) });
        check_problem(&server, Method::POST, "/v1/sql", query.to_string(), 400, words).await;
    }
    let longest = format!("SELECT count(*) FROM readings WHERE value = 0{}", " OR value = 0".repeat(149));
    assert_eq!(server.count(&longest).await, 0);
    check_problem(&server, Method::POST, "/v1/sql", "{\"query\":".repeat(DEPTH), 400, "").await;
    check_problem(&server, Method::POST, "/v1/sql", b"{\"query\":\"SELECT \xff\"}".to_vec(), 400, "").await;
    for body in ["[".repeat(DEPTH), "{\"asset\":".repeat(DEPTH)] {
        let answer = request(&server, Method::POST, "/v1/readings", &[], body).await;
        assert_eq!(
            (answer.status, &answer.body["accepted"], &answer.body["rejected_total"]),
            (422, &json!(0), &json!(1)),
            "{}",
            answer.body
        );
    }
    check_alive(&server).await;
}

/// As much of `byte` as `mebibytes` say, packed.
fn bomb(byte: u8, mebibytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let chunk = vec![byte; MIB];
    for _ in 0..mebibytes {
        std::io::Write::write_all(&mut encoder, &chunk).expect("a buffer takes all");
    }
    encoder.finish().expect("a buffer takes all")
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_fills_the_memory() {
    let site = Site::new();
    let server = site.start().await;
    let packed = [("content-encoding", "gzip")];
    let bomb = bomb(b' ', 1024);
    assert!(bomb.len() < 16 * MIB, "the bomb is small: {} bytes", bomb.len());
    for path in ["/v1/readings", "/v1/sql"] {
        let answer = request(&server, Method::POST, path, &packed, bomb.clone()).await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (413, "application/problem+json"),
            "{path}: {}",
            answer.body
        );
        assert!(answer.words().contains("limits.max_body_bytes"), "{}", answer.body);
    }
    let answer = request(&server, Method::POST, "/api/v2/write", &packed, bomb).await;
    assert_eq!((answer.status, &answer.body["code"]), (413, &json!("request too large")), "{}", answer.body);
    // A sender that does not ask first still gets the answer, since the rest of its body is read and thrown
    // away.
    for _ in 0..5 {
        let answer = request(&server, Method::POST, "/v1/readings", &[], vec![b' '; 33 * MIB]).await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (413, "application/problem+json"),
            "{}",
            answer.body
        );
    }
    let refusal = announce(&server, 33 * MIB).await;
    assert!(
        refusal.starts_with("HTTP/1.1 413 ") && refusal.contains("application/problem+json"),
        "{refusal}"
    );

    let mut torn = gzip(GOOD.repeat(100).as_bytes());
    torn.truncate(torn.len() / 2);
    for body in [torn, b"this was never packed".to_vec()] {
        let answer = request(&server, Method::POST, "/v1/readings", &packed, body).await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (400, "application/problem+json"),
            "{}",
            answer.body
        );
        assert!(answer.words().contains("cannot be unpacked"), "{}", answer.body);
    }
    check_alive(&server).await;
    let peak = server.peak_memory_bytes() / MIB as u64;
    println!("peak memory after the bombs: {peak} MiB");
    assert!(peak < 512, "{peak} MiB");
}

#[tokio::test]
async fn a_flood_of_a_million_series_is_refused_beyond_the_limit_and_memory_stays_bounded() {
    const SERIES: usize = 1_000_000;
    const REQUEST: usize = 50_000;
    const LIMIT: usize = 200_000;
    let mut site = Site::new();
    // One rule on everything makes each series cost what it costs in a plant.
    site.pipeline(
        "pipeline: p\nrules:\n  - { name: hot, assets: \"**\", when: \"value > 90.0\", severity: minor }\n",
    );
    site.settings = format!("limits: {{ max_series: {LIMIT} }}\n");
    let server = site.start().await;
    let known =
        json!({ "asset": "flood/before", "signal": "value", "time": "2026-01-01T00:00:00Z", "value": 1 });
    server.post("/v1/readings", &known).await;
    let (mut accepted, mut refused) = (1, 0);
    for first in (0..SERIES).step_by(REQUEST) {
        let mut body = String::new();
        for n in first..first + REQUEST {
            writeln!(
                body,
                "{{\"asset\":\"flood/u{n}\",\"signal\":\"value\",\"time\":1767225600000,\"value\":1}}"
            )
            .expect("a string takes all");
        }
        let (status, answer) = server.send("/v1/readings", body).await;
        // Where none of a request's lines could be used, the answer says so.
        assert_eq!(status, if answer["accepted"] == 0 { 422 } else { 200 }, "{answer}");
        accepted += answer["accepted"].as_u64().expect("a count");
        refused += answer["rejected_total"].as_u64().expect("a count");
        let reasons = answer["rejected"].as_array().expect("a list");
        assert!(reasons.len() <= 100, "{} reasons in one answer", reasons.len());
        for reason in reasons {
            let reason = reason["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("limits.max_series"), "{reason}");
        }
    }
    assert_eq!((accepted, refused), (LIMIT as u64, (SERIES + 1 - LIMIT) as u64));
    // Known series are taken in as before.
    let again =
        json!({ "asset": "flood/before", "signal": "value", "time": "2026-01-01T00:00:01Z", "value": 2 });
    assert_eq!(server.post("/v1/readings", &again).await["accepted"], 1);
    assert_eq!(server.count("SELECT count(*) FROM readings").await, LIMIT as u64 + 1);
    assert_eq!(server.try_get("/readyz").await.0, 200);
    let peak = server.peak_memory_bytes() / MIB as u64;
    println!("peak memory after the flood of series: {peak} MiB");
    assert!(peak < 1536, "{peak} MiB");
}

#[tokio::test]
async fn check_says_all_mistakes_of_a_tree_at_once_and_exits_with_1() {
    let mut site = Site::new();
    site.settings = "limits: { max_line_bytes: plenty }\n".to_owned();
    let config = site.config().display().to_string();
    let (code, _, settings) = site.run(&["check", "--config", &config]).await;
    assert_eq!(code, 1, "{settings}");
    assert!(settings.contains("'plenty' is no size"), "{settings}");

    site.settings.clear();
    let config = site.config().display().to_string();
    let head = "pipeline: p\nsignals:\n  - { name: temperature, assets: \"**\" }\nrules:\n";
    let rules = "  - { name: hot, assets: \"**\", when: \"temprature > 90.0\", severity: huge }\n";
    let idle = "  - { name: idle, assets: \"**\", severity: minor }\n";
    site.write("pipelines/a.yaml", &format!("{head}{rules}{idle}"));
    site.write("pipelines/b.yaml", "pipeline: [\n");
    site.write("models/m.yaml", "model: m\nkind: guess\n");
    let (code, output, mistakes) = site.run(&["check", "--config", &config]).await;
    assert_eq!((code, output.as_str()), (1, ""), "{mistakes}");
    for said in [
        "a.yaml:5:",
        "unknown signal 'temprature'",
        "did you mean 'temperature'?",
        "'huge' is not one of critical, major, minor, warning",
        "a.yaml:6:",
        "the rule 'idle' must have one condition",
        "b.yaml:",
        "m.yaml:",
        "mistake(s)",
    ] {
        assert!(mistakes.contains(said), "{said:?} is missing:\n{mistakes}");
    }

    for (path, text) in
        [("pipelines/a.yaml", head.trim_end_matches("rules:\n")), ("pipelines/b.yaml", "pipeline: b\n")]
    {
        site.write(path, text);
    }
    std::fs::remove_file(site.path().join("models/m.yaml")).expect("the file is there");
    let (code, output, errors) = site.run(&["check", "--config", &config]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(output.contains("2 pipelines") && output.contains("no mistakes"), "{output}");
}
