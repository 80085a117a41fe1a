//! `unnest` makes several rows of one, so that what was one row for each key no longer is.
//!
//! DataFusion notes that a key decides the other columns of a row, for example behind `GROUP BY`, and leaves
//! out what it takes for needless: the second key of `ORDER BY asset, part`. It keeps the note for the
//! rows that come out of `unnest`, where it is wrong: they came in no order, and groups were merged. So
//! the note is taken away there, again after each rule of the optimiser, as many make a step anew.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{FunctionalDependencies, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub(crate) struct UnnestHasNoKeys;

impl OptimizerRule for UnnestHasNoKeys {
    fn name(&self) -> &'static str {
        "unnest_has_no_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !has_keys(&plan)? {
            return Ok(Transformed::no(plan));
        }
        plan.transform_up_with_subqueries(|step| match step {
            LogicalPlan::Unnest(mut unnest) => {
                let schema = unnest.schema.as_ref().clone();
                let schema = schema.with_functional_dependencies(FunctionalDependencies::empty())?;
                unnest.schema = Arc::new(schema);
                Ok(Transformed::yes(LogicalPlan::Unnest(unnest)))
            }
            other => Ok(Transformed::yes(other.recompute_schema()?)),
        })
    }
}

/// Whether rows that come out of an `unnest` are thought to have keys.
fn has_keys(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|step| {
        found |= matches!(step, LogicalPlan::Unnest(unnest) if !unnest.schema.functional_dependencies().is_empty());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
