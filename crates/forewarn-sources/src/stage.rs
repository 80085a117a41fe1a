//! One source of any kind, ready to run.

use std::sync::Arc;

use forewarn_ingest::{IngestError, Intake};
use forewarn_types::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::error::SourceError;
use crate::pump::Pump;
use crate::source::{Source, link};
use crate::status::SourceHandle;

type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), IngestError>> + Send>;

/// A source with its pump; nothing is connected yet.
pub(crate) struct Stage {
    handle: SourceHandle,
    run: Run,
}

impl Stage {
    pub(crate) fn new(source: impl Source, handle: &SourceHandle, intake: &Arc<Intake>) -> Self {
        let (status, intake) = (handle.clone(), Arc::clone(intake));
        Self {
            handle: handle.clone(),
            run: Box::new(move |stop| Box::pin(run(source, status, intake, stop))),
        }
    }

    /// Receives until `shutdown`.
    ///
    /// # Errors
    /// [`SourceError::Intake`] if the log has stopped.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), SourceError> {
        let name = self.handle.name();
        (self.run)(shutdown).await.map_err(|source| SourceError::Intake { name, source })
    }
}

/// Runs a source and its pump side by side. The source never waits for the disk, and when the pump ends, the
/// source does.
async fn run<S: Source>(
    source: S,
    status: SourceHandle,
    intake: Arc<Intake>,
    shutdown: CancellationToken,
) -> Result<(), IngestError> {
    let stop = shutdown.child_token();
    let (link, end) = link(status.clone());
    let pump = Pump { source: &source, intake, status, stop: stop.clone() };
    let pump = async {
        let outcome = pump.run(end).await;
        stop.cancel();
        outcome
    };
    let ((), outcome) = tokio::join!(source.run(link, stop.clone()), pump);
    outcome
}
