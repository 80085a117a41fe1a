//! Files that are not what the tables say they are: cut off, replaced, or gone.
//!
//! Nothing is checked while all goes well. Once a query fails, the files it meant to read are looked at, so
//! that the answer says which one it is and what to do, in place of what a decoder has to say about it.

use forewarn_types::Timestamp;
use object_store::{Error as StoreError, ObjectStoreExt as _};

use super::reader::Reader;
use crate::error::LakeError;
use crate::table::DataFile;

/// Files that are looked at for one failure, each with one or two small requests.
const MOST_FILES: usize = 200;
/// A Parquet file ends with these bytes (Apache Parquet format, "File Format").
const MAGIC: &[u8] = b"PAR1";

impl Reader {
    /// The first of `files`, which are of `table`, that is not as the table says, as an error that names it.
    pub(crate) async fn find_damage(
        &self,
        table: &str,
        files: impl Iterator<Item = &DataFile>,
    ) -> Option<LakeError> {
        for file in files.take(MOST_FILES) {
            if let Some(problem) = self.damage(file).await {
                return Some(LakeError::table(
                    table,
                    format!(
                        "the file {} {problem}; restore it from a backup, or do without its rows: delete it \
                         and let another Delta tool \
                         take it out of the table (deltalake: DeltaTable(…).repair(), Spark: FSCK REPAIR \
                         TABLE)",
                        file.location
                    ),
                ));
            }
        }
        None
    }

    async fn damage(&self, file: &DataFile) -> Option<String> {
        let store = self.store.object_store();
        let size = match store.head(&file.location).await {
            Ok(meta) if meta.size != file.size_bytes => {
                let written = Timestamp(meta.last_modified.timestamp_micros());
                return Some(format!(
                    "is damaged: it has {} bytes in place of {}, since {written}",
                    meta.size, file.size_bytes
                ));
            }
            Ok(meta) => meta.size,
            Err(StoreError::NotFound { .. }) => return Some("is missing".to_owned()),
            // A store that does not answer is no damage.
            Err(_) => return None,
        };
        let end =
            store.get_range(&file.location, size.saturating_sub(MAGIC.len() as u64)..size).await.ok()?;
        (end != MAGIC).then(|| "is damaged: it does not end as a Parquet file does".to_owned())
    }
}
