//! What all queries share: settings, functions, one pool of memory, and where they spill.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use forewarn_lake::{Lake, Snapshot};
use url::Url;

use crate::engine::QueryOptions;
use crate::scope::Scope;
use crate::{catalog, functions, guard, physical, semantics};

/// Footers of data files that are kept in memory, bytes.
const FOOTER_CACHE_BYTES: usize = 64 << 20;

/// What each query starts from.
pub(crate) fn base(lake: &Lake, options: &QueryOptions) -> Result<SessionState> {
    let state = SessionStateBuilder::new()
        .with_config(config(options))
        .with_runtime_env(runtime(lake, options)?)
        .with_default_features();
    let state = functions::register(state);
    let state = guard::register(physical::register(state), &semantics::before_each_rule());
    Ok(semantics::register(state).build())
}

/// The session of one query over `snapshot` that sees what `scope` says.
pub(crate) fn over(base: &SessionState, snapshot: Snapshot, scope: Scope) -> Result<SessionState> {
    let catalog = catalog::of(snapshot, scope)?;
    Ok(SessionStateBuilder::new_from_existing(base.clone()).with_catalog_list(catalog).build())
}

fn config(options: &QueryOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(catalog::CATALOG, catalog::SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(options.threads.max(1));
    let settings = config.options_mut();
    settings.sql_parser.dialect = Dialect::PostgreSQL;
    settings.sql_parser.collect_spans = true;
    // Also where a column is sorted from its largest value down: a list of the highest does not begin with
    // what is not known.
    "nulls_last".clone_into(&mut settings.sql_parser.default_null_ordering);
    settings.execution.time_zone = Some("UTC".to_owned());
    settings.execution.collect_statistics = false;
    settings.execution.parquet.coerce_int96 = Some("us".to_owned());
    config
}

fn runtime(lake: &Lake, options: &QueryOptions) -> Result<Arc<RuntimeEnv>> {
    let spill = match &options.spill_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(spill).with_max_temp_directory_size(options.spill_bytes);
    let bytes = usize::try_from(options.memory_bytes).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(bytes)))
        .with_disk_manager_builder(disk)
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES)
        .build_arc()?;
    let url = Url::parse(crate::table::STORE)
        .map_err(|error| datafusion::common::DataFusionError::External(Box::new(error)))?;
    runtime.register_object_store(&url, Arc::clone(lake.store().object_store()));
    Ok(runtime)
}
