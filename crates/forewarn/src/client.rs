//! Talks to a running server, for the commands that are thin clients of its HTTP API.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

/// A request that finds no server, or one that has no room, is sent again this often at most: about two minutes in all.
const ATTEMPTS: u32 = 12;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

/// Which server to talk to, and how to print.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server's URL.
    #[arg(long, env = "FOREWARN_SERVER", default_value = "http://127.0.0.1:8080", global = true)]
    server: Url,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The server understood and refused.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// A client of one server.
pub(crate) struct Client {
    server: Url,
    http: reqwest::Client,
}

impl Client {
    /// A client of the server that `args` names.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self> {
        Self::of(args.server.clone())
    }

    /// A client of the server at `url`.
    ///
    /// # Errors
    /// If that is no URL, or TLS cannot be set up.
    pub(crate) fn at(url: &str) -> Result<Self> {
        Self::of(url.parse().with_context(|| format!("{url} is not a URL"))?)
    }

    fn of(server: Url) -> Result<Self> {
        let http = reqwest::Client::builder().user_agent(concat!("forewarn/", env!("CARGO_PKG_VERSION"))).build();
        Ok(Self { server, http: http.context("cannot make an HTTP client")? })
    }

    /// A request to the path made of `segments`, each percent-encoded.
    ///
    /// # Errors
    /// If the server's URL cannot have a path.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(segments),
            Err(()) => bail!("{} is not the URL of a server; write it such as http://127.0.0.1:8080", self.server),
        };
        Ok(self.http.request(method, url))
    }

    /// `GET` of JSON.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn get(&self, segments: &[&str], query: &[(&str, String)]) -> Result<Value> {
        self.json(self.request(Method::GET, segments)?.query(query)).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn post(&self, segments: &[&str], body: &Value) -> Result<Value> {
        self.json(self.request(Method::POST, segments)?.json(body)).await
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value> {
        self.send(request).await?.json().await.context("the server's answer is not JSON")
    }

    /// Sends once.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.with_context(|| format!("no answer from {}: is the server running?", self.server))?;
        accept(response).await
    }

    /// Sends until there is room: requests that the server answers with 503, or not at all, are sent again. The request must be one that
    /// may be repeated. `wait` is told why it takes longer.
    ///
    /// # Errors
    /// No server after many attempts, or its refusal.
    pub(crate) async fn send_patiently(&self, request: RequestBuilder, wait: impl Fn(&str)) -> Result<Value> {
        let mut attempt = 1;
        loop {
            let again = request.try_clone().context("this request cannot be repeated")?;
            let (reason, pause) = match again.send().await {
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE && attempt < ATTEMPTS => {
                    let pause = retry_after(&response);
                    ("the server has no room".to_owned(), pause.unwrap_or_else(|| backoff(attempt)))
                }
                Err(error) if attempt < ATTEMPTS => (format!("no answer from {}: {error}", self.server), backoff(attempt)),
                Ok(response) => return accept(response).await?.json().await.context("the server's answer is not JSON"),
                Err(error) => return Err(error).with_context(|| format!("no answer from {}: is the server running?", self.server)),
            };
            wait(&format!("{reason}; again in {} s", pause.as_secs_f64()));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            attempt += 1;
        }
    }

    /// Waits until the run has ended, and gives its last state.
    ///
    /// # Errors
    /// No server, or a run that it does not know.
    pub(crate) async fn ended_run(&self, run: &str) -> Result<Value> {
        loop {
            let state = self.get(&["v1", "jobs", "runs", run], &[]).await?;
            if matches!(state["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
                return Ok(state);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(250).saturating_mul(1 << attempt.min(7)).min(LONGEST_PAUSE)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Lets an answer through, or makes its problem an error.
async fn accept(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    Err(Refused(explain(status, &text)).into())
}

fn explain(status: StatusCode, text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(text) else {
        return format!("the server answered {status}: {}", text.chars().take(300).collect::<String>());
    };
    let part = |key: &str| problem[key].as_str().filter(|part| !part.is_empty());
    let what = part("detail").or_else(|| part("title")).or_else(|| part("message")).unwrap_or("no reason given");
    match part("hint") {
        Some(hint) => format!("{what} ({hint})"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_hint() {
        let check = |body: &str, expected: &str| assert_eq!(explain(StatusCode::NOT_FOUND, body), expected);
        check(
            r#"{"title":"Not found","detail":"there is no job x","hint":"GET /v1/jobs lists all"}"#,
            "there is no job x (GET /v1/jobs lists all)",
        );
        check(r#"{"title":"Not found"}"#, "Not found");
        check("<html>", "the server answered 404 Not Found: <html>");
    }

    #[test]
    fn names_in_paths_are_percent_encoded() {
        let args = ServerArgs { server: "http://h:1/base/".parse().unwrap(), json: false };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(&args).unwrap();
        let request = client.request(Method::GET, &["v1", "assets", "plant1/pump 7"]).unwrap().build().unwrap();
        assert_eq!(request.url().as_str(), "http://h:1/base/v1/assets/plant1%2Fpump%207");
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        assert_eq!([1, 2, 9].map(|attempt| backoff(attempt).as_millis()), [500, 1_000, 20_000]);
    }
}
