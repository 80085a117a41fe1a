//! A store that passes crash points: before and behind everything that it writes or deletes.
//!
//! Whatever the lake does to its tables, it does by whole objects, so the places at which a crash tells most
//! are the borders of these steps. What an object is for stands in its path, and what a commit is for in its
//! text.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use forewarn_types::{crash_point, crash_points_matter};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// `store` itself, or where crash points are listened to, one that passes them.
pub(super) fn with_crash_points(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    if crash_points_matter() { Arc::new(CrashStore(store)) } else { store }
}

/// What is passed before and behind a step.
type Points = [&'static str; 2];

macro_rules! points {
    ($step:literal) => {
        [concat!("lake.", $step, ".before"), concat!("lake.", $step, ".after")]
    };
}

fn points_of_put(path: &str, payload: &PutPayload) -> Points {
    let name = path.rsplit('/').next().unwrap_or(path);
    if path.contains("/_delta_log/") {
        if name.ends_with(".checkpoint.parquet") {
            return points!("checkpoint");
        }
        return match name {
            "_last_checkpoint" => points!("last_checkpoint"),
            _ => points_of_commit(payload),
        };
    }
    if !path.contains("_forewarn/") {
        return points!("data");
    }
    let kinds = [
        ("_forewarn/branch.json", points!("marker")),
        ("_forewarn/vacuum/", points!("notes")),
        ("_forewarn/snapshots/", points!("snapshot")),
    ];
    kinds.into_iter().find(|(part, _)| path.contains(part)).map_or(points!("other"), |(_, points)| points)
}

/// By the operation that the commit names.
fn points_of_commit(payload: &PutPayload) -> Points {
    let text: Vec<u8> = payload.iter().flatten().copied().collect();
    let text = String::from_utf8_lossy(&text);
    let kinds = [
        ("STREAMING UPDATE", points!("append")),
        ("OPTIMIZE", points!("optimize")),
        ("DELETE", points!("delete")),
        ("CREATE TABLE", points!("create")),
    ];
    let names = |operation: &str| text.contains(&format!("\"operation\":\"{operation}\""));
    kinds.into_iter().find(|(operation, _)| names(operation)).map_or(points!("other"), |(_, points)| points)
}

fn points_of_deletion(path: &Path) -> Points {
    let path = path.as_ref();
    let kinds = [
        ("/_delta_log/", points!("clean")),
        ("_forewarn/snapshots/", points!("old_snapshot")),
        ("_forewarn/", points!("delete_other")),
    ];
    kinds.into_iter().find(|(part, _)| path.contains(part)).map_or(points!("vacuum"), |(_, points)| points)
}

#[derive(Debug)]
struct CrashStore(Arc<dyn ObjectStore>);

impl fmt::Display for CrashStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CrashStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let [before, after] = points_of_put(location.as_ref(), &payload);
        crash_point(before);
        let done = self.0.put_opts(location, payload, options).await?;
        crash_point(after);
        Ok(done)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let locations = locations.inspect_ok(|path| crash_point(points_of_deletion(path)[0])).boxed();
        self.0.delete_stream(locations).inspect_ok(|path| crash_point(points_of_deletion(path)[1])).boxed()
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests;
