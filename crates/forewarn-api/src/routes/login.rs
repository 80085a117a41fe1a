//! Login and logout: how a person shows a browser who they are.

use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::{check_name, check_password};
use crate::access::{COOKIE, Login, Principal, address};
use crate::context::ApiState;
use crate::http::ApiJson;
use crate::http::peer::Peer;
use crate::problem::{Problem, sets};

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    /// The user.
    #[schema(example = "anna")]
    user: String,
    /// The password.
    password: String,
    /// The code that the server printed at its start: makes the user the first administrator.
    code: Option<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    /// The password so far.
    current: String,
    /// The new one, 10 to 256 bytes.
    password: String,
}

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The name; null where the server does not ask for one.
    name: Option<String>,
    /// `ingest`, `viewer`, `operator`, `engineer` or `administrator`.
    role: &'static str,
    /// The assets that one is bound to, as globs joined by commas; null means all.
    assets: Option<String>,
    /// `users`, or `off` where the server does not ask who sends a request.
    auth: &'static str,
}

impl Me {
    fn of(principal: &Principal, api: &ApiState) -> Self {
        Self {
            name: principal.name.clone(),
            role: principal.role.as_str(),
            assets: principal.scope().map(|scope| scope.describe()),
            auth: if api.access.users().is_some() { "users" } else { "off" },
        }
    }
}

/// Logs in with a password. The answer sets a cookie that shows the login from then on.
///
/// After several wrong passwords for one user or from one address, further attempts have to wait: 429. With
/// `code`, which the server prints at its start while there is no administrator, this makes the first one.
#[utoipa::path(post, path = "/v1/login", tag = "accounts", request_body = LoginBody, responses(
    (status = 200, description = "Who one is now", body = Me),
    sets::Body, sets::Refused,
))]
pub(crate) async fn login(Extract(api): Extract<ApiState>, request: Request) -> Result<Response, Problem> {
    use axum::extract::FromRequest as _;
    let (parts, body) = request.into_parts();
    let from = address(&parts).unwrap_or_default();
    let encrypted = is_encrypted(&parts);
    let request = Request::from_parts(parts, body);
    let ApiJson(LoginBody { user, password, code }) = ApiJson::from_request(request, &api).await?;
    let users = api.accounts()?;
    let login = match code {
        Some(code) => {
            check_name("user", &user)?;
            check_password(&password)?;
            let login = users.first(&code, &user, password, &from).await?;
            api.fresh().await?;
            tracing::info!(actor = user, "the first administrator was made");
            login
        }
        None => users.login(&user, password, &from).await?,
    };
    let Login { principal, secret } = login;
    let secure = if encrypted { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}");
    let mut response = (set_cookie(&cookie)?, Json(Me::of(&principal, &api))).into_response();
    response.extensions_mut().insert(principal);
    Ok(response)
}

/// Logs out: the login ends for good.
#[utoipa::path(post, path = "/v1/logout", tag = "accounts", responses(
    (status = 204, description = "The login has ended"),
))]
pub(crate) async fn logout(Extract(api): Extract<ApiState>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(users) = api.access.users() {
        users.logout(&headers);
    }
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, set_cookie(&cookie)?).into_response())
}

/// Says who one is, and what one may do.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", responses(
    (status = 200, description = "Who one is", body = Me),
))]
pub(crate) async fn me(
    Extract(api): Extract<ApiState>,
    Extension(principal): Extension<Principal>,
) -> Json<Me> {
    Json(Me::of(&principal, &api))
}

/// Sets one's own password. Other logins with the old one end.
#[utoipa::path(post, path = "/v1/me/password", tag = "accounts", request_body = PasswordBody, responses(
    (status = 204, description = "The password is set; log in again"),
    sets::Body, sets::Refused,
))]
pub(crate) async fn set_own_password(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    ApiJson(body): ApiJson<PasswordBody>,
) -> Result<StatusCode, Problem> {
    let users = api.accounts()?;
    let name = principal.name.clone().unwrap_or_default();
    if users.accounts.user(&name).is_none() {
        return Err(Problem::conflict("an API token has no password"));
    }
    check_password(&body.password)?;
    // As at a login, so that whoever finds a browser logged in cannot try passwords here.
    users.login(&name, body.current, "").await?;
    super::users::put_password(&api, &principal, &name, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A proxy in front of the server may have ended the encryption. It can only make the cookie stricter.
fn is_encrypted(parts: &axum::http::request::Parts) -> bool {
    parts.extensions.get::<Peer>().is_some_and(|peer| peer.tls)
        || parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https")
}

fn set_cookie(cookie: &str) -> Result<[(header::HeaderName, HeaderValue); 1], Problem> {
    let value = HeaderValue::from_str(cookie).map_err(|error| Problem::internal(&error))?;
    Ok([(header::SET_COOKIE, value)])
}
