//! Stages that start and stop together.

use std::future::Future;

use anyhow::{Context as _, Error, Result, anyhow};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Running stages, and what ends them.
#[derive(Default)]
pub(super) struct Stages {
    tasks: JoinSet<Result<()>>,
    shutdown: CancellationToken,
}

impl Stages {
    /// Runs a stage until these are stopped. `failed` is what an error of it means for the server.
    pub(super) fn spawn<Run, E>(&mut self, failed: &'static str, run: impl FnOnce(CancellationToken) -> Run)
    where
        Run: Future<Output = Result<(), E>> + Send + 'static,
        Result<(), E>: anyhow::Context<(), E>,
        E: Send + 'static,
    {
        let stage = run(self.shutdown.clone());
        self.tasks.spawn(async move { stage.await.context(failed) });
    }

    /// Waits until a stage ends by itself, which none should; nothing once all have ended. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Option<Error> {
        let error = match self.tasks.join_next().await? {
            Ok(Ok(())) => anyhow!("a part of the server ended by itself"),
            Ok(Err(error)) => error,
            Err(error) => cut_off(&error),
        };
        Some(error)
    }

    /// Asks all of them to end, and waits until they have.
    ///
    /// # Errors
    /// The first one that failed.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.shutdown.cancel();
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(cut_off(&error)));
            result = result.and(ended);
        }
        result
    }
}

fn cut_off(error: &JoinError) -> Error {
    anyhow!("a part of the server was cut off: {error}")
}
