//! Every route and every role: who is let in. The routes come from the description of the API; what is expected
//! of each stands here, so that a route that somebody adds has to be thought about.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request};
use forewarn_types::Role;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Server;
use crate::access::{Allows, BOUND, GROUP};

/// What each route allows, and whether those who are bound to assets may call it.
pub(super) const ROUTES: &[(&str, &str, bool)] = &[
    ("GET /", "look", true),
    ("GET /health", "look", true),
    ("GET /healthz", "look", true),
    ("GET /openapi.json", "look", true),
    ("GET /ping", "look", true),
    ("GET /readyz", "look", true),
    ("POST /v1/login", "enter", true),
    ("GET /v1/me", "own", true),
    ("POST /v1/logout", "own", true),
    ("POST /v1/me/password", "own", true),
    ("GET /v1/alerts", "read", true),
    ("GET /v1/alerts/stream", "read", true),
    ("GET /v1/alerts/{id}", "read", true),
    ("GET /v1/assets/{asset}/attributes", "read", true),
    ("GET /v1/console", "read", true),
    ("GET /v1/assets", "read", true),
    ("GET /v1/assets/{asset}", "read", true),
    ("GET /v1/assets/{asset}/life-events", "read", true),
    ("GET /v1/assets/{asset}/prediction", "read", true),
    ("GET /v1/assets/{asset}/signals/{signal}/readings", "read", true),
    ("GET /v1/predictions", "read", true),
    ("GET /v1/rules", "read", true),
    ("GET /v1/rules/{rule}", "read", true),
    ("POST /v1/sql", "read", true),
    ("GET /v1/alerts/kpis", "read", false),
    ("GET /v1/alerts/{id}/notifications", "read", false),
    ("GET /v1/contacts", "read", false),
    ("GET /v1/maintenance-windows", "read", false),
    ("GET /v1/notifications", "read", false),
    ("GET /v1/silences", "read", false),
    ("GET /metrics", "read", false),
    ("GET /v1/models/{model}/definition", "read", false),
    ("GET /v1/pipelines", "read", false),
    ("GET /v1/pipelines/{pipeline}", "read", false),
    ("POST /v1/check", "read", false),
    ("GET /v1/jobs", "read", false),
    ("GET /v1/jobs/runs/{id}", "read", false),
    ("GET /v1/jobs/{job}/runs", "read", false),
    ("GET /v1/models", "read", false),
    ("GET /v1/models/{model}/versions", "read", false),
    ("GET /v1/sources", "read", false),
    ("GET /v1/sources/{source}/dead-letters", "read", false),
    ("POST /api/v2/write", "ingest", true),
    ("POST /api/v3/write_lp", "ingest", true),
    ("POST /v1/readings", "ingest", true),
    ("POST /write", "ingest", true),
    ("POST /v1/alerts/actions", "operate", true),
    ("POST /v1/alerts/{id}/acknowledge", "operate", true),
    ("POST /v1/alerts/{id}/assign", "operate", true),
    ("POST /v1/alerts/{id}/comment", "operate", true),
    ("POST /v1/alerts/{id}/shelve", "operate", true),
    ("POST /v1/alerts/{id}/unshelve", "operate", true),
    ("POST /v1/assets/{asset}/life-events", "operate", true),
    ("DELETE /v1/maintenance-windows/{id}", "operate", false),
    ("DELETE /v1/silences/{id}", "operate", false),
    ("POST /v1/maintenance-windows", "operate", false),
    ("POST /v1/notifications/test", "operate", false),
    ("POST /v1/silences", "operate", false),
    ("PUT /v1/assets/{asset}/attributes", "engineer", false),
    ("POST /v1/apply", "engineer", false),
    ("PUT /v1/models/{model}/definition", "engineer", false),
    ("PUT /v1/pipelines/{pipeline}", "engineer", false),
    ("POST /v1/jobs/runs/{id}/cancel", "engineer", false),
    ("POST /v1/jobs/{job}/backfill", "engineer", false),
    ("POST /v1/jobs/{job}/run", "engineer", false),
    ("POST /v1/models/{model}/predict", "engineer", false),
    ("POST /v1/models/{model}/promote", "engineer", false),
    ("POST /v1/models/{model}/train", "engineer", false),
    ("DELETE /v1/tokens/{id}", "administer", false),
    ("DELETE /v1/users/{name}", "administer", false),
    ("GET /v1/audit", "administer", false),
    ("GET /v1/tokens", "administer", false),
    ("GET /v1/users", "administer", false),
    ("POST /v1/backups", "administer", false),
    ("POST /v1/tokens", "administer", false),
    ("POST /v1/users", "administer", false),
    ("POST /v1/users/{name}/password", "administer", false),
];

fn described(document: &Value) -> BTreeMap<String, (String, bool)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| {
            let said = (operation[GROUP].as_str().unwrap().to_owned(), operation[BOUND].as_bool().unwrap());
            (format!("{} {path}", method.to_uppercase()), said)
        })
    });
    operations.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_gets_in_where_it_should_and_nowhere_else() {
    let server = Server::with_users().await;
    let document = server.get("/openapi.json").await.json();
    let expected: BTreeMap<_, _> = ROUTES
        .iter()
        .map(|(route, allows, heeds)| ((*route).to_owned(), ((*allows).to_owned(), *heeds)))
        .collect();
    assert_eq!(
        described(&document),
        expected,
        "say in ROUTES who may call a new route, and whether it heeds the assets that one is bound to"
    );

    let cookie = server.administrator().await;
    let mut callers: Vec<(Option<Role>, bool, Option<String>)> = vec![(None, false, None)];
    for role in Role::ALL {
        let (token, _) = server.token(&cookie, role, &[], json!({})).await;
        callers.push((Some(role), false, Some(token)));
        if role.can_be_bound() {
            let (token, _) = server.token(&cookie, role, &["plant1/**"], json!({})).await;
            callers.push((Some(role), true, Some(token)));
        }
    }
    for (route, allows, heeds) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        // The paths of assets are those of nobody in particular; all may ask for them.
        let path = path.replace("{asset}", "plant1%2Fx").replace(['{', '}'], "");
        for (role, bound, token) in &callers {
            let mut request =
                Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(&path);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let request = request.header("host", "127.0.0.1").body(Body::empty()).unwrap();
            // Answers may be streams without an end.
            let status = server.router.clone().oneshot(request).await.unwrap().status().as_u16();
            let said = format!("{route} of {role:?}, bound: {bound}, answers {status}");
            match role {
                _ if ["look", "enter"].contains(allows) => assert!(![401, 403].contains(&status), "{said}"),
                None => assert_eq!(status, 401, "{said}"),
                Some(role) if is_enough(*role, allows) && (*heeds || !bound) => {
                    assert!(![401, 403].contains(&status), "{said}");
                }
                Some(_) => assert_eq!(status, 403, "{said}"),
            }
        }
    }
    server.stop().await;
}

/// Said once more, and in other words than the code does.
fn is_enough(role: Role, allows: &str) -> bool {
    let roles: &[Role] = match allows {
        "own" => &Role::ALL,
        "read" => &[Role::Viewer, Role::Operator, Role::Engineer, Role::Administrator],
        "ingest" => &[Role::Ingest, Role::Engineer, Role::Administrator],
        "operate" => &[Role::Operator, Role::Engineer, Role::Administrator],
        "engineer" => &[Role::Engineer, Role::Administrator],
        "administer" => &[Role::Administrator],
        other => panic!("{other}"),
    };
    roles.contains(&role)
}

#[test]
fn the_roles_of_groups_are_those_of_the_table() {
    let groups = [
        (Allows::Own, "own"),
        (Allows::Read, "read"),
        (Allows::Ingest, "ingest"),
        (Allows::Operate, "operate"),
        (Allows::Engineer, "engineer"),
        (Allows::Administer, "administer"),
    ];
    for (allows, name) in groups {
        assert_eq!(allows.as_str(), name);
        assert!(Role::ALL.iter().all(|role| allows.admits(*role) == is_enough(*role, name)), "{name}");
    }
}
