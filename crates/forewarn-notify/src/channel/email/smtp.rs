//! The words that are spoken with a mail server (RFC 5321), one letter a connection: enough to hand a letter
//! over, with TLS (RFC 3207, RFC 8314) and a password (RFC 4954). A client library would bring a second
//! configuration of TLS into the program.

use std::sync::Arc;
use std::time::Duration;

use forewarn_spec::Smtp;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::letter::base64;

/// The longest that handing a letter over may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest line of an answer.
const MAX_LINE: usize = 4_096;
/// Most lines of an answer.
const MAX_LINES: usize = 100;

/// A mail server, and how it is spoken with.
#[derive(Clone)]
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, String)>,
}

#[derive(Clone)]
enum Tls {
    /// None at all.
    None,
    /// From the first byte on.
    Always(TlsConnector),
    /// Asked for in words.
    Upgraded(TlsConnector),
}

/// What a connection reads from and writes to.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Server {
    pub(super) fn new(smtp: &Smtp) -> Result<Self, String> {
        let url = Url::parse(&smtp.url).map_err(|error| error.to_string())?;
        let host = url.host_str().ok_or("its url names no host")?;
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Always(connector()?), 465),
            "smtp+starttls" => (Tls::Upgraded(connector()?), 587),
            _ => (Tls::None, 25),
        };
        let password =
            smtp.password.as_ref().map(|password| password.reveal().to_owned()).unwrap_or_default();
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(port),
            tls,
            login: smtp.user.clone().map(|user| (user, password)),
        })
    }

    /// Hands a letter over; gives what the server says to it.
    pub(super) async fn send(&self, from: &str, to: &str, letter: &[u8]) -> Result<String, String> {
        let deliver = self.deliver(from, to, letter);
        tokio::time::timeout(TIMEOUT, deliver).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn deliver(&self, from: &str, to: &str, letter: &[u8]) -> Result<String, String> {
        let mut talk = self.connect().await?;
        if let Some((user, password)) = &self.login {
            let proof = base64(format!("\0{user}\0{password}").as_bytes());
            talk.say("AUTH PLAIN", &format!("AUTH PLAIN {proof}"), 2).await?;
        }
        talk.say("MAIL FROM", &format!("MAIL FROM:<{from}>"), 2).await?;
        talk.say("RCPT TO", &format!("RCPT TO:<{to}>"), 2).await?;
        talk.say("DATA", "DATA", 3).await?;
        talk.write(&stuffed(letter)).await?;
        let said = talk.answer("the letter", 2).await?;
        // The letter is handed over: whatever becomes of the farewell changes nothing.
        let _answer = talk.say("QUIT", "QUIT", 2).await;
        Ok(said)
    }

    async fn connect(&self) -> Result<Talk, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| format!("cannot connect to {}:{}: {error}", self.host, self.port))?;
        let mut talk = match &self.tls {
            Tls::Always(connector) => Talk::over(self.secured(connector, stream).await?),
            Tls::None => Talk::over(Box::new(stream)),
            Tls::Upgraded(connector) => {
                let mut stream = BufReader::new(stream);
                read_answer(&mut stream, "the connection", 2).await?;
                write(&mut stream, b"EHLO forewarn\r\n").await?;
                read_answer(&mut stream, "EHLO", 2).await?;
                write(&mut stream, b"STARTTLS\r\n").await?;
                read_answer(&mut stream, "STARTTLS", 2).await?;
                // What came before TLS by then was not asked for, and somebody else may have put it there.
                if !stream.buffer().is_empty() {
                    return Err("the server speaks before TLS has begun".to_owned());
                }
                let stream = self.secured(connector, stream.into_inner()).await?;
                let mut talk = Talk::over(stream);
                talk.say("EHLO", "EHLO forewarn", 2).await?;
                return Ok(talk);
            }
        };
        talk.answer("the connection", 2).await?;
        talk.say("EHLO", "EHLO forewarn", 2).await?;
        Ok(talk)
    }

    async fn secured(&self, connector: &TlsConnector, stream: TcpStream) -> Result<Box<dyn Stream>, String> {
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let secured = connector.connect(name, stream).await;
        Ok(Box::new(secured.map_err(|error| format!("TLS with {} failed: {error}", self.host))?))
    }
}

fn connector() -> Result<TlsConnector, String> {
    let config = ClientConfig::with_platform_verifier();
    Ok(Arc::new(config.map_err(|error| format!("TLS cannot be set up: {error}"))?).into())
}

/// A conversation with a mail server.
struct Talk(BufReader<Box<dyn Stream>>);

impl Talk {
    fn over(stream: Box<dyn Stream>) -> Self {
        Self(BufReader::new(stream))
    }

    /// Says `line` and waits for an answer whose code begins with `class`; `what` names it in errors.
    async fn say(&mut self, what: &str, line: &str, class: u8) -> Result<String, String> {
        if line.contains(['\r', '\n']) {
            return Err(format!("{what} would be more than one line"));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.answer(what, class).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        write(&mut self.0, bytes).await
    }

    async fn answer(&mut self, what: &str, class: u8) -> Result<String, String> {
        read_answer(&mut self.0, what, class).await
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), String> {
    let lost = |error: std::io::Error| format!("the connection broke off: {error}");
    stream.write_all(bytes).await.map_err(lost)?;
    stream.flush().await.map_err(lost)
}

/// Reads an answer, of one line or several.
async fn read_answer(
    stream: &mut (impl tokio::io::AsyncBufRead + Unpin),
    what: &str,
    class: u8,
) -> Result<String, String> {
    let mut text = String::new();
    for _ in 0..MAX_LINES {
        let mut line = Vec::new();
        let mut bounded = tokio::io::AsyncReadExt::take(&mut *stream, MAX_LINE as u64);
        let read = bounded.read_until(b'\n', &mut line).await;
        if read.map_err(|error| format!("the connection broke off: {error}"))? == 0 {
            return Err(format!("the connection broke off at {what}"));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        text.push_str(&line);
        // Of an answer of several lines all but the last have a dash behind the code.
        if line.as_bytes().get(3) != Some(&b'-') {
            let is_wanted = line.as_bytes().first() == Some(&(b'0' + class));
            return if is_wanted { Ok(line) } else { Err(format!("{what} was refused: {text}")) };
        }
        text.push(' ');
    }
    Err(format!("the answer to {what} has no end"))
}

/// A letter as it is sent: a line that begins with a dot gets another one, and a dot alone is the end.
fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(letter.len() + 8);
    let mut begins = true;
    for byte in letter {
        if begins && *byte == b'.' {
            bytes.push(b'.');
        }
        bytes.push(*byte);
        begins = *byte == b'\n';
    }
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_letter_ends_it() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b"), b"a\r\n..\r\n...b\r\n.\r\n");
    }

    #[tokio::test]
    async fn answers_of_several_lines_are_read_to_their_end() {
        let mut stream = BufReader::new(&b"250-one\r\n250 two\r\n550 no such mailbox\r\n"[..]);
        assert_eq!(read_answer(&mut stream, "EHLO", 2).await.unwrap(), "250 two");
        let refusal = read_answer(&mut stream, "RCPT TO", 2).await.unwrap_err();
        assert_eq!(refusal, "RCPT TO was refused: 550 no such mailbox");
        assert!(read_answer(&mut stream, "QUIT", 2).await.is_err());
    }
}
