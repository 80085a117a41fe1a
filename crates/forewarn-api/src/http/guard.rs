//! The layer before all routes: it answers only requests that are meant for this server, and lets no foreign
//! web page act through the browser of somebody who may.
//!
//! A page can make a browser send requests to any address, this server's too. It cannot hide where they come
//! from: a browser adds `Origin`, and newer ones `Sec-Fetch-Site`, to whatever is not a plain read. And a name
//! that its owner lets point to this server's address (DNS rebinding) makes the browser take the server for
//! part of the foreign site; but the name stands in `Host`. Clients that are no browsers send neither header.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use forewarn_spec::AllowedHost;

use crate::problem::Problem;

/// Names in messages are cut to this length.
const SHOWN: usize = 100;

/// Under which names the server may be reached.
#[derive(Debug, Clone)]
pub(crate) struct Guard(Arc<[AllowedHost]>);

impl Guard {
    /// Lets addresses, `localhost` and `hosts` through.
    pub(crate) fn new(hosts: &[AllowedHost]) -> Self {
        Self(hosts.into())
    }

    /// Says what is wrong with who sends this, or for whom it is meant.
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let host = self.host(request)?;
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(());
        }
        self.own_page(request.headers(), host.as_ref())
    }

    /// The host that the request names, if that is one of this server.
    fn host(&self, request: &Request) -> Result<Option<Authority>, Problem> {
        let mut named = request.headers().get_all(header::HOST).iter();
        let given = named.next();
        if named.next().is_some() {
            return Err(Problem::bad_request("the request has more than one header Host"));
        }
        let host = match given {
            Some(value) => {
                let text = value.to_str().unwrap_or_default();
                let host = text.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@'));
                Some(host.ok_or_else(|| Problem::bad_request("the header Host is not a host and a port"))?)
            }
            // Health checks of load balancers still speak this; browsers do not.
            None if request.version() == Version::HTTP_10 => None,
            None => return Err(Problem::bad_request("the request has no header Host")),
        };
        // A proxy's form of a request names its host twice, and the one in the target counts.
        for host in host.iter().chain(request.uri().authority()) {
            if !self.is_own(host) {
                return Err(misdirected(host));
            }
        }
        Ok(request.uri().authority().cloned().or(host))
    }

    fn is_own(&self, host: &Authority) -> bool {
        // An address and `localhost` cannot be made to point elsewhere. Their port may be another one, behind
        // a tunnel or in a container.
        is_address(host.host()) || is_local(host.host()) || self.is_listed(host, true)
    }

    /// Whether `host` is a name of `hosts`. Where none is given there, it goes with any port, or with the
    /// usual ones.
    fn is_listed(&self, host: &Authority, any_port: bool) -> bool {
        let name = plain(host.host());
        self.0.iter().any(|own| {
            let port_fits = match own.port {
                Some(port) => host.port_u16().is_none_or(|given| given == port),
                None => any_port || matches!(host.port_u16(), None | Some(80 | 443)),
            };
            own.name == name && port_fits
        })
    }

    /// Refuses what a page of another site has sent.
    fn own_page(&self, headers: &HeaderMap, host: Option<&Authority>) -> Result<(), Problem> {
        if let Some(site) = headers.get("sec-fetch-site")
            && !matches!(site.as_bytes(), b"same-origin" | b"none")
        {
            return Err(foreign("a page of another site"));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let text = origin.to_str().unwrap_or_default();
            let (scheme, rest) = text.split_once("://").unwrap_or_default();
            let Ok(origin) = rest.parse::<Authority>() else { return Err(foreign(text)) };
            let usual = match scheme {
                "http" => 80,
                "https" => 443,
                _ => return Err(foreign(text)),
            };
            let port = |of: &Authority| of.port_u16().unwrap_or(usual);
            let same = host.is_some_and(|host| {
                plain(host.host()) == plain(origin.host()) && port(host) == port(&origin)
            });
            if !same && !self.is_listed(&origin, false) {
                return Err(foreign(text));
            }
        }
        Ok(())
    }
}

/// The name as it is compared: without regard to case and to a dot at its end.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

fn is_local(host: &str) -> bool {
    let name = plain(host);
    name == "localhost" || name.ends_with(".localhost")
}

fn misdirected(host: &Authority) -> Problem {
    let name: String = plain(host.host()).chars().take(SHOWN).collect();
    Problem::misdirected(format!("this server is not known as {name:?}"))
        .hint(format!("use its IP address, or add the name to forewarn.yaml: hosts: [{name}]"))
}

fn foreign(origin: &str) -> Problem {
    let origin: String = origin.chars().take(SHOWN).collect();
    Problem::forbidden(format!("{origin} may not act here: only pages of this server may"))
        .hint("if a proxy gives this server another name, add that name to forewarn.yaml: hosts: […]")
}

/// The layer.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            tracing::debug!(problem = problem.message(), "a request was turned away");
            problem.into_response()
        }
    }
}

#[cfg(test)]
mod tests;
