//! Which route a request for an unknown one most likely meant.

use forewarn_types::edit_distance;

/// Paths longer than this are not worth guessing at.
const MAX_BYTES: usize = 200;

/// The known route nearest to `path`, where one is near.
#[must_use]
pub(crate) fn nearest<'a>(path: &str, templates: impl Iterator<Item = &'a str>) -> Option<String> {
    if path.len() > MAX_BYTES {
        return None;
    }
    let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
    templates
        .map(|template| (distance_to_template(&asked, template), template))
        .min()
        .filter(|(distance, _)| *distance <= 2 + path.len() / 10)
        .map(|(_, template)| template.to_owned())
}

fn distance_to_template(asked: &[&str], template: &str) -> usize {
    let known: Vec<&str> = template.trim_matches('/').split('/').collect();
    let shared = asked.iter().zip(&known);
    let differing: usize =
        shared.map(|(a, k)| if k.starts_with('{') { 0 } else { edit_distance(a, k) }).sum();
    // A segment too many or too few counts as much as it is long, a parameter as three letters.
    let left = |segments: &[&str], from: usize| -> usize {
        segments.iter().skip(from).map(|s| if s.starts_with('{') { 3 } else { s.len() }).sum()
    };
    differing + left(asked, known.len()) + left(&known, asked.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_route_is_found() {
        let routes =
            ["/v1/alerts", "/v1/alerts/{id}", "/v1/alerts/{id}/acknowledge", "/v1/assets", "/healthz"];
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(nearest(path, routes.into_iter()).as_deref(), expected, "{path}");
        };
        check("/v1/alert", Some("/v1/alerts"));
        check("/v1/alerts/7f/acknowlege", Some("/v1/alerts/{id}/acknowledge"));
        check("/health", Some("/healthz"));
        check("/wp-admin/setup-config.php", None);
    }
}
