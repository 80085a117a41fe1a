//! The rows of the assets that a query may see.
//!
//! For the plan this is a source of rows like any other, without parts and without statistics: no condition
//! of the query is computed on rows that are left out, no answer is taken from what a file says about them,
//! and `EXPLAIN ANALYZE` counts what comes out of it and nothing before.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, BooleanArray, StringViewArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, project_schema};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use futures::{StreamExt as _, stream};

use super::LakeTable;
use crate::scope::{ASSET, Sees};

/// Most assets of one stream of which it is remembered whether they are visible.
const MAX_KNOWN: usize = 100_000;

/// The columns of `table` that a scan has to read: those that are wanted, and the asset. With the place of the
/// asset among them.
pub(super) fn columns(table: &LakeTable, projection: Option<&Vec<usize>>) -> Result<(Vec<usize>, usize)> {
    let asset = table.schema.index_of(ASSET)?;
    let mut wanted = projection.cloned().unwrap_or_else(|| (0..table.schema.fields().len()).collect());
    let place = wanted.iter().position(|column| *column == asset);
    let place = place.unwrap_or_else(|| {
        wanted.push(asset);
        wanted.len() - 1
    });
    Ok((wanted, place))
}

/// The visible rows of `inner`, whose column `asset` is at `place`; of its columns those that are wanted, which
/// come first.
pub(super) fn scan(
    table: &LakeTable,
    state: &dyn Session,
    inner: &Arc<dyn ExecutionPlan>,
    (place, sees): (usize, &Sees),
    (projection, limit): (Option<&Vec<usize>>, Option<usize>),
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = project_schema(&table.schema, projection)?;
    // Always as many parts: how many files there are is not for everybody.
    let parts = state.config_options().execution.target_partitions + 1;
    let parts = parts.max(inner.output_partitioning().partition_count());
    let part = |index| -> Arc<dyn PartitionStream> {
        Arc::new(Visible {
            inner: Arc::clone(inner),
            index,
            place,
            sees: Arc::clone(sees),
            schema: Arc::clone(&schema),
        })
    };
    let parts = (0..parts).map(part).collect();
    Ok(Arc::new(StreamingTableExec::try_new(schema, parts, None, [], false, limit)?))
}

struct Visible {
    inner: Arc<dyn ExecutionPlan>,
    /// Which part of `inner`.
    index: usize,
    place: usize,
    sees: Sees,
    schema: SchemaRef,
}

impl fmt::Debug for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of one's own assets")
    }
}

impl PartitionStream for Visible {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let there = self.index < self.inner.output_partitioning().partition_count();
        let rows = if there { Some(self.inner.execute(self.index, context)) } else { None };
        let rows: SendableRecordBatchStream = match rows {
            None => Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty())),
            Some(Err(error)) => {
                Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(async { Err(error) })))
            }
            Some(Ok(rows)) => {
                let mut known = Known { sees: Arc::clone(&self.sees), assets: HashMap::new() };
                let (place, shown) = (self.place, Arc::clone(&self.schema));
                let rows = rows.map(move |batch| only_visible(&batch?, place, &mut known, &shown));
                Box::pin(RecordBatchStreamAdapter::new(schema, rows))
            }
        };
        rows
    }
}

/// Of which assets it is known whether they are visible.
struct Known {
    sees: Sees,
    assets: HashMap<String, bool>,
}

impl Known {
    fn sees(&mut self, asset: &str) -> bool {
        if let Some(known) = self.assets.get(asset) {
            return *known;
        }
        let sees = (self.sees)(asset);
        if self.assets.len() < MAX_KNOWN {
            self.assets.insert(asset.to_owned(), sees);
        }
        sees
    }
}

/// The rows of `batch` whose asset is visible, and of its columns the first ones, which are those of `shown`.
fn only_visible(
    batch: &RecordBatch,
    place: usize,
    known: &mut Known,
    shown: &SchemaRef,
) -> Result<RecordBatch> {
    let assets = cast(batch.column(place), &DataType::Utf8View)?;
    let assets = assets.as_any().downcast_ref::<StringViewArray>();
    let assets = assets.ok_or_else(|| DataFusionError::Internal("the column asset holds no texts".into()))?;
    let mut last: Option<(&str, bool)> = None;
    let visible: BooleanArray = assets
        .iter()
        .map(|asset| {
            // A row of no asset is for those who see all.
            let Some(asset) = asset else { return Some(false) };
            // Rows of one asset mostly stand together.
            let sees = match last {
                Some((same, sees)) if same == asset => sees,
                _ => known.sees(asset),
            };
            last = Some((asset, sees));
            Some(sees)
        })
        .collect();
    let columns: Vec<usize> = (0..shown.fields().len()).collect();
    Ok(filter_record_batch(batch, &visible)?.project(&columns)?)
}
