//! What the tests share: an intake, and a source that runs until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use forewarn_ingest::{Intake, IntakeLimits};
use forewarn_log::{Log, MemoryLog};
use forewarn_types::{ManualClock, Record, SeriesTable, Timestamp};
use parking_lot::RwLock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::SourceError;
use crate::source::Source;
use crate::stage::Stage;
use crate::status::{SourceHandle, SourceStatus};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The time of every test.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000_000);

pub(crate) fn intake(log: Arc<dyn Log>) -> Arc<Intake> {
    let clock = Arc::new(ManualClock::new(NOW));
    let series = Arc::new(RwLock::new(SeriesTable::new(1_000)));
    Arc::new(Intake::new(log, series, clock, IntakeLimits::default()))
}

/// How many readings are in the log.
pub(crate) fn readings(log: &MemoryLog) -> usize {
    let count = |record: &Arc<Record>| match &**record {
        Record::Readings(batch) => batch.len(),
        _ => 0,
    };
    log.records().iter().map(count).sum()
}

/// A source that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) handle: SourceHandle,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), SourceError>>,
}

impl Running {
    pub(crate) fn start(source: impl Source, intake: &Arc<Intake>) -> Self {
        let handle = SourceHandle::new("test".into(), "test", Arc::new(ManualClock::new(NOW)));
        let stage = Stage::new(source, &handle, intake);
        let stop = CancellationToken::new();
        Self { handle, stop: stop.clone(), task: tokio::spawn(stage.run(stop)) }
    }

    pub(crate) async fn until(&self, reached: impl Fn(&SourceStatus) -> bool) {
        let mut changes = self.handle.watch();
        let outcome = tokio::time::timeout(PATIENCE, changes.wait_for(|status| reached(status))).await;
        assert!(outcome.is_ok(), "{:?}", self.handle.status());
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
