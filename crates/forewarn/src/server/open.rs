//! What is durable, opened, and what is folded from it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::{Intake, IntakeLimits};
use forewarn_lake::{Lake, LakeOptions};
use forewarn_log::{Compression, LocalLog, Log, LogOptions};
use forewarn_query::{QueryEngine, QueryOptions};
use forewarn_spec::{LogCompression, Refused, ServerConfig};
use forewarn_state::{CONSUMER, Folds, Restored, SnapshotStore, restore};
use forewarn_types::{Clock, Definitions, Journal as _, Record, SeriesTable, crash_point};
use parking_lot::RwLock;

use super::folds::Known;

/// What all stages share.
pub(super) struct Base {
    pub(super) log: Arc<LocalLog>,
    pub(super) series: Arc<RwLock<SeriesTable>>,
    pub(super) intake: Arc<Intake>,
    pub(super) lake: Lake,
    pub(super) queries: QueryEngine,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) known: Known,
    /// Definitions in force that this version does not load.
    pub(super) refused: usize,
}

/// The folds, and where they stand.
pub(super) struct Folded {
    pub(super) folds: Folds,
    pub(super) restored: Restored,
    pub(super) snapshots: SnapshotStore,
}

impl Base {
    /// The log, for stages that follow it.
    pub(super) fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }
}

/// Opens the log and the lake, restores what is folded from them, and puts the definitions in force.
pub(super) async fn open(
    settings: &ServerConfig,
    texts: Definitions,
    refused: &[Refused],
    clock: Arc<dyn Clock>,
) -> Result<(Base, Folded)> {
    let log = open_log(settings)?;
    let dyn_log: Arc<dyn Log> = log.clone();
    let series = Arc::new(RwLock::new(SeriesTable::new(settings.limits.max_series)));
    let limits = IntakeLimits {
        max_future_us: settings.limits.max_future_us,
        max_ahead_us: settings.limits.max_ahead_us,
        min_time: settings.limits.min_time,
        ..IntakeLimits::default()
    };
    let intake = Arc::new(Intake::new(Arc::clone(&dyn_log), Arc::clone(&series), Arc::clone(&clock), limits));
    let lake = open_lake(settings, &series, &clock).await?;
    crash_point("start.lake_open");

    let former = settings.data_dir.join("snapshots");
    let snapshots = SnapshotStore::new(lake.store().clone(), log.id(), Some(former));
    let known = Known::new();
    let mut folds = known.folds(&intake);
    let restored = restore(&snapshots, &dyn_log, &mut folds).await.context("cannot restore the state")?;
    crash_point("start.restored");

    let in_force = known.in_force.get();
    check_refused(refused, &texts, &in_force)?;
    put_in_force(texts, &in_force, &log, settings).await?;
    let queries = query_engine(settings, lake.clone(), &clock)?;
    let base = Base { log, series, intake, lake, queries, clock, known, refused: refused.len() };
    Ok((base, Folded { folds, restored, snapshots }))
}

fn open_log(settings: &ServerConfig) -> Result<Arc<LocalLog>> {
    let mut options = LogOptions::new(settings.data_dir.join("log"));
    options.max_bytes = settings.log.max_bytes;
    options.segment_bytes = settings.log.segment_bytes;
    options.group_delay = Duration::from_micros(settings.log.group_delay_us.unsigned_abs());
    options.compression = match settings.log.compression {
        LogCompression::None => Compression::None,
        LogCompression::Lz4 => Compression::Lz4,
    };
    options.consumers = vec![CONSUMER.to_owned(), forewarn_lake::CONSUMER.to_owned()];
    LocalLog::open(options).context("cannot open the log")
}

async fn open_lake(
    settings: &ServerConfig,
    series: &Arc<RwLock<SeriesTable>>,
    clock: &Arc<dyn Clock>,
) -> Result<Lake> {
    let options = LakeOptions {
        url: settings.lake.clone(),
        commit_rows: settings.branch.commit_rows,
        commit_every_us: settings.branch.commit_every_us,
        commit_bytes: settings.branch.commit_bytes,
        file_bytes: settings.maintenance.file_bytes,
        tail_max_rows: settings.branch.max_tail_rows,
        tail_max_bytes: settings.branch.max_tail_bytes,
        ..LakeOptions::default()
    };
    let lake = Lake::open(options, Arc::clone(series), Arc::clone(clock)).await;
    lake.with_context(|| format!("cannot open the lake {}", settings.lake))
}

fn query_engine(settings: &ServerConfig, lake: Lake, clock: &Arc<dyn Clock>) -> Result<QueryEngine> {
    let options = QueryOptions {
        max_rows: settings.limits.max_sql_rows,
        timeout: Duration::from_micros(settings.limits.max_sql_us.unsigned_abs()),
        memory_bytes: settings.limits.max_sql_memory_bytes,
        spill_dir: Some(settings.data_dir.join("sql")),
        spill_bytes: settings.limits.max_sql_spill_bytes,
        max_bytes: settings.limits.max_sql_answer_bytes,
        ..QueryOptions::default()
    };
    QueryEngine::new(lake, Arc::clone(clock), options).context("cannot start the engine for queries")
}

/// Passes over what no longer loads of files that are in force as they stand: the server ran with them
/// before.
///
/// # Errors
/// All mistakes of other files, which are to be corrected.
fn check_refused(refused: &[Refused], texts: &Definitions, in_force: &Definitions) -> Result<()> {
    let is_in_force = |one: &&Refused| {
        let text = texts.files.iter().find(|file| file.path == one.mistake.file).map(|file| &file.text);
        text.is_some_and(|text| in_force.files.iter().any(|file| file.text == *text))
    };
    let (old, new): (Vec<&Refused>, Vec<&Refused>) = refused.iter().partition(is_in_force);
    if !new.is_empty() {
        let mistakes: Vec<String> = new.iter().map(|one| one.mistake.to_string()).collect();
        bail!("the definitions have mistakes:\n\n{}", mistakes.join("\n\n"));
    }
    for one in old {
        tracing::warn!(
            definition = %one,
            "a definition that is in force does not load in this version; correct it and restart the server"
        );
    }
    Ok(())
}

/// Appends the definitions on disk, unless they are those in force already.
async fn put_in_force(
    texts: Definitions,
    in_force: &Definitions,
    log: &Arc<LocalLog>,
    settings: &ServerConfig,
) -> Result<()> {
    if *in_force == texts {
        return Ok(());
    }
    if texts.files.is_empty() {
        let folder = settings.pipelines.display();
        if !settings.pipelines.exists() {
            bail!(
                "rules are in force, and the folder {folder} that they came from is not there: start the \
                 server in the folder it was started in before, or correct `pipelines`; to drop the rules, \
                 create that folder and leave it empty"
            );
        }
        tracing::warn!(
            %folder,
            "there is no pipeline in this folder: the rules that were in force are dropped"
        );
    }
    crash_point("start.definitions.before");
    log.append(Record::Definitions(texts)).await.context("the log did not take the definitions")?;
    crash_point("start.definitions.after");
    Ok(())
}
