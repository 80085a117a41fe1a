//! The first half of `GROUP BY` over rows that come in runs.
//!
//! DataFusion computes an aggregate in two halves: each thread makes states of groups from its part of the
//! rows, and the second half merges the states of a group. The first half looks each row's group up in a hash
//! table, which is most of the work where the key is a text or two. [`RunsExec`] takes its place: it looks up
//! only the first row of each run ([`super::runs`]). It also holds a bounded number of groups, and passes
//! their states on when there are more; the second half merges states of a group wherever they come from.
//!
//! Where rows do not come in runs, each row is a run of its own, and the work is about that of DataFusion.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, InputOrderMode, PlanProperties,
};
use futures::{Stream, StreamExt as _};

use super::runs;

/// The most groups whose states are held at once by a thread.
const MAX_GROUPS: usize = 1 << 16;

/// Puts [`RunsExec`] in the place of DataFusion's first half where it can stand.
#[derive(Debug)]
pub(super) struct AggregateRuns;

impl PhysicalOptimizerRule for AggregateRuns {
    fn name(&self) -> &'static str {
        "aggregate_runs"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|step| match step.downcast_ref::<AggregateExec>() {
            Some(aggregate) if fits(aggregate) => {
                let runs: Arc<dyn ExecutionPlan> = Arc::new(RunsExec::new(aggregate.clone()));
                Ok(Transformed::yes(runs))
            }
            _ => Ok(Transformed::no(step)),
        })
        .map(|done| done.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether `aggregate` is a first half that needs no more than runs give. One whose groups come in order may
/// have something behind it that rests on the order.
fn fits(aggregate: &AggregateExec) -> bool {
    matches!(aggregate.mode(), AggregateMode::Partial)
        && matches!(aggregate.input_order_mode(), InputOrderMode::Linear)
        && aggregate.group_expr().is_single()
        && !aggregate.group_expr().is_empty()
        && aggregate.limit_options().is_none()
        && aggregate.dynamic_expressions_produced().is_empty()
        && aggregate.aggr_expr().iter().all(|function| function.groups_accumulator_supported())
}

/// See the module.
#[derive(Debug)]
struct RunsExec {
    /// What it stands for, with its input.
    aggregate: AggregateExec,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RunsExec {
    fn new(aggregate: AggregateExec) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(aggregate.schema()),
            aggregate.input().output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { aggregate, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for RunsExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunsExec: ")?;
        self.aggregate.fmt_as(form, f)
    }
}

impl ExecutionPlan for RunsExec {
    fn name(&self) -> &'static str {
        "RunsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.aggregate.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let aggregate: Arc<dyn ExecutionPlan> = Arc::new(self.aggregate.clone());
        let aggregate = aggregate
            .replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))?;
        let Some(aggregate) = aggregate.downcast_ref::<AggregateExec>() else {
            return internal_err!("an aggregate with other rows is no aggregate");
        };
        Ok(Arc::new(Self::new(aggregate.clone())))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory =
            MemoryConsumer::new(format!("groups of part {partition}")).register(context.memory_pool());
        let batch_rows = context.session_config().batch_size();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.aggregate.input().execute(partition, context)?;
        let groups = Groups::new(&self.aggregate, memory)?;
        let states = states(groups, input, batch_rows, metrics);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), states)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The states of the groups of `input`, some groups more than once.
fn states(
    groups: Groups,
    input: SendableRecordBatchStream,
    batch_rows: usize,
    metrics: BaselineMetrics,
) -> impl Stream<Item = Result<RecordBatch>> {
    let batches = futures::stream::try_unfold(
        (Some(groups), input, metrics),
        |(groups, mut input, metrics)| async move {
            let Some(mut groups) = groups else { return Ok(None) };
            while let Some(batch) = input.next().await {
                let timer = metrics.elapsed_compute().timer();
                let full = groups.take_in(&batch?)?;
                drop(timer);
                if full {
                    let states = groups.emit()?;
                    return Ok(Some((states, (Some(groups), input, metrics))));
                }
            }
            let timer = metrics.elapsed_compute().timer();
            let states = groups.emit()?;
            drop(timer);
            Ok(Some((states, (None, input, metrics))))
        },
    );
    // Later steps expect batches of the usual size.
    batches
        .map(move |states: Result<RecordBatch>| {
            let parts = match states {
                Ok(states) => (0..states.num_rows())
                    .step_by(batch_rows.max(1))
                    .map(|from| Ok(states.slice(from, batch_rows.min(states.num_rows() - from))))
                    .collect(),
                Err(error) => vec![Err(error)],
            };
            futures::stream::iter(parts)
        })
        .flatten()
}

/// One aggregate function, its arguments, and the condition on its rows.
struct Function {
    accumulator: Box<dyn GroupsAccumulator>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
}

struct Groups {
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    values: Box<dyn GroupValues>,
    functions: Vec<Function>,
    memory: MemoryReservation,
    /// The group of each run, and of each row of a batch; kept for their room.
    of_runs: Vec<usize>,
    of_rows: Vec<usize>,
}

impl Groups {
    fn new(aggregate: &AggregateExec, memory: MemoryReservation) -> Result<Self> {
        let keys = aggregate.group_expr();
        let arguments =
            aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), keys.num_group_exprs())?;
        let functions = aggregate.aggr_expr().iter().zip(arguments).zip(aggregate.filter_expr());
        let functions = functions.map(|((function, arguments), filter)| {
            let accumulator = function.create_groups_accumulator()?;
            Ok(Function { accumulator, arguments, filter: filter.clone() })
        });
        Ok(Self {
            schema: aggregate.schema(),
            keys: keys.input_exprs(),
            values: new_group_values(keys.group_schema(&aggregate.input_schema())?, &GroupOrdering::None)?,
            functions: functions.collect::<Result<_>>()?,
            memory,
            of_runs: Vec::new(),
            of_rows: Vec::new(),
        })
    }

    /// Adds the rows of `batch`; whether the states have to be passed on before there are more.
    fn take_in(&mut self, batch: &RecordBatch) -> Result<bool> {
        let rows = batch.num_rows();
        let value = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(batch)?.into_array(rows);
        let keys = self.keys.iter().map(value).collect::<Result<Vec<ArrayRef>>>()?;
        let starts = runs::starts(&keys, rows)?;
        // Where there are hardly any runs, picking their first rows would only cost.
        if starts.len() > rows / 2 {
            self.values.intern(&keys, &mut self.of_rows)?;
        } else {
            let firsts = take_arrays(&keys, &UInt32Array::from(starts.clone()), None)?;
            self.values.intern(&firsts, &mut self.of_runs)?;
            self.of_rows.clear();
            let ends = starts.iter().skip(1).map(|start| *start as usize).chain([rows]);
            for (group, end) in self.of_runs.iter().zip(ends) {
                self.of_rows.resize(end, *group);
            }
        }
        let total = self.values.len();
        for function in &mut self.functions {
            let arguments = function.arguments.iter().map(value).collect::<Result<Vec<ArrayRef>>>()?;
            let filter = function.filter.as_ref().map(value).transpose()?;
            let filter: Option<&BooleanArray> = filter.as_ref().map(AsArray::as_boolean);
            function.accumulator.update_batch(&arguments, &self.of_rows, filter, total)?;
        }
        // A pool that is used up is a reason to pass on what there is, not to fail: the second half may
        // spill.
        let out_of_memory = self.memory.try_resize(self.size()).is_err();
        Ok(out_of_memory || self.values.len() >= MAX_GROUPS)
    }

    fn size(&self) -> usize {
        let states: usize = self.functions.iter().map(|function| function.accumulator.size()).sum();
        let places = self.of_rows.capacity() + self.of_runs.capacity();
        states + self.values.size() + places * size_of::<usize>()
    }

    /// The states of all groups, of which there are none then.
    fn emit(&mut self) -> Result<RecordBatch> {
        if self.values.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        let mut columns = self.values.emit(EmitTo::All)?;
        for function in &mut self.functions {
            columns.extend(function.accumulator.state(EmitTo::All)?);
        }
        self.values.clear_shrink(0);
        self.memory.resize(self.size());
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
