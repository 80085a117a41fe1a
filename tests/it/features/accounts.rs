//! Users and tokens, from the command line: the first administrator, what each may do, and a restart.

use forewarn_tests::cli::{Said, asked_with_input};
use forewarn_tests::site::{self, Site, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn other_machines_are_served_only_where_they_are_asked_who_they_are() {
    let folder = Site::new();
    let text = std::fs::read_to_string(folder.config()).expect("settings");
    let check = async |mode: &str| {
        let open = text.replace("127.0.0.1:0", "0.0.0.0:0") + mode;
        folder.write("open.yaml", &open);
        let mut server = tokio::process::Command::new(site::binary())
            .args(["serve", "--config"])
            .arg(folder.path().join("open.yaml"))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(server.stdout.take().expect("output")).lines();
        let said = lines.next_line().await.expect("output").unwrap_or_default();
        drop(server.start_kill());
        let output = server.wait_with_output().await.expect("it ends");
        (said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for mode in ["", "auth: { mode: off }\n"] {
        let (said, complaint) = check(mode).await;
        assert_eq!(said, "", "it does not listen");
        assert!(complaint.contains("\nauth:\n  mode: users\n"), "{complaint}");
    }
    let (said, complaint) = check("auth:\n  mode: users\n").await;
    assert!(said.contains("listens on http://0.0.0.0:"), "{said} {complaint}");
}

async fn asked(url: &str, arguments: &[&str]) -> Said {
    asked_with_input(url, arguments, "").await
}

/// Starts a server that asks who sends requests, and gives the code that it prints.
async fn with_code(site: &Site) -> (tokio::process::Child, String, String) {
    let mut server = site.spawn();
    let mut lines = BufReader::new(server.stdout.take().expect("output")).lines();
    let (mut url, mut code) = (String::new(), String::new());
    while code.is_empty() {
        let line = lines.next_line().await.expect("output").unwrap_or_else(|| panic!("{}", site.log()));
        if let Some((_, found)) = line.split_once("listens on ") {
            found.clone_into(&mut url);
        }
        if let Some((_, found)) = line.split_once("with the code ") {
            found.trim_end_matches(':').clone_into(&mut code);
        }
    }
    (server, url, code)
}

#[tokio::test]
async fn accounts_are_made_by_commands_and_outlive_the_server() {
    let mut folder = Site::new();
    folder.settings = "auth: { mode: users }\nsnapshot: { every: 1s }\n".into();
    let (mut server, url, code) = with_code(&folder).await;
    let input = format!("{code}\n{PASSWORD}\n");
    let first =
        asked_with_input(&url, &["user", "add", "--first", "anna", "--json"], &input).await.with_code(0);
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let token = first["token"].as_str().expect("a token").to_owned();

    let refused = asked(&url, &["alert", "list"]).await.complaint(1);
    assert!(refused.contains("asks who you are") && refused.contains("--token"), "{refused}");
    let none = asked(&url, &["alert", "list", "--json", "--token", &token]).await.with_code(0);
    assert!(none.contains("alerts"), "{none}");
    let add = ["user", "add", "bert", "--role", "viewer", "--assets", "plant1/**", "--token", &token];
    let added = asked_with_input(&url, &add, "another long one\n").await.with_code(0);
    assert_eq!(added, "bert is viewer\n");
    let make = ["token", "create", "gateway", "--role", "ingest", "--login", "anna"];
    let gateway = asked_with_input(&url, &make, &format!("{PASSWORD}\n")).await.with_code(0);
    let gateway = gateway.trim().to_owned();

    let http = site::http();
    let send = async |url: &str, token: &str| {
        let line = json!({ "asset": "plant1/a", "signal": "s", "value": 1.0 });
        let request = http.post(format!("{url}/v1/readings")).bearer_auth(token).json(&line);
        request.send().await.map(|answer| answer.status())
    };
    assert_eq!(send(&url, &gateway).await.ok(), Some(StatusCode::OK));
    let denied = asked(&url, &["alert", "list", "--token", &gateway]).await.complaint(1);
    assert!(denied.contains("needs the role viewer"), "{denied}");
    let users = asked(&url, &["user", "list", "--token", &token]).await.with_code(0);
    assert!(users.contains("anna") && users.contains("plant1/**"), "{users}");

    // Killed at once, and started twice: from the log alone, and from a snapshot.
    server.kill().await.expect("it ends");
    let mut again = folder.start().await;
    for _ in 0..2 {
        assert_eq!(send(&again.url, &gateway).await.ok(), Some(StatusCode::OK));
        let users = asked(&again.url, &["user", "list", "--token", &token]).await.with_code(0);
        assert!(users.contains("bert"), "{users}");
        let page = format!("{}/metrics", again.url);
        eventually("a snapshot", async || {
            let page = http.get(&page).bearer_auth(&token).send().await.expect("metrics");
            let page = page.text().await.unwrap_or_default();
            let offset = page.lines().find_map(|line| line.strip_prefix("forewarn_snapshot_offset "));
            offset.is_some_and(|offset| offset != "0")
        })
        .await;
        again.kill().await;
        again = folder.start().await;
    }
    let listed = asked(&again.url, &["token", "list", "--json", "--token", &token]).await.with_code(0);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let gateways = listed["tokens"].as_array().expect("tokens").iter();
    let id = gateways.filter(|token| token["name"] == "gateway").find_map(|token| token["id"].as_str());
    let revoke = ["token", "revoke", id.expect("an id"), "--token", &token];
    assert!(asked(&again.url, &revoke).await.with_code(0).contains("is revoked"));
    assert_eq!(send(&again.url, &gateway).await.ok(), Some(StatusCode::UNAUTHORIZED));
    // What is on disk has no secret in clear.
    for secret in [PASSWORD, "another long one", &token, &gateway, &code] {
        assert!(!holds(folder.path(), secret), "{secret} is on disk");
    }
    assert!(holds(folder.path(), "token_made"), "the files are read");
}

/// Whether a file below `folder` holds `text`.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
