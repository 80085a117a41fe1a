//! Users and API tokens.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forewarn_types::{Account, AccountChange, ApiToken, Offset, Record, Role, SecretHash, Timestamp};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::bytes;
use crate::{Fold, Logged, Part, StateError};

const NAME: &str = "accounts";
const VERSION: u8 = 1;

/// Most users.
pub const MAX_USERS: usize = 10_000;
/// Most tokens that are valid at one time.
pub const MAX_TOKENS: usize = 10_000;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What they may do.
    pub role: Role,
    /// Globs over the assets they are bound to; empty means all assets.
    pub assets: Vec<String>,
    /// The password's hash; none may not log in.
    pub password: Option<SecretHash>,
    /// The change that set the password last: logins from before it are over.
    pub password_set: Offset,
    /// When the user was added.
    pub added: Timestamp,
}

/// An API token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    pub token: ApiToken,
    /// Who made it.
    pub made_by: Option<String>,
    /// When.
    pub made: Timestamp,
    /// When it was used last, to the hour.
    pub used: Option<Timestamp>,
}

/// All accounts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct All {
    /// One past the newest record that is taken in. A record is taken in once: the state is ahead of the
    /// other folds after a start, and a token that was revoked must not come back for a moment.
    applied: Offset,
    users: BTreeMap<String, User>,
    tokens: BTreeMap<String, Token>,
    /// Ids of tokens, by their hash.
    #[serde(skip)]
    by_hash: HashMap<String, String>,
}

impl All {
    fn apply(&mut self, offset: Offset, account: &Account) {
        match &account.change {
            AccountChange::UserSet { user, role, assets, password } => {
                let known = self.users.get(user);
                let kept = known.and_then(|user| user.password.clone());
                let set = known.map_or(offset, |user| user.password_set);
                let added = known.map_or(account.time, |user| user.added);
                let (password, password_set) = match password {
                    Some(password) => (Some(password.clone()), offset),
                    None => (kept, set),
                };
                let changed = User { role: *role, assets: assets.clone(), password, password_set, added };
                self.users.insert(user.clone(), changed);
            }
            AccountChange::UserRemoved { user } => drop(self.users.remove(user)),
            AccountChange::PasswordSet { user, password } => {
                if let Some(user) = self.users.get_mut(user) {
                    user.password = Some(password.clone());
                    user.password_set = offset;
                }
            }
            AccountChange::TokenMade { token } => {
                self.by_hash.insert(token.hash.expose().to_owned(), token.id.clone());
                let made = Token {
                    token: token.clone(),
                    made_by: account.actor.clone(),
                    made: account.time,
                    used: None,
                };
                self.tokens.insert(token.id.clone(), made);
            }
            AccountChange::TokenUsed { token } => {
                if let Some(token) = self.tokens.get_mut(token) {
                    token.used = Some(account.time);
                }
            }
            AccountChange::TokenRevoked { token } => {
                if let Some(token) = self.tokens.remove(token) {
                    self.by_hash.remove(token.token.hash.expose());
                }
            }
        }
    }
}

/// A handle on the accounts; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Arc<RwLock<All>>);

impl Accounts {
    /// One user.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<User> {
        self.0.read().users.get(name).cloned()
    }

    /// All users, by name.
    #[must_use]
    pub fn users(&self) -> Vec<(String, User)> {
        self.0.read().users.iter().map(|(name, user)| (name.clone(), user.clone())).collect()
    }

    /// The token of an id.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<Token> {
        self.0.read().tokens.get(id).cloned()
    }

    /// The token whose secret has this hash. Whether it has expired is for the caller to see.
    #[must_use]
    pub fn token_of_hash(&self, hash: &str) -> Option<Token> {
        let all = self.0.read();
        all.tokens.get(all.by_hash.get(hash)?).cloned()
    }

    /// All tokens, by id.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        self.0.read().tokens.values().cloned().collect()
    }

    /// Users who are administrators and can log in.
    #[must_use]
    pub fn administrators(&self) -> usize {
        let all = self.0.read();
        let can = |user: &&User| user.role == Role::Administrator && user.password.is_some();
        all.users.values().filter(can).count()
    }

    /// Takes in records; those that are taken in already are passed over.
    pub fn apply(&self, records: &[Logged]) {
        let Some((last, _)) = records.last() else { return };
        // Most records are readings, and then nothing is locked for long.
        let mut all = self.0.write();
        for (offset, record) in records {
            if let Record::Account(account) = record.as_ref()
                && *offset >= all.applied
            {
                all.apply(*offset, account);
            }
        }
        all.applied = all.applied.max(last.next());
    }
}

/// Keeps the accounts up to date. At the start they are those at the log's end.
#[derive(Debug, Default)]
pub struct AccountsFold(Accounts);

impl AccountsFold {
    /// A fold that keeps `accounts` up to date.
    #[must_use]
    pub const fn new(accounts: Accounts) -> Self {
        Self(accounts)
    }
}

impl Fold for AccountsFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, records: &[Logged]) {
        self.0.apply(records);
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        Ok(bytes::encode(NAME, VERSION, &*self.0.0.read())?.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut all: All = bytes::decode(NAME, VERSION, bytes)?;
        let by_hash = |token: &Token| (token.token.hash.expose().to_owned(), token.token.id.clone());
        all.by_hash = all.tokens.values().map(by_hash).collect();
        *self.0.0.write() = all;
        Ok(())
    }

    fn reset(&mut self) {
        *self.0.0.write() = All::default();
    }

    /// Who may use the server must be known before the first request.
    fn preview(&mut self, records: &[Logged]) -> Result<(), StateError> {
        self.apply(records);
        Ok(())
    }
}
