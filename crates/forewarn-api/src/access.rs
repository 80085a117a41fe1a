//! Who asks, and what they may do.
//!
//! Every route belongs to one group, by what it allows. The layer of a group finds out who asks, sees whether
//! their role is enough, and puts a [`Principal`] into the request; handlers take it from there. Authentication
//! and roles belong here and nowhere else. What a handler has to do itself is to heed which assets a principal
//! is bound to; a route whose handler does not is closed to those who are bound.

mod attempts;
mod audit;
mod principal;
mod quota;
mod scope;
mod secrets;
mod sessions;
mod users;

use std::fmt;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::OpenApiRouter;

use self::audit::Asked;
pub use self::audit::AuditWriter;
pub use self::principal::Principal;
pub use self::scope::AssetScope;
pub use self::secrets::Random;
pub(crate) use self::sessions::COOKIE;
pub use self::users::UsersParts;
pub(crate) use self::users::{Login, Users};
use crate::http::peer::Peer;
use crate::problem::kind::Kind;
use crate::problem::{Problem, sets};
pub use forewarn_types::Role;

/// How the server finds out who asks.
#[derive(Clone)]
pub struct Access(Arc<Mode>);

enum Mode {
    /// Every request comes from the same principal.
    Everyone(Principal),
    /// Users and programs say who they are.
    Users(Box<Users>),
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.users().is_some() { "Access(users)" } else { "Access(everyone)" })
    }
}

impl Access {
    /// All may do everything, and requests come without a name.
    #[must_use]
    pub fn open() -> Self {
        Self(Arc::new(Mode::Everyone(Principal::anyone())))
    }

    /// Users and programs say who they are. The second value is the stage that writes the audit.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn users_of(parts: UsersParts) -> Result<(Self, AuditWriter), &'static str> {
        let (users, writer) = Users::new(parts)?;
        Ok((Self(Arc::new(Mode::Users(Box::new(users)))), writer))
    }

    /// The one-time code that makes the first administrator, while there is none.
    #[must_use]
    pub fn first_code(&self) -> Option<String> {
        self.users().and_then(Users::code)
    }

    /// Every request comes from an operator of this name.
    #[cfg(test)]
    pub(crate) fn operator(name: &str) -> Self {
        let principal = Principal { name: Some(name.into()), role: Role::Operator, ..Principal::anyone() };
        Self(Arc::new(Mode::Everyone(principal)))
    }

    /// The accounts, where there are any.
    pub(crate) fn users(&self) -> Option<&Users> {
        match &*self.0 {
            Mode::Users(users) => Some(users),
            Mode::Everyone(_) => None,
        }
    }

    /// Who sent a request to a route that allows `allows`.
    fn principal(&self, request: &Parts, allows: Allows) -> Result<Principal, Problem> {
        match &*self.0 {
            Mode::Everyone(principal) => Ok(principal.clone()),
            Mode::Users(users) => users.identify(request, allows == Allows::Ingest),
        }
    }

    /// Lets a principal in to a route, or says why not.
    fn check(&self, principal: &Principal, allows: Allows, heeds: Heeds) -> Result<(), Problem> {
        if !allows.admits(principal.role) {
            return Err(Problem::forbidden(format!(
                "this needs the role {}, and {principal} has the role {}",
                allows.needs(),
                principal.role.as_str()
            ))
            .hint("an administrator can change the role"));
        }
        if let (Some(scope), Heeds::No) = (principal.scope(), heeds) {
            return Err(Problem::forbidden(format!(
                "this route tells of all assets, and {principal} is bound to {}",
                scope.describe()
            )));
        }
        match (&principal.quota, self.users()) {
            (Some(quota), Some(users)) => quota.request(users.clock.now()).map_err(|seconds| {
                Problem::too_many(
                    "this API token asks more often than its limit requests_per_s allows",
                    seconds,
                )
            }),
            _ => Ok(()),
        }
    }

    /// Whether `principal` may still do what they could when the request came.
    pub(crate) fn still(&self, principal: &Principal) -> bool {
        self.users().is_none_or(|users| users.still(principal))
    }

    /// Puts on record what became of a request, if it is an act or was refused.
    async fn note(&self, allows: Allows, asked: &Asked, principal: Option<&Principal>, status: StatusCode) {
        let Some(users) = self.users() else { return };
        let refused = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if allows.acts() && status.is_success() {
            users.auditor.done(asked, principal, status).await;
        } else if refused || allows.acts() {
            users.auditor.not_done(asked, principal, status);
        }
    }
}

/// What the routes of a group allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allows {
    /// To see that the server is there; open to all, without a name.
    Look,
    /// To say who one is; open to all.
    Enter,
    /// To see who one is, and to go.
    Own,
    /// To read what is stored.
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
            Self::Enter => "enter",
            Self::Own => "own",
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Operate => "operate",
            Self::Engineer => "engineer",
            Self::Administer => "administer",
        }
    }

    /// Whether a role is enough.
    pub(crate) fn admits(self, role: Role) -> bool {
        match self {
            Self::Look | Self::Enter | Self::Own => true,
            Self::Read => role >= Role::Viewer,
            Self::Ingest => role == Role::Ingest || role >= Role::Engineer,
            Self::Operate => role >= Role::Operator,
            Self::Engineer => role >= Role::Engineer,
            Self::Administer => role >= Role::Administrator,
        }
    }

    /// The role that is enough, for people.
    const fn needs(self) -> &'static str {
        match self {
            Self::Look | Self::Enter | Self::Own | Self::Read => "viewer",
            Self::Ingest => "ingest or engineer",
            Self::Operate => "operator",
            Self::Engineer => "engineer",
            Self::Administer => "administrator",
        }
    }

    /// Whether what is done there is put on record in the audit. Readings that are taken in are not, as they
    /// are many, nor is what only reads.
    const fn acts(self) -> bool {
        matches!(self, Self::Enter | Self::Own | Self::Operate | Self::Engineer | Self::Administer)
    }

    const fn has_principal(self) -> bool {
        !matches!(self, Self::Look | Self::Enter)
    }
}

/// Whether the handlers of a group heed which assets a principal is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heeds {
    /// They do, or tell of no asset.
    Assets,
    /// They do not: the group is closed to those who are bound.
    No,
}

/// The key under which the description of a route says which group it belongs to.
pub(crate) const GROUP: &str = "x-forewarn-allows";
/// The key under which it says whether those who are bound to assets may call it.
pub(crate) const BOUND: &str = "x-forewarn-heeds-assets";

/// Makes a group of `routes`: their requests get a principal from `access`, and their descriptions say what
/// they allow.
pub(crate) fn group<S: Clone + Send + Sync + 'static>(
    access: &Access,
    allows: Allows,
    heeds: Heeds,
    mut routes: OpenApiRouter<S>,
) -> OpenApiRouter<S> {
    for (method, operation) in routes.get_openapi_mut().paths.paths.values_mut().flat_map(operations) {
        sets::guarded(operation, method == Method::GET);
        let said = [
            (GROUP, serde_json::Value::from(allows.as_str())),
            (BOUND, serde_json::Value::from(heeds == Heeds::Assets)),
        ];
        operation.extensions.get_or_insert_default().merge(Extensions::from_iter(said));
        let refusals: &[Kind] = match allows {
            Allows::Look => &[],
            _ => &[Kind::Unauthenticated, Kind::Forbidden, Kind::TooMany],
        };
        for kind in refusals {
            let (status, response) = sets::reference(*kind);
            operation.responses.responses.entry(status).or_insert(response);
        }
    }
    if allows == Allows::Look || routes.get_openapi().paths.paths.is_empty() {
        return routes;
    }
    let access = access.clone();
    routes.route_layer(from_fn(move |request: Request, next: Next| {
        admit(access.clone(), allows, heeds, request, next)
    }))
}

async fn admit(access: Access, allows: Allows, heeds: Heeds, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = asked(&parts);
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let (principal, response) = if allows.has_principal() {
        match access.principal(&parts, allows) {
            Err(problem) => (None, problem.into_response()),
            Ok(principal) => {
                if let Err(problem) = access.check(&principal, allows, heeds) {
                    (Some(principal), problem.into_response())
                } else {
                    parts.extensions.insert(principal.clone());
                    (Some(principal), next.run(Request::from_parts(parts, body)).await)
                }
            }
        }
    } else {
        let response = next.run(Request::from_parts(parts, body)).await;
        // Whoever has just logged in.
        (response.extensions().get::<Principal>().cloned(), response)
    };
    let allows = if reads { Allows::Read } else { allows };
    access.note(allows, &asked, principal.as_ref(), response.status()).await;
    response
}

fn asked(parts: &Parts) -> Asked {
    let template = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    Asked {
        route: format!("{} {template}", parts.method),
        path: parts.uri.path().to_owned(),
        address: address(parts),
    }
}

/// The address that a request comes from, without the port.
pub(crate) fn address(parts: &Parts) -> Option<String> {
    parts.extensions.get::<Peer>().map(|peer| peer.address.to_canonical().to_string())
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH];
    methods
        .into_iter()
        .zip([get, put, post, delete, patch])
        .filter_map(|(method, found)| Some((method, found.as_mut()?)))
}
