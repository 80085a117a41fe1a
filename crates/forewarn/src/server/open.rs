//! What is durable, opened, and what is folded from it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use forewarn_ingest::{Intake, IntakeLimits};
use forewarn_lake::{Lake, LakeOptions};
use forewarn_log::{Compression, LocalLog, Log, LogOptions};
use forewarn_query::{QueryEngine, QueryOptions};
use forewarn_spec::{Diagnostics, LogCompression, Refused, ServerConfig};
use forewarn_state::{CONSUMER, Folds, Restored, SnapshotStore, restore};
use forewarn_types::{
    Clock, DefinitionChange, Definitions, Journal as _, Offset, Record, SeriesTable, crash_point,
};
use parking_lot::RwLock;

use super::folds::Known;
use crate::config::{Texts, Tree};

/// What all stages share.
pub(super) struct Base {
    pub(super) log: Arc<LocalLog>,
    pub(super) series: Arc<RwLock<SeriesTable>>,
    pub(super) intake: Arc<Intake>,
    pub(super) lake: Lake,
    pub(super) queries: QueryEngine,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) known: Known,
}

/// The definitions that the server starts with.
pub(super) struct Starting {
    /// Those in force, checked.
    pub(super) definitions: forewarn_spec::Definitions,
    /// Their texts.
    pub(super) in_force: Definitions,
    /// What of them this version does not load.
    pub(super) left_out: Vec<Refused>,
    /// Where their record stands, if it was written by this start.
    pub(super) offset: Option<Offset>,
    /// What the files on disk say.
    pub(super) on_disk: Texts,
    /// What is wrong with that, if it is not in force.
    pub(super) mistakes: Diagnostics,
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
    tree: Tree,
    clock: Arc<dyn Clock>,
) -> Result<(Base, Folded, Starting)> {
    let log = open_log(settings)?;
    let is_first = log.end() == Offset(0);
    let dyn_log: Arc<dyn Log> = log.clone();
    let series = Arc::new(RwLock::new(SeriesTable::new(settings.limits.max_series)));
    let limits = IntakeLimits {
        max_future_us: settings.limits.max_future_us,
        max_ahead_us: settings.limits.max_ahead_us,
        min_time: settings.limits.min_time,
        ..IntakeLimits::default()
    };
    let intake = Arc::new(Intake::new(Arc::clone(&dyn_log), Arc::clone(&series), Arc::clone(&clock), limits));
    let lake = open_lake(settings, &series, &clock, &log).await?;
    crash_point("start.lake_open");

    let former = settings.data_dir.join("snapshots");
    let snapshots = SnapshotStore::new(lake.store().clone(), log.id(), Some(former));
    let known = Known::new();
    let mut folds = known.folds(&intake);
    let restored = restore(&snapshots, &dyn_log, &mut folds).await.context("cannot restore the state")?;
    crash_point("start.restored");

    let queries = query_engine(settings, lake.clone(), &clock)?;
    let base = Base { log, series, intake, lake, queries, clock, known };
    let starting = begin_with(tree, &base, settings, is_first).await?;
    Ok((base, Folded { folds, restored, snapshots }, starting))
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
    log: &LocalLog,
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
    let folder = std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone());
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let server = format!("{} on {} {}", folder.display(), host.trim(), settings.listen);
    let lake = Lake::open_to_feed(options, Arc::clone(series), Arc::clone(clock), log, &server).await;
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

/// The definitions to start with: those on disk, or, if these have mistakes, those in force.
///
/// # Errors
/// All mistakes of the files of a server that starts for the first time.
async fn begin_with(tree: Tree, base: &Base, settings: &ServerConfig, is_first: bool) -> Result<Starting> {
    let Tree { definitions, texts, mistakes, .. } = tree;
    let in_force = base.known.in_force.get();
    if mistakes.0.is_empty() {
        let new = texts.to_record();
        let (in_force, offset) = put_in_force(new, in_force, base, settings).await?;
        let left_out = Vec::new();
        return Ok(Starting { definitions, in_force, left_out, offset, on_disk: texts, mistakes });
    }
    if is_first {
        bail!("the definitions have mistakes:\n\n{mistakes}");
    }
    let mut stored = Texts::of_record(&in_force);
    if in_force.change.is_none() {
        // Records of earlier versions do not hold the models.
        stored.models.clone_from(&texts.models);
    }
    let is_as_on_disk = stored == texts;
    let loaded = stored.load_in_force();
    for one in &loaded.refused {
        tracing::warn!(definition = %one, "a definition in force does not load in this version; correct it");
    }
    if !is_as_on_disk {
        tracing::error!(
            "the definitions on disk have mistakes, and the server goes on with those that were in force:\n\n\
             {mistakes}"
        );
    }
    Ok(Starting {
        definitions: loaded.definitions,
        in_force: stored.to_record(),
        left_out: loaded.refused,
        offset: None,
        on_disk: texts,
        mistakes,
    })
}

/// Appends the definitions on disk, unless they are those in force already. Gives what is in force then, and
/// where its record stands if it is new.
async fn put_in_force(
    mut texts: Definitions,
    in_force: Definitions,
    base: &Base,
    settings: &ServerConfig,
) -> Result<(Definitions, Option<Offset>)> {
    if texts.has_texts_of(&in_force) {
        return Ok((in_force, None));
    }
    if texts.files.is_empty() && !in_force.files.is_empty() {
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
    texts.change = Some(DefinitionChange {
        time: base.clock.now(),
        actor: None,
        by: "start".to_owned(),
        files: in_force.changes_to(&texts),
    });
    crash_point("start.definitions.before");
    let appended = base.log.append(Record::Definitions(texts.clone())).await;
    let offset = appended.context("the log did not take the definitions")?;
    crash_point("start.definitions.after");
    Ok((texts, Some(offset)))
}
