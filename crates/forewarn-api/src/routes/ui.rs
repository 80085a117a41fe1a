//! The console: its files, which are part of the program, and what it asks first.
//!
//! A path that names no file is one of the console's pages, so it gets the shell. Names below `static/` hold
//! a fingerprint of their content and are kept by browsers for good; the shell is asked for each time.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use forewarn_types::{Offset, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::ApiState;
use crate::problem::Problem;

/// One file of the console.
struct File {
    /// Its path below `/ui/`.
    name: &'static str,
    /// Fingerprint of its content.
    etag: &'static str,
    /// Its content.
    plain: &'static [u8],
    /// Its content, compressed by gzip.
    zipped: Option<&'static [u8]>,
}

/// What the build script has found in `ui/dist`; nothing where the console was not built.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

const SHELL: &str = "index.html";
/// Files whose names change with their content.
const FINGERPRINTED: &str = "static/";
/// The page loads nothing from elsewhere, runs no code that is not a file of its own, and stands in no frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
const HOW_TO_GET_IT: &str = "This program was built without its console.\n\
    In the source folder, with Node 20 or newer: make ui && make build\n\
    All that the console shows is in the API: GET /openapi.json describes it.\n";

/// What the console asks at its start, and from then on as its sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsoleView {
    /// The program's version.
    version: &'static str,
    /// What the server's clock shows.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// Names the log: offsets of another log are not comparable.
    log: String,
    /// The first offset that is not in the log yet. `GET /v1/alerts/stream?after=` one less misses nothing
    /// that lists asked for from now on do not hold.
    #[schema(value_type = u64)]
    end: Offset,
    /// How many records the read model has yet to take in.
    behind: u64,
}

/// The server's clock, version and place in the log; costs next to nothing.
#[utoipa::path(get, path = "/v1/console", tag = "operation", responses(
    (status = 200, description = "The server's present", body = ConsoleView),
))]
pub(crate) async fn console(Extract(api): Extract<ApiState>) -> Response {
    let end = api.log.end();
    let view = ConsoleView {
        version: env!("CARGO_PKG_VERSION"),
        now: api.clock.now(),
        log: api.log.id().to_owned(),
        end,
        behind: end.0.saturating_sub(api.state.applied().0),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

/// Whether the program holds the console.
pub(crate) fn is_there() -> bool {
    !FILES.is_empty()
}

/// `/ui` without its slash, where relative names would not be found.
pub(crate) async fn to_shell() -> Redirect {
    Redirect::permanent("/ui/")
}

/// The shell.
pub(crate) async fn shell(headers: HeaderMap) -> Response {
    answer(SHELL, &headers)
}

/// A file of the console, or the shell for one of its pages.
pub(crate) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(&path, &headers)
}

fn answer(path: &str, asked: &HeaderMap) -> Response {
    if !is_there() {
        return guarded((StatusCode::NOT_FOUND, HOW_TO_GET_IT).into_response());
    }
    let Some(file) = find(path) else {
        let path: String = path.chars().take(200).collect();
        let problem = Problem::not_found(format!("the console has no file {path}"))
            .hint("load the page again: the server may have been renewed");
        return guarded(problem.into_response());
    };
    guarded(respond(file, asked))
}

/// The file that answers for `path`.
fn find(path: &str) -> Option<&'static File> {
    let named = |name: &str| FILES.iter().find(|file| file.name == name);
    named(path).or_else(|| if path.starts_with(FINGERPRINTED) { None } else { named(SHELL) })
}

fn respond(file: &'static File, asked: &HeaderMap) -> Response {
    let zipped = file.zipped.filter(|_| accepts_gzip(asked));
    let etag = format!("\"{}{}\"", file.etag, if zipped.is_some() { "-gzip" } else { "" });
    let kept =
        if file.name.starts_with(FINGERPRINTED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(file.name))], zipped.unwrap_or(file.plain)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if zipped.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The policy goes with every answer below `/ui/`, also with a refusal.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

fn accepts_gzip(asked: &HeaderMap) -> bool {
    let accepted = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| {
        list.split(',').any(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, ""));
            name.trim().eq_ignore_ascii_case("gzip")
                && weight.replace(' ', "").trim_end_matches(['0', '.']) != "q="
        })
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whom_takes_it() {
        let check = |accepted: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        };
        check("gzip, deflate, br", true);
        check("br;q=1.0, gzip;q=0.8", true);
        check("gzip;q=0", false);
        check("gzip; q=0.0", false);
        check("identity", false);
    }

    #[test]
    fn a_page_gets_the_shell_and_a_lost_file_does_not() {
        assert!(find("static/gone-12345678.js").is_none());
        assert_eq!(find("assets/plant1/hall1/pump2").map(|file| file.name), is_there().then_some(SHELL));
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let file: &'static File =
            &File { name: "static/a.js", etag: "0123", plain: b"let a", zipped: Some(b"zip") };
        let first = respond(file, &HeaderMap::new());
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(respond(file, &asked).status(), StatusCode::NOT_MODIFIED);
        // The compressed form is another one.
        asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let zipped = respond(file, &asked);
        assert_eq!(
            (zipped.status(), &zipped.headers()[header::CONTENT_ENCODING]),
            (StatusCode::OK, &"gzip".parse().unwrap())
        );
    }
}
