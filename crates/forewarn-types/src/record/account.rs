//! Accounts: who may use the server, and as what. Secrets are here as hashes only.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::body::JsonBody;
use crate::time::Timestamp;

/// What an account may do. From viewer on, each may do what those before it may; `ingest` stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sends readings, and nothing else.
    Ingest,
    /// Reads.
    Viewer,
    /// Works with alerts, and says what happened to machines.
    Operator,
    /// Changes definitions, runs jobs, trains models, sends readings.
    Engineer,
    /// Everything.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Viewer, Self::Operator, Self::Engineer, Self::Administrator];

    /// The name in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Administrator => "administrator",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it can be bound to some of the assets. What engineers and administrators do concerns all.
    #[must_use]
    pub const fn can_be_bound(self) -> bool {
        matches!(self, Self::Ingest | Self::Viewer | Self::Operator)
    }
}

/// The hash of a password or of an API token. It is never printed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl SecretHash {
    /// Wraps the text of a hash.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, to compare with.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// How much an API token may ask for; none means no bound of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenLimits {
    /// Requests a second.
    pub requests_per_s: Option<f64>,
    /// Readings a second.
    pub rows_per_s: Option<f64>,
    /// Event streams open at one time.
    pub streams: Option<u32>,
}

/// A token for programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Names it in routes; no secret.
    pub id: String,
    /// What it is for, as people call it.
    pub name: String,
    /// SHA-256 of the secret, in hexadecimal digits.
    pub hash: SecretHash,
    /// What it may do.
    pub role: Role,
    /// Globs over the assets it is bound to; empty means all assets.
    #[serde(default)]
    pub assets: Vec<String>,
    /// From when on it is no longer valid.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// How much it may ask for.
    #[serde(default)]
    pub limits: TokenLimits,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum AccountChange {
    /// A user was added, or has another role or other assets.
    UserSet {
        /// The user.
        user: String,
        /// What they may do.
        role: Role,
        /// Globs over the assets they are bound to; empty means all assets.
        #[serde(default)]
        assets: Vec<String>,
        /// The password's hash; none leaves the password as it is.
        #[serde(default)]
        password: Option<SecretHash>,
    },
    /// A user was removed.
    UserRemoved {
        /// The user.
        user: String,
    },
    /// A user has another password.
    PasswordSet {
        /// The user.
        user: String,
        /// The password's hash.
        password: SecretHash,
    },
    /// A token was made.
    TokenMade {
        /// The token.
        token: ApiToken,
    },
    /// A token was used; told once an hour at most.
    TokenUsed {
        /// The token's id.
        token: String,
    },
    /// A token was revoked.
    TokenRevoked {
        /// The token's id.
        token: String,
    },
}

/// A change of an account. It has no table: what SQL can read holds no secret, not even a hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What changed.
    #[serde(flatten)]
    pub change: AccountChange,
    /// Who did it.
    pub actor: Option<String>,
    /// When, by the server's clock.
    pub time: Timestamp,
}

impl JsonBody for Account {
    const NAME: &'static str = "account";
    const TABLE: Option<&'static str> = None;
}
