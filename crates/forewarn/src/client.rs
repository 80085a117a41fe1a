//! Talks to a running server, for the commands that are thin clients of its HTTP API.

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::{Host, Url};

/// A request that finds no server, or one that has no room, is sent again this often at most: about two
/// minutes in all.
const ATTEMPTS: u32 = 12;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

/// Which server to talk to, and how to print.
#[derive(Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server's URL, or its host and port.
    #[arg(long, env = "FOREWARN_SERVER", default_value = "http://127.0.0.1:8080", global = true, value_parser = parse_server)]
    server: Url,
    /// A file with the certificates, in PEM form, of those who may have issued the server's; without it those that the
    /// system trusts.
    #[arg(long, env = "FOREWARN_CA", global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The API token that says who you are; better in the environment than on the command line, where other
    /// users of the machine see it.
    #[arg(long, env = "FOREWARN_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl fmt::Debug for ServerArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("ServerArgs").field("server", &self.server.as_str()).finish_non_exhaustive()
    }
}

fn parse_server(text: &str) -> Result<Url, String> {
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let parsed: Result<Url, _> = url.parse();
    match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err("write the URL of a server, such as http://127.0.0.1:8080".to_owned()),
    }
}

/// The server understood and refused.
#[derive(Debug)]
pub(crate) struct Refused {
    words: String,
    /// The whole answer, where it is JSON.
    pub(crate) answer: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Refused {}

/// A client of one server.
pub(crate) struct Client {
    server: Url,
    http: reqwest::Client,
    shows: Shows,
}

/// How the client says who asks.
enum Shows {
    Nothing,
    Token(String),
    /// The cookie of a login.
    Login(String),
}

impl Client {
    /// A client of the server that `args` names.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self> {
        Self::of(args.server.clone(), args.ca.as_deref(), args.token.clone())
    }

    /// A client of the server at `url`.
    ///
    /// # Errors
    /// If that is no URL, or TLS cannot be set up.
    pub(crate) fn at(url: &str) -> Result<Self> {
        Self::of(url.parse().with_context(|| format!("{url} is not a URL"))?, None, None)
    }

    fn of(server: Url, ca: Option<&Path>, token: Option<String>) -> Result<Self> {
        let token = token.filter(|token| !token.is_empty());
        let shows = token.map_or(Shows::Nothing, Shows::Token);
        let mut http = reqwest::Client::builder().user_agent(concat!("forewarn/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&server) {
            // A proxy that the environment names would look for the server on its own machine.
            http = http.no_proxy();
        }
        if let Some(ca) = ca {
            http = http.tls_certs_only(certificates(ca)?);
        }
        Ok(Self { server, http: http.build().context("cannot make an HTTP client")?, shows })
    }

    /// Logs in with `body`; the client shows the login from then on.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn logged_in(self, body: &Value) -> Result<Self> {
        let answer = self.send(self.request(Method::POST, &["v1", "login"])?.json(body)).await?;
        let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).context("the login has no cookie")?;
        let shows = Shows::Login(cookie.to_owned());
        Ok(Self { shows, ..self })
    }

    /// Whether the server is told who asks.
    pub(crate) const fn is_named(&self) -> bool {
        !matches!(self.shows, Shows::Nothing)
    }

    /// A request to the path made of `segments`, each percent-encoded.
    ///
    /// # Errors
    /// If the server's URL cannot have a path.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(segments),
            Err(()) => {
                bail!("{} is not the URL of a server; write it such as http://127.0.0.1:8080", self.server)
            }
        };
        let request = self.http.request(method, url);
        Ok(match &self.shows {
            Shows::Token(token) => request.bearer_auth(token),
            Shows::Login(cookie) => request.header("cookie", cookie),
            Shows::Nothing => request,
        })
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

    /// `POST` of JSON, with parameters.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn post_with(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<Value> {
        self.json(self.request(Method::POST, segments)?.query(query).json(body)).await
    }

    /// `POST` of JSON that is answered without a body.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn post_only(&self, segments: &[&str], body: &Value) -> Result<()> {
        self.send(self.request(Method::POST, segments)?.json(body)).await.map(drop)
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn delete(&self, segments: &[&str]) -> Result<()> {
        self.send(self.request(Method::DELETE, segments)?).await.map(drop)
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value> {
        self.send(request).await?.json().await.context("the server's answer is not JSON")
    }

    /// Sends once.
    ///
    /// # Errors
    /// No server, or its refusal.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        match request.send().await {
            Ok(response) => accept(response).await,
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> anyhow::Error {
        let asked = if error.is_connect() {
            ": is the server running there? (--server URL names another)"
        } else {
            ""
        };
        anyhow!("no answer from {}: {}{asked}", self.server.as_str().trim_end_matches('/'), root(error))
    }

    /// Sends until there is room: requests that the server answers with 503, or not at all, are sent again.
    /// The request must be one that may be repeated. `wait` is told why it takes longer.
    ///
    /// # Errors
    /// No server after many attempts, or its refusal.
    pub(crate) async fn send_patiently(&self, request: RequestBuilder, wait: impl Fn(&str)) -> Result<Value> {
        let mut attempt = 1;
        loop {
            let again = request.try_clone().context("this request cannot be repeated")?;
            let (reason, pause) = match again.send().await {
                Ok(response)
                    if response.status() == StatusCode::SERVICE_UNAVAILABLE && attempt < ATTEMPTS =>
                {
                    let pause = retry_after(&response);
                    ("the server has no room".to_owned(), pause.unwrap_or_else(|| backoff(attempt)))
                }
                Err(error) if attempt < ATTEMPTS => {
                    (format!("{:#}", self.no_answer(&error)), backoff(attempt))
                }
                Ok(response) => {
                    return accept(response).await?.json().await.context("the server's answer is not JSON");
                }
                Err(error) => return Err(self.no_answer(&error)),
            };
            wait(&format!("{reason}; trying again in {} s", pause.as_secs_f64()));
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

/// The certificates in the file `path`.
fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let shown = path.display();
    let pem = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let found = Certificate::from_pem_bundle(&pem).with_context(|| format!("{shown} is not in PEM form"))?;
    if found.is_empty() {
        bail!("{shown} holds no certificate in PEM form");
    }
    Ok(found)
}

/// Whether `server` is this machine by the name or an address of its loopback.
fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The innermost reason of an error; those around it only say which part of the client met it.
fn root(error: &reqwest::Error) -> String {
    let mut reason = error.source();
    while let Some(inner) = reason.and_then(|reason| reason.source()) {
        reason = Some(inner);
    }
    reason.map_or_else(|| error.to_string(), ToString::to_string)
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
    let answer = serde_json::from_str(&text).unwrap_or_default();
    Err(Refused { words: explain(status, &text), answer }.into())
}

fn explain(status: StatusCode, text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(text) else {
        return format!("the server answered {status}: {}", text.chars().take(300).collect::<String>());
    };
    let part = |key: &str| problem[key].as_str().filter(|part| !part.is_empty());
    let what =
        part("detail").or_else(|| part("title")).or_else(|| part("message")).unwrap_or("no reason given");
    match part("hint") {
        Some(hint) => as_commands(&format!("{what} ({hint})")),
        None => as_commands(what),
    }
}

/// Where the server names a route that has a command, the command: what whoever types commands can use.
fn as_commands(text: &str) -> String {
    let text =
        text.replace("POST …/comment", "`forewarn alert comment`").replace("POST /v1/sql", "`forewarn sql`");
    let mut parts = text.split("GET /v1/");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (route, rest) = part.split_at(part.find([' ', ';', ',', ')']).unwrap_or(part.len()));
        match command(route) {
            Some(command) => told.extend(["`forewarn ", &command, "`"]),
            None => told.extend(["GET /v1/", route]),
        }
        told.push_str(rest);
    }
    told
}

/// The command that does what `GET /v1/{route}` does.
fn command(route: &str) -> Option<String> {
    let name = |segment: &str| {
        if segment.starts_with('{') {
            segment.trim_matches(['{', '}']).to_uppercase()
        } else {
            segment.to_owned()
        }
    };
    Some(match route.split('/').collect::<Vec<_>>().as_slice() {
        ["rules"] => "rule list".to_owned(),
        ["jobs"] => "job list".to_owned(),
        ["jobs", job, "runs"] => format!("job runs {}", name(job)),
        ["models"] => "model list".to_owned(),
        ["models", model, "versions"] => format!("model versions {}", name(model)),
        ["alerts"] => "alert list".to_owned(),
        ["users"] => "user list".to_owned(),
        ["tokens"] => "token list".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_hint() {
        let check = |body: &str, expected: &str| assert_eq!(explain(StatusCode::NOT_FOUND, body), expected);
        check(
            r#"{"title":"Not found","detail":"there is no job x","hint":"GET /v1/jobs lists all"}"#,
            "there is no job x (`forewarn job list` lists all)",
        );
        check(
            r#"{"detail":"model m has no version \"1\"; GET /v1/models/m/versions lists those there are"}"#,
            "model m has no version \"1\"; `forewarn model versions m` lists those there are",
        );
        check(
            r#"{"detail":"no run","hint":"GET /v1/jobs/{job}/runs lists the newest; GET /v1/elsewhere, too"}"#,
            "no run (`forewarn job runs JOB` lists the newest; GET /v1/elsewhere, too)",
        );
        check(r#"{"title":"Not found"}"#, "Not found");
        check("<html>", "the server answered 404 Not Found: <html>");
    }

    #[test]
    fn names_in_paths_are_percent_encoded() {
        let args =
            ServerArgs { server: "http://h:1/base/".parse().unwrap(), ca: None, token: None, json: false };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(&args).unwrap();
        let request =
            client.request(Method::GET, &["v1", "assets", "plant1/pump 7"]).unwrap().build().unwrap();
        assert_eq!(request.url().as_str(), "http://h:1/base/v1/assets/plant1%2Fpump%207");
    }

    #[test]
    fn a_server_may_be_given_by_host_and_port() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_server(text).ok().map(|url| url.to_string()).as_deref(), expected, "{text}");
        };
        check("localhost:8080", Some("http://localhost:8080/"));
        check("10.0.0.1:80", Some("http://10.0.0.1/"));
        check("https://forewarn.example/base", Some("https://forewarn.example/base"));
        check("ftp://host", None);
        check("", None);
    }

    #[test]
    fn a_proxy_is_for_servers_elsewhere() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_loopback(&parse_server(text).unwrap()), expected, "{text}");
        };
        for here in ["localhost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "a.localhost"] {
            check(here, true);
        }
        for elsewhere in ["forewarn.example", "10.0.0.1:80", "[2001:db8::1]", "localhost.example"] {
            check(elsewhere, false);
        }
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        assert_eq!([1, 2, 9].map(|attempt| backoff(attempt).as_millis()), [500, 1_000, 20_000]);
    }
}
