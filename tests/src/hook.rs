//! A web server that takes webhooks: it remembers every request, and misbehaves if it is told to.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Takes it.
    Ok,
    /// Answers 500.
    Fail,
    /// Answers 429 and asks to be left alone for a second.
    TooMany,
    /// Closes the connection without an answer.
    Close,
    /// Never answers.
    Hang,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path.
    pub path: String,
    /// The header `Idempotency-Key`.
    pub key: String,
    /// All headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub text: String,
    /// The body as JSON, if it is.
    pub body: Value,
    /// What was done with it.
    pub answer: Answer,
    /// When it came.
    pub came: std::time::SystemTime,
}

impl Request {
    /// What it says about alerts: (id, status).
    pub fn alerts(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = self.body["alerts"].as_array().cloned().unwrap_or_default();
        alerts.iter().map(|alert| (text(&alert["id"]), text(&alert["status"]))).collect()
    }
}

/// The server. It ends with the test.
pub struct Hook {
    /// Where it listens, without a slash at the end.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Hook {
    /// A server that takes everything.
    pub async fn start() -> Self {
        Self::start_with(|_| Answer::Ok).await
    }

    /// A server that does with the n-th request what `answer` says.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start_with(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while serve(&mut stream, &seen, &*answer).await.is_some() {}
                });
            }
        });
        Self { url, requests }
    }

    /// All requests so far, in the order in which they came.
    ///
    /// # Panics
    /// Never: no thread panics with the list.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no thread panics with it").clone()
    }

    /// Those that were taken.
    pub fn taken(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.answer == Answer::Ok).collect()
    }
}

/// Serves one request of a connection; nothing if it is to be closed.
async fn serve(
    stream: &mut BufReader<TcpStream>,
    seen: &Mutex<Vec<Request>>,
    answer: &(dyn Fn(usize) -> Answer + Send + Sync),
) -> Option<()> {
    let mut request = read(stream).await?;
    let answer = {
        let mut seen = seen.lock().expect("no thread panics with it");
        request.answer = answer(seen.len());
        let answer = request.answer;
        seen.push(request);
        answer
    };
    let head = match answer {
        Answer::Ok => "200 OK\r\n",
        Answer::Fail => "500 Internal Server Error\r\n",
        Answer::TooMany => "429 Too Many Requests\r\nRetry-After: 1\r\n",
        Answer::Close => return None,
        Answer::Hang => return std::future::pending().await,
    };
    let text = format!("HTTP/1.1 {head}Content-Length: 2\r\n\r\nok");
    stream.get_mut().write_all(text.as_bytes()).await.ok()
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    Some(Request {
        path,
        key: header("idempotency-key"),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        headers,
        answer: Answer::Ok,
        came: now(),
    })
}

#[expect(clippy::disallowed_methods, reason = "latencies are measured against the machine's clock")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
