//! Start-up against a store that gives canned answers: what it is asked, and what the operator reads then.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use object_store::aws::AmazonS3Builder;

use super::*;
use crate::store::place::Place;

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_767_225_600_000_000);

/// Answers each request with what `answer` says to its method: the status line's end, more headers, and a
/// body.
fn canned(answer: impl Fn(&str, usize) -> (String, String, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().flatten().enumerate() {
            let (mut connection, method) = request(connection);
            let (status, headers, body) = answer(&method, number);
            let length = if method == "HEAD" { 5 } else { body.len() };
            let body = if method == "HEAD" { "" } else { &body };
            let text = format!(
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = connection.write_all(text.as_bytes());
        }
    });
    format!("http://{address}")
}

/// Reads a request whole; its method.
fn request(mut connection: TcpStream) -> (TcpStream, String) {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0_usize);
            if body.len() >= length {
                let method = head.split(' ').next().unwrap().to_ascii_uppercase();
                return (connection, method);
            }
        }
        match connection.read(&mut part) {
            Ok(read @ 1..) => bytes.extend_from_slice(&part[..read]),
            _ => return (connection, String::new()),
        }
    }
}

fn builder(endpoint: &str) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_region("eu-north-1")
        .with_access_key_id("id")
        .with_secret_access_key("key")
        .with_allow_http(true)
}

fn check(builder: AmazonS3Builder) -> Result<(), String> {
    let files = ObjectFiles::open_s3("s3://plant/lake", "plant/lake", builder)?;
    crate::store::runtime().unwrap().block_on(files.check(NOW))
}

/// What is said if the store answers everything with `status` and the error `code`.
fn refused(status: &str, code: &str) -> String {
    let (status, body) =
        (status.to_owned(), format!("<Error><Code>{code}</Code><Message>No.</Message></Error>"));
    check(builder(&canned(move |_, _| (status.clone(), String::new(), body.clone())))).unwrap_err()
}

/// What is said if the store works, its clock shows `ahead_us` more than ours, and a file that is there is
/// answered by `second`.
fn working(second: &'static str, ahead_us: i64) -> Result<(), String> {
    let modified = chrono::DateTime::from_timestamp_micros(NOW.0 + ahead_us)
        .unwrap()
        .to_rfc2822()
        .replace("+0000", "GMT");
    let endpoint = canned(move |method, number| match (method, number) {
        ("PUT", 0) => ("200 OK".into(), "etag: \"1\"\r\n".into(), String::new()),
        ("PUT", _) => (second.into(), "etag: \"2\"\r\n".into(), String::new()),
        ("HEAD", _) => {
            ("200 OK".into(), format!("etag: \"1\"\r\nlast-modified: {modified}\r\n"), String::new())
        }
        _ => (
            "200 OK".into(),
            String::new(),
            "<DeleteResult><Deleted><Key>probe</Key></Deleted></DeleteResult>".into(),
        ),
    });
    check(builder(&endpoint))
}

#[test]
fn each_refusal_names_its_remedy() {
    let cases = [
        ("404 Not Found", "NoSuchBucket", "has no bucket plant at http://127.0.0.1", "create it"),
        (
            "403 Forbidden",
            "InvalidAccessKeyId",
            "refuses the credentials (InvalidAccessKeyId)",
            "correct AWS_ACCESS_KEY_ID",
        ),
        (
            "403 Forbidden",
            "SignatureDoesNotMatch",
            "refuses the credentials (SignatureDoesNotMatch)",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("400 Bad Request", "ExpiredToken", "refuses the credentials (ExpiredToken)", "AWS_SESSION_TOKEN"),
        (
            "403 Forbidden",
            "AccessDenied",
            "refuses access to the bucket plant (AccessDenied)",
            "s3:PutObject",
        ),
        (
            "403 Forbidden",
            "RequestTimeTooSkewed",
            "this machine's clock is wrong (RequestTimeTooSkewed)",
            "NTP",
        ),
        (
            "400 Bad Request",
            "AuthorizationHeaderMalformed",
            "in another region than eu-north-1",
            "correct AWS_REGION",
        ),
        ("501 Not Implemented", "NotImplemented", "does not know conditional puts", "If-None-Match"),
        ("503 Slow Down", "SlowDown", "is overloaded or broken (SlowDown)", "try again later"),
    ];
    for (status, code, problem, remedy) in cases {
        let said = refused(status, code);
        assert!(said.contains(problem) && said.contains(remedy), "{code}: {said}");
    }
}

#[test]
fn a_redirect_points_at_the_region() {
    let said = check(builder(&canned(|_, _| ("301 Moved Permanently".into(), String::new(), String::new()))))
        .unwrap_err();
    assert!(
        said.contains("in another region than eu-north-1") && said.contains("correct AWS_REGION"),
        "{said}"
    );
}

#[test]
fn a_store_that_nobody_serves_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = check(builder(&endpoint)).unwrap_err();
    assert!(
        said.contains(&format!("cannot be reached at {endpoint}")) && said.contains("correct AWS_ENDPOINT"),
        "{said}"
    );
}

#[test]
fn an_open_endpoint_must_be_meant() {
    let said = check(builder("http://127.0.0.1:1").with_allow_http(false)).unwrap_err();
    assert!(
        said.contains("without encryption at http://127.0.0.1:1") && said.contains("AWS_ALLOW_HTTP=true"),
        "{said}"
    );
}

#[test]
fn a_store_that_overwrites_is_refused() {
    working("412 Precondition Failed", 0).unwrap();
    let said = working("200 OK", 0).unwrap_err();
    assert!(said.contains("no conditional put") && said.contains("If-None-Match"), "{said}");
}

#[test]
fn clocks_that_differ_are_told_and_refused_as_s3_does() {
    working("412 Precondition Failed", 14 * MINUTE_US).unwrap();
    working("412 Precondition Failed", -14 * MINUTE_US).unwrap();
    let said = working("412 Precondition Failed", 20 * MINUTE_US).unwrap_err();
    assert!(
        said.contains("this machine's is 20 minutes behind the store's") && said.contains("NTP"),
        "{said}"
    );
    let said = working("412 Precondition Failed", -60 * MINUTE_US).unwrap_err();
    assert!(said.contains("60 minutes ahead of the store's"), "{said}");
}

#[test]
fn without_credentials_the_variables_are_named() {
    let place = Place {
        bucket: "plant".into(),
        endpoint: "https://s3.amazonaws.com".into(),
        region: "us-east-1".into(),
    };
    let said = "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 2s - HTTP \
        error: error sending request";
    assert!(remedy(said, &place).unwrap().contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
}
