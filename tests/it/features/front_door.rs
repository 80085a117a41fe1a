//! What a server answers to whom: requests under foreign names and from foreign pages change and show
//! nothing, and the programs of a plant send as they always did.

use forewarn_tests::raw;
use forewarn_tests::site::{Server, Site};
use serde_json::json;

const ONE: &str = r#"{"asset":"plant1/pump7","signal":"temperature","value":71.5}"#;

/// The status of a request with these headers beside its body's length.
async fn answered(server: &Server, method: &str, path: &str, headers: &[&str], body: &str) -> Option<u16> {
    let mut text = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    raw::status(&mut raw::send(server, text.as_bytes()).await).await
}

#[tokio::test]
async fn a_page_of_another_site_neither_reads_nor_changes_anything() {
    let mut site = Site::new();
    site.settings = "hosts: [forewarn.plant.example]\n".to_owned();
    let server = site.start().await;
    let own = format!("host: {}", raw::address(&server));
    let json = "content-type: application/json";
    let query = json!({ "query": "SELECT 1" }).to_string();
    for (expected, headers) in [
        (200, vec![own.as_str(), json]),
        (200, vec!["host: localhost:9", json]),
        (200, vec!["host: forewarn.plant.example", json, "origin: https://forewarn.plant.example"]),
        (200, vec![own.as_str(), json, "sec-fetch-site: same-origin"]),
        // A name that was made to point here.
        (421, vec!["host: evil.example", json]),
        (400, vec![json]),
        // What a page can send without the browser asking first.
        (403, vec![own.as_str(), json, "origin: https://evil.example"]),
        (403, vec![own.as_str(), "origin: null"]),
        (403, vec![own.as_str(), json, "sec-fetch-site: cross-site"]),
        (415, vec![own.as_str()]),
        (415, vec![own.as_str(), "content-type: text/plain"]),
        (415, vec![own.as_str(), "content-type: application/x-www-form-urlencoded"]),
    ] {
        assert_eq!(
            answered(&server, "POST", "/v1/sql", &headers, &query).await,
            Some(expected),
            "{headers:?}"
        );
    }
    let evil = [own.as_str(), "origin: https://evil.example"];
    for path in ["/v1/readings", "/write", "/v1/alerts/7/acknowledge", "/v1/assets/a/life-events"] {
        assert_eq!(answered(&server, "POST", path, &evil, ONE).await, Some(403), "{path}");
    }
    for path in ["/v1/alerts", "/healthz", "/", "/v1/alerts/stream", "/openapi.json"] {
        assert_eq!(answered(&server, "GET", path, &["host: evil.example"], "").await, Some(421), "{path}");
    }
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 0);

    // As curl's -d sends it, and gateways that say nothing of a type.
    let form = "content-type: application/x-www-form-urlencoded";
    assert_eq!(answered(&server, "POST", "/v1/readings", &[&own, form], ONE).await, Some(200));
    assert_eq!(answered(&server, "POST", "/v1/readings", &[&own], ONE).await, Some(200));
    let line = "temperature,site=plant1 value=3";
    assert_eq!(
        answered(&server, "POST", "/api/v2/write", &[&own, "content-type: text/plain"], line).await,
        Some(204)
    );
    assert_eq!(server.count("SELECT count(*) FROM readings").await, 3);
}
