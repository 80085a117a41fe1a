//! How many tables a query reads, each as often as it is read, told before anything is planned: a part of
//! `WITH` that is named twice counts twice, and so does all that it reads.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, Statement, TableFactor, Visit as _, Visitor};

use super::{MAX_TABLES, too_many_tables};
use crate::error::QueryError;

/// Refuses a query that reads too many.
pub(crate) fn check_reads(statement: &Statement) -> Result<(), QueryError> {
    let Statement::Query(query) = statement else { return Ok(()) };
    let reads = of_query(query, &HashMap::new());
    if reads <= MAX_TABLES { Ok(()) } else { Err(QueryError::TooLarge(too_many_tables(reads))) }
}

/// What each part of `WITH` reads, by name.
type Parts = HashMap<String, u64>;

fn of_query(query: &Query, around: &Parts) -> u64 {
    let mut parts = around.clone();
    for part in query.with.iter().flat_map(|with| &with.cte_tables) {
        let reads = of_query(&part.query, &parts);
        parts.insert(part.alias.name.value.to_lowercase(), reads);
    }
    of_body(&query.body, &parts)
}

fn of_body(body: &SetExpr, parts: &Parts) -> u64 {
    match body {
        SetExpr::Select(select) => of_select(select, parts),
        SetExpr::Query(query) => of_query(query, parts),
        SetExpr::SetOperation { left, right, .. } => {
            of_body(left, parts).saturating_add(of_body(right, parts))
        }
        _ => 1,
    }
}

fn of_select(select: &Select, parts: &Parts) -> u64 {
    let mut reads = Reads { parts, depth: 0, found: 0 };
    let _ = select.visit(&mut reads);
    reads.found.max(1)
}

/// Adds up what stands in a SELECT itself; queries inside of it are counted as wholes.
struct Reads<'a> {
    parts: &'a Parts,
    depth: usize,
    found: u64,
}

impl Visitor for Reads<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.depth == 0 {
            self.found = self.found.saturating_add(of_query(query, self.parts));
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if self.depth == 0
            && let TableFactor::Table { name, .. } = factor
        {
            let reads = self.parts.get(&name.to_string().to_lowercase()).copied().unwrap_or(1);
            self.found = self.found.saturating_add(reads);
        }
        ControlFlow::Continue(())
    }
}
