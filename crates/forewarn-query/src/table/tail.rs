//! The log's tail as a stream of rows.

use std::fmt;
use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, project_schema};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use forewarn_lake::{Bounds, TableSnapshot};
use futures::stream;

use super::LakeTable;

/// The rows of the tail of `table` within `bounds`.
pub(super) fn scan(
    table: &LakeTable,
    state: &dyn Session,
    bounds: &Bounds,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = project_schema(&table.schema, projection)?;
    let part = Tail {
        snapshot: table.snapshot.clone(),
        bounds: bounds.clone(),
        schema: Arc::clone(&schema),
        batch_rows: state.config_options().execution.batch_size.get(),
    };
    Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], None, [], false, limit)?))
}

struct Tail {
    snapshot: TableSnapshot,
    bounds: Bounds,
    schema: SchemaRef,
    batch_rows: usize,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tail of the log")
    }
}

impl PartitionStream for Tail {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let wanted = self.schema.fields().iter().map(|field| field.name().clone()).collect();
        let schema = Arc::clone(&self.schema);
        let batches = self.snapshot.tail(&self.bounds, wanted, self.batch_rows).map(move |batch| {
            let batch = batch.map_err(|error| DataFusionError::External(Box::new(error)))?;
            in_form_of(&schema, &batch)
        });
        let batches = stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

/// The columns of `batch` in the types of `schema`.
fn in_form_of(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
