//! Logins, users and tokens, as those who have them see it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use forewarn_types::{AlertState, Clock as _, Record, Role, Transition};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Answer, Server, step};

const PASSWORD: &str = "correct horse battery";

/// How a request says who sends it.
pub(super) enum By<'a> {
    Nobody,
    Token(&'a str),
    Cookie(&'a str),
    Header(&'a str),
}

impl Server {
    fn pass(&self, us: i64) {
        self.clock.set(self.clock.now().plus_us(us));
    }

    pub(super) async fn by(&self, who: By<'_>, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = match who {
            By::Nobody => request,
            By::Token(token) => request.header("authorization", format!("Bearer {token}")),
            By::Cookie(cookie) => request.header("cookie", format!("theme=dark; {cookie}")),
            By::Header(text) => request.header("authorization", text),
        };
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// The cookie of the first administrator, anna.
    pub(super) async fn administrator(&self) -> String {
        let code = self.first_code.clone().unwrap();
        let body = json!({ "user": "anna", "password": PASSWORD, "code": code.to_lowercase() });
        let answer = self.by(By::Nobody, Method::POST, "/v1/login", Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.json()["role"], "administrator");
        cookie_of(&answer)
    }

    /// A token with its id, made by the administrator of `cookie`.
    pub(super) async fn token(
        &self,
        cookie: &str,
        role: Role,
        assets: &[&str],
        more: Value,
    ) -> (String, String) {
        let mut body = json!({ "name": role.as_str(), "role": role.as_str(), "assets": assets });
        more.as_object().into_iter().flatten().for_each(|(key, value)| body[key] = value.clone());
        let answer = self.by(By::Cookie(cookie), Method::POST, "/v1/tokens", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let made = answer.json();
        (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }
}

fn cookie_of(answer: &Answer) -> String {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

async fn login(server: &Server, user: &str, password: &str) -> Answer {
    let body = json!({ "user": user, "password": password });
    server.by(By::Nobody, Method::POST, "/v1/login", Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_of_the_start_makes_the_first_administrator_once() {
    let server = Server::with_users().await;
    let nobody = server.by(By::Nobody, Method::GET, "/v1/assets", None).await;
    nobody.problem(401);
    assert_eq!(nobody.headers["www-authenticate"], "Bearer realm=\"forewarn\"");
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    let wrong = json!({ "user": "mallory", "password": PASSWORD, "code": "AAAAA-AAAAA-AAAAA-AAAAA" });
    server.by(By::Nobody, Method::POST, "/v1/login", Some(wrong)).await.problem(401);

    let cookie = server.administrator().await;
    let me = server.by(By::Cookie(&cookie), Method::GET, "/v1/me", None).await.json();
    assert_eq!(me, json!({ "name": "anna", "role": "administrator", "assets": null, "auth": "users" }));
    let again =
        json!({ "user": "mallory", "password": PASSWORD, "code": server.first_code.clone().unwrap() });
    server.by(By::Nobody, Method::POST, "/v1/login", Some(again)).await.problem(401);
    assert_eq!(server.accounts.users().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_new_each_time_and_ends() {
    let server = Server::with_users().await;
    let first = server.administrator().await;
    // A cookie that was there before the login is not taken over.
    let body = json!({ "user": "anna", "password": PASSWORD });
    let second =
        server.by(By::Cookie("forewarn_session=planted"), Method::POST, "/v1/login", Some(body)).await;
    let second = cookie_of(&second);
    assert!(!second.contains("planted") && second != first, "{second}");

    let me = async |cookie: &str| server.by(By::Cookie(cookie), Method::GET, "/v1/me", None).await.status;
    assert_eq!(me(&second).await, StatusCode::OK);
    let out = server.by(By::Cookie(&second), Method::POST, "/v1/logout", None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!([me(&second).await, me(&first).await], [StatusCode::UNAUTHORIZED, StatusCode::OK]);
    // Eight hours without use.
    server.pass(8 * 3_600_000_000 + 1);
    assert_eq!(me(&first).await, StatusCode::UNAUTHORIZED);

    let third = cookie_of(&login(&server, "anna", PASSWORD).await);
    let change = json!({ "current": PASSWORD, "password": "another long one" });
    let changed = server.by(By::Cookie(&third), Method::POST, "/v1/me/password", Some(change)).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text());
    assert_eq!(me(&third).await, StatusCode::UNAUTHORIZED, "a new password ends logins");
    login(&server, "anna", PASSWORD).await.problem(401);
    assert_eq!(login(&server, "anna", "another long one").await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_passwords_waits() {
    let server = Server::with_users().await;
    server.administrator().await;
    for _ in 0..5 {
        login(&server, "anna", "wrong password").await.problem(401);
    }
    let refused = login(&server, "anna", PASSWORD).await;
    refused.problem(429);
    assert_eq!(refused.headers["retry-after"], "2");
    server.pass(2_000_000);
    assert_eq!(login(&server, "anna", PASSWORD).await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_is_nowhere_in_clear() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let (token, id) = server.token(&cookie, Role::Engineer, &[], json!({})).await;
    assert!(token.starts_with("fwt_") && token.len() == 68, "{token}");
    let basic = format!(
        "Basic {}",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{token}"))
    );
    let forms = [format!("Bearer {token}"), format!("Token {token}"), format!("token me:{token}"), basic];
    for form in &forms {
        let me = server.by(By::Header(form), Method::GET, "/v1/me", None).await;
        assert_eq!(me.json()["name"], "token/engineer", "{form}");
    }
    for form in ["Bearer fwt_0", "Bearer", "Basic !", "Digest x"] {
        server.by(By::Header(form), Method::GET, "/v1/me", None).await.problem(401);
    }
    let write = |path: String| {
        let request = Request::post(path).body(Body::from("m,asset=a f=1")).unwrap();
        async { server.send(request).await.status.as_u16() }
    };
    assert_eq!(write(format!("/write?db=x&u=me&p={token}")).await, 204);
    assert_eq!(write("/write?db=x".into()).await, 401);

    // Its use is put on record beside the answer.
    let listed = loop {
        let listed = server.by(By::Cookie(&cookie), Method::GET, "/v1/tokens", None).await;
        if !listed.json()["tokens"][0]["last_used"].is_null() {
            break listed;
        }
        tokio::task::yield_now().await;
    };
    assert!(!listed.text().contains(&token), "{}", listed.text());
    assert_eq!(listed.json()["tokens"][0]["last_used"], "2026-01-01T12:00:00Z");
    // What is on disk holds neither the token nor the password.
    let records = forewarn_log::Log::read(&*server.log, forewarn_types::Offset(0), 10_000, 1 << 24).unwrap();
    assert!(records.iter().any(|(_, record)| matches!(**record, Record::Account(_))));
    let mut disk = Vec::new();
    for entry in std::fs::read_dir(server.dir.path().join("log")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            disk.extend(std::fs::read(path).unwrap());
        }
    }
    let holds = |secret: &str| disk.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds("token_made"), "the log's files are read");
    assert!(!holds(&token) && !holds(&token[4..]) && !holds(PASSWORD));

    let gone = server.by(By::Cookie(&cookie), Method::DELETE, &format!("/v1/tokens/{id}"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    server.by(By::Token(&token), Method::GET, "/v1/me", None).await.problem(401);
    let body = json!({ "expires": "2026-01-01T13:00:00Z" });
    let (token, _) = server.token(&cookie, Role::Viewer, &[], body).await;
    assert_eq!(server.by(By::Token(&token), Method::GET, "/v1/me", None).await.status, StatusCode::OK);
    server.pass(3_600_000_000);
    server.by(By::Token(&token), Method::GET, "/v1/me", None).await.problem(401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_end_with_the_right_to_read_them() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let (token, id) = server.token(&cookie, Role::Viewer, &[], json!({ "limits": { "streams": 1 } })).await;
    let user = |role: &str| json!({ "user": "bert", "role": role, "password": PASSWORD });
    let made = server.by(By::Cookie(&cookie), Method::POST, "/v1/users", Some(user("operator"))).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let bert = cookie_of(&login(&server, "bert", PASSWORD).await);
    let open = |name: &'static str, value: String| {
        let request = Request::get("/v1/alerts/stream").header("host", "localhost").header(name, value);
        let request = request.body(Body::empty()).unwrap();
        async { server.router.clone().oneshot(request).await.unwrap() }
    };
    let of_token = open("authorization", format!("Bearer {token}")).await;
    let of_bert = open("cookie", bert).await;
    assert_eq!([of_token.status(), of_bert.status()], [StatusCode::OK; 2]);
    let second = open("authorization", format!("Bearer {token}")).await;
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS, "one stream is allowed");

    server.by(By::Cookie(&cookie), Method::DELETE, &format!("/v1/tokens/{id}"), None).await;
    server.by(By::Cookie(&cookie), Method::POST, "/v1/users", Some(user("viewer"))).await;
    for body in [of_token.into_body(), of_bert.into_body()] {
        let ended = tokio::time::timeout(Duration::from_secs(5), axum::body::to_bytes(body, 1 << 20)).await;
        assert!(ended.is_ok(), "the stream is still open");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_always_left_who_can_make_users() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let by = async |method, path: &str, body| server.by(By::Cookie(&cookie), method, path, body).await;
    by(Method::DELETE, "/v1/users/anna", None).await.problem(409);
    let demoted = json!({ "user": "anna", "role": "viewer" });
    by(Method::POST, "/v1/users", Some(demoted)).await.problem(409);
    for (body, says) in [
        (json!({ "user": "b c", "role": "viewer" }), "letters"),
        (json!({ "user": "bert", "role": "boss" }), "not known"),
        (json!({ "user": "bert", "role": "viewer", "password": "short" }), "10 to 256"),
        (json!({ "user": "bert", "role": "engineer", "assets": ["a/**"] }), "cannot be bound"),
        (json!({ "user": "bert", "role": "viewer", "assets": ["a/**b"] }), "level"),
    ] {
        let problem = by(Method::POST, "/v1/users", Some(body)).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    by(Method::DELETE, "/v1/users/bert", None).await.problem(404);
    let listed = by(Method::GET, "/v1/users", None).await;
    assert!(!listed.text().contains("argon2"), "{}", listed.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_a_token_hold() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let limits = json!({ "limits": { "requests_per_s": 3, "rows_per_s": 2 } });
    let (token, _) = server.token(&cookie, Role::Ingest, &[], limits).await;
    let line = json!({ "asset": "a", "signal": "s", "value": 1.0 });
    let send = async || server.by(By::Token(&token), Method::POST, "/v1/readings", Some(line.clone())).await;
    assert_eq!([send().await.status, send().await.status], [StatusCode::OK; 2]);
    let refused = send().await;
    assert!(refused.problem(429)["detail"].as_str().unwrap().contains("rows_per_s"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(send().await.problem(429)["detail"].as_str().unwrap().contains("requests_per_s"));
    server.pass(1_000_000);
    assert_eq!(send().await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_and_refusals_are_on_record_and_a_flood_of_refusals_is_counted() {
    let server = Server::with_users().await;
    let cookie = server.administrator().await;
    let (viewer, _) = server.token(&cookie, Role::Viewer, &[], json!({})).await;
    let alert = step("hot", 1, Transition::Raised, AlertState::Unacknowledged);
    let path = format!("/v1/alerts/{}/acknowledge", alert.alert);
    server.alert(alert).await;
    let acknowledged = server.by(By::Cookie(&cookie), Method::POST, &path, Some(json!({}))).await;
    assert_eq!(acknowledged.json()["acknowledged_by"], "anna");
    let before =
        forewarn_types::Journal::append(&*server.log, Record::Tick(forewarn_types::Timestamp(0))).await;
    for _ in 0..500 {
        server.by(By::Token(&viewer), Method::POST, &path, Some(json!({}))).await.problem(403);
        server.by(By::Nobody, Method::GET, "/v1/assets", None).await.problem(401);
    }
    let sql = json!({ "query": "SELECT principal, route, outcome, status FROM audit ORDER BY \"offset\"" });
    // The first refusals are written beside the answers.
    let rows = loop {
        let answer = server.by(By::Cookie(&cookie), Method::POST, "/v1/sql", Some(sql.clone())).await.json();
        let rows = answer["rows"].as_array().unwrap().clone();
        if rows.len() >= 5 {
            break rows;
        }
        tokio::task::yield_now().await;
    };
    let expected = [
        json!(["anna", "POST /v1/login", "done", 200]),
        json!(["anna", "POST /v1/tokens", "done", 201]),
        json!(["anna", "POST /v1/alerts/{id}/acknowledge", "done", 200]),
        json!(["token/viewer", "POST /v1/alerts/{id}/acknowledge", "refused", 403]),
        json!([null, "GET /v1/assets", "refused", 401]),
    ];
    assert_eq!(rows, expected);
    let end = forewarn_log::Log::end(&*server.log).0;
    assert!(end < before.unwrap().0 + 10, "a thousand refusals made few records, not {end}");
    let audit = server.by(By::Cookie(&cookie), Method::GET, "/v1/audit?outcome=refused&limit=2", None).await;
    assert_eq!(audit.json()["entries"].as_array().unwrap().len(), 2, "{}", audit.text());
    server.by(By::Token(&viewer), Method::GET, "/v1/audit", None).await.problem(403);
    let hidden = server.by(By::Token(&viewer), Method::POST, "/v1/sql", Some(sql)).await;
    assert!(hidden.problem(400)["detail"].as_str().unwrap().contains("audit"), "there is no such table");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_asked_there_are_no_accounts() {
    let server = Server::start().await;
    login(&server, "anna", PASSWORD).await.problem(409);
    server.get("/v1/users").await.problem(409);
    assert_eq!(server.get("/v1/me").await.json()["auth"], "off");
    server.stop().await;
}
