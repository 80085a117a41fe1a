//! API tokens: how programs show who they are.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use forewarn_state::Token;
use forewarn_types::{AccountChange, ApiToken, Timestamp, TokenLimits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::{check_name, check_role};
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::{ApiJson, PathParam, TimeInput};
use crate::problem::{Problem, sets};

/// How much a token may ask for; what is left out has no bound.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Requests a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_s: Option<f64>,
    /// Readings a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_per_s: Option<f64>,
    /// Event streams open at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<u32>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// What it is for: letters, digits, and `.`, `_`, `-`, `@`.
    #[schema(example = "gateway7")]
    name: String,
    /// `ingest`, `viewer`, `operator`, `engineer` or `administrator`.
    #[schema(example = "ingest")]
    role: String,
    /// Globs over the assets that it is bound to, one with `!` before it leaves some out; without them all
    /// assets. Not for engineers and administrators.
    #[serde(default)]
    assets: Vec<String>,
    /// From when on it is not valid any more; without it, it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<TimeInput>,
    /// How much it may ask for.
    #[serde(default)]
    limits: Limits,
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Names it in routes.
    id: String,
    /// What it is for.
    name: String,
    /// The role.
    role: &'static str,
    /// Globs over the assets that it is bound to; empty means all.
    assets: Vec<String>,
    /// From when on it is not valid any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// How much it may ask for.
    limits: Limits,
    /// Who made it.
    made_by: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    made: Timestamp,
    /// When it was used last, to the hour.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used: Option<Timestamp>,
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokensView {
    /// By id.
    tokens: Vec<TokenView>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenMade {
    /// The secret. It is shown this once; the server keeps a hash of it.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// Lists the tokens, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "accounts", responses(
    (status = 200, description = "The tokens", body = TokensView),
    sets::Refused, sets::Busy,
))]
pub(crate) async fn list_tokens(Extract(api): Extract<ApiState>) -> Result<Json<TokensView>, Problem> {
    let users = api.accounts()?;
    api.fresh().await?;
    Ok(Json(TokensView { tokens: users.accounts.tokens().into_iter().map(view).collect() }))
}

/// Makes a token. The answer shows its secret, once.
#[utoipa::path(post, path = "/v1/tokens", tag = "accounts", request_body = TokenBody, responses(
    (status = 201, description = "The token", body = TokenMade),
    sets::Body, sets::Refused,
))]
pub(crate) async fn make_token(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<TokenBody>,
) -> Result<(StatusCode, Json<TokenMade>), Problem> {
    let users = api.accounts()?;
    check_name("name", &body.name)?;
    let role = check_role(&body.role, &body.assets)?;
    let expires = body.expires.map(|time| time.0);
    if expires.is_some_and(|at| at <= api.clock.now()) {
        return Err(Problem::bad_request("the time \"expires\" has passed already"));
    }
    let Limits { requests_per_s, rows_per_s, streams } = body.limits;
    if [requests_per_s, rows_per_s].into_iter().flatten().any(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(Problem::bad_request("the limits of a token must be numbers above 0"));
    }
    api.fresh().await?;
    if users.accounts.tokens().len() >= forewarn_state::MAX_TOKENS {
        return Err(
            Problem::conflict("there are too many tokens").hint("revoke those that are no longer used")
        );
    }
    let (secret, id, hash) = users.new_token()?;
    let limits = TokenLimits { requests_per_s, rows_per_s, streams };
    let token =
        ApiToken { id: id.clone(), name: body.name, hash, role, assets: body.assets, expires, limits };
    users.append(AccountChange::TokenMade { token }, &principal.to_string()).await?;
    api.fresh().await?;
    let made = users.accounts.token(&id).ok_or_else(|| gone(&id))?;
    Ok((StatusCode::CREATED, Json(TokenMade { token: secret, view: view(made) })))
}

/// Revokes a token. Requests with it are refused at once, and event streams end within seconds.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The token's id")), responses(
    (status = 204, description = "The token is revoked"),
    sets::Parameters, sets::Missing, sets::Refused,
))]
pub(crate) async fn revoke_token(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam(id): PathParam<String>,
) -> Result<StatusCode, Problem> {
    let users = api.accounts()?;
    api.fresh().await?;
    users.accounts.token(&id).ok_or_else(|| gone(&id))?;
    users.append(AccountChange::TokenRevoked { token: id }, &principal.to_string()).await?;
    api.fresh().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn gone(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::not_found(format!("there is no API token with the id {id}")).hint("GET /v1/tokens lists all")
}

fn view(token: Token) -> TokenView {
    let Token { token, made_by, made, used } = token;
    let TokenLimits { requests_per_s, rows_per_s, streams } = token.limits;
    TokenView {
        id: token.id,
        name: token.name,
        role: token.role.as_str(),
        assets: token.assets,
        expires: token.expires,
        limits: Limits { requests_per_s, rows_per_s, streams },
        made_by,
        made,
        last_used: used,
    }
}
