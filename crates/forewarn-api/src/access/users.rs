//! Who asks, where users have to say it: by the cookie of a login, by an API token, or by a certificate.

use std::sync::Arc;

use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forewarn_spec::AuthConfig;
use forewarn_state::{Accounts, Token, User};
use forewarn_types::{Account, AccountChange, Clock, Journal, Offset, Record, Role, SecretHash, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::attempts::Attempts;
use super::audit::{AuditWriter, Auditor};
use super::principal::{Credential, Principal};
use super::quota::Quotas;
use super::scope::AssetScope;
use super::secrets::{self, Random};
use super::sessions::{COOKIE, Lifetimes, Sessions};
use crate::http::peer::ClientName;
use crate::problem::Problem;

/// Passwords that are hashed at one time; others wait. Each takes 19 MiB and some 20 ms of a processor.
const MAX_HASHING: usize = 2;
/// Passwords that may wait to be hashed.
const MAX_WAITING: usize = 32;
/// The use of a token is put on record once in this time.
const NOTE_USE_US: i64 = 3_600_000_000;

/// What accounts are built from.
pub struct UsersParts {
    /// The accounts, which a fold keeps up to date.
    pub accounts: Accounts,
    /// Where changes of accounts go.
    pub journal: Arc<dyn Journal>,
    /// The server's clock.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub random: Random,
    /// The settings.
    pub auth: AuthConfig,
}

/// Who may use the server.
pub(crate) struct Users {
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) auditor: Arc<Auditor>,
    journal: Arc<dyn Journal>,
    random: Random,
    lasts: Lifetimes,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    quotas: Mutex<Quotas>,
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
    /// Makes the first administrator.
    code: Mutex<Option<String>>,
}

/// A login that has just begun.
pub(crate) struct Login {
    pub(crate) principal: Principal,
    /// The cookie's secret.
    pub(crate) secret: String,
}

impl Users {
    pub(crate) fn new(parts: UsersParts) -> Result<(Self, AuditWriter), &'static str> {
        let UsersParts { accounts, journal, clock, random, auth } = parts;
        let (auditor, writer) = Auditor::new(Arc::clone(&journal), Arc::clone(&clock));
        let code = if accounts.administrators() == 0 { Some(secrets::code(&random)?) } else { None };
        let users = Self {
            accounts,
            clock,
            auditor,
            journal,
            random,
            lasts: Lifetimes { idle_us: auth.session_idle_us, most_us: auth.session_us },
            sessions: Mutex::default(),
            attempts: Mutex::default(),
            quotas: Mutex::default(),
            hashing: Arc::new(Semaphore::new(MAX_HASHING)),
            waiting: Semaphore::new(MAX_WAITING),
            code: Mutex::new(code),
        };
        Ok((users, writer))
    }

    /// The code that makes the first administrator, while there is none.
    pub(crate) fn code(&self) -> Option<String> {
        self.code.lock().clone()
    }

    /// Who sends a request. `in_query` says whether the route takes a token from its query, as Influx clients
    /// of version 1 send it.
    pub(crate) fn identify(&self, request: &Parts, in_query: bool) -> Result<Principal, Problem> {
        let now = self.clock.now();
        if let Some(secret) = given_token(request, in_query)? {
            return self.of_token(&secret, now);
        }
        if let Some(secret) = cookie(&request.headers) {
            let hash = secrets::digest(secret);
            if let Some(principal) = self.of_session(&hash, now, true) {
                return Ok(principal);
            }
            return Err(Problem::unauthenticated("the login has ended").hint("log in again: POST /v1/login"));
        }
        if let Some(name) = client_name(request) {
            return self.of_certificate(&name).ok_or_else(|| {
                let name: String = name.chars().take(64).collect();
                Problem::unauthenticated(format!(
                    "there is no user {name}, which the client certificate names"
                ))
                .hint("an administrator adds it: forewarn user add NAME --no-password")
            });
        }
        Err(Problem::unauthenticated("this server asks who you are").hint(
            "send an API token in the header Authorization: Bearer TOKEN (commands: --token), or log in: \
             POST /v1/login",
        ))
    }

    fn of_token(&self, secret: &str, now: Timestamp) -> Result<Principal, Problem> {
        let hash = secrets::digest(secret);
        let token = self.accounts.token_of_hash(&hash);
        let token = token.filter(|token| secrets::same(token.token.hash.expose(), &hash));
        let token = token.ok_or_else(|| {
            Problem::unauthenticated("the API token is not known: it was revoked, or is not complete")
                .hint("an administrator makes one: forewarn token create NAME --role ROLE")
        })?;
        let expired = |at| Problem::unauthenticated(format!("the API token has expired at {at}"));
        if let Some(at) = token.token.expires.filter(|at| *at <= now) {
            return Err(expired(at).hint("an administrator makes a new one: forewarn token create"));
        }
        let principal = self.principal_of(&token, now);
        if let Some(quota) = &principal.quota
            && quota.uses(token.used, NOTE_USE_US, now)
        {
            let change = AccountChange::TokenUsed { token: token.token.id };
            self.auditor.soon(Record::Account(Account { change, actor: None, time: now }));
        }
        Ok(principal)
    }

    fn principal_of(&self, token: &Token, now: Timestamp) -> Principal {
        let accounts = &self.accounts;
        let valid = |id: &str| accounts.token(id).is_some();
        let quota = self.quotas.lock().of(&token.token.id, token.token.limits, now, valid);
        Principal {
            name: Some(format!("token/{}", token.token.name)),
            role: token.token.role,
            scope: scope(&token.token.assets),
            credential: Credential::Token(token.token.id.clone()),
            quota: Some(quota),
        }
    }

    fn of_session(&self, hash: &str, now: Timestamp, touch: bool) -> Option<Principal> {
        let session = self.sessions.lock().get(hash, self.lasts, now, touch)?;
        let user = self.accounts.user(&session.user)?;
        // A new password ends the logins made with the old one.
        (user.password_set == session.password_set)
            .then(|| of_user(&session.user, &user, Credential::Session(hash.to_owned())))
    }

    fn of_certificate(&self, name: &str) -> Option<Principal> {
        let user = self.accounts.user(name)?;
        Some(of_user(name, &user, Credential::Certificate(name.to_owned())))
    }

    /// Whether `principal` may still do what they could when they were identified.
    pub(crate) fn still(&self, principal: &Principal) -> bool {
        let now = self.clock.now();
        let current = match &principal.credential {
            Credential::None => return true,
            Credential::Session(hash) => self.of_session(hash, now, false),
            Credential::Certificate(name) => self.of_certificate(name),
            Credential::Token(id) => {
                let token = self.accounts.token(id);
                let token = token.filter(|token| token.token.expires.is_none_or(|at| at > now));
                token.map(|token| self.principal_of(&token, now))
            }
        };
        current.is_some_and(|current| current.is_same(principal))
    }

    /// Logs in with a password.
    pub(crate) async fn login(&self, user: &str, password: String, from: &str) -> Result<Login, Problem> {
        let now = self.clock.now();
        self.attempts.lock().begin(user, from, now).map_err(too_many_attempts)?;
        let known = self.accounts.user(user);
        let hash = known.as_ref().and_then(|known| known.password.clone());
        let right = self.hashed(move |_| Ok(secrets::is_password(&password, hash.as_ref()))).await?;
        let Some(known) = known.filter(|_| right) else {
            return Err(Problem::unauthenticated("the user or the password is wrong"));
        };
        self.attempts.lock().right(user, from);
        self.begin(user, &known)
    }

    /// Makes the first administrator.
    pub(crate) async fn first(
        &self,
        code: &str,
        user: &str,
        password: String,
        from: &str,
    ) -> Result<Login, Problem> {
        let now = self.clock.now();
        // Codes are tried by address only; the name is one that does not exist yet.
        self.attempts.lock().begin("", from, now).map_err(too_many_attempts)?;
        let wanted = self.code();
        let right =
            wanted.as_deref().is_some_and(|wanted| secrets::same(wanted, &code.trim().to_uppercase()));
        if !right || self.accounts.administrators() > 0 {
            return Err(Problem::unauthenticated("the code is wrong, or has been used").hint(
                "the server prints a code at its start while there is no administrator; afterwards log in \
                 with user and password",
            ));
        }
        self.attempts.lock().right("", from);
        let password = self.hash(password).await?;
        // Of several with the same code the first one has it.
        if self.code.lock().take().is_none() {
            return Err(Problem::conflict("the first administrator has just been made"));
        }
        let change = AccountChange::UserSet {
            user: user.to_owned(),
            role: Role::Administrator,
            assets: Vec::new(),
            password: Some(password.clone()),
        };
        let appended = self.append(change, user).await;
        let Ok(offset) = appended else {
            *self.code.lock() = wanted;
            return Err(appended.err().unwrap_or_else(Problem::internal_silent));
        };
        let known = User {
            role: Role::Administrator,
            assets: Vec::new(),
            password: Some(password),
            password_set: offset,
            added: now,
        };
        self.begin(user, &known)
    }

    fn begin(&self, name: &str, user: &User) -> Result<Login, Problem> {
        let secret = secrets::secret(&self.random).map_err(|error| Problem::internal(&error))?;
        let hash = secrets::digest(&secret);
        self.sessions.lock().begin(hash.clone(), name.to_owned(), user.password_set, self.clock.now());
        Ok(Login { principal: of_user(name, user, Credential::Session(hash)), secret })
    }

    /// Ends the login that a request shows, whether or not it still lasts.
    pub(crate) fn logout(&self, headers: &HeaderMap) {
        if let Some(secret) = cookie(headers) {
            self.sessions.lock().end(&secrets::digest(secret));
        }
    }

    /// The hash of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<SecretHash, Problem> {
        self.hashed(move |random| secrets::hash_password(&password, random)).await
    }

    /// Does what hashes a password off the threads that serve requests, and not too often at once.
    async fn hashed<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Random) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.waiting.try_acquire().map_err(|_| {
            Problem::unavailable("too many passwords are being checked").hint("try again in a moment")
        })?;
        let turn = Arc::clone(&self.hashing).acquire_owned().await;
        let turn = turn.map_err(|error| Problem::internal(&error))?;
        let random = Arc::clone(&self.random);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&random)
        });
        done.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::internal(&error))
    }

    /// A new token's secret, its id and its hash.
    pub(crate) fn new_token(&self) -> Result<(String, String, SecretHash), Problem> {
        let failed = |error: &'static str| Problem::internal(&error);
        let secret = format!("{}{}", secrets::TOKEN_PREFIX, secrets::secret(&self.random).map_err(failed)?);
        let id = secrets::secret(&self.random).map_err(failed)?.chars().take(12).collect();
        let hash = SecretHash::new(secrets::digest(&secret));
        Ok((secret, id, hash))
    }

    /// Puts a change on record.
    pub(crate) async fn append(&self, change: AccountChange, actor: &str) -> Result<Offset, Problem> {
        let account = Account { change, actor: Some(actor.to_owned()), time: self.clock.now() };
        Ok(self.journal.append(Record::Account(account)).await?)
    }
}

fn of_user(name: &str, user: &User, credential: Credential) -> Principal {
    Principal {
        name: Some(name.to_owned()),
        role: user.role,
        scope: scope(&user.assets),
        credential,
        quota: None,
    }
}

/// The scope of globs that were checked when they were taken. If they cannot be read any more, nothing is
/// visible.
fn scope(globs: &[String]) -> Option<Arc<AssetScope>> {
    AssetScope::parse(globs).unwrap_or_else(|_| Some(AssetScope::nothing())).map(Arc::new)
}

fn too_many_attempts(seconds: u32) -> Problem {
    Problem::too_many("there were too many wrong passwords", seconds)
}

/// The token in a query.
#[derive(Deserialize)]
struct InQuery {
    p: Option<String>,
}

/// The name in the client certificate that a connection has shown.
fn client_name(parts: &Parts) -> Option<String> {
    parts.extensions.get::<ClientName>().map(|ClientName(name)| name.clone())
}

/// The API token that a request shows. A password is never taken here: each request would have it hashed.
fn given_token(request: &Parts, in_query: bool) -> Result<Option<String>, Problem> {
    if let Some(value) = request.headers.get(header::AUTHORIZATION) {
        let unknown = || {
            Problem::unauthenticated("the header Authorization is not of a form that is known").hint(
                "write Authorization: Bearer TOKEN, Authorization: Token TOKEN, or Basic with a token as \
                 password",
            )
        };
        let text = value.to_str().map_err(|_| unknown())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(unknown)?;
        let rest = rest.trim();
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Ok(Some(rest.to_owned())),
            // Clients of version 1 write USER:PASSWORD behind this word, too.
            "token" => Ok(Some(rest.rsplit_once(':').map_or(rest, |(_, token)| token).to_owned())),
            "basic" => {
                let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let decoded = decoded.ok_or_else(unknown)?;
                let (_, token) = decoded.split_once(':').ok_or_else(unknown)?;
                Ok(Some(token.to_owned()))
            }
            _ => Err(unknown()),
        };
    }
    if !in_query {
        return Ok(None);
    }
    let Query(InQuery { p }) =
        Query::try_from_uri(&request.uri).map_err(|_| Problem::bad_request("the query cannot be read"))?;
    Ok(p)
}

/// The secret in the cookie of a login.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, secret)| secret)
}
