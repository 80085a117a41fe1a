//! A store in memory for tests, which can be told to fail, or never to answer.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;

use crate::ObjectFiles;

/// What happens to the store, and what has happened.
#[derive(Debug, Default)]
pub(crate) struct Oddities {
    /// The number of the part, of those sent from now on, that fails; 0 for none.
    pub(crate) failing_part: AtomicUsize,
    /// Parts sent.
    pub(crate) parts: AtomicUsize,
    /// Uploads in parts that were given up.
    pub(crate) aborted: AtomicUsize,
    /// The largest object that was put in one request, bytes.
    pub(crate) largest_put: AtomicUsize,
    /// The largest answer to one request, bytes.
    pub(crate) largest_get: AtomicUsize,
    /// Nothing can be read or listed.
    pub(crate) away: AtomicBool,
    /// Data files with this in their path cannot be read.
    pub(crate) broken: Mutex<Option<&'static str>>,
    /// Requests for data files with this in their path wait for ever.
    pub(crate) silent: Mutex<Option<&'static str>>,
    /// Requests for data files that wait at this moment.
    pub(crate) waiting: AtomicUsize,
}

/// A store in memory with oddities.
#[derive(Debug, Clone, Default)]
pub(crate) struct OddStore {
    inner: Arc<InMemory>,
    pub(crate) odd: Arc<Oddities>,
}

impl OddStore {
    /// The files in it.
    pub(crate) fn files(&self) -> ObjectFiles {
        let root = url::Url::parse("odd://store/lake/").unwrap();
        ObjectFiles::on(Arc::new(self.clone()), root, Arc::default()).unwrap()
    }

    fn asked(&self) -> Result<()> {
        let away = self.odd.away.load(Ordering::SeqCst);
        if away { Err(Error::Generic { store: "odd", source: "nobody answers".into() }) } else { Ok(()) }
    }

    async fn read(&self, location: &Path) -> Result<()> {
        self.asked()?;
        if !location.as_ref().contains("/part-") {
            return Ok(());
        }
        let has =
            |part: &Mutex<Option<&str>>| part.lock().is_some_and(|part| location.as_ref().contains(part));
        if has(&self.odd.silent) {
            let _waiting = Counted::new(&self.odd.waiting);
            std::future::pending::<()>().await;
        }
        if has(&self.odd.broken) {
            return Err(Error::Generic { store: "odd", source: "a broken disk".into() });
        }
        Ok(())
    }
}

/// Counts as one while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Display for OddStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an odd store")
    }
}

#[async_trait]
impl ObjectStore for OddStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.odd.largest_put.fetch_max(payload.content_length(), Ordering::SeqCst);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(OddUpload {
            upload: self.inner.put_multipart_opts(location, options).await?,
            odd: Arc::clone(&self.odd),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(location).await?;
        let head = options.head;
        let got = self.inner.get_opts(location, options).await?;
        if !head {
            self.odd
                .largest_get
                .fetch_max(usize::try_from(got.range.end - got.range.start).unwrap(), Ordering::SeqCst);
        }
        Ok(got)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read(location).await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.asked() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.asked()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct OddUpload {
    upload: Box<dyn MultipartUpload>,
    odd: Arc<Oddities>,
}

#[async_trait]
impl MultipartUpload for OddUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let number = self.odd.parts.fetch_add(1, Ordering::SeqCst) + 1;
        if number == self.odd.failing_part.load(Ordering::SeqCst) {
            return async {
                Err(Error::Generic { store: "odd", source: "this part does not arrive".into() })
            }
            .boxed();
        }
        self.upload.put_part(part)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.odd.aborted.fetch_add(1, Ordering::SeqCst);
        self.upload.abort().await
    }
}
