//! The stage: routes put together, served until shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::context::{ApiComponents, ApiState};
use crate::error::ApiError;
use crate::http::{hint, watch};
use crate::problem::Problem;
use crate::routes;

/// After shutdown began, answers under way get this long.
const DRAIN: Duration = Duration::from_secs(3);

/// The HTTP API, ready to serve.
pub struct Api {
    router: Router,
    shutdown: CancellationToken,
}

impl Api {
    /// Puts the API together.
    ///
    /// # Errors
    /// [`ApiError::Options`] if the mapping of line protocol cannot work.
    pub fn build(components: ApiComponents) -> Result<Self, ApiError> {
        let shutdown = components.shutdown.clone();
        let (router, document) = routes::all(&components.access).split_for_parts();
        let state = ApiState::new(components)?;
        routes::ops::register_metrics(&state);
        state.set_document(&document)?;
        let templates: Arc<[String]> = document.paths.paths.keys().cloned().collect();
        let router = router
            .fallback(move |request: Request| std::future::ready(not_found(&request, &templates)))
            .method_not_allowed_fallback(method_not_allowed)
            // The catcher stands inside the measuring, so that a panic is counted as the 500 it becomes.
            .layer(CatchPanicLayer::custom(watch::panicked))
            .layer(from_fn_with_state(state.clone(), watch::measure))
            .with_state(state);
        Ok(Self { router, shutdown })
    }

    /// The routes, to be called without a socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves connections on `listener` until `shutdown`, then finishes what is under way. Event streams end
    /// at once; they resume at another server or a later one.
    ///
    /// # Errors
    /// [`ApiError::Serve`] if the socket fails.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ApiError> {
        let streams = self.shutdown;
        let begun = shutdown.clone();
        let stop = async move {
            shutdown.cancelled().await;
            streams.cancel();
        };
        let router = self.router.into_make_service_with_connect_info::<std::net::SocketAddr>();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop);
        let deadline = async move {
            begun.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = async { serving.await } => Ok(served?),
            () = deadline => {
                let seconds = DRAIN.as_secs();
                tracing::warn!(seconds, "requests still under way were cut off at shutdown");
                Ok(())
            }
        }
    }
}

fn not_found(request: &Request, templates: &[String]) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    let problem = Problem::not_found(format!("there is no route {} {path}", request.method()));
    if path.strip_prefix("/v1/assets/").is_some_and(|rest| rest.contains('/')) {
        return problem.hint(
            "an asset in a URL is its path percent-encoded: /v1/assets/plant1%2Fpump7; \
             GET /v1/assets lists all",
        );
    }
    match hint::nearest(&path, templates.iter().map(String::as_str)) {
        Some(route) => problem.hint(format!("the nearest route is {route}; GET /openapi.json describes all")),
        None => problem.hint("GET /openapi.json describes all routes"),
    }
}

async fn method_not_allowed(request: Request) -> axum::response::Response {
    let problem =
        Problem::method_not_allowed(format!("{} does not take {}", request.uri().path(), request.method()))
            .hint("the header Allow lists the methods it takes; GET /openapi.json describes all");
    problem.into_response()
}
