//! HTTPS: the certificate, which is read again when its files change, and the names of clients that prove who
//! they are by a certificate of their own.
//!
//! The files are compared by content, as tools replace them in many ways. New ones that cannot be used leave
//! those before in force; `/readyz`, a metric and the server's log say so.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forewarn_spec::TlsFiles;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::names;
use crate::http::peer::ClientName;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The certificate in force.
pub(crate) struct Tls {
    files: TlsFiles,
    now: Mutex<Now>,
}

struct Now {
    config: Arc<ServerConfig>,
    /// What the files held that it was made of.
    content: Content,
    /// Why what is in them now is not in force.
    problem: Option<String>,
    reloads: u64,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Content {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        Ok(Self {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn config(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, String> {
        let shown = |path: &Path| path.display().to_string();
        let chain = certificates(&self.cert, &shown(&files.cert))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("{} holds no private key in PEM form: {error}", shown(&files.key)))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(pem), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(pem, &shown(path))? {
                    roots.add(root).map_err(|error| format!("{}: {error}", shown(path)))?;
                }
                // A client without a certificate may still have a password or a token.
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| format!("{}: {error}", shown(path)))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            format!("{} and {} do not go together: {error}", shown(&files.cert), shown(&files.key))
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8], path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("{path} is not in PEM form: {error}"))?;
    if found.is_empty() {
        return Err(format!("{path} holds no certificate in PEM form"));
    }
    Ok(found)
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, String> {
        let content = Content::read(&files)?;
        let config = content.config(&files)?;
        Ok(Self { files, now: Mutex::new(Now { config, content, problem: None, reloads: 0 }) })
    }

    /// Makes a connection an encrypted one, and says whom the client has proved to be.
    ///
    /// # Errors
    /// If the client does not speak TLS, or has a certificate of another root.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<ClientName>)> {
        let config = Arc::clone(&self.now.lock().config);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let name = session.peer_certificates().and_then(|chain| chain.first()).and_then(names::of);
        Ok((stream, name))
    }

    /// Looks at the files until `shutdown`.
    pub(crate) async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let tls = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    /// Puts in force what the files hold, if it is new and can be used.
    fn look(&self) {
        let read = Content::read(&self.files);
        {
            let mut now = self.now.lock();
            if read.as_ref().is_ok_and(|content| now.content == *content) {
                now.problem = None;
                return;
            }
        }
        let loaded = read.and_then(|content| match content.config(&self.files) {
            Ok(config) => Ok((content, config)),
            Err(problem) => Err(problem),
        });
        let mut now = self.now.lock();
        match loaded {
            Ok((content, config)) => {
                now.reloads += 1;
                (now.config, now.content, now.problem) = (config, content, None);
                tracing::info!("a new certificate is in force");
            }
            Err(problem) => {
                if now.problem.as_ref() != Some(&problem) {
                    tracing::error!(
                        problem,
                        "the new certificate cannot be used; the one before stays in force"
                    );
                }
                now.problem = Some(problem);
            }
        }
    }

    /// How often a new certificate was put in force, and why the present files are not.
    pub(crate) fn state(&self) -> (u64, Option<String>) {
        let now = self.now.lock();
        (now.reloads, now.problem.clone())
    }
}
