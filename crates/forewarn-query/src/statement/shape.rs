//! What a query may consist of: an allow list of statements, clauses and steps of a plan.
//!
//! The parser knows clauses of many dialects, and the planner passes over some of them in silence. A clause
//! that changes nothing would make a wrong answer, so what is not known to be planned is refused. The types
//! of the syntax tree are taken apart field by field: a new version of the parser that knows more does not
//! compile here until it is said what becomes of it.

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, FunctionArguments, GroupByExpr, LimitClause, Query, Select, SetExpr,
    SetOperator, SetQuantifier, Statement, TableFactor, Value, ValueWithSpan, Visit as _, Visitor,
};

use crate::error::QueryError;

/// Refuses what does more than read, or has clauses that would be passed over.
pub(super) fn check(statement: &Statement, with_params: bool) -> Result<(), QueryError> {
    match statement {
        Statement::Query(_) => {}
        Statement::ExplainTable { hive_format: None, .. }
        | Statement::ShowTables { terse: false, history: false, extended: false, external: false, .. }
        | Statement::ShowColumns { extended: false, .. } => return Ok(()),
        Statement::ShowVariable { .. } | Statement::ShowVariables { .. } => {
            return Err(QueryError::Query(
                "settings cannot be shown; there are SHOW TABLES, SHOW COLUMNS FROM table and DESCRIBE table"
                    .into(),
            ));
        }
        other => {
            let text = other.to_string();
            return Err(not_allowed(text.split_whitespace().next().unwrap_or("this statement")));
        }
    }
    match statement.visit(&mut Clauses { with_params }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Query(problem)),
    }
}

/// The refusal of a statement that does not read.
pub(super) fn not_allowed(what: &str) -> QueryError {
    QueryError::Query(format!(
        "{} is not allowed; the lake is only read: with SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES, SHOW COLUMNS or DESCRIBE",
        what.to_uppercase()
    ))
}

/// Refuses a plan that does anything but read tables and compute.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut found = None;
    let walked = plan.apply_with_subqueries(|step| {
        found = match step {
            LogicalPlan::Dml(_) => Some("writing to a table"),
            LogicalPlan::Ddl(_) => Some("changing tables"),
            LogicalPlan::Copy(_) => Some("COPY"),
            LogicalPlan::Statement(_) => Some("changing settings"),
            LogicalPlan::Extension(_) | LogicalPlan::Repartition(_) => Some("this kind of query"),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => None,
        };
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (found, walked) {
        (Some(what), _) => Err(not_allowed(what)),
        (None, Ok(_)) => Ok(()),
        (None, Err(error)) => Err(QueryError::Failed(error.to_string())),
    }
}

struct Clauses {
    with_params: bool,
}

fn no(clause: &str, instead: &str) -> ControlFlow<String> {
    ControlFlow::Break(format!("{clause} is not known here; {instead}"))
}

impl Visitor for Clauses {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let Query {
            with,
            body,
            order_by: _,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if let SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) = &**body {
            return ControlFlow::Break("the lake is only read; write SELECT …".into());
        }
        if counts_rows(body) {
            return no(
                "EXCEPT ALL and INTERSECT ALL",
                "leave ALL out, or number equal rows by row_number() OVER (PARTITION BY …) first",
            );
        }
        if !locks.is_empty() || for_clause.is_some() {
            return no("FOR UPDATE, FOR SHARE or FOR XML", "leave it out");
        }
        if settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return no(
                "SETTINGS, FORMAT or |>",
                "leave it out; the form of an answer follows the Accept header",
            );
        }
        if let Some(fetch) = fetch
            && (fetch.with_ties || fetch.percent)
        {
            return no("FETCH … WITH TIES or PERCENT", "use rank() OVER (ORDER BY …) in a subquery");
        }
        if let Some(LimitClause::LimitOffset { limit_by, .. }) = limit_clause
            && !limit_by.is_empty()
        {
            return no("LIMIT … BY", "use row_number() OVER (PARTITION BY …) in a subquery");
        }
        if with.iter().flat_map(|with| &with.cte_tables).any(|cte| cte.from.is_some()) {
            return no("FROM behind a part of WITH", "leave it out");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window: _,
            qualify: _,
            window_before_qualify: _,
            value_table_mode,
            flavor: _,
        } = select;
        if into.is_some() {
            return no("SELECT … INTO", "a job with `into` writes a table");
        }
        if top.is_some() {
            return no("TOP", "write LIMIT n at the end");
        }
        if exclude.is_some() {
            return no("EXCLUDE here", "write SELECT * EXCLUDE (column)");
        }
        if prewhere.is_some() || !connect_by.is_empty() || !lateral_views.is_empty() {
            return no("PREWHERE, CONNECT BY or LATERAL VIEW", "use WHERE, WITH RECURSIVE or unnest(…)");
        }
        if !cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty() {
            return no("CLUSTER BY, DISTRIBUTE BY or SORT BY", "use ORDER BY");
        }
        if value_table_mode.is_some() || select_modifiers.is_some() {
            return no("this word after SELECT", "leave it out");
        }
        let modified = match group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
        };
        if modified {
            return no("WITH ROLLUP, CUBE or TOTALS", "write GROUP BY ROLLUP (…) or CUBE (…)");
        }
        if let Some(Distinct::On(keys)) = distinct
            && keys.is_empty()
        {
            return no("DISTINCT ON ()", "name the columns");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table {
                name: _,
                alias: _,
                args: _,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                if sample.is_some() {
                    return no("TABLESAMPLE", "write WHERE random() < 0.1");
                }
                if version.is_some() {
                    return no(
                        "a table of another time",
                        "a query reads the newest rows; bound the time with WHERE",
                    );
                }
                if *with_ordinality {
                    return no("WITH ORDINALITY", "use row_number() OVER ()");
                }
                if !with_hints.is_empty()
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || !index_hints.is_empty()
                {
                    return no("what stands behind the table's name", "leave it out");
                }
                ControlFlow::Continue(())
            }
            TableFactor::Derived { lateral: _, subquery: _, alias: _, sample } => {
                if sample.is_some() {
                    return no("TABLESAMPLE", "write WHERE random() < 0.1");
                }
                ControlFlow::Continue(())
            }
            TableFactor::UNNEST { with_offset, with_ordinality, .. } => {
                if *with_offset || *with_ordinality {
                    return no("WITH ORDINALITY or WITH OFFSET", "use row_number() OVER ()");
                }
                ControlFlow::Continue(())
            }
            TableFactor::Function { with_ordinality: false, .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            _ => no("this kind of table", "name a table, a subquery, unnest(…) or generate_series(…)"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => match name.as_str() {
                ":from" | ":to" if self.with_params => ControlFlow::Continue(()),
                ":from" | ":to" => no(name, "it stands for the interval of a job; write a time here"),
                _ => no(name, "only :from and :to can stand in a job's query"),
            },
            Expr::Function(function) => check_function(function),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether rows are taken away or kept by how often they occur, which DataFusion takes for whether they do.
fn counts_rows(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            let all = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
            all && !matches!(op, SetOperator::Union) || counts_rows(left) || counts_rows(right)
        }
        _ => false,
    }
}

fn check_function(function: &Function) -> ControlFlow<String> {
    let Function {
        name: _,
        uses_odbc_syntax,
        parameters,
        args: _,
        filter: _,
        null_treatment: _,
        over: _,
        within_group: _,
    } = function;
    if *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) {
        return no("this form of a call", "write function(arguments)");
    }
    ControlFlow::Continue(())
}
