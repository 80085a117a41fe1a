//! Objects on their way to the store.
//!
//! A request is given up after 30 s, so one that carries a whole file of 128 MB would never get through a
//! line of 30 Mbit/s. Large objects go in parts, each a request with attempts and a time of its own, and no
//! more bytes are on the way at once than such a line carries in time. The object is there once all its parts
//! are.

use bytes::Bytes;
use futures::stream;
use futures::{Stream, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _, PutOptions};

use super::files::ObjectFiles;
use super::room::PART_BYTES;
use crate::error::LakeError;

/// Parts of one object that are sent at a time.
const CONCURRENT_PARTS: usize = 4;

impl ObjectFiles {
    /// Writes an object, in place of one that may be there, in as many requests as it takes. Messages call it
    /// `name`.
    pub(super) async fn upload(&self, location: &Path, bytes: Bytes, name: &str) -> Result<(), LakeError> {
        if self.local || bytes.len() <= PART_BYTES {
            let _room = self.room.take(bytes.len()).await;
            let put = self.store.put_opts(location, bytes.into(), PutOptions::default()).await;
            return put.map(drop).map_err(|error| LakeError::store(format!("writing {name}"), error));
        }
        let part = |from: usize| Ok(bytes.slice(from..bytes.len().min(from + PART_BYTES)));
        self.upload_parts(location, stream::iter((0..bytes.len()).step_by(PART_BYTES).map(part)), name).await
    }

    /// Writes an object of `parts`, all but the last of [`PART_BYTES`]. If one is missing in the end, nothing
    /// is there.
    pub(super) async fn upload_parts(
        &self,
        location: &Path,
        parts: impl Stream<Item = Result<Bytes, LakeError>>,
        name: &str,
    ) -> Result<(), LakeError> {
        let failed = |error: StoreError| LakeError::store(format!("writing {name}"), error);
        let mut upload = self.store.put_multipart(location).await.map_err(failed)?;
        let requests = parts.map_ok(|part| {
            let bytes = part.len();
            let request = upload.put_part(part.into());
            async move {
                let _room = self.room.take(bytes).await;
                request.await.map_err(failed)
            }
        });
        let sent = requests.try_buffer_unordered(CONCURRENT_PARTS).try_collect::<()>().await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(drop).map_err(failed),
            Err(error) => Err(error),
        };
        // A store keeps, and charges for, parts that are never put together.
        if done.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%location, %error, "the parts of an upload that failed may be left in the store");
        }
        done
    }
}

#[cfg(test)]
mod tests;
