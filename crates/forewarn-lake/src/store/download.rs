//! Objects on their way from the store.
//!
//! A request is given up after 30 s even if its answer is still coming, be it that the line is slow or that
//! the bytes are not taken. So a large object is read in ranges, each a request with attempts and a time of
//! its own that is read to its end before anything is done with it. What comes counts with what goes against
//! the bytes that may be on the way at once.

use bytes::{Bytes, BytesMut};
use futures::stream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStoreExt as _, Result};

use super::files::ObjectFiles;
use super::room::PART_BYTES;

impl ObjectFiles {
    /// The object at `location`, whole. If it may be larger than one part, as `size_bytes` says, the store is
    /// asked for its size first.
    pub(super) async fn download(&self, location: &Path, size_bytes: u64) -> Result<Bytes> {
        if size_bytes <= PART_BYTES as u64 {
            return self.request(location, GetOptions::default(), size_bytes).await;
        }
        let meta = self.store.head(location).await?;
        let mut whole = BytesMut::with_capacity(usize::try_from(meta.size).unwrap_or(0));
        let mut parts = std::pin::pin!(self.download_parts(&meta));
        while let Some(part) = parts.try_next().await? {
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    /// The object that `meta` describes, all parts but the last of [`PART_BYTES`]; none if it is empty. One
    /// of several parts that is replaced meanwhile fails, if the store tells its versions apart.
    pub(super) fn download_parts(&self, meta: &ObjectMeta) -> impl Stream<Item = Result<Bytes>> {
        // A weak tag matches nothing.
        let tag = meta.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        let part = move |from: u64| {
            let to = meta.size.min(from + PART_BYTES as u64);
            let mut options = GetOptions::default();
            if meta.size > PART_BYTES as u64 {
                options = options.with_range(Some(from..to)).with_if_match(tag.clone());
            }
            self.request(&meta.location, options, to - from)
        };
        stream::iter((0..meta.size).step_by(PART_BYTES)).then(part)
    }

    /// The answer to one request, which has about so many bytes.
    async fn request(&self, location: &Path, options: GetOptions, size_bytes: u64) -> Result<Bytes> {
        let _room = self.room.take(usize::try_from(size_bytes).unwrap_or(usize::MAX)).await;
        self.store.get_opts(location, options).await?.bytes().await
    }
}
