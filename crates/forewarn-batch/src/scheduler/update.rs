//! Other jobs while the scheduler works: what is new is added once its past has been read.

use tokio::task::JoinError;

use super::added::Read;
use super::{HISTORY_RETRY, SchedulerHandle, Worker};
use crate::core::Core;
use crate::history::Asked;
use crate::{BatchError, Job};

use super::Command;

impl SchedulerHandle {
    /// Has the jobs be `jobs`. Those that are defined as before are not touched.
    ///
    /// # Errors
    /// [`BatchError::BadSchedule`] or [`BatchError::DuplicateJob`], and nothing changes; or
    /// [`BatchError::Stopped`].
    pub async fn update(&self, jobs: Vec<Job>) -> Result<(), BatchError> {
        Core::new(jobs.clone())?;
        self.send(Command::Update(jobs)).await
    }
}

impl Worker {
    /// Has the jobs be `jobs`; those that are new follow when their past has been read.
    pub(super) fn update(&mut self, jobs: Vec<Job>) {
        self.added.names = jobs.iter().map(|job| job.name.clone()).collect();
        self.added.updates += 1;
        self.added.tasks.abort_all();
        let updated = self.shared.core.lock().update(jobs, self.shared.clock.now());
        let new = match updated {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(%error, "the jobs stay as they are");
                return;
            }
        };
        if new.is_empty() {
            return;
        }
        let now = self.now();
        let since = |job: &Job| (job.late.recompute_us > 0).then(|| now.plus_us(-job.late.recompute_us));
        let asked: Vec<Asked> = new.iter().map(|job| (job.name.clone(), since(job))).collect();
        let (update, arrivals) = (self.added.updates, std::sync::Arc::clone(&self.arrivals));
        self.added.tasks.spawn(async move {
            loop {
                match arrivals.past(&asked).await {
                    Ok(past) => return (update, new, past),
                    Err(error) => tracing::warn!(error, "new jobs wait: their past cannot be read"),
                }
                tokio::time::sleep(HISTORY_RETRY).await;
            }
        });
    }

    /// Adds jobs whose past has been read, unless there was another update since.
    pub(super) fn add(&mut self, read: Result<Read, JoinError>) {
        // Reading neither panics nor is it stopped, but by the next update.
        let Ok((update, jobs, past)) = read else { return };
        if update != self.added.updates {
            return;
        }
        let mut core = self.shared.core.lock();
        if let Err(error) = core.add(jobs, past, self.shared.clock.now()) {
            tracing::error!(%error, "new jobs are left out");
        }
        core.sort(&self.added.names);
    }

    /// Has the jobs be `jobs` before the past of any has been read.
    pub(super) fn replace(&self, jobs: Vec<Job>) {
        match Core::new(jobs) {
            Ok(core) => *self.shared.core.lock() = core,
            Err(error) => tracing::error!(%error, "the jobs stay as they are"),
        }
    }
}
