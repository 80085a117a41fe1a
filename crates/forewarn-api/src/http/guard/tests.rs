//! Which hosts and pages are let through.

use axum::body::Body;

use super::*;

fn guard_of(hosts: &[&str]) -> Guard {
    let hosts: Vec<AllowedHost> = hosts.iter().map(|host| AllowedHost::parse(host).unwrap()).collect();
    Guard::new(&hosts)
}

/// The status that a request with these headers is turned away with.
fn refused(guard: &Guard, method: &str, target: &str, headers: &[(&str, &str)]) -> Option<u16> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    guard.check(&request.body(Body::empty()).unwrap()).err().map(|problem| problem.status().as_u16())
}

#[test]
fn only_names_of_this_server_are_answered() {
    let guard = guard_of(&["forewarn.plant.example", "gateway:9443"]);
    for (host, expected) in [
        ("127.0.0.1:8080", None),
        ("10.1.2.3", None),
        ("[::1]:8080", None),
        ("localhost:9999", None),
        ("LOCALHOST.", None),
        ("a.localhost:1", None),
        ("forewarn.plant.example", None),
        ("Forewarn.Plant.Example.:8443", None),
        ("gateway:9443", None),
        ("gateway", None),
        ("gateway:80", Some(421)),
        ("evil.example", Some(421)),
        ("localhost.evil.example:8080", Some(421)),
        ("127.0.0.1.evil.example", Some(421)),
        ("forewarn.plant.example.evil.example", Some(421)),
        ("user@localhost", Some(400)),
        ("not a host", Some(400)),
    ] {
        assert_eq!(refused(&guard, "GET", "/healthz", &[("host", host)]), expected, "{host}");
    }
    assert_eq!(refused(&guard, "GET", "/", &[]), Some(400));
    assert_eq!(refused(&guard, "GET", "/", &[("host", "localhost"), ("host", "localhost")]), Some(400));
    let through_proxy = [("host", "localhost")];
    assert_eq!(refused(&guard, "GET", "http://evil.example/v1/alerts", &through_proxy), Some(421));
}

#[test]
fn pages_of_other_sites_may_read_nothing_by_acting() {
    let guard = guard_of(&["forewarn.plant.example"]);
    let host = ("host", "127.0.0.1:8080");
    for (header, value, expected) in [
        ("origin", "http://127.0.0.1:8080", None),
        ("origin", "https://forewarn.plant.example", None),
        ("origin", "https://forewarn.plant.example:444", Some(403)),
        ("origin", "http://127.0.0.1:3000", Some(403)),
        ("origin", "http://127.0.0.1", Some(403)),
        ("origin", "http://localhost:8080", Some(403)),
        ("origin", "https://evil.example", Some(403)),
        ("origin", "null", Some(403)),
        ("origin", "file://", Some(403)),
        ("origin", "", Some(403)),
        ("sec-fetch-site", "same-origin", None),
        ("sec-fetch-site", "none", None),
        ("sec-fetch-site", "same-site", Some(403)),
        ("sec-fetch-site", "cross-site", Some(403)),
        ("user-agent", "Telegraf/1.30", None),
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let found = refused(&guard, method, "/v1/alerts/7/acknowledge", &[host, (header, value)]);
            assert_eq!(found, expected, "{method} {header}: {value}");
        }
        for method in ["GET", "HEAD"] {
            assert_eq!(refused(&guard, method, "/", &[host, (header, value)]), None, "{method} {value}");
        }
    }
}
