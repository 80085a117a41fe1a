//! How a command finds the server, and what it says where there is none.

use std::process::Stdio;

use forewarn_tests::cli::{Said, asked_with_input, assert_says};
use forewarn_tests::site::{Site, binary};
use tokio::process::Command;

#[tokio::test]
async fn without_a_server_a_command_says_so() {
    let said = asked_with_input("127.0.0.1:1", &["sql", "SELECT 1 AS one"], "").await;
    assert_says(
        &said.complaint(2),
        &["no answer from http://127.0.0.1:1", "onnection refused", "is the server running"],
    );
    let said = asked_with_input("ftp://host", &["alert", "list"], "").await;
    assert_says(&said.complaint(2), &["--server", "http://127.0.0.1:8080"]);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_for_a_server_on_this_machine() {
    let site = Site::new();
    let server = site.start().await;
    let mut command = Command::new(binary());
    command
        .args(["sql", "SELECT 1 AS one", "--server", &server.url])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, "http://127.0.0.1:1");
    }
    let said = Said::of(&command.stdin(Stdio::null()).output().await.expect("the program starts"));
    assert_says(&said.with_code(0), &["one", "(1 row)"]);
}
