//! What is done where the process may open no more files, and so cannot accept a connection: a descriptor kept
//! for this is given up for a moment, so that who waits in line is turned away at once and not left hanging.

use std::fs::File;
use std::io;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::net::{TcpListener, TcpStream};

/// After an error that may come again at once, the next connection waits for this long.
const PAUSE: Duration = Duration::from_millis(50);

/// What a connection hears that finds no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 2\r\n\
                      connection: close\r\n\r\n";

/// A descriptor that is kept.
pub(super) struct Spare {
    file: Option<File>,
    /// Whether the server's log says so already.
    told: bool,
}

impl Spare {
    pub(super) fn new() -> Self {
        Self { file: open(), told: false }
    }

    /// Takes the descriptor back once there are some.
    pub(super) fn regain(&mut self) {
        if self.file.is_none() {
            self.file = open();
        }
        self.told &= self.file.is_none();
    }

    /// After `error` at accepting: turns the next one in line away if there is no descriptor for it, and room
    /// was not made otherwise.
    pub(super) async fn after(&mut self, listener: &TcpListener, error: &io::Error, made_room: bool) {
        if is_of_the_client(error) {
            return;
        }
        if !std::mem::replace(&mut self.told, true) {
            tracing::error!(
                %error,
                "connections cannot be accepted; those that wait longest for a request are closed"
            );
        }
        if !is_out_of_files(error) {
            return tokio::time::sleep(PAUSE).await;
        }
        self.file = None;
        if !made_room && let Some(Ok((stream, _))) = listener.accept().now_or_never() {
            turn_away(&stream);
        } else {
            // Who was closed gives its descriptor back as soon as its task runs.
            tokio::time::sleep(PAUSE).await;
        }
        self.file = open();
    }
}

fn open() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Says that there is no place, and closes.
pub(super) fn turn_away(stream: &TcpStream) {
    // The socket is new and takes these few bytes; if not, closing says enough.
    let _ = stream.try_write(BUSY);
}

/// Whether the process or the system may open no more files.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    /// `ENFILE` and `EMFILE`, alike on all Unix systems.
    const OUT_OF_FILES: [i32; 2] = [23, 24];
    error.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code))
}

/// Whether the connection ended before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
