//! Training and predicting as jobs: the models' service behind the scheduler's idea of work.

use forewarn_batch::{Outcome, RunContext, Work};
use forewarn_models::ModelService;
use forewarn_types::BoxFuture;

/// Trains a model on everything before the end of the run's interval.
pub(crate) struct Train {
    /// The models.
    pub(crate) models: ModelService,
    /// Which of them.
    pub(crate) model: String,
}

/// Predicts for every asset of a model, as of the end of the run's interval.
pub(crate) struct Predict {
    /// The models.
    pub(crate) models: ModelService,
    /// Which of them.
    pub(crate) model: String,
}

impl Work for Train {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let report = self.models.train(&self.model, context.to).await.map_err(|error| error.to_string())?;
            let details = serde_json::to_string(&report).map_err(|error| error.to_string())?;
            Ok(Outcome { rows: 1, details: Some(details) })
        })
    }
}

impl Work for Predict {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let assets = self.models.predict(&self.model, context.to).await.map_err(|error| error.to_string())?;
            Ok(Outcome { rows: assets, details: None })
        })
    }
}
