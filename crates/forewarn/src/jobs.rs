//! The jobs that the definitions call for: queries and frames, and the training and predicting of models
//! behind the scheduler's idea of work.

mod maintenance;

use std::sync::Arc;

use forewarn_batch::{FrameWork, Job, Late, Outcome, RunContext, SqlWork, Trigger, Work};
use forewarn_models::ModelService;
use forewarn_query::QueryEngine;
use forewarn_spec::{CatchUp, Definitions, MaintenanceConfig, Model};
use forewarn_types::{BoxFuture, JobKind};

/// One job for each query and frame of a pipeline, two for each model, and the upkeep of the lake.
pub(crate) fn of(
    definitions: &Definitions,
    upkeep: MaintenanceConfig,
    queries: &QueryEngine,
    models: &ModelService,
) -> Vec<Job> {
    let sql = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.jobs);
    let sql = sql.map(|job| SqlWork::new(queries.clone(), job.clone()).into_job());
    let frames = definitions
        .pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.frames)
        .map(|job| FrameWork::new(queries.lake().clone(), job.clone()).into_job());
    let models = definitions.models.iter().flat_map(|model| model_jobs(model, models));
    sql.chain(frames).chain(models).chain([maintenance::job(queries.lake().clone(), upkeep)]).collect()
}

fn model_jobs(model: &Model, models: &ModelService) -> [Job; 2] {
    let train =
        model.train.as_ref().map(|train| Trigger::Cron { expr: train.cron.clone(), tz: train.timezone });
    let predict = model.predict_every_us.map(Trigger::Every);
    [
        Job {
            name: format!("train:{}", model.name),
            kind: JobKind::Train,
            trigger: train.unwrap_or(Trigger::OnRequest),
            catch_up: CatchUp::Latest,
            late: Late::default(),
            description: format!("trains a new version of the model {}", model.name),
            work: Arc::new(Train { models: models.clone(), model: model.name.clone() }),
        },
        Job {
            name: format!("predict:{}", model.name),
            kind: JobKind::Predict,
            trigger: predict.unwrap_or(Trigger::OnRequest),
            catch_up: CatchUp::Latest,
            late: Late::default(),
            description: format!("predicts with the model {}", model.name),
            work: Arc::new(Predict { models: models.clone(), model: model.name.clone() }),
        },
    ]
}

/// Trains a model on everything before the end of the run's interval.
struct Train {
    models: ModelService,
    model: String,
}

/// Predicts for every asset of a model, as of the end of the run's interval.
struct Predict {
    models: ModelService,
    model: String,
}

impl Work for Train {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let report =
                self.models.train(&self.model, context.to).await.map_err(|error| error.to_string())?;
            let details = serde_json::to_string(&report).map_err(|error| error.to_string())?;
            Ok(Outcome { rows: 1, details: Some(details) })
        })
    }
}

impl Work for Predict {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let assets =
                self.models.predict(&self.model, context.to).await.map_err(|error| error.to_string())?;
            Ok(Outcome { rows: assets, details: None })
        })
    }
}
