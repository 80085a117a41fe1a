//! Who asks, what they may do, and which assets they are bound to.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use forewarn_ingest::Writable;
use forewarn_types::{Role, Timestamp};

use super::quota::{Quota, StreamPlace};
use super::scope::AssetScope;
use crate::problem::Problem;

/// How a principal has shown who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// Nobody was asked.
    None,
    /// A login, by the hash of its secret.
    Session(String),
    /// An API token, by its id.
    Token(String),
    /// A client certificate, by its name.
    Certificate(String),
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The name; `None` where the server does not ask for one.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// The assets they are bound to; none means all.
    pub(super) scope: Option<Arc<AssetScope>>,
    pub(super) credential: Credential,
    pub(super) quota: Option<Arc<Quota>>,
}

impl Principal {
    /// Whoever it is where the server does not ask.
    #[must_use]
    pub const fn anyone() -> Self {
        Self { name: None, role: Role::Administrator, scope: None, credential: Credential::None, quota: None }
    }

    /// The name of who acts: that of the principal, or the one that the request's body gives where the server
    /// does not ask who it is.
    ///
    /// # Errors
    /// If the body gives another name than the principal's.
    pub(crate) fn actor(&self, given: Option<String>) -> Result<Option<String>, Problem> {
        match (&self.name, given) {
            (Some(name), Some(given)) if *name != given => {
                let given: String = given.chars().take(64).collect();
                Err(Problem::forbidden(format!("you are {name}, and may not act as {given:?}"))
                    .hint("leave the field \"actor\" out"))
            }
            (Some(name), _) => Ok(Some(name.clone())),
            (None, given) => Ok(given),
        }
    }

    /// The assets that they are bound to; none means all.
    pub(crate) const fn scope(&self) -> Option<&Arc<AssetScope>> {
        self.scope.as_ref()
    }

    /// Whether they may see `asset`.
    pub(crate) fn sees(&self, asset: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.admits(asset))
    }

    /// Refuses an asset that they may not see. The answer is the same whether or not it exists.
    pub(crate) fn check_sees(&self, asset: &str) -> Result<(), Problem> {
        match &self.scope {
            Some(scope) if !scope.admits(asset) => {
                let bound = scope.describe();
                Err(Problem::forbidden(format!("asset {asset} is not one of yours, which are {bound}"))
                    .hint("an administrator can give you more assets"))
            }
            _ => Ok(()),
        }
    }

    /// Which assets they may write; none means all.
    pub(crate) fn writable(&self) -> Option<Writable> {
        let scope = Arc::clone(self.scope.as_ref()?);
        let reason = format!("{self} may only write {}", scope.describe());
        Some(Writable { admits: Arc::new(move |asset| scope.admits(asset)), reason: reason.into() })
    }

    /// Counts readings that they send.
    pub(crate) fn spend_rows(&self, rows: usize, now: Timestamp) -> Result<(), Problem> {
        let Some(quota) = &self.quota else { return Ok(()) };
        quota.rows(rows, now).map_err(|seconds| {
            Problem::too_many("this API token sends more readings than its limit rows_per_s allows", seconds)
        })
    }

    /// A place for an event stream.
    pub(crate) fn open_stream(&self) -> Result<Option<StreamPlace>, Problem> {
        let Some(quota) = &self.quota else { return Ok(None) };
        quota.stream().map(Some).map_err(|most| {
            Problem::too_many(format!("this API token may have {most} event streams open at one time"), 10)
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.role == other.role && self.scope == other.scope
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
