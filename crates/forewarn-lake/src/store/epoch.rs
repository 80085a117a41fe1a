//! Which server feeds the lake: the newest one that has started on it.
//!
//! Each start of a server puts an object with the next number, its *epoch*, into the store. The put is
//! conditional, so that no two servers get the same one. From then on the server looks before each commit and
//! each snapshot whether there is a newer epoch. If there is, another server has taken the lake over, perhaps
//! on a copy of the same log, and what this one would write would be mixed with what that one writes. So this
//! one writes nothing more, ever. A lake of before epochs has none, which is as good as epoch 0.

use bytes::Bytes;
use forewarn_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::files::ObjectFiles;
use super::layout::EPOCHS;
use super::runtime::runtime;
use crate::error::LakeError;

/// Others that start at the same moment may each take an epoch from under one another this often.
const MAX_ATTEMPTS: usize = 100;

/// What an epoch's object says, for the messages of those who find it.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    server: String,
    since: Timestamp,
}

impl ObjectFiles {
    /// Takes the lake over for this process, which messages of others will call `server`. Every server that
    /// has the lake now writes nothing more to it. The epoch comes back.
    ///
    /// # Errors
    /// [`LakeError::Store`] if the store fails, [`LakeError::Mismatch`] if servers keep taking the lake from
    /// one another.
    pub async fn take_over(&self, server: &str, now: Timestamp) -> Result<u64, LakeError> {
        let holder = Holder { server: server.to_owned(), since: now };
        let text = serde_json::to_vec(&holder).map_err(|error| LakeError::store("taking over", error))?;
        for _ in 0..MAX_ATTEMPTS {
            let next = self.newest_epoch().await?.map_or(1, |newest| newest + 1);
            if !self.put(&path(next), Bytes::from(text.clone()), true).await? {
                continue;
            }
            // Others may have gone on meanwhile, and have deleted the number that was next.
            if self.newest_epoch().await? == Some(next) {
                let held = *self.fence.held.get_or_init(|| next);
                self.forget_older(held).await;
                return Ok(held);
            }
        }
        let problem = "other servers take it over again and again; let one server run on it";
        Err(LakeError::Mismatch(problem.into()))
    }

    /// Makes sure that no other server has taken the lake over since this process did. For a process that
    /// never did, such as a tool, all is well.
    ///
    /// # Errors
    /// [`LakeError::TakenOver`] if one has, now or before, [`LakeError::Store`] if the store fails.
    pub async fn check_epoch(&self) -> Result<(), LakeError> {
        let Some(held) = self.fence.held.get() else { return Ok(()) };
        if let Some(reason) = self.taken_over() {
            return Err(LakeError::TakenOver(reason));
        }
        let newest = self.newest_epoch().await?.unwrap_or(0);
        if newest <= *held {
            return Ok(());
        }
        let who = match self.get(&path(newest)).await {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).ok(),
            _ => None,
        };
        let who = who.map_or_else(
            || "another server".to_owned(),
            |Holder { server, since }| format!("another server ({server}), since {since}"),
        );
        let reason = format!("{who}, feeds the lake now: it holds epoch {newest}, and this one {held}");
        self.fence.lost.send_if_modified(|lost| {
            let is_first = lost.is_none();
            lost.get_or_insert_with(|| reason.clone());
            is_first
        });
        Err(LakeError::TakenOver(reason))
    }

    /// [`ObjectFiles::check_epoch`], from a thread that may block.
    pub(crate) fn check_epoch_blocking(&self) -> Result<(), LakeError> {
        if self.fence.held.get().is_none() {
            return Ok(());
        }
        runtime()?.block_on(self.check_epoch())
    }

    /// The epoch that this process holds, if it has taken the lake over.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.fence.held.get().copied()
    }

    /// Why this process may write nothing more, once another server has taken the lake over.
    #[must_use]
    pub fn taken_over(&self) -> Option<String> {
        self.fence.lost.borrow().clone()
    }

    /// Waits until another server is found to have taken the lake over, and says which one.
    pub async fn until_taken_over(&self) -> String {
        let mut lost = self.fence.lost.subscribe();
        let found = lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone());
        match found {
            Some(reason) => reason,
            // The sender lives as long as `self`.
            None => std::future::pending().await,
        }
    }

    async fn newest_epoch(&self) -> Result<Option<u64>, LakeError> {
        Ok(self.list(EPOCHS).await?.iter().filter_map(|file| number_of(&file.path)).max())
    }

    /// Deletes the epochs before `held`: the newest one says all.
    async fn forget_older(&self, held: u64) {
        let Ok(files) = self.list(EPOCHS).await else { return };
        for file in files.iter().filter(|file| number_of(&file.path).is_some_and(|number| number < held)) {
            if let Err(error) = self.delete(&file.path).await {
                tracing::warn!(%error, "an old epoch of the lake could not be deleted; it does no harm");
            }
        }
    }
}

fn path(epoch: u64) -> String {
    format!("{EPOCHS}/{epoch:020}.json")
}

fn number_of(path: &str) -> Option<u64> {
    path.strip_prefix(EPOCHS)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests;
