//! An S3 server for tests: `moto`, with a proxy before it that misbehaves on command.
//!
//! The program reaches the bucket through the proxy alone. The proxy works on connections: it passes them on,
//! cuts them, holds answers back, or answers `503 SlowDown` itself. What readers of other makes ask goes
//! straight to `moto`.
//!
//! What `moto` is not: it keeps objects in memory and loses them with its process, so nothing here says
//! anything about the durability of the store. It checks neither signatures nor clocks, and any credentials
//! will do. Its conditional puts are atomic and its lists are consistent, as those of S3 are. It answers
//! within milliseconds, one request a thread.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::peers;

/// The bucket that tests use.
pub const BUCKET: &str = "plant";
const CHUNK_BYTES: usize = 64 << 10;
const SLOW_DOWN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <Error><Code>SlowDown</Code>\
    <Message>Please reduce your request rate.</Message><RequestId>0</RequestId></Error>";

/// What the proxy does with what reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It passes everything on.
    Pass,
    /// It ends every connection, old and new, at once.
    Cut,
    /// It passes requests on and holds each answer back for so long.
    Slow(Duration),
    /// It answers each request with `503 SlowDown`.
    Busy,
    /// It passes requests on, and ends the connection where one in so many answers should come: the store has
    /// done what was asked, and its sender does not learn of it.
    LoseAnswers {
        /// One in so many.
        every: usize,
    },
}

/// A server with an empty bucket. Both end when this is dropped.
pub struct S3 {
    _moto: Child,
    address: String,
    proxy: String,
    behaviour: watch::Sender<Behaviour>,
    troubled: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl S3 {
    /// Starts a server with an empty bucket. `None`, after saying so, where there is no Python for it.
    ///
    /// # Panics
    /// If it does not start, and in CI if it is missing.
    pub async fn start() -> Option<Self> {
        let python = peers::python()?;
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-p", "0", "-H", "127.0.0.1"]).env("PYTHONUNBUFFERED", "1");
        let mut moto = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let mut lines = BufReader::new(moto.stderr.take().expect("its output is piped")).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines
                .next_line()
                .await
                .expect("text")
                .unwrap_or_else(|| panic!("moto does not start:\n{}", said.join("\n")));
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().to_owned();
            }
            said.push(line);
        };
        // It writes a line for each request, which must be read.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let made =
            crate::site::http().put(format!("http://{address}/{BUCKET}")).send().await.expect("moto answers");
        assert!(made.status().is_success(), "no bucket: {made:?}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = listener.local_addr().expect("an address").to_string();
        let (behaviour, told) = watch::channel(Behaviour::Pass);
        let troubled = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, address.clone(), told, Arc::clone(&troubled)));
        Some(Self { _moto: moto, address, proxy, behaviour, troubled, task })
    }

    /// Makes the proxy behave so from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// How many connections the proxy has taken, and answers it has seen, while it did not pass everything
    /// on.
    pub fn troubled(&self) -> usize {
        self.troubled.load(Ordering::SeqCst)
    }

    /// The lake's URL.
    pub fn lake(&self) -> String {
        format!("s3://{BUCKET}/lakes/one")
    }

    /// The environment in which the program finds the store behind the proxy.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.proxy)
    }

    /// The environment in which other programs find the store without the proxy.
    pub fn direct(&self) -> Vec<(String, String)> {
        environment(&self.address)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The standard variables, and none of the machine's own that could lead elsewhere.
fn environment(address: &str) -> Vec<(String, String)> {
    let endpoint = format!("http://{address}");
    let variables = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "plant"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

async fn serve(
    listener: TcpListener,
    address: String,
    behaviour: watch::Receiver<Behaviour>,
    troubled: Arc<AtomicUsize>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (address, mut behaviour, troubled) = (address.clone(), behaviour.clone(), Arc::clone(&troubled));
        tokio::spawn(async move {
            let now = *behaviour.borrow_and_update();
            if now != Behaviour::Pass {
                troubled.fetch_add(1, Ordering::SeqCst);
            }
            match now {
                Behaviour::Cut => drop(client),
                Behaviour::Busy => refuse(client).await,
                // A change of mind ends the connections there are: what was on its way is lost, as it is when
                // a network goes down.
                _ => tokio::select! {
                    () = pass_on(client, &address, now, &troubled) => {}
                    _ = behaviour.wait_for(|newest| *newest != now) => {}
                },
            }
        });
    }
}

/// Passes bytes on in both directions until one side ends.
async fn pass_on(client: TcpStream, address: &str, behaviour: Behaviour, troubled: &AtomicUsize) {
    let Ok(server) = TcpStream::connect(address).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // Set by what the client says, taken by the first bytes of the answer.
    let asked = AtomicBool::new(false);
    tokio::select! {
        () = forward(from_client, to_server, &asked) => {}
        () = answer(from_server, to_client, &asked, behaviour, troubled) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asked: &AtomicBool) {
    let mut bytes = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        asked.store(true, Ordering::SeqCst);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    asked: &AtomicBool,
    behaviour: Behaviour,
    troubled: &AtomicUsize,
) {
    let mut bytes = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if behaviour != Behaviour::Pass && asked.swap(false, Ordering::SeqCst) {
            let number = troubled.fetch_add(1, Ordering::SeqCst);
            match behaviour {
                Behaviour::Slow(wait) => tokio::time::sleep(wait).await,
                Behaviour::LoseAnswers { every } if number.is_multiple_of(every) => return,
                _ => {}
            }
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Reads one request whole, so that the client has said all before it is answered, and refuses it.
async fn refuse(mut client: TcpStream) {
    let mut request = Vec::new();
    let head = loop {
        if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if !matches!(client.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0_usize);
    while request.len() < head + length {
        if !matches!(client.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    let head = format!(
        "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        SLOW_DOWN.len()
    );
    // A client that has left needs no answer.
    let _ = client.write_all(format!("{head}{SLOW_DOWN}").as_bytes()).await;
}
