//! What other programs commit to the tables: Spark, a notebook, another tool that compacts. Delta lets anyone
//! write, so the server looks for what is new, and shows it to queries as its own rows.

use std::time::Duration;

use crate::{Lake, LakeError};

/// How often the tables are asked for commits of other programs: one small request a table.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(30);

impl Lake {
    /// Takes in what other programs have committed to the tables since the last look.
    ///
    /// # Errors
    /// The first that a table gives, [`LakeError::Store`] or [`LakeError::Table`]; the other tables are taken
    /// in all the same.
    pub async fn refresh(&self) -> Result<(), LakeError> {
        let writers: Vec<_> = self.inner.writers.read().values().cloned().collect();
        let mut failed = None;
        for writer in writers {
            let lake = self.clone();
            let catch_up = move || {
                let mut table = writer.lock();
                table.catch_up()?;
                // An operation that failed may have caught up before this.
                if lake.shows(&table) { Ok(()) } else { lake.show_files(&mut table) }
            };
            let done =
                tokio::task::spawn_blocking(catch_up).await.map_err(|error| LakeError::cut_off(&error))?;
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes in what others commit, every so often, for ever.
    pub(crate) async fn follow_others(self) -> std::convert::Infallible {
        let mut look = tokio::time::interval(LOOK_FOR_OTHERS);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "what other programs have written to the lake cannot be looked at; it is tried again");
            }
        }
    }
}
