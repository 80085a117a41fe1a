//! What other programs commit to the tables: Spark, a notebook, another tool that compacts. Delta lets anyone
//! write, so the server looks for what is new, and shows it to queries as its own rows.

use std::sync::Arc;
use std::time::Duration;

use super::writer::Writer;
use crate::error::LakeError;

/// How often the tables are asked for commits of other programs: one small request a table.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(30);

impl Writer {
    /// Takes in what other programs have committed; see [`Lake::refresh`](crate::Lake::refresh).
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), LakeError> {
        let mut failed = None;
        for table in self.tables.all() {
            let writer = Arc::clone(self);
            let catch_up = move || {
                let mut table = table.lock();
                table.catch_up()?;
                // An operation that failed may have caught up before this.
                if writer.shows(&table) { Ok(()) } else { writer.show_files(&mut table) }
            };
            let done =
                tokio::task::spawn_blocking(catch_up).await.map_err(|error| LakeError::cut_off(&error))?;
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes in what others commit, every so often, for ever.
    pub(super) async fn follow_others(self: Arc<Self>) -> std::convert::Infallible {
        let mut look = tokio::time::interval(LOOK_FOR_OTHERS);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "what other programs have written to the lake cannot be looked at; \
                    it is tried again");
            }
        }
    }
}
