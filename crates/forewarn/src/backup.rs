//! Backups as they are kept in an object store: what one consists of, and how it is read.
//!
//! ```text
//! files/TABLE/…                              data files of the tables; they never change, so all backups share them
//! backups/OFFSET-TIME/lake/…                 what else belongs in the lake: Delta logs, the snapshot, models
//! backups/OFFSET-TIME/records                the records of the log that neither the tables nor the snapshot hold
//! backups/OFFSET-TIME/manifest-CRC.json      names all of these with sizes and checksums, and its own checksum in its name
//! ```
//!
//! The manifest is written last, so a backup that was interrupted has none and counts for nothing. What it
//! has copied to `files/` by then is copied again, as nothing says that it is whole.

use anyhow::{Context as _, Result, bail};
use forewarn_lake::ObjectFiles;
use forewarn_types::Offset;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

/// The folder of the backups.
pub(crate) const BACKUPS: &str = "backups";
/// The folder of the files they share.
pub(crate) const FILES: &str = "files";
/// The form described above; a later one has another number.
pub(crate) const FORM: u32 = 1;
/// Objects that are copied at the same time.
const COPIES: usize = 8;

/// One backup.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORM`].
    pub(crate) form: u32,
    /// The version of the program that wrote it.
    pub(crate) forewarn: String,
    /// When it was begun, RFC 3339.
    pub(crate) created: String,
    /// The id of the log.
    pub(crate) log: String,
    /// It holds all records before this one.
    pub(crate) offset: Offset,
    /// Every record before this one is in the tables' files.
    pub(crate) lake_offset: Offset,
    /// The first of the records beside them.
    pub(crate) records_from: Offset,
    /// These records.
    pub(crate) records: Stored,
    /// What goes into the lake.
    pub(crate) lake: Vec<Stored>,
    /// Tables of the lake that the server did not know, and that are therefore not in the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<String>,
}

/// One object of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Its path in the lake.
    pub(crate) path: String,
    /// Its path in the store of backups.
    pub(crate) at: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// The CRC-32 of its content.
    pub(crate) crc32: u32,
}

/// An object that is to be copied.
#[derive(Debug, Clone)]
pub(crate) struct Copying {
    /// Its path in the store it is copied from.
    pub(crate) from: String,
    /// Its path in the store it is copied to.
    pub(crate) to: String,
}

impl Manifest {
    /// The bytes of all objects.
    pub(crate) fn bytes(&self) -> u64 {
        self.lake.iter().chain([&self.records]).map(|stored| stored.bytes).sum()
    }

    /// Makes the backup `name` one.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn write(&self, name: &str, store: &ObjectFiles) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).context("the manifest cannot be written as JSON")?;
        let path = format!("{BACKUPS}/{name}/manifest-{:08x}.json", crc32fast::hash(&text));
        store.put(&path, text.into(), false).await?;
        Ok(())
    }
}

/// The paths of all manifests in `store`, with the names of their backups; the newest last.
///
/// # Errors
/// If the store fails.
pub(crate) async fn list(store: &ObjectFiles) -> Result<Vec<(String, String)>> {
    let named = |path: String| {
        let (name, file) = path.strip_prefix(BACKUPS)?.strip_prefix('/')?.split_once('/')?;
        file.starts_with("manifest-").then(|| (name.to_owned(), path.clone()))
    };
    let mut found: Vec<(String, String)> =
        store.list(BACKUPS).await?.into_iter().filter_map(|file| named(file.path)).collect();
    // By the time in the name: a server that was restored from an older one goes on at smaller offsets.
    found.sort_by(|(a, _), (b, _)| time_in(a).cmp(time_in(b)));
    Ok(found)
}

fn time_in(name: &str) -> &str {
    name.split_once('-').map_or("", |(_, time)| time)
}

/// The manifest at `path`.
///
/// # Errors
/// If it is damaged, or of a later form.
pub(crate) async fn read(path: &str, store: &ObjectFiles) -> Result<Manifest> {
    let text = store.get(path).await?.with_context(|| format!("{path} is gone"))?;
    if !path.ends_with(&format!("-{:08x}.json", crc32fast::hash(&text))) {
        bail!(
            "{path} is damaged: its checksum is not that of its name; use another backup (--list names them)"
        );
    }
    let form: Form = serde_json::from_slice(&text).with_context(|| format!("{path} is no manifest"))?;
    if form.form != FORM {
        bail!(
            "{path} has the form {}, and this program reads the form {FORM}; use the version of forewarn that wrote it",
            form.form
        );
    }
    serde_json::from_slice(&text).with_context(|| format!("{path} is no manifest"))
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

/// Copies objects from `source` to `target`, several at a time; size and checksum of each come back, in any
/// order.
///
/// # Errors
/// The first that could not be copied.
pub(crate) async fn copy(
    copies: Vec<Copying>,
    source: &ObjectFiles,
    target: &ObjectFiles,
    bar: &ProgressBar,
) -> Result<Vec<(Copying, u64, u32)>> {
    let copy = |copying: Copying| async move {
        let (bytes, crc32) = source.copy(&copying.from, target, &copying.to).await?;
        bar.inc(bytes);
        anyhow::Ok((copying, bytes, crc32))
    };
    stream::iter(copies).map(copy).buffer_unordered(COPIES).try_collect().await
}

/// A bar that shows bytes.
pub(crate) fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("[{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
    ProgressBar::new(bytes)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use forewarn_types::Timestamp;

    use super::*;

    fn manifest(offset: u64) -> Manifest {
        let stored =
            |path: &str, bytes| Stored { path: path.into(), at: format!("{FILES}/{path}"), bytes, crc32: 7 };
        Manifest {
            form: FORM,
            forewarn: "1".into(),
            created: "2026-01-01T00:00:00Z".into(),
            log: "log".into(),
            offset: Offset(offset),
            lake_offset: Offset(1),
            records_from: Offset(1),
            records: stored("records", 5),
            lake: vec![stored("readings/a", 10)],
            left_out: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_manifest_is_found_and_read_and_a_damaged_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store =
            ObjectFiles::open(&format!("file://{}", dir.path().display()), Timestamp(0)).await.unwrap();
        assert_eq!(list(&store).await.unwrap(), []);
        store.put("backups/2-b/lake/readings/_delta_log/0.json", "x".into(), false).await.unwrap();
        assert_eq!(list(&store).await.unwrap(), [], "without a manifest there is no backup");
        manifest(9).write("9-a", &store).await.unwrap();
        manifest(3).write("3-b", &store).await.unwrap();
        let found = list(&store).await.unwrap();
        assert_eq!(
            found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["9-a", "3-b"],
            "by time"
        );
        let read_again = read(&found[0].1, &store).await.unwrap();
        assert_eq!(
            (read_again.offset, read_again.bytes(), &read_again.lake),
            (Offset(9), 15, &manifest(9).lake)
        );

        let mut bytes = store.get(&found[0].1).await.unwrap().unwrap().to_vec();
        bytes[20] ^= 1;
        store.put(&found[0].1, bytes.into(), false).await.unwrap();
        let error = read(&found[0].1, &store).await.unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error:#}");
    }
}
