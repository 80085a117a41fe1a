//! Connections as bytes, for clients that do what no HTTP library does: send slowly, read nothing, stay idle.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::site::Server;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The address of `server`.
///
/// # Panics
/// If it has none.
pub fn address(server: &Server) -> SocketAddr {
    let (_, address) = server.url.split_once("://").expect("a URL");
    address.parse().expect("an address")
}

/// Lets this process open as many files as a test of many connections needs.
///
/// # Panics
/// If the system does not allow it.
pub fn allow_files(count: u64) {
    let allowed = rlimit::increase_nofile_limit(count).expect("a limit of open files");
    assert!(
        allowed >= count,
        "this test needs {count} open files, and {allowed} are allowed: raise ulimit -n"
    );
}

/// A connection to `server` that takes in little before it is read.
///
/// # Panics
/// If the server does not take it.
pub async fn connect(server: &Server) -> TcpStream {
    const WINDOW_BYTES: u32 = 4 << 10;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(WINDOW_BYTES).expect("a small window");
    let connected = tokio::time::timeout(PATIENCE, socket.connect(address(server))).await;
    connected.expect("the server takes connections").expect("a connection")
}

/// A connection on which `text` has been sent.
///
/// # Panics
/// If the server does not take it.
pub async fn send(server: &Server, text: &[u8]) -> TcpStream {
    let mut stream = connect(server).await;
    // The server may have had enough before all of it is sent.
    let _ = stream.write_all(text).await;
    stream
}

/// A request with a body, as it is sent.
pub fn post(server: &Server, path: &str, kind: &str, body: &str) -> Vec<u8> {
    let (address, bytes) = (address(server), body.len());
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\n");
    format!("{head}content-length: {bytes}\r\n\r\n{body}").into_bytes()
}

/// A request without a body, as it is sent.
pub fn get(server: &Server, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", address(server)).into_bytes()
}

/// The status of the answer that comes; `None` if the connection ends without one.
///
/// # Panics
/// If neither comes.
pub async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
    read.expect("an answer, or an end").ok()?;
    std::str::from_utf8(&head[9..]).ok()?.parse().ok()
}
