//! How the errors of other stages become problems. The status follows from who can correct the error.

use forewarn_batch::BatchError;
use forewarn_ingest::IngestError;
use forewarn_lake::LakeError;
use forewarn_models::ModelError;
use forewarn_query::QueryError;

use crate::problem::Problem;

/// For the sender of readings.
pub(crate) fn ingest(error: &IngestError) -> Problem {
    match error {
        IngestError::Log(error) => error.clone().into(),
        IngestError::BodyTooLarge { limit } => Problem::too_large(*limit),
        IngestError::Compression(_) | IngestError::EmptyBody(_) | IngestError::Influx(_) => {
            Problem::bad_request(error.to_string())
        }
        IngestError::Restore(_) => Problem::internal(error),
    }
}

/// For the author of a query.
pub(crate) fn query(error: &QueryError) -> Problem {
    match error {
        QueryError::Query(_) | QueryError::TooLarge(_) | QueryError::Timeout(_) => {
            Problem::bad_request(error.to_string())
        }
        QueryError::Busy(_) => Problem::unavailable(error.to_string()),
        QueryError::Lake(error) => lake(error),
        QueryError::Failed(_) => Problem::internal(error),
    }
}

/// For who needs the lake.
pub(crate) fn lake(error: &LakeError) -> Problem {
    match error {
        LakeError::Query(_) | LakeError::TooLarge(_) | LakeError::Schema { .. } => {
            Problem::bad_request(error.to_string())
        }
        LakeError::Timeout(_) => {
            Problem::bad_request(error.to_string()).hint("narrow the query's time range")
        }
        LakeError::Behind(_) | LakeError::TakenOver(_) => Problem::unavailable(error.to_string()),
        _ if error.is_retryable() => {
            tracing::error!(%error, "the lake failed");
            Problem::unavailable("the lake cannot be read now")
                .hint("try again later; the server's log has the reason")
        }
        _ => Problem::internal(error),
    }
}

/// For the user of a model.
pub(crate) fn model(error: &ModelError) -> Problem {
    match error {
        ModelError::UnknownModel { .. } | ModelError::UnknownVersion { .. } => {
            Problem::not_found(error.to_string())
        }
        ModelError::NotTrained(_)
        | ModelError::DefinitionChanged { .. }
        | ModelError::NotEnoughData { .. } => Problem::conflict(error.to_string()),
        ModelError::Journal(error) => error.clone().into(),
        ModelError::Lake(_) | ModelError::Interrupted(_) => {
            tracing::error!(%error, "a model could not be served");
            Problem::unavailable("the store of the models cannot be read now")
                .hint("try again later; the server's log has the reason")
        }
        _ => Problem::internal(error),
    }
}

/// For the user of a job.
pub(crate) fn batch(error: &BatchError) -> Problem {
    match error {
        BatchError::UnknownJob(_) | BatchError::UnknownRun(_) => Problem::not_found(error.to_string()),
        BatchError::BadInterval { .. }
        | BatchError::NotYet { .. }
        | BatchError::NotWhole { .. }
        | BatchError::TooManyIntervals { .. }
        | BatchError::NoInterval { .. }
        | BatchError::NoSchedule(_) => Problem::bad_request(error.to_string()),
        BatchError::NotCancellable { .. } => Problem::conflict(error.to_string()),
        BatchError::QueueFull(_) | BatchError::History(_) | BatchError::Stopped => {
            Problem::unavailable(error.to_string())
        }
        BatchError::Journal(error) => error.clone().into(),
        BatchError::BadSchedule { .. } | BatchError::DuplicateJob(_) => Problem::internal(error),
    }
}
