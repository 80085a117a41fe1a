//! A folder with settings and definitions, and the server that runs on it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_mins(2);
/// Between two questions to another process that has no way to call back.
const POLL: Duration = Duration::from_millis(20);

/// The program under test. It stands beside the folder of the running test; `make test` builds it first.
///
/// # Panics
/// If it has not been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FOREWARN_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("tests run from target/<profile>/deps");
    let path = folder.join("forewarn");
    assert!(path.exists(), "{} is missing: build it first (make build)", path.display());
    path
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it does not come to hold.
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(comes_to_hold(condition).await, "{what}: did not come within {PATIENCE:?}");
}

async fn comes_to_hold(mut condition: impl AsyncFnMut() -> bool) -> bool {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.is_ok()
}

/// A folder to run servers on, one after another.
pub struct Site {
    dir: TempDir,
    /// Lines of `forewarn.yaml` beside the usual ones.
    pub settings: String,
    /// The lake's URL; by default a folder of the site.
    pub lake_url: Option<String>,
    /// Variables that servers find in their environment beside those of the test.
    pub environment: Vec<(String, String)>,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An empty folder without definitions.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a folder for the test");
        for folder in ["pipelines", "models"] {
            std::fs::create_dir(dir.path().join(folder)).expect("a folder in the test's folder");
        }
        Self { dir, settings: String::new(), lake_url: None, environment: Vec::new() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The Delta tables.
    pub fn lake(&self) -> PathBuf {
        self.path().join("data/lake")
    }

    /// Writes a file below the folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).expect("a file in the test's folder");
    }

    /// Writes `pipelines/test.yaml`.
    pub fn pipeline(&self, text: &str) {
        self.write("pipelines/test.yaml", text);
    }

    /// Writes the settings file and gives its path.
    pub fn config(&self) -> PathBuf {
        let root = self.path().display();
        let lake = self.lake_url.clone().unwrap_or_else(|| format!("file://{root}/data/lake"));
        let text = format!(
            "listen: 127.0.0.1:0\ndata_dir: {root}/data\nlake: {lake}\npipelines: {root}/pipelines\n\
             models: {root}/models\n{}",
            self.settings
        );
        self.write("forewarn.yaml", &text);
        self.path().join("forewarn.yaml")
    }

    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// If it does not get ready.
    pub async fn start(&self) -> Server {
        let server = self.launch().await;
        let ready = comes_to_hold(async || server.try_get("/readyz").await.0 == 200).await;
        assert!(ready, "the server does not get ready:\n{}", self.log());
        server
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// If it does not get that far.
    pub async fn launch(&self) -> Server {
        self.try_launch().await.unwrap_or_else(|status| panic!("{status}: {}", self.log()))
    }

    /// Starts a server and waits until it listens, or has ended before that.
    ///
    /// # Errors
    /// How it has ended.
    ///
    /// # Panics
    /// If it does neither.
    pub async fn try_launch(&self) -> Result<Server, ExitStatus> {
        let mut process = self.spawn();
        let mut lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        let listening = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, url)) = line.split_once("listens on ") {
                    return Some(url.to_owned());
                }
            }
            None
        };
        let heard =
            tokio::time::timeout(PATIENCE, listening).await.unwrap_or_else(|_| panic!("{}", self.log()));
        match heard {
            Some(url) => Ok(Server { process, url, http: http() }),
            None => Err(process.wait().await.expect("the server's exit status")),
        }
    }

    /// Starts the process of a server and waits for nothing. It is killed when it is dropped.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn spawn(&self) -> Child {
        let mut command = Command::new(binary());
        command.envs(self.environment.iter().cloned());
        command
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path().join("server.log"))
            .expect("a log for the server");
        command.stderr(log).spawn().expect("the server starts")
    }

    /// Runs a command of the program against nothing or a server; gives its exit code, standard output and
    /// standard error.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let environment = self.environment.iter().cloned();
        let output = Command::new(binary())
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// What servers have written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("server.log")).unwrap_or_default()
    }
}

/// An HTTP client for servers on this machine.
///
/// # Panics
/// If it cannot be made.
pub fn http() -> reqwest::Client {
    // A second installation is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("an HTTP client")
}

/// A server that runs. It is killed when this is dropped.
pub struct Server {
    process: Child,
    /// Where it listens, without a slash at the end.
    pub url: String,
    http: reqwest::Client,
}

impl Server {
    /// The HTTP client, for requests of other kinds.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Its process id.
    ///
    /// # Panics
    /// If it has ended.
    pub fn pid(&self) -> u32 {
        self.process.id().expect("the server runs")
    }

    /// `GET path`, which must succeed; the answer as JSON, or as a string where it is none.
    ///
    /// # Panics
    /// If it does not succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert!((200..300).contains(&status), "GET {path}: {status} {body}");
        body
    }

    /// `GET path`, with its status.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn try_get(&self, path: &str) -> (u16, Value) {
        read(self.http.get(format!("{}{path}", self.url)).send().await.expect("an answer")).await
    }

    /// `POST path` with a JSON body, which must succeed.
    ///
    /// # Panics
    /// If it does not succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(path, body.to_string()).await;
        assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
        answer
    }

    /// `POST path` with any body, with the answer's status.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body);
        read(request.send().await.expect("an answer")).await
    }

    /// The rows of a query.
    ///
    /// # Panics
    /// If the query fails.
    pub async fn sql(&self, query: &str) -> Vec<Vec<Value>> {
        let answer = self.post("/v1/sql", &json!({ "query": query })).await;
        let rows = answer["rows"].as_array().expect("rows");
        rows.iter().map(|row| row.as_array().expect("a row").clone()).collect()
    }

    /// The only value of a query.
    ///
    /// # Panics
    /// If the query fails or gives no integer.
    pub async fn count(&self, query: &str) -> u64 {
        self.sql(query).await[0][0].as_u64().expect("a count")
    }

    /// A figure of `/metrics`, by name and labels as the page shows them.
    ///
    /// # Panics
    /// If the page does not show it as a whole number.
    pub async fn metric(&self, sample: &str) -> u64 {
        let page = self.get("/metrics").await;
        let lines = page.as_str().expect("a page").lines();
        let value = lines
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(name, _)| *name == sample)
            .map(|(_, value)| value);
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no figure {sample} in\n{page}"))
    }

    /// All alerts, of all pages.
    ///
    /// # Panics
    /// If they cannot be read.
    pub async fn alerts(&self, filter: &str) -> Vec<Value> {
        let mut alerts = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/v1/alerts?limit=1000{filter}{cursor}")).await;
            alerts.extend(page["alerts"].as_array().expect("alerts").iter().cloned());
            match &page["next"] {
                Value::Null => return alerts,
                next => {
                    let next = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
                    cursor = format!("&cursor={next}");
                }
            }
        }
    }

    /// Waits until a run has ended, and gives it.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn run_ended(&self, run: &str) -> Value {
        let ended = async {
            loop {
                let run = self.get(&format!("/v1/jobs/runs/{run}")).await;
                if matches!(run["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
                    return run;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE * 5, ended).await.unwrap_or_else(|_| panic!("run {run} does not end"))
    }

    /// Sends the process a SIGKILL, unless it has ended, and does not wait for its end.
    pub fn signal_kill(&mut self) {
        let _sent = self.process.start_kill();
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Panics
    /// If the system does not know it.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.wait().await.expect("the server's exit status")
    }

    /// Kills the process as a power cut would, and waits until it is gone.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("the server can be killed");
    }

    /// Asks the process to end, and waits until it has.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs");
        assert!(asked.success());
        let ended =
            tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("the server ends when asked to");
        ended.expect("the server's exit status")
    }

    /// The most memory the process has had, in bytes.
    ///
    /// # Panics
    /// If it has ended.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory the process has now, in bytes.
    ///
    /// # Panics
    /// If it has ended.
    pub fn memory_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, figure: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).expect("the kernel knows it");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
    }
}

async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
