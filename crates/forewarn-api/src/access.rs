//! Who asks, and what they may do.
//!
//! Every route belongs to one group, by what it allows. The layer of a group finds out who asks and puts a
//! [`Principal`] into the request; handlers that act take it from there and pass it on. Authentication and
//! roles belong here and nowhere else.

use std::fmt;

use axum::extract::{FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{Problem, sets};

/// What a role may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works with alerts, and says what happened to machines.
    Operator,
    /// Changes definitions, runs jobs, trains models.
    Engineer,
    /// Everything.
    Administrator,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name; `None` where the server does not ask for one.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
}

impl Principal {
    /// The name of who acts: the one that the request's body gives, else that of the principal.
    pub(crate) fn actor(&self, given: Option<String>) -> Option<String> {
        given.or_else(|| self.name.clone())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("unnamed"))
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Problem::internal(&"a route that acts stands in a group without principals"))
    }
}

/// How the server finds out who asks.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who every request comes from.
    everyone: Principal,
}

impl Access {
    /// All may do everything, and requests come without a name.
    #[must_use]
    pub const fn open() -> Self {
        Self { everyone: Principal { name: None, role: Role::Administrator } }
    }

    /// Every request comes from `principal`.
    #[cfg(test)]
    pub(crate) const fn of(principal: Principal) -> Self {
        Self { everyone: principal }
    }

    /// Who sent `request`.
    fn principal(&self, _: &Request) -> Principal {
        self.everyone.clone()
    }
}

/// What the routes of a group allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allows {
    /// To see that the server is there; open to all, without a name.
    Look,
    /// To read everything that is stored.
    Read,
    /// To send readings.
    Ingest,
    /// To act on alerts, and to say what happened to machines.
    Operate,
    /// To run jobs, and to train and promote models.
    Engineer,
    /// To do what concerns the server as a whole.
    Administer,
}

impl Allows {
    /// The name in the description of the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Operate => "operate",
            Self::Engineer => "engineer",
            Self::Administer => "administer",
        }
    }
}

/// The key under which the description of a route says which group it belongs to.
pub(crate) const GROUP: &str = "x-forewarn-allows";

/// Makes a group of `routes`: their requests get a principal from `access`, and their descriptions say what
/// they allow.
pub(crate) fn group<S: Clone + Send + Sync + 'static>(
    access: &Access,
    allows: Allows,
    mut routes: OpenApiRouter<S>,
) -> OpenApiRouter<S> {
    for (method, operation) in routes.get_openapi_mut().paths.paths.values_mut().flat_map(operations) {
        sets::guarded(operation, method == Method::GET);
        operation.extensions.get_or_insert_default().merge(Extensions::from_iter([(GROUP, allows.as_str())]));
    }
    if allows == Allows::Look {
        return routes;
    }
    let access = access.clone();
    routes.route_layer(from_fn(move |mut request: Request, next: Next| {
        let principal = access.principal(&request);
        request.extensions_mut().insert(principal);
        next.run(request)
    }))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH];
    methods
        .into_iter()
        .zip([get, put, post, delete, patch])
        .filter_map(|(method, found)| Some((method, found.as_mut()?)))
}
