//! Read-only SQL over every table, lake and tail as one.
//!
//! polars answers the query; around it stands what polars' SQL lacks. The text is parsed, refused unless it is one reading
//! statement over known tables, and rewritten (see [`rewrite`]). What the conditions say about a table's columns is taken out of
//! the syntax tree as well (see [`prune`]): it decides which files are opened, and stands as a filter on the scan itself, below the
//! cast of times that would stop polars from pushing the query's own filter down.

mod aggregates;
mod frame;
mod joins;
mod limits;
mod prune;
mod rewrite;
mod time;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forewarn_types::Timestamp;
use polars::prelude as pl;
use polars::sql::SQLContext;

use crate::lake::Lake;
use crate::view::View;
use crate::{LakeError, ResultSet};

pub(crate) use prune::Bounds;

/// A query and what stands in for its parameters.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One SELECT statement.
    pub query: String,
    /// What `:from` and `:to` stand for.
    pub params: Option<(Timestamp, Timestamp)>,
    /// The most rows wanted; the lake's own limit if none or larger.
    pub max_rows: Option<usize>,
    /// The longest it may take; the lake's own limit if none or larger.
    pub timeout: Option<Duration>,
    /// Whether the server itself asks. The lake's own limits are for its users' queries; here `max_rows` and `timeout` go beyond them.
    /// Such a query does not wait for those of users either.
    pub internal: bool,
}

/// Checks what can be told of a query without the tables: that it is one reading statement, that `:from` and `:to` are its only
/// parameters, that times are written as times.
///
/// # Errors
/// [`LakeError::Query`] says what is wrong.
pub fn check_query(query: &str) -> Result<(), LakeError> {
    let (mut query, any) = (rewrite::parse(query)?, Timestamp(0));
    rewrite::rewrite(&mut query, &[], &View::default(), Some((any, any)), any)
}

impl Lake {
    /// Answers `request` over all that the log held durably when this was called, each row once.
    ///
    /// # Errors
    /// [`LakeError::Query`] if the query is not one the lake answers, [`LakeError::Timeout`] if it takes too long,
    /// [`LakeError::Behind`] if the lake does not come up with the log in that time, [`LakeError::Stopped`] if the branch has ended.
    pub async fn sql(&self, request: SqlRequest) -> Result<ResultSet, LakeError> {
        let limit = self.inner.options.sql_timeout;
        let timeout = request.timeout.map_or(limit, |wanted| if request.internal { wanted } else { wanted.min(limit) });
        let held = self.inner.log_end.read().as_ref().map(|end| *end.borrow());
        match tokio::time::timeout(timeout, self.answer(request)).await {
            Ok(outcome) => outcome,
            // The time went by waiting for the branch; the query is not to blame.
            Err(_) if held.is_some_and(|held| self.inner.progress.borrow().applied < held) => Err(LakeError::behind(timeout)),
            Err(_) => Err(LakeError::Timeout(timeout.as_secs())),
        }
    }

    async fn answer(&self, request: SqlRequest) -> Result<ResultSet, LakeError> {
        // Refuse what can be refused before anything is waited for.
        let slots = if request.internal { &self.inner.internal_queries } else { &self.inner.queries };
        let limit = self.inner.options.sql_max_rows;
        let max_rows = request.max_rows.map_or(limit, |wanted| if request.internal { wanted } else { wanted.min(limit) });
        let (lake, now) = (self.clone(), self.inner.clock.now());
        let plan = limits::on_deep_stack(move || {
            let view = lake.inner.view.read().clone();
            Plan::new(&request, &view, now)
        });
        let plan = plan.await?;
        self.wait_current().await?;
        let slot = Arc::clone(slots).acquire_owned().await;
        let slot = slot.map_err(|_| LakeError::Stopped("it has been closed".into()))?;
        let (lake, view) = (self.clone(), self.inner.view.read().clone());
        let run = move || {
            // A query that was given up goes on to its end, and keeps its slot until then.
            let _slot = slot;
            plan.run(&lake, &view, max_rows)
        };
        limits::on_deep_stack(run).await
    }
}

/// A query that was found good.
struct Plan {
    sql: String,
    /// The tables it reads, and what it says about their columns.
    tables: Vec<(String, Bounds)>,
    /// The column names that occur in it; `None` if it may mean all of them.
    names: Option<BTreeSet<String>>,
}

impl Plan {
    fn new(request: &SqlRequest, view: &View, now: Timestamp) -> Result<Self, LakeError> {
        let mut query = rewrite::parse(&request.query)?;
        let tables = rewrite::tables(&query, view)?;
        rewrite::rewrite(&mut query, &tables, view, request.params, now)?;
        let bounds = tables.iter().map(|name| (name.clone(), prune::bounds(&query, name, view))).collect();
        Ok(Self { sql: query.to_string(), tables: bounds, names: prune::names(&query) })
    }

    /// Blocks.
    fn run(&self, lake: &Lake, view: &View, max_rows: usize) -> Result<ResultSet, LakeError> {
        let mut context = SQLContext::new();
        let needed = |column: &str| self.names.as_ref().is_none_or(|names| names.contains(column));
        for (name, bounds) in &self.tables {
            let Some(table) = view.tables.get(name) else { continue };
            let (frame, files) = frame::build(lake, view, table, bounds, &needed)?;
            lake.inner.files_scanned.fetch_add(files, Ordering::Relaxed);
            context.register(name, frame);
        }
        let failed = |error: pl::PolarsError| explain(&error, view, &self.tables);
        let rows = pl::IdxSize::try_from(max_rows.saturating_add(1)).unwrap_or(pl::IdxSize::MAX);
        let frame = context.execute(&self.sql).map_err(failed)?.limit(rows);
        // A single query always has a single answer.
        let frame = frame.collect_with_engine(pl::Engine::Streaming);
        let frame = frame.map_err(|error| self.damage(lake, view, &error).unwrap_or_else(|| failed(error)))?.unwrap_single();
        let mut result = ResultSet::from_polars(&frame)?;
        result.limit(max_rows);
        Ok(result)
    }
}

impl Plan {
    /// The damaged file that a failure may come from. Blocks.
    fn damage(&self, lake: &Lake, view: &View, error: &pl::PolarsError) -> Option<LakeError> {
        if matches!(error, pl::PolarsError::ColumnNotFound(_)) {
            return None;
        }
        let tables = self.tables.iter().filter_map(|(name, bounds)| Some((view.tables.get(name)?, bounds)));
        let runtime = crate::store::runtime().ok()?;
        let mut tables = tables.map(|(table, bounds)| {
            let files = table.files.iter().map(|file| &**file).filter(|file| bounds.may_match(file));
            runtime.block_on(lake.find_damage(&table.schema.name, files))
        });
        tables.find_map(|damage| damage)
    }
}

/// What polars says, in the words of the query's author.
fn explain(error: &pl::PolarsError, view: &View, tables: &[(String, Bounds)]) -> LakeError {
    if let pl::PolarsError::Context { error, .. } = error {
        return explain(error, view, tables);
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    if let pl::PolarsError::ColumnNotFound(message) = error {
        let message = message.to_string();
        let unknown: String = message.split(['"', '\'']).nth(1).unwrap_or(&message).to_owned();
        let known: Vec<&str> =
            tables.iter().filter_map(|(name, _)| view.tables.get(name)).flat_map(|table| table.schema.sql_names()).collect();
        let hint = nearest(&unknown, known.iter().copied()).map_or_else(|| ".".to_owned(), |name| format!("; did you mean {name}?"));
        return LakeError::Query(format!("there is no column {unknown}{hint} The tables of this query have: {}", known.join(", ")));
    }
    LakeError::Query(format!("the query cannot be answered: {first}"))
}

/// The name most like `wanted`, if one is near enough to be meant.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(&wanted.to_lowercase(), name), name)).min()?;
    (near.0 <= 1 + wanted.len() / 4).then_some(near.1)
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
