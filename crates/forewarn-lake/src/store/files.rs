//! The files of the lake: everything below one URL, a local folder or an S3 bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forewarn_types::Timestamp;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig};
use url::Url;

use super::crash::with_crash_points;
use super::fence::Fence;
use super::layout::{DELTA_LOG, EPOCHS, local_path};
use super::place::Place;
use super::room::{PART_BYTES, Room};
use super::runtime::{runtime, unique};
use crate::error::LakeError;

/// Files written, or forced to disk, at the same time.
pub(super) const CONCURRENT_WRITES: usize = 16;
/// How long a request to S3 is repeated before the failure is reported. The branch repeats its rounds anyway,
/// and a start or an end must not wait for minutes. A single attempt is given up by the client's own timeouts
/// (30 s, 5 s to connect; `AWS_TIMEOUT` and `AWS_CONNECT_TIMEOUT` set others).
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Files under the lake's URL that are no tables: model artefacts, markers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ObjectFiles {
    pub(super) store: Arc<dyn ObjectStore>,
    root: Url,
    pub(super) prefix: Path,
    pub(super) local: bool,
    /// What messages call it, if it is a bucket.
    pub(super) place: Option<Arc<Place>>,
    /// Where the next name comes from; none: from chance.
    names: Option<Arc<AtomicU64>>,
    /// Room for bytes that are on their way to the store, or from it.
    pub(super) room: Arc<Room>,
    /// Whether this process may still write.
    pub(super) fence: Arc<Fence>,
    /// What has been forced to disk.
    #[cfg(test)]
    pub(crate) disk: Arc<super::disk::Disk>,
}

/// What [`ObjectFiles::list`] says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path under the lake's URL.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was written, by the clock of the store.
    pub modified: Timestamp,
}

impl ObjectFiles {
    /// Opens the store at `url` and checks that it can be written, that it never overwrites where it must
    /// not, and that its clock agrees with `now`.
    ///
    /// # Errors
    /// [`LakeError::Url`] if there is no such store, or none that can be used.
    pub async fn open(url: &str, now: Timestamp) -> Result<Self, LakeError> {
        let wrong = |problem: String| LakeError::Url { url: url.to_owned(), problem };
        let files = if let Some(path) = url.strip_prefix("file://") {
            Self::open_local(path).map_err(wrong)?
        } else if let Some(rest) = url.strip_prefix("s3://") {
            Self::open_s3(url, rest, AmazonS3Builder::from_env()).map_err(wrong)?
        } else {
            return Err(wrong(
                "is not a store Forewarn knows; write file://./folder, file:///folder or s3://bucket/prefix"
                    .into(),
            ));
        };
        files.check(now).await.map_err(wrong)?;
        Ok(files)
    }

    /// The files in `store`, below `root` of it, for a simulation: nothing is probed, and new files are named
    /// after what `names` counts, so that they have the same names in every run. `root` ends with a slash,
    /// and its scheme is that of no local folder.
    ///
    /// # Errors
    /// [`LakeError::Url`] if the path of `root` cannot be one of the store.
    pub fn on(store: Arc<dyn ObjectStore>, root: Url, names: Arc<AtomicU64>) -> Result<Self, LakeError> {
        let prefix = Path::from_url_path(root.path()).map_err(|error| LakeError::Url {
            url: root.to_string(),
            problem: format!("is no path: {error}"),
        })?;
        Ok(Self { names: Some(names), ..Self::at(store, root, prefix) })
    }

    /// The files below `prefix` of `store`, which is no local folder; new ones are named by chance.
    fn at(store: Arc<dyn ObjectStore>, root: Url, prefix: Path) -> Self {
        Self {
            store,
            root,
            prefix,
            local: false,
            place: None,
            names: None,
            room: Arc::default(),
            fence: Arc::default(),
            #[cfg(test)]
            disk: Arc::default(),
        }
    }

    /// A number no other file name has: names of data files must never meet, even where two writers share a
    /// lake.
    pub(crate) fn unique(&self) -> u64 {
        self.names.as_ref().map_or_else(unique, |names| names.fetch_add(1, Ordering::Relaxed))
    }

    fn open_local(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("names no folder; write file://./folder or file:///folder".into());
        }
        let folder = std::path::absolute(path).map_err(|error| format!("is no path: {error}"))?;
        let failed = |error: std::io::Error| {
            format!("cannot create the folder {}: {error}; check its owner and mode", folder.display())
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let root = Url::from_directory_path(&folder)
            .map_err(|()| format!("{} cannot be written as a URL", folder.display()))?;
        let prefix = Path::from_url_path(root.path()).map_err(|error| format!("is no path: {error}"))?;
        let store = with_crash_points(Arc::new(LocalFileSystem::new()));
        Ok(Self { local: true, ..Self::at(store, root, prefix) })
    }

    /// The store is as `builder` says, which knows all but the bucket.
    pub(super) fn open_s3(url: &str, rest: &str, builder: AmazonS3Builder) -> Result<Self, String> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("names no bucket; write s3://bucket/prefix".into());
        }
        let setting = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
        let region = setting(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = setting(AmazonS3ConfigKey::Endpoint)
            .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let may_be_open = setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp))
            .is_some_and(|allowed| allowed == "true");
        if endpoint.starts_with("http://") && !may_be_open {
            return Err(format!(
                "is to be reached without encryption at {endpoint}; set AWS_ALLOW_HTTP=true if that is \
                 meant, or write https"
            ));
        }
        let retry = RetryConfig { max_retries: 3, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let store = builder.with_retry(retry).with_bucket_name(bucket).build().map_err(|error| {
            format!(
                "{error}; set AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for other S3 \
                stores, AWS_ENDPOINT"
            )
        })?;
        let directory = if url.ends_with('/') { url.to_owned() } else { format!("{url}/") };
        let root = Url::parse(&directory).map_err(|error| format!("is no URL: {error}"))?;
        let prefix =
            Path::parse(prefix.trim_end_matches('/')).map_err(|error| format!("is no path: {error}"))?;
        let place = Place { bucket: bucket.to_owned(), endpoint, region };
        let store = with_crash_points(Arc::new(store));
        Ok(Self { place: Some(Arc::new(place)), ..Self::at(store, root, prefix) })
    }

    /// Writes the file at `path` whole, atomically. With `if_absent` nothing is written if there is one
    /// already, and the answer is false.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails, [`LakeError::TakenOver`] if another server feeds the lake.
    pub async fn put(&self, path: &str, bytes: Bytes, if_absent: bool) -> Result<bool, LakeError> {
        if !path.starts_with(EPOCHS) {
            self.check_epoch().await?;
        }
        let location = self.path(path);
        if if_absent {
            // Only a single request can be a conditional one.
            match self.store.put_opts(&location, bytes.into(), PutOptions::from(PutMode::Create)).await {
                Ok(_) => {}
                Err(StoreError::AlreadyExists { .. }) => return Ok(false),
                Err(error) => return Err(LakeError::store(format!("writing {path}"), error)),
            }
        } else {
            self.upload(&location, bytes, path).await?;
        }
        if self.local {
            let files = self.clone();
            let sync = move || files.make_durable(&[location]);
            tokio::task::spawn_blocking(sync).await.map_err(|error| LakeError::cut_off(&error))??;
        }
        Ok(true)
    }

    /// The file at `path`, if there is one.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let failed = |error| LakeError::store(format!("reading {path}"), error);
        match self.store.get(&self.path(path)).await {
            Ok(result) => result.bytes().await.map(Some).map_err(failed),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The files whose path begins with the folder `folder`, sorted.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn list(&self, folder: &str) -> Result<Vec<StoredFile>, LakeError> {
        let at = self.path(folder);
        let metas: Vec<_> = self
            .store
            .list(Some(&at))
            .try_collect()
            .await
            .map_err(|error| LakeError::store(format!("listing {folder}"), error))?;
        let file = |meta: object_store::ObjectMeta| {
            let modified = Timestamp(meta.last_modified.timestamp_micros());
            Some(StoredFile { path: self.below(&meta.location)?, size_bytes: meta.size, modified })
        };
        let mut found: Vec<StoredFile> = metas.into_iter().filter_map(file).collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Whether the store answers: it is asked for some entry of the Delta log of `table`.
    pub(crate) async fn answers(&self, table: &str) -> bool {
        let log = self.path(&format!("{table}/{DELTA_LOG}"));
        !matches!(self.store.list(Some(&log)).next().await, Some(Err(_)))
    }

    /// Copies the file at `path` to the path `to` of the store `target`, durably, part by part. Its size in
    /// bytes and the CRC-32 of its content come back.
    ///
    /// # Errors
    /// [`LakeError::Store`] if either store fails, or there is no such file.
    pub async fn copy(&self, path: &str, target: &Self, to: &str) -> Result<(u64, u32), LakeError> {
        let read = |error| LakeError::store(format!("reading {path}"), error);
        let stored = self.store.head(&self.path(path)).await.map_err(read)?;
        let location = target.path(to);
        let (mut size_bytes, mut crc) = (0, crc32fast::Hasher::new());
        let parts = self.download_parts(&stored).map_err(read).inspect_ok(|part| {
            size_bytes += part.len() as u64;
            crc.update(part);
        });
        if stored.size <= PART_BYTES as u64 {
            let whole = std::pin::pin!(parts).try_next().await?.unwrap_or_default();
            target.upload(&location, whole, to).await?;
        } else {
            target.upload_parts(&location, parts, to).await?;
        }
        let files = target.clone();
        let sync = move || files.make_durable(&[location]);
        tokio::task::spawn_blocking(sync).await.map_err(|error| LakeError::cut_off(&error))??;
        Ok((size_bytes, crc.finalize()))
    }

    /// Deletes the file at `path`; one that is not there is as good as deleted.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails.
    pub async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match self.store.delete(&self.path(path)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError::store(format!("deleting {path}"), error)),
        }
    }

    /// The names of the folders that hold a Delta log.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, LakeError> {
        let failed = |error| LakeError::store("listing the tables", error);
        let mut names = Vec::new();
        for folder in
            self.store.list_with_delimiter(Some(&self.prefix)).await.map_err(failed)?.common_prefixes
        {
            let inside = self.store.list_with_delimiter(Some(&folder)).await.map_err(failed)?.common_prefixes;
            if inside.iter().any(|path| path.filename() == Some(DELTA_LOG)) {
                names.extend(folder.filename().map(str::to_owned));
            }
        }
        Ok(names)
    }

    /// The store that the files are in; paths are those of [`crate::DataFile::location`].
    #[must_use]
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URL of the folder of `table`.
    pub(crate) fn table_url(&self, table: &str) -> Result<Url, LakeError> {
        self.root.join(&format!("{table}/")).map_err(|error| LakeError::table(table, error))
    }

    /// The kernel wants the folder of a local table to be there.
    pub(crate) fn make_folder(&self, url: &Url) -> Result<(), LakeError> {
        let folder = Path::from_url_path(url.path()).map(|path| local_path(&path));
        match folder {
            Ok(folder) if self.local => std::fs::create_dir_all(&folder)
                .map_err(|error| LakeError::store(format!("creating {}", folder.display()), error)),
            _ => Ok(()),
        }
    }

    /// Whether the files are on this machine, where polars can map them.
    pub(crate) const fn is_local(&self) -> bool {
        self.local
    }

    /// Where the file at `path` is in the store.
    pub(crate) fn location(&self, path: &str) -> Path {
        self.path(path)
    }

    /// The path under the lake's URL of the file at `location` in the store.
    pub(crate) fn below(&self, location: &Path) -> Option<String> {
        location.prefix_match(&self.prefix).map(|parts| parts.collect::<Path>().to_string())
    }

    pub(super) fn path(&self, below: &str) -> Path {
        below
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), object_store::path::Path::join)
    }

    /// Whether there is a file at `location`, from a thread that may block.
    pub(crate) fn exists_blocking(&self, location: &Path) -> Result<bool, LakeError> {
        match runtime()?.block_on(self.store.head(location)) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(LakeError::store(format!("looking for {location}"), error)),
        }
    }

    /// Reads a data file, which should have `size_bytes`, if it is there, from a thread that may block.
    pub(crate) fn find_blocking(&self, location: &Path, size_bytes: u64) -> Result<Option<Bytes>, LakeError> {
        match runtime()?.block_on(self.download(location, size_bytes)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(LakeError::store(format!("reading {location}"), error)),
        }
    }

    /// Writes the small files at `locations` again, as they are, from a thread that may block.
    pub(crate) fn rewrite_blocking(&self, locations: &[Path]) -> Result<(), LakeError> {
        for location in locations {
            if let Some(bytes) = self.find_blocking(location, 0)? {
                self.put_all_blocking(vec![(location.clone(), bytes)])?;
            }
        }
        Ok(())
    }

    /// Writes data files from a thread that may block, several at a time: an imported history has one for
    /// each day.
    pub(crate) fn put_all_blocking(&self, files: Vec<(Path, Bytes)>) -> Result<(), LakeError> {
        let put = |(location, bytes): (Path, Bytes)| async move {
            self.upload(&location, bytes, location.as_ref()).await
        };
        let puts = futures::stream::iter(files).map(put).buffer_unordered(CONCURRENT_WRITES);
        runtime()?.block_on(puts.try_collect::<()>())
    }
}
