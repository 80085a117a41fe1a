//! The Delta kernel's engine over the lake's store.

use std::sync::Arc;

use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};

use crate::error::LakeError;
use crate::store::{self, ObjectFiles};

pub(crate) type LakeEngine = DefaultEngine<TokioMultiThreadExecutor>;

/// The kernel's engine over the lake's store.
pub(crate) fn engine(files: &ObjectFiles) -> Result<Arc<LakeEngine>, LakeError> {
    let executor = Arc::new(TokioMultiThreadExecutor::new(store::runtime()?.handle().clone()));
    Ok(Arc::new(
        DefaultEngineBuilder::new(Arc::clone(files.object_store())).with_task_executor(executor).build(),
    ))
}
