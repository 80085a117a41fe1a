//! Connections: accepted one by one, within bounds, so that no client can keep others out.
//!
//! Each connection has a place (`places.rs`), which knows whether it waits for a request or answers one. It is
//! closed when a request's head does not come in time, when it has waited for a request for too long, when its
//! place is needed, or when its client takes nothing of an answer (`wire.rs`). HTTP/2 is not spoken: one such
//! connection carries any number of requests, which these bounds would not see.

pub(crate) mod names;
pub(crate) mod places;
mod spare;
pub(crate) mod tls;
mod wire;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use self::places::{Answering, Place, Places, Ticket};
use self::spare::Spare;
use self::tls::Tls;
use self::wire::Wire;
use crate::http::held::Held;
use crate::http::peer::{ClientName, Peer};
use crate::problem::Problem;

/// The most bytes of a head, and of a body's piece that is read or written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What every connection is served with.
#[derive(Clone)]
pub(crate) struct Front {
    /// The routes.
    pub(crate) router: Router,
    /// The places of connections.
    pub(crate) places: Arc<Places>,
    /// The certificate, where HTTPS is spoken.
    pub(crate) tls: Option<Arc<Tls>>,
    /// A client that takes nothing for this long is cut off.
    pub(crate) patience: Duration,
    /// Ends the serving of connections that wait, and of those that answer once they have.
    pub(crate) shutdown: CancellationToken,
}

impl Front {
    /// Accepts connections until the shutdown; gives back those that are still at work then.
    pub(crate) async fn accept(self, listener: TcpListener) -> TaskTracker {
        let connections = TaskTracker::new();
        let mut spare = Spare::new();
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    spare.regain();
                    match self.places.admit(peer.ip(), Instant::now()) {
                        Some(ticket) => {
                            connections.spawn(self.clone().serve(stream, peer.ip(), ticket));
                        }
                        None => spare::turn_away(&stream),
                    }
                }
                Err(error) => {
                    let made_room = spare::is_out_of_files(&error) && self.places.make_room();
                    spare.after(&listener, &error, made_room).await;
                }
            }
        }
        connections.close();
        connections
    }

    /// Serves one connection to its end.
    async fn serve(self, stream: TcpStream, address: IpAddr, ticket: Ticket) {
        // Small answers and events are to go out at once.
        let _ = stream.set_nodelay(true);
        let place = Arc::clone(&ticket.place);
        let Some(tls) = &self.tls else {
            let peer = Peer { address, tls: false };
            return self.talk(Wire::new(stream, place, self.patience), peer, None, &ticket.place).await;
        };
        let handshake = tls.accept(stream);
        let encrypted = tokio::select! {
            done = tokio::time::timeout_at(self.places.look_again(&place, Instant::now()), handshake) => done,
            () = place.closed() => return,
        };
        match encrypted {
            Ok(Ok((stream, name))) => {
                let peer = Peer { address, tls: true };
                self.talk(Wire::new(stream, place, self.patience), peer, name, &ticket.place).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, %address, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
        }
    }

    /// Speaks HTTP/1 until the client or the server has had enough.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        wire: Wire<S>,
        peer: Peer,
        name: Option<ClientName>,
        place: &Arc<Place>,
    ) {
        let service = service_fn(|request| self.answer(request, peer, name.clone(), place));
        let mut http = http1::Builder::new();
        let connection = http.max_buf_size(BUFFER_BYTES).serve_connection(TokioIo::new(wire), service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        self.note_end(&error, peer.address);
                    }
                    return;
                }
                () = place.closed() => return,
                () = sleep_until(self.places.look_again(place, Instant::now())) => {
                    if self.places.close_if_overdue(place, Instant::now()) {
                        return;
                    }
                }
                () = self.shutdown.cancelled(), if !stopping => {
                    if place.close_waiting() {
                        return;
                    }
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        name: Option<ClientName>,
        place: &Arc<Place>,
    ) -> Result<Response<Held<Option<Answering>>>, Infallible> {
        let answering = place.begin();
        let turned_away = answering.is_none() || place.kept && !is_for_operators(request.uri().path());
        let mut response = if turned_away {
            let problem = Problem::unavailable("all connections are taken")
                .hint("close connections that are not needed, or raise connections.max");
            problem.into_response()
        } else {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            if let Some(name) = name {
                request.extensions_mut().insert(name);
            }
            match self.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        if turned_away || place.kept {
            // A kept place is for one request at a time.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // The connection counts as at work until the answer is sent.
        Ok(response.map(|body| Held::new(body, answering)))
    }

    fn note_end(&self, error: &hyper::Error, address: IpAddr) {
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            let io = cause.downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
                self.places.count_cut();
                let seconds = self.patience.as_secs();
                tracing::info!(%address, seconds, "a client took nothing of its answer and was cut off");
                return;
            }
            source = cause.source();
        }
        tracing::debug!(%error, %address, "a connection broke off");
    }
}

/// Whether a path belongs to what must work on a crowded server: health checks, and work with alerts.
fn is_for_operators(path: &str) -> bool {
    let of_alerts = path
        .strip_prefix("/v1/alerts")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') && !rest.starts_with("/stream"));
    of_alerts || matches!(path, "/healthz" | "/readyz" | "/health" | "/ping" | "/metrics" | "/v1/login")
}

/// Waits for what is still at work, but no longer than until `deadline`. Says whether all has ended.
pub(crate) async fn drained(connections: &TaskTracker, deadline: Instant) -> bool {
    tokio::time::timeout_at(deadline, connections.wait()).await.is_ok()
}
