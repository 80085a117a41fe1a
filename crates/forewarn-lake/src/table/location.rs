//! Where the files of a table and of its Delta log are in the store.

use object_store::path::Path;
use url::Url;

use crate::error::LakeError;
use crate::store::{DELTA_LOG, ObjectFiles};

/// The path in the store of the file at `url`.
pub(super) fn location(table: &str, url: &Url) -> Result<Path, LakeError> {
    Path::from_url_path(url.path()).map_err(|error| LakeError::table(table, error))
}

/// The path in the store of what an entry of the Delta log calls `path`, in the table `table` at `root`.
/// Whoever may write to the log of a table may not have the server read files elsewhere.
///
/// # Errors
/// [`LakeError::Table`] if it lies outside of the table.
pub(super) fn inside(table: &str, root: &Url, path: &str) -> Result<Path, LakeError> {
    let url = root.join(path).map_err(|error| LakeError::table(table, error))?;
    check_inside(table, root, &url)?;
    location(table, &url)
}

/// Makes sure that `url`, which an entry of the Delta log names, lies in the table `table` at `root`.
///
/// # Errors
/// [`LakeError::Table`] if it does not.
pub(super) fn check_inside(table: &str, root: &Url, url: &Url) -> Result<(), LakeError> {
    let same_store =
        (root.scheme(), root.host_str(), root.port()) == (url.scheme(), url.host_str(), url.port());
    let lies_below =
        || Some(location(table, url).ok()?.prefix_match(&location(table, root).ok()?)?.next().is_some());
    if same_store && lies_below() == Some(true) {
        return Ok(());
    }
    let problem = format!(
        "an entry of its Delta log names a file outside of the table, {url}; remove that entry with the program \
         that wrote it, and see who may write to the lake"
    );
    Err(LakeError::table(table, problem))
}

/// The path in the store of the commit that makes version `version` of `table`.
pub(super) fn commit_location(table: &str, store: &ObjectFiles, version: u64) -> Result<Path, LakeError> {
    log_location(table, store, version, "json")
}

/// The path in the store of the checkpoint of version `version` of `table`.
pub(super) fn checkpoint_location(table: &str, store: &ObjectFiles, version: u64) -> Result<Path, LakeError> {
    log_location(table, store, version, "checkpoint.parquet")
}

fn log_location(table: &str, store: &ObjectFiles, version: u64, kind: &str) -> Result<Path, LakeError> {
    let url = store.table_url(table)?.join(&format!("{DELTA_LOG}/{version:020}.{kind}"));
    location(table, &url.map_err(|error| LakeError::table(table, error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_outside_of_its_table_is_refused() {
        for (root, path, expected) in [
            ("file:///lake/t/", "date=2026-01-01/a.parquet", Some("lake/t/date=2026-01-01/a.parquet")),
            ("file:///lake/t/", "a%20b.parquet", Some("lake/t/a b.parquet")),
            ("file:///lake/t/", "file:///lake/t/a.parquet", Some("lake/t/a.parquet")),
            ("file:///lake/t/", "../u/a.parquet", None),
            ("file:///lake/t/", "x/../../u/a.parquet", None),
            ("file:///lake/t/", "%2e%2e/u/a.parquet", None),
            ("file:///lake/t/", "..%2fu/a.parquet", None),
            ("file:///lake/t/", "/etc/passwd", None),
            ("file:///lake/t/", "file:///etc/passwd", None),
            ("file:///lake/t/", "//host/lake/t/a.parquet", None),
            ("file:///lake/t/", "", None),
            ("file:///lake/t/", "file:///lake/tt/a.parquet", None),
            ("s3://bucket/lake/t/", "s3://other/lake/t/a.parquet", None),
            ("s3://bucket/lake/t/", "http://169.254.169.254/lake/t/a.parquet", None),
        ] {
            let found = inside("t", &Url::parse(root).unwrap(), path);
            assert_eq!(
                found.as_ref().ok().map(std::string::ToString::to_string).as_deref(),
                expected,
                "{path}"
            );
            let told = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(expected.is_some() || told.contains("outside of the table"), "{path}: {told}");
        }
    }
}
