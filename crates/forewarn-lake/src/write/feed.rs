//! Which log feeds the lake, and where the branch goes on reading it.

use std::sync::Arc;

use forewarn_types::Offset;

use super::marker::{put_marker, read_marker};
use super::writer::Writer;
use crate::error::LakeError;
use crate::store::{MARKER, ObjectFiles};

/// How the application id of the branch in `txn` actions begins; the id of its log follows.
const BRANCH_APP: &str = "forewarn-branch";

impl Writer {
    /// The offset the branch reads the log from: everything before it is in the files.
    pub(crate) fn resume_offset(&self) -> Offset {
        self.marker.as_ref().map(|marker| marker.offset).unwrap_or_default()
    }

    /// Makes sure that the lake belongs to the log `log`; one that belongs to none yet is its from now on.
    /// Offsets of two logs would be taken for one another, and records for such as are in the lake already.
    ///
    /// # Errors
    /// [`LakeError::Mismatch`] if it belongs to another log.
    pub(super) async fn claim(&self, log: &str) -> Result<(), LakeError> {
        let owner = match &self.marker {
            Some(marker) => marker.log.clone(),
            None if self.put_marker(Offset(0), log, true).await? => return Ok(()),
            // Another server was faster.
            None => read_marker(&self.reader.store).await?.map(|marker| marker.log).unwrap_or_default(),
        };
        check_owner(&self.reader.options.url, &owner, log)
    }

    /// Asks each table of the log's records for the offset up to which it has those of the log `log`; the
    /// newest comes back.
    pub(crate) async fn adopt(self: &Arc<Self>, log: &str) -> Result<Offset, LakeError> {
        let (writer, log) = (Arc::clone(self), log.to_owned());
        let adopt = move || writer.adopt_blocking(&log);
        tokio::task::spawn_blocking(adopt).await.map_err(|error| LakeError::cut_off(&error))?
    }

    fn adopt_blocking(&self, log: &str) -> Result<Offset, LakeError> {
        let resume = self.resume_offset();
        let app_id = self.branch_app.get_or_init(|| branch_app(log));
        let names = self.reader.view.read().names(true);
        let mut newest = resume;
        for name in names {
            let Some(table) = self.tables.get(&name) else { continue };
            let version = table.lock().version_of(app_id)?.unwrap_or(0);
            let committed = Offset(u64::try_from(version).unwrap_or(0)).max(resume);
            newest = newest.max(committed);
            if let Some(table) = self.reader.view.write().tables.get_mut(&name) {
                table.committed = Some(committed);
            }
        }
        Ok(newest)
    }

    /// The log the lake belonged to when it was opened.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.marker.as_ref().map(|marker| marker.log.as_str())
    }

    /// The offset in the marker as it is in the store now: everything before it is in the files.
    pub(crate) async fn stored_offset(&self) -> Result<Offset, LakeError> {
        Ok(read_marker(&self.reader.store).await?.map(|marker| marker.offset).unwrap_or_default())
    }

    /// Notes that everything of the log `log` before `offset` is in the files. With `if_absent` an older note
    /// stays, and the answer is false.
    pub(crate) async fn put_marker(
        &self,
        offset: Offset,
        log: &str,
        if_absent: bool,
    ) -> Result<bool, LakeError> {
        put_marker(&self.reader.store, offset, log, if_absent).await
    }
}

/// Makes sure that the log `log`, which ends at `end`, may feed the lake in `files`, which messages call
/// `url`, as far as the marker tells: before this server takes the lake over from the one that has it.
///
/// # Errors
/// [`LakeError::Mismatch`] if it may not, [`LakeError::Store`] if the store fails.
pub(crate) async fn check_feeder(
    files: &ObjectFiles,
    url: &str,
    log: &str,
    end: Offset,
) -> Result<(), LakeError> {
    let Some(marker) = read_marker(files).await? else { return Ok(()) };
    check_owner(url, &marker.log, log)?;
    check_end(marker.offset, end)
}

/// Makes sure that the log, which ends at `end`, has all that the lake has of it.
pub(super) fn check_end(newest: Offset, end: Offset) -> Result<(), LakeError> {
    if newest <= end {
        return Ok(());
    }
    Err(LakeError::Mismatch(format!(
        "the lake holds records up to offset {newest}, but the log ends at {end}; \
         the log was deleted, is an old copy, or belongs to another lake: restore it, or start with another \
         lake URL"
    )))
}

fn check_owner(url: &str, owner: &str, log: &str) -> Result<(), LakeError> {
    if owner == log {
        return Ok(());
    }
    Err(LakeError::Mismatch(format!(
        "the lake {url} is fed from the log {owner}, and this server's log is {log}; \
         give each server a lake URL of its own, or restore the data_dir that this lake was fed from; \
         if that is lost for good, \
         `forewarn restore --data-dir … --lake …` makes a new one from the lake's newest snapshot. To \
         feed the lake from this \
         log from now on, with what it holds kept, stop the other server and delete {MARKER} in the lake"
    )))
}

/// The application id of the branch that feeds the lake from the log `log`.
pub(super) fn branch_app(log: &str) -> String {
    format!("{BRANCH_APP}:{log}")
}
