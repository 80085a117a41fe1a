//! Users: who may log in, and what they may do.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_types::{AccountChange, Role, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{AssetScope, Principal, Users};
use crate::context::ApiState;
use crate::http::{ApiJson, PathParam};
use crate::problem::{Problem, sets};

const MAX_NAME: usize = 64;
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 10..=256;
const MAX_GLOBS: usize = 64;

/// A user to be added or changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    /// The name: letters, digits, and `.`, `_`, `-`, `@`.
    #[schema(example = "anna")]
    user: String,
    /// `ingest`, `viewer`, `operator`, `engineer` or `administrator`.
    #[schema(example = "operator")]
    role: String,
    /// Globs over the assets that they are bound to, one with `!` before it leaves some out; without them
    /// all assets. Not for engineers and administrators.
    #[serde(default)]
    assets: Vec<String>,
    /// The password, 10 to 256 bytes. A new user without one cannot log in: for client certificates. Of a
    /// known user it stays as it is if it is left out.
    password: Option<String>,
}

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The password, 10 to 256 bytes.
    password: String,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    /// The name.
    user: String,
    /// The role.
    role: &'static str,
    /// Globs over the assets that they are bound to; empty means all.
    assets: Vec<String>,
    /// Whether they have a password.
    password: bool,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    added: Timestamp,
}

/// All users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersView {
    /// By name.
    users: Vec<UserView>,
}

/// Lists the users.
#[utoipa::path(get, path = "/v1/users", tag = "accounts", responses(
    (status = 200, description = "The users", body = UsersView),
    sets::Refused, sets::Busy,
))]
pub(crate) async fn list_users(Extract(api): Extract<ApiState>) -> Result<Json<UsersView>, Problem> {
    let users = api.accounts()?;
    api.fresh().await?;
    let users = users.accounts.users().into_iter().map(|(name, user)| view(name, user)).collect();
    Ok(Json(UsersView { users }))
}

/// Adds a user, or changes the role, the assets and the password of one. What they are doing with the old
/// role, such as an event stream, ends within seconds.
#[utoipa::path(post, path = "/v1/users", tag = "accounts", request_body = UserBody, responses(
    (status = 200, description = "The user", body = UserView),
    sets::Body, sets::Refused,
))]
pub(crate) async fn put_user(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<UserBody>,
) -> Result<Json<UserView>, Problem> {
    let UserBody { user, role, assets, password } = body;
    let users = api.accounts()?;
    check_name("user", &user)?;
    let role = check_role(&role, &assets)?;
    if let Some(password) = &password {
        check_password(password)?;
    }
    api.fresh().await?;
    let known = users.accounts.user(&user);
    if known.is_none() && users.accounts.users().len() >= forewarn_state::MAX_USERS {
        return Err(Problem::conflict(format!("there are {} users, the most", forewarn_state::MAX_USERS)));
    }
    if known.is_some_and(|known| known.role == Role::Administrator) && role != Role::Administrator {
        check_not_last(users, &user)?;
    }
    let password = match password {
        Some(password) => Some(users.hash(password).await?),
        None => None,
    };
    let change = AccountChange::UserSet { user: user.clone(), role, assets, password };
    users.append(change, &principal.to_string()).await?;
    api.fresh().await?;
    let known = users.accounts.user(&user).ok_or_else(|| gone(&user))?;
    Ok(Json(view(user, known)))
}

/// Removes a user. Their logins and event streams end within seconds; what they did stays on record.
#[utoipa::path(delete, path = "/v1/users/{name}", tag = "accounts",
    params(("name" = String, Path, description = "The user's name")), responses(
    (status = 204, description = "The user is removed"),
    sets::Parameters, sets::Missing, sets::Refused,
))]
pub(crate) async fn remove_user(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(name): PathParam<String>,
) -> Result<StatusCode, Problem> {
    let users = api.accounts()?;
    api.fresh().await?;
    users.accounts.user(&name).ok_or_else(|| gone(&name))?;
    check_not_last(users, &name)?;
    users.append(AccountChange::UserRemoved { user: name }, &principal.to_string()).await?;
    api.fresh().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets the password of a user. Their logins end within seconds.
#[utoipa::path(post, path = "/v1/users/{name}/password", tag = "accounts", request_body = NewPassword,
    params(("name" = String, Path, description = "The user's name")), responses(
    (status = 204, description = "The password is set"),
    sets::Body, sets::Missing, sets::Refused,
))]
pub(crate) async fn set_password(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(name): PathParam<String>,
    ApiJson(body): ApiJson<NewPassword>,
) -> Result<StatusCode, Problem> {
    check_password(&body.password)?;
    put_password(&api, &principal, &name, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn put_password(
    api: &ApiState,
    principal: &Principal,
    name: &str,
    password: String,
) -> Result<(), Problem> {
    let users = api.accounts()?;
    api.fresh().await?;
    users.accounts.user(name).ok_or_else(|| gone(name))?;
    let password = users.hash(password).await?;
    let change = AccountChange::PasswordSet { user: name.to_owned(), password };
    users.append(change, &principal.to_string()).await?;
    api.fresh().await
}

fn view(name: String, user: forewarn_state::User) -> UserView {
    UserView {
        user: name,
        role: user.role.as_str(),
        assets: user.assets,
        password: user.password.is_some(),
        added: user.added,
    }
}

fn gone(name: &str) -> Problem {
    let name: String = name.chars().take(MAX_NAME).collect();
    Problem::not_found(format!("there is no user {name}")).hint("GET /v1/users lists all")
}

/// Somebody must be left who can make users.
fn check_not_last(users: &Users, name: &str) -> Result<(), Problem> {
    let administers = users
        .accounts
        .user(name)
        .is_some_and(|user| user.role == Role::Administrator && user.password.is_some());
    if administers && users.accounts.administrators() < 2 {
        return Err(Problem::conflict(format!("{name} is the only administrator who can log in"))
            .hint("make another one first"));
    }
    Ok(())
}

/// Refuses names that could be taken for something else where they are shown.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "the field {field:?} must have 1 to {MAX_NAME} letters, digits, or `.`, `_`, `-`, `@`"
    )))
}

pub(crate) fn check_password(password: &str) -> Result<(), Problem> {
    if PASSWORD_BYTES.contains(&password.len()) {
        return Ok(());
    }
    Err(Problem::bad_request("a password must have 10 to 256 bytes")
        .hint("several words that do not belong together make a good one"))
}

/// A role that goes with the assets it is to be bound to.
pub(crate) fn check_role(role: &str, assets: &[String]) -> Result<Role, Problem> {
    let found = Role::parse(role).ok_or_else(|| {
        let role: String = role.chars().take(40).collect();
        let known = Role::ALL.map(Role::as_str).join(", ");
        Problem::bad_request(format!("role {role:?} is not known")).hint(format!("roles are {known}"))
    })?;
    if assets.len() > MAX_GLOBS {
        return Err(Problem::bad_request(format!("there are more than {MAX_GLOBS} globs over assets")));
    }
    if !assets.is_empty() && !found.can_be_bound() {
        return Err(Problem::bad_request(format!("the role {role} cannot be bound to assets"))
            .hint("what engineers and administrators do concerns all of them; leave \"assets\" out"));
    }
    AssetScope::parse(assets).map_err(|problem| Problem::bad_request(format!("assets: {problem}")))?;
    Ok(found)
}
