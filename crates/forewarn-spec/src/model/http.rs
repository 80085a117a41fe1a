//! Who may talk to the HTTP API: under which names, over how many connections, for how long.

use std::path::PathBuf;

/// The HTTP API's front door.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// Names under which clients may reach the server, beside its addresses and `localhost`.
    pub hosts: Vec<AllowedHost>,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// Where HTTPS is spoken: its certificate.
    pub tls: Option<TlsFiles>,
}

/// A name under which clients may reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    /// The name, in lower case, without a dot at its end.
    pub name: String,
    /// The port it goes with; `None`: any.
    pub port: Option<u16>,
}

impl AllowedHost {
    /// Reads a name, alone or with a port.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => {
                let port = port.parse().map_err(|_| format!("'{port}' is no port"))?;
                (name, Some(port))
            }
            None => (text, None),
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 253 || !name.chars().all(allowed) {
            return Err(format!("'{text}' is no host name"));
        }
        Ok(Self { name, port })
    }
}

/// Bounds on connections. Times are µs.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Most connections at one time; fewer where the system allows the process fewer open files.
    pub max: usize,
    /// Most connections from one address.
    pub max_per_address: usize,
    /// The head of a request must arrive within this time.
    pub header_timeout_us: i64,
    /// A connection without a request is closed after this time.
    pub idle_timeout_us: i64,
    /// A client that takes nothing of its answer for this time is cut off.
    pub write_timeout_us: i64,
    /// Most event streams at one time.
    pub streams: usize,
    /// Most event streams of one user, or of one address where there are no users.
    pub streams_per_client: usize,
    /// The memory that request bodies and answers may take, each, in bytes.
    pub buffer_bytes: u64,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        const SECOND_US: i64 = 1_000_000;
        Self {
            max: 4_096,
            max_per_address: 1_024,
            header_timeout_us: 10 * SECOND_US,
            idle_timeout_us: 75 * SECOND_US,
            write_timeout_us: 30 * SECOND_US,
            streams: 256,
            streams_per_client: 64,
            buffer_bytes: 256 << 20,
        }
    }
}

/// The files of HTTPS, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of clients' certificates; `None`: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
}
