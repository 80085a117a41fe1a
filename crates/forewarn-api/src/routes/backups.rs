//! A state of the server that stays as it is while a client copies it.
//!
//! The server does not write the copy. A client that may talk to the server has no right to make it write to
//! other places, and the user who makes a backup has their own right to do so. So the answer names what is to
//! be copied, and the server keeps all of it for as long as the answer is being read.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use forewarn_lake::Held;
use forewarn_types::Offset;
use futures::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use crate::access::Principal;
use crate::context::ApiState;
use crate::problem::{Problem, sets};
use crate::problems;

/// Where the records are put that neither the tables nor the snapshot hold.
const FOLDER: &str = "_forewarn/backups";
/// How often a line is sent that says nothing, so that a reader who has gone is noticed.
const PULSE: Duration = Duration::from_secs(1);

/// A snapshot of folded state in the lake's store.
#[derive(Debug, Serialize, ToSchema)]
struct SavedSnapshot {
    /// Every record before this one is folded in.
    #[schema(value_type = u64)]
    offset: Offset,
    /// Where it is, below the lake's URL.
    path: String,
}

/// What a backup is made of. All paths are below the lake's URL.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupPoint {
    /// The id of the log, which a restored server keeps.
    log: String,
    /// The state is that of all records before this one.
    #[schema(value_type = u64)]
    offset: Offset,
    /// Every record before this one is in the tables' files.
    #[schema(value_type = u64)]
    lake_offset: Offset,
    /// The snapshot.
    snapshot: SavedSnapshot,
    /// The records that are not in both of them.
    records: Records,
    /// The tables, each at one version.
    tables: Vec<TableVersion>,
    /// Tables in the lake that are not part of the backup: the server could not open them, or another program
    /// has made them meanwhile.
    left_out: Vec<TableLeftOut>,
}

/// A table that is not backed up.
#[derive(Debug, Serialize, ToSchema)]
struct TableLeftOut {
    /// The table, which is a folder of this name.
    name: String,
    /// Why the server does not know it.
    reason: String,
}

/// Records of the log, one behind the other.
#[derive(Debug, Serialize, ToSchema)]
struct Records {
    /// The offset of the first one.
    #[schema(value_type = u64)]
    from: Offset,
    /// Where they are.
    path: String,
}

/// One version of a table.
#[derive(Debug, Serialize, ToSchema)]
struct TableVersion {
    /// The table, which is a folder of this name.
    name: String,
    /// The version of its Delta log.
    version: u64,
    /// Data files.
    files: Vec<String>,
    /// Entries of the Delta log.
    log_entries: Vec<String>,
}

/// Holds the state of the server for a backup.
///
/// The first line of the answer says what has to be copied for a backup that is consistent at one offset.
/// Nothing of it is deleted while the answer is being read, so the connection has to be kept open until all
/// is copied; the lines that follow are empty. Meanwhile readings are taken in and queries answered as
/// always, and the upkeep of the lake waits. `forewarn backup` uses this.
#[utoipa::path(post, path = "/v1/backups", tag = "operation", responses(
    (status = 200, description = "What to copy, then empty lines until the client closes the connection",
     body = BackupPoint, content_type = "application/x-ndjson"),
    sets::Refused, sets::Busy,
))]
pub(crate) async fn hold_for_backup(
    Extract(api): Extract<ApiState>,
    principal: Principal,
) -> Result<Response, Problem> {
    let permit = Arc::clone(&api.backups).try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::conflict("another backup is being made").hint("wait until it is done, or stop it")
    })?;
    tracing::info!(actor = %principal, "a backup begins");
    let (point, held) = hold(&api).await?;
    let mut line = serde_json::to_vec(&point).map_err(|error| Problem::internal(&error))?;
    line.push(b'\n');
    let first = stream::once(std::future::ready(Ok::<_, Infallible>(Bytes::from(line))));
    let lines =
        first.chain(stream::unfold((held, permit), pulse)).take_until(api.shutdown.clone().cancelled_owned());
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

type Kept = (Held, OwnedSemaphorePermit);

/// An empty line after a while. What is held is let go when the stream is dropped.
async fn pulse(kept: Kept) -> Option<(Result<Bytes, Infallible>, Kept)> {
    tokio::time::sleep(PULSE).await;
    Some((Ok(Bytes::from_static(b"\n")), kept))
}

async fn hold(api: &ApiState) -> Result<(BackupPoint, Held), Problem> {
    let store = api.lake.store();
    // What a backup before this one left behind.
    for file in store.list(FOLDER).await.map_err(|error| problems::lake(&error))? {
        store.delete(&file.path).await.map_err(|error| problems::lake(&error))?;
    }
    // First of all: it may take a while, and neither the snapshot nor the end of the tables is to be old by
    // then.
    let paused = api.lake.pause_upkeep().await;
    // Most records are in the tables and in the snapshot then, and few are left for the slice of the log.
    api.lake.flush().await.map_err(|error| problems::lake(&error))?;
    let snapshot = (api.take_snapshot)().await;
    let snapshot =
        snapshot.map_err(|reason| Problem::unavailable(format!("no snapshot can be taken: {reason}")))?;
    let held = api.lake.hold(paused).await.map_err(|error| problems::lake(&error))?;
    let (offset, from) = (held.end, held.offset.min(snapshot.offset));
    let log = Arc::clone(&api.log);
    let records = tokio::task::spawn_blocking(move || forewarn_log::export(log.as_ref(), from, offset)).await;
    let records = records.map_err(|error| Problem::internal(&error))?;
    let records = records.map_err(|error| {
        Problem::unavailable(format!("the newest records cannot be read: {error}")).hint("try again")
    })?;
    let path = format!("{FOLDER}/{:020}-{:020}.records", from.0, offset.0);
    store.put(&path, records.into(), false).await.map_err(|error| problems::lake(&error))?;
    let tables = held.tables.iter().map(|table| TableVersion {
        name: table.name.clone(),
        version: table.version,
        files: table.files.clone(),
        log_entries: table.log_entries.clone(),
    });
    let left_out = held
        .left_out
        .iter()
        .map(|table| TableLeftOut { name: table.table.clone(), reason: table.reason.clone() });
    let point = BackupPoint {
        log: api.log.id().to_owned(),
        offset,
        lake_offset: held.offset,
        snapshot: SavedSnapshot { offset: snapshot.offset, path: snapshot.path },
        records: Records { from, path },
        tables: tables.collect(),
        left_out: left_out.collect(),
    };
    Ok((point, held))
}
