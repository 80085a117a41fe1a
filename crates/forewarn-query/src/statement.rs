//! From the text of a query to what can be run: parsed once, checked as a tree, planned over one snapshot.
//!
//! Nothing is ever printed and parsed again. What may stand in a query is an allow list: the kinds of
//! statements here, the clauses in [`shape`], the functions in [`crate::functions`], and at last the kinds of
//! steps in the plan ([`Planned`]): whatever a text tricks the parser into, a plan that does more than read
//! tables of the lake is not run.

mod message;
mod names;
mod rewrite;
mod shape;
mod tokens;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use forewarn_lake::{Bounds, Snapshot};
use forewarn_types::Timestamp;

pub(crate) use self::message::explain;
pub(crate) use self::rewrite::interval::in_words as interval_in_words;
use crate::error::QueryError;
use crate::guard;
use crate::table::LakeTable;

/// Nesting of parentheses and subqueries that the parser follows.
const PARSER_DEPTH: usize = 100;

/// A statement that was found to read only.
pub(crate) struct Parsed {
    statement: Statement,
    text: Arc<str>,
}

/// A query that can be run.
pub(crate) struct Planned {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
    pub(crate) scanned: Scanned,
}

impl Planned {
    pub(crate) fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }
}

/// The tables that a query reads, and what it says about their columns.
pub(crate) struct Scanned(Vec<(String, Bounds)>);

impl Scanned {
    fn of(plan: &LogicalPlan) -> Self {
        let mut tables = Vec::new();
        // A plan that was planned can be walked.
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Ok(provider) = source_as_provider(&scan.source)
                && let Some(table) = (&*provider as &dyn std::any::Any).downcast_ref::<LakeTable>()
            {
                let name = table.snapshot().schema().name.clone();
                tables.push((name, table.bounds(scan.filters.iter())));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        Self(tables)
    }

    /// The damaged file that `error` may come from, or `error` itself.
    pub(crate) async fn or_damage(&self, snapshot: &Snapshot, error: QueryError) -> QueryError {
        if matches!(error, QueryError::TooLarge(_) | QueryError::Timeout(_)) {
            return error;
        }
        for (name, bounds) in &self.0 {
            if let Some(table) = snapshot.table(name)
                && let Some(damage) = table.find_damage(bounds).await
            {
                return damage.into();
            }
        }
        error
    }
}

/// One reading statement, or why it is none. `:from` and `:to` may stand in it if `with_params` says so.
pub(crate) fn parse(text: &str, with_params: bool) -> Result<Parsed, QueryError> {
    if text.len() > guard::MAX_QUERY_BYTES {
        return Err(QueryError::TooLarge(format!(
            "the query has {} bytes, and {} are allowed",
            text.len(),
            guard::MAX_QUERY_BYTES
        )));
    }
    let tokens = tokens::of(text)?;
    let statements = DFParserBuilder::new(tokens)
        .with_dialect(&PostgreSqlDialect {})
        .with_recursion_limit(PARSER_DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| message::syntax(&error))?;
    let mut statements = statements.into_iter();
    let statement = statements
        .next()
        .ok_or_else(|| QueryError::Query("the query is empty; write SELECT … FROM readings …".into()))?;
    if statements.next().is_some() {
        return Err(QueryError::Query("there is more than one statement; send one at a time".into()));
    }
    let mut parsed = Parsed { statement, text: text.into() };
    let inner = innermost(&mut parsed.statement)?;
    guard::check_depth(&*inner)?;
    shape::check(inner, with_params)?;
    guard::check_reads(inner)?;
    rewrite::apply(inner)?;
    if let ast::Statement::Query(query) = inner {
        names::name_columns(query);
    }
    Ok(parsed)
}

/// The statement that reads, out of the `EXPLAIN` that may stand around it.
fn innermost(statement: &mut Statement) -> Result<&mut ast::Statement, QueryError> {
    match statement {
        Statement::Statement(inner) => Ok(inner),
        Statement::Explain(explain) => match &mut *explain.statement {
            Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)) => Ok(inner),
            _ => Err(QueryError::Query("only a SELECT can be explained".into())),
        },
        Statement::CreateExternalTable(_) => Err(shape::not_allowed("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(shape::not_allowed("COPY")),
        Statement::Reset(_) => Err(shape::not_allowed("RESET")),
    }
}

/// Plans `parsed`; `params` stand for `:from` and `:to`. Blocks.
pub(crate) fn plan(
    state: &SessionState,
    parsed: Parsed,
    params: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
) -> Result<Planned, QueryError> {
    let Parsed { statement, text } = parsed;
    let text = Some(&*text);
    let failed = |error| explain(&error, text);
    // Tables are looked up in memory, so nothing is waited for.
    let plan = futures::executor::block_on(state.statement_to_plan(statement)).map_err(failed)?;
    guard::check_plan(&plan).map_err(failed)?;
    shape::check_plan(&plan)?;
    let plan = match params {
        Some((from, to)) => {
            let time = |at: Timestamp| ScalarValue::TimestampMicrosecond(Some(at.0), Some("UTC".into()));
            let values = HashMap::from([("from".to_owned(), time(from)), ("to".to_owned(), time(to))]);
            plan.with_param_values(ParamValues::from(values)).map_err(failed)?
        }
        None => plan,
    };
    // `now()` is the same all through a query, and the injected clock's.
    let mut props = state.execution_props().clone();
    props.query_execution_start_time = DateTime::from_timestamp_micros(now.0);
    let state = SessionStateBuilder::new_from_existing(state.clone()).with_execution_props(props).build();
    let optimized = state.optimize(&plan).map_err(failed)?;
    shape::check_plan(&optimized)?;
    let scanned = Scanned::of(&optimized);
    let planner = Arc::clone(state.query_planner());
    let plan =
        futures::executor::block_on(planner.create_physical_plan(&optimized, &state)).map_err(failed)?;
    Ok(Planned { plan, context: state.task_ctx(), scanned })
}
