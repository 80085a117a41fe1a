//! How large a plan would become if its shared parts were written out, counted while they are still shared.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{MAX_PARTS, MAX_TABLES, refused, too_many_tables};

/// The most columns of a step.
const MAX_COLUMNS: usize = 2_000;

/// What a step of a plan amounts to.
#[derive(Clone)]
struct Weight {
    /// Tables and sets of values below it, each as often as it is read.
    tables: u64,
    /// For each column, how many parts the expression has that computes it from tables' columns.
    columns: Arc<Vec<u64>>,
}

/// Refuses a plan that would become too large.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let weight = Growth::default().weigh(plan)?;
    if weight.tables <= MAX_TABLES {
        return Ok(());
    }
    Err(refused(too_many_tables(weight.tables)))
}

#[derive(Default)]
struct Growth {
    /// What was weighed already, by its address: a part that is named several times is one object.
    known: HashMap<usize, Weight>,
}

impl Growth {
    fn shared(&mut self, plan: &Arc<LogicalPlan>) -> Result<Weight> {
        let address = Arc::as_ptr(plan).addr();
        if let Some(weight) = self.known.get(&address) {
            return Ok(weight.clone());
        }
        let weight = self.weigh(plan)?;
        self.known.insert(address, weight.clone());
        Ok(weight)
    }

    fn weigh(&mut self, plan: &LogicalPlan) -> Result<Weight> {
        let columns = plan.schema().fields().len();
        if columns > MAX_COLUMNS {
            return Err(refused(format!(
                "a step of the query has {columns} columns, and {MAX_COLUMNS} are allowed; name those you need"
            )));
        }
        let inputs = inputs(plan).into_iter().map(|input| self.shared(input)).collect::<Result<Vec<_>>>()?;
        let mut tables = inputs.iter().fold(0_u64, |sum, input| sum.saturating_add(input.tables));
        if inputs.is_empty() {
            tables = 1;
        }
        let below: Vec<u64> = inputs.iter().flat_map(|input| input.columns.iter().copied()).collect();
        let mut sizes = Vec::new();
        plan.apply_expressions(|expr| {
            let (size, read) = self.size(expr, plan, &below)?;
            tables = tables.saturating_add(read);
            sizes.push(size);
            Ok(TreeNodeRecursion::Continue)
        })?;
        if sizes.iter().any(|size| *size > MAX_PARTS as u64) {
            return Err(refused(format!(
                "an expression of the query, with those that it is made of, has more than {MAX_PARTS} parts; \
                 use each value fewer times"
            )));
        }
        let widest = below.iter().chain(&sizes).copied().max().unwrap_or(1);
        let columns = match plan {
            LogicalPlan::Projection(_) if sizes.len() == columns => sizes,
            _ if below.len() == columns => below,
            _ => vec![widest; columns],
        };
        Ok(Weight { tables, columns: Arc::new(columns) })
    }

    /// How many parts `expr` has once the columns it names are written out, and how many tables its
    /// subqueries read.
    fn size(&mut self, expr: &Expr, plan: &LogicalPlan, below: &[u64]) -> Result<(u64, u64)> {
        let (mut size, mut tables) = (0_u64, 0_u64);
        let widest = below.iter().copied().max().unwrap_or(1);
        let alone = plan.inputs();
        expr.apply(|part| {
            size = size.saturating_add(match part {
                Expr::Column(column) => match alone.as_slice() {
                    [input] => input
                        .schema()
                        .maybe_index_of_column(column)
                        .and_then(|place| below.get(place).copied())
                        .unwrap_or(widest),
                    _ => widest,
                },
                _ => 1,
            });
            let subquery = match part {
                Expr::ScalarSubquery(subquery) => Some(subquery),
                Expr::Exists(exists) => Some(&exists.subquery),
                Expr::InSubquery(inside) => Some(&inside.subquery),
                Expr::SetComparison(comparison) => Some(&comparison.subquery),
                _ => None,
            };
            if let Some(subquery) = subquery {
                tables = tables.saturating_add(self.shared(&subquery.subquery)?.tables);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok((size, tables))
    }
}

/// The parts below a step, as the shared objects that they are.
fn inputs(plan: &LogicalPlan) -> Vec<&Arc<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(step) => vec![&step.input],
        LogicalPlan::Filter(step) => vec![&step.input],
        LogicalPlan::Window(step) => vec![&step.input],
        LogicalPlan::Aggregate(step) => vec![&step.input],
        LogicalPlan::Sort(step) => vec![&step.input],
        LogicalPlan::Join(step) => vec![&step.left, &step.right],
        LogicalPlan::Repartition(step) => vec![&step.input],
        LogicalPlan::Union(step) => step.inputs.iter().collect(),
        LogicalPlan::Subquery(step) => vec![&step.subquery],
        LogicalPlan::SubqueryAlias(step) => vec![&step.input],
        LogicalPlan::Limit(step) => vec![&step.input],
        LogicalPlan::Explain(step) => vec![&step.plan],
        LogicalPlan::Analyze(step) => vec![&step.input],
        LogicalPlan::Distinct(datafusion::logical_expr::Distinct::All(input)) => vec![input],
        LogicalPlan::Distinct(datafusion::logical_expr::Distinct::On(step)) => vec![&step.input],
        LogicalPlan::Unnest(step) => vec![&step.input],
        LogicalPlan::RecursiveQuery(step) => vec![&step.static_term, &step.recursive_term],
        LogicalPlan::EmptyRelation(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => vec![],
    }
}
