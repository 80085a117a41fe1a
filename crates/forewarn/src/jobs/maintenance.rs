//! The upkeep of the lake as a job: each table is compacted, rid of what is too old, and vacuumed.
//!
//! The tables are independent of one another, and so are the three steps: one that fails keeps none of the
//! others from being done.

use std::sync::Arc;

use forewarn_batch::{CatchUp, Job, Late, Outcome, RunContext, Trigger, Work};
use forewarn_lake::{CompactOptions, Compacted, Lake, LakeError, Retained, Vacuumed};
use forewarn_spec::MaintenanceConfig;
use forewarn_types::{BoxFuture, JobKind};
use serde_json::{Map, Value, json};

/// The job's name.
const NAME: &str = "maintain";

/// The job that keeps `lake` in order.
pub(super) fn job(lake: Lake, config: MaintenanceConfig) -> Job {
    Job {
        name: NAME.to_owned(),
        kind: JobKind::Maintain,
        trigger: Trigger::Every(config.every_us),
        catch_up: CatchUp::Latest,
        late: Late::default(),
        description:
            "merges small files of the lake's tables, drops what is too old, deletes files that nothing needs"
                .to_owned(),
        work: Arc::new(Maintain { lake, config }),
    }
}

struct Maintain {
    lake: Lake,
    config: MaintenanceConfig,
}

/// What was done to one table.
#[derive(Default)]
struct Done {
    compacted: Compacted,
    retained: Retained,
    vacuumed: Vacuumed,
}

impl Work for Maintain {
    fn run(&self, context: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(async move {
            let (mut rows, mut tables, mut problems) = (0, Map::new(), Vec::new());
            // What other programs have written is kept in order too.
            if let Err(error) = self.lake.refresh().await {
                problems.push(error.to_string());
            }
            for table in self.lake.tables() {
                let done = self.table(&table.name, &context, &mut problems).await;
                rows += done.compacted.rows;
                if let Some(told) = done.told() {
                    tables.insert(table.name, told);
                }
            }
            self.warn_of_unknown();
            if problems.is_empty() {
                return Ok(Outcome {
                    rows,
                    details: (!tables.is_empty()).then(|| json!({ "tables": tables }).to_string()),
                });
            }
            Err(problems.join("; "))
        })
    }
}

impl Maintain {
    /// A table may come with the first run of its job, so a name that means none yet is no failure.
    fn warn_of_unknown(&self) {
        let known: Vec<String> = self.lake.tables().into_iter().map(|table| table.name).collect();
        for (table, _) in self.config.retain_us.iter().filter(|(table, _)| !known.contains(table)) {
            let known = known.join(", ");
            tracing::warn!(
                table,
                known,
                "maintenance.retain names a table that there is not (yet); correct the name, or see to the job that writes it"
            );
        }
    }

    async fn table(&self, table: &str, context: &RunContext, problems: &mut Vec<String>) -> Done {
        let mut done = Done::default();
        let mut note = |error: LakeError| problems.push(error.to_string());
        if let Some((_, age_us)) = self.config.retain_us.iter().find(|(name, _)| *name == table) {
            let before = context.to.plus_us(age_us.saturating_neg());
            self.lake.retain(table, before).await.map_or_else(&mut note, |retained| done.retained = retained);
        }
        let options = CompactOptions { target_bytes: self.config.file_bytes, ..CompactOptions::default() };
        self.lake
            .compact(table, options)
            .await
            .map_or_else(&mut note, |compacted| done.compacted = compacted);
        let vacuumed = self.lake.vacuum(table, self.config.delete_after_us, self.config.keep_log_us).await;
        vacuumed.map_or_else(&mut note, |vacuumed| done.vacuumed = vacuumed);
        done
    }
}

impl Done {
    /// For the run's record; nothing if nothing was done.
    fn told(&self) -> Option<Value> {
        let Self { compacted, retained, vacuumed } = self;
        let counts = [
            ("files_merged", compacted.files_before as u64),
            ("into_files", compacted.files_after as u64),
            ("bytes_before", compacted.bytes_before),
            ("bytes_after", compacted.bytes_after),
            ("duplicates_dropped", compacted.duplicates),
            ("files_too_old", retained.files as u64),
            ("rows_too_old", retained.rows),
            ("files_deleted", vacuumed.files as u64),
            ("log_entries_deleted", vacuumed.log_entries as u64),
            ("bytes_deleted", vacuumed.bytes),
        ];
        let told: Map<String, Value> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        (!told.is_empty()).then_some(Value::Object(told))
    }
}
