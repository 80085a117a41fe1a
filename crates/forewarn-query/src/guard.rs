//! What keeps a hostile or careless query from harming the server: its size, depth, and growth are bounded
//! before and while it is planned.
//!
//! Parsing and planning are recursive in how deep a query nests, and the text does not tell how deep that is:
//! a chain such as `1 + 1 + 1` grows a tree as deep as it is long. A stack that overflows ends the whole
//! server. So both run on a thread with a stack far larger than the longest text allowed can use, the tree is
//! measured there before anything else looks at it, and a query that is too deep goes no further.
//!
//! A short query can also grow: fifteen `WITH` parts that each name the one before twice make a plan of
//! 32,768 tables, and a value that is added to itself in each of forty subqueries makes an expression of a
//! million million parts once the optimiser has put them together. Tables are counted on the tree of the
//! query ([`check_reads`]), expressions on the plan as it was written, where parts are still shared
//! ([`check_plan`]); the plan is measured again between the rules of the optimiser ([`Measured`]), where its
//! time is looked at as well.

mod growth;
mod reads;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::sql::sqlparser::ast::{Expr, Query, Visit, Visitor};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

pub(crate) use self::growth::check_plan;
pub(crate) use self::reads::check_reads;
use crate::error::QueryError;

/// Longer queries are refused before they are looked at.
pub(crate) const MAX_QUERY_BYTES: usize = 64 * 1024;
/// The deepest nesting of an expression, a chain of operators included.
const MAX_DEPTH: usize = 400;
/// The most tables and subqueries of a query, each counted as often as it is read.
pub(crate) const MAX_TABLES: u64 = 64;
/// The most parts of a plan: its steps and the parts of their expressions.
const MAX_PARTS: usize = 200_000;
/// The longest a query may be planned.
const MAX_PLANNING: Duration = Duration::from_secs(10);
/// Memory is taken only as it is used, so this is an upper bound that costs nothing.
const STACK_BYTES: usize = 512 << 20;
/// Queries that are parsed or planned at the same time.
const PLANNERS: usize = 4;

static PLANNING: Semaphore = Semaphore::const_new(PLANNERS);

thread_local! {
    /// When the query that is planned on this thread has had its time.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work`, which parses or plans, on a thread with a deep stack.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, QueryError> {
    let turn = PLANNING.acquire().await.map_err(|error| QueryError::Failed(error.to_string()))?;
    let (reply, answer) = oneshot::channel();
    let deadline = Instant::now() + MAX_PLANNING;
    let run = move || {
        DEADLINE.set(Some(deadline));
        let done = work();
        drop(turn);
        // Who asked may have gone.
        drop(reply.send(done));
    };
    let thread = std::thread::Builder::new().name("forewarn-plan".into()).stack_size(STACK_BYTES).spawn(run);
    thread.map_err(|error| QueryError::Failed(format!("a thread cannot be started: {error}")))?;
    answer.await.map_err(|_| broke_off())
}

/// As [`off_thread`], for callers that block.
pub(crate) fn on_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, QueryError> {
    let thread = std::thread::Builder::new().name("forewarn-plan".into()).stack_size(STACK_BYTES).spawn(work);
    let thread =
        thread.map_err(|error| QueryError::Failed(format!("a thread cannot be started: {error}")))?;
    thread.join().map_err(|_| broke_off())
}

/// The planner panicked. As far as the query's author can tell, the query is the reason.
fn broke_off() -> QueryError {
    QueryError::Query(
        "this query cannot be planned; write it in another way, for example in steps with WITH".into(),
    )
}

/// Refuses a tree that is deeper than later passes can walk on stacks of ordinary size.
pub(crate) fn check_depth(statement: &impl Visit) -> Result<(), QueryError> {
    match statement.visit(&mut Depth::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(QueryError::TooLarge(format!(
            "the query nests more than {MAX_DEPTH} operators or subqueries in one another; write many \
             comparisons with one column as x IN (…), and compute long expressions in steps with WITH"
        ))),
    }
}

#[derive(Default)]
struct Depth(usize);

impl Depth {
    fn enter(&mut self) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > MAX_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn leave(&mut self) -> ControlFlow<()> {
        self.0 = self.0.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.leave()
    }

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.leave()
    }
}

/// Stands between the rules of the optimiser: ends the planning of a query that has grown too large or has
/// taken too long.
#[derive(Debug, Default)]
struct Measured;

impl OptimizerRule for Measured {
    fn name(&self) -> &'static str {
        "measured"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>> {
        if DEADLINE.get().is_some_and(|deadline| Instant::now() > deadline) {
            return Err(refused(format!(
                "the query could not be planned within {} s; write it in a simpler way",
                MAX_PLANNING.as_secs()
            )));
        }
        check_parts(&plan)?;
        Ok(Transformed::no(plan))
    }
}

/// Says that a query reads `tables`, which are too many.
fn too_many_tables(tables: u64) -> String {
    let count = if tables > 1_000_000 { "very many".to_owned() } else { tables.to_string() };
    format!(
        "the query reads {count} tables or subqueries, each counted as often as it is read, and {MAX_TABLES} \
         are allowed; split it into several queries"
    )
}

/// A refusal on its way through DataFusion.
pub(crate) fn refused(text: String) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::TooLarge(text)))
}

/// Refuses a plan that has become too large.
pub(crate) fn check_parts(plan: &LogicalPlan) -> PlanResult<()> {
    if parts(plan, MAX_PARTS)? > MAX_PARTS {
        return Err(refused(format!(
            "the query becomes a plan of more than {MAX_PARTS} parts; ask for less at once"
        )));
    }
    Ok(())
}

/// How many parts `plan` has; it is not counted far beyond `most`.
fn parts(plan: &LogicalPlan, most: usize) -> PlanResult<usize> {
    let mut count = 0;
    plan.apply_with_subqueries(|node| {
        count += 1;
        node.apply_expressions(|expr| {
            expr.apply(|_| {
                count += 1;
                Ok(if count > most { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(if count > most { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(count)
}

/// Lets what makes many rows of few give way to others between its batches: a product of two tables works for
/// long on what it got at once, and would not notice that its time is over.
#[derive(Debug)]
struct GiveWay;

impl PhysicalOptimizerRule for GiveWay {
    fn name(&self) -> &'static str {
        "give_way"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let multiplies =
            ["CrossJoinExec", "NestedLoopJoinExec", "HashJoinExec", "SortMergeJoinExec", "UnnestExec"];
        plan.transform_up(|step| {
            if multiplies.contains(&step.name()) {
                let step: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(step));
                return Ok(Transformed::yes(step));
            }
            Ok(Transformed::no(step))
        })
        .map(|done| done.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Puts the measuring behind the rules of the optimiser, and `before` before each of them.
pub(crate) fn register(
    state: SessionStateBuilder,
    before: &Arc<dyn OptimizerRule + Send + Sync>,
) -> SessionStateBuilder {
    let measured: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(Measured);
    let rules = Optimizer::new().rules.into_iter();
    let rules = rules.flat_map(|rule| [Arc::clone(before), rule, Arc::clone(&measured)]).collect();
    state.with_optimizer_rules(rules).with_physical_optimizer_rule(Arc::new(GiveWay))
}
