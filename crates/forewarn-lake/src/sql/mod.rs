//! Read-only SQL over every table, lake and tail as one.
//!
//! polars answers the query; around it stands what polars' SQL lacks. The text is parsed, refused unless it
//! is one reading statement over known tables, and rewritten (see [`rewrite`]). What the conditions say about
//! a table's columns is taken out of the syntax tree as well (see [`prune`]): it decides which files are
//! opened, and stands as a filter on the scan itself, below the cast of times that would stop polars from
//! pushing the query's own filter down.

mod aggregates;
mod excerpt;
mod frame;
mod groups;
mod joins;
mod limits;
mod names;
mod partial;
mod polars;
mod prune;
mod rewrite;
mod time;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::polars::prelude as pl;
use ::polars::prelude::IntoLazy as _;
use ::polars::sql::SQLContext;
use forewarn_types::Timestamp;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::read::{ResultSet, Running, View};
use crate::table::Bounds;
use crate::tail::READINGS;

use partial::Partial;

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
    /// Whether the server itself asks. The lake's own limits are for its users' queries; here `max_rows` and
    /// `timeout` go beyond them. Such a query does not wait for those of users either.
    pub internal: bool,
}

/// Checks what can be told of a query without the tables: that it is one reading statement, that `:from` and
/// `:to` are its only parameters, that times are written as times.
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
    /// [`LakeError::Query`] if the query is not one the lake answers, [`LakeError::Timeout`] if it takes too
    /// long, [`LakeError::Behind`] if the lake does not come up with the log in that time,
    /// [`LakeError::Stopped`] if the branch has ended.
    pub async fn sql(&self, request: SqlRequest) -> Result<ResultSet, LakeError> {
        let limit = self.reader.options.sql_timeout;
        let timeout =
            request.timeout.map_or(limit, |wanted| if request.internal { wanted } else { wanted.min(limit) });
        let held = self.reader.progress.log_end();
        match tokio::time::timeout(timeout, self.answer(request)).await {
            Ok(outcome) => outcome,
            // The time went by waiting for the branch; the query is not to blame.
            Err(_) if held.is_some_and(|held| self.reader.progress.applied() < held) => {
                Err(LakeError::behind(timeout))
            }
            Err(_) => Err(LakeError::Timeout(timeout.as_secs())),
        }
    }

    async fn answer(&self, request: SqlRequest) -> Result<ResultSet, LakeError> {
        // Refuse what can be refused before anything is waited for.
        let slots = if request.internal { &self.queries.internal } else { &self.queries.users };
        let limit = self.reader.options.sql_max_rows;
        let max_rows = request
            .max_rows
            .map_or(limit, |wanted| if request.internal { wanted } else { wanted.min(limit) });
        let (lake, now) = (self.clone(), self.writer.clock.now());
        let plan = limits::on_deep_stack(move || {
            let view = lake.reader.view();
            Plan::new(&request, &view, now)
        });
        let plan = plan.await?;
        self.reader.progress.wait_current().await?;
        let slot = Arc::clone(slots).acquire_owned().await;
        let slot = slot.map_err(|_| LakeError::Stopped("it has been closed".into()))?;
        let (lake, view) = (self.clone(), self.reader.view());
        let running = self.queries.watch.begin();
        let _waiting = running.waiting();
        let run = move || {
            // A query that was given up keeps its slot until it has ended.
            let _slot = slot;
            plan.run(&lake, &view, max_rows, &Arc::new(running))
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
    /// The same query over groups of readings, if these would do.
    partial: Option<Partial>,
    /// It asks for lists.
    lists: bool,
}

impl Plan {
    fn new(request: &SqlRequest, view: &View, now: Timestamp) -> Result<Self, LakeError> {
        let mut query = rewrite::parse(&request.query)?;
        let tables = rewrite::tables(&query, view)?;
        // The columns of jobs' tables keep the names that polars gives them: not every text may be one there.
        if !request.internal {
            names::name_columns(&mut query);
        }
        rewrite::rewrite(&mut query, &tables, view, request.params, now)?;
        let bounds = tables.iter().map(|name| (name.clone(), prune::bounds(&query, name, view))).collect();
        let partial = view.tables.get(READINGS).and_then(|table| partial::plan(&query, &table.schema));
        let sql = query.to_string();
        let lists = sql.to_lowercase().contains("array") || sql.contains('[');
        Ok(Self { sql, tables: bounds, names: prune::names(&query), partial, lists })
    }

    /// Blocks.
    fn run(
        &self,
        lake: &Lake,
        view: &View,
        max_rows: usize,
        running: &Arc<Running>,
    ) -> Result<ResultSet, LakeError> {
        let failed = |error: pl::PolarsError| match running.ended() {
            Ok(()) => explain(&error, view, &self.tables),
            Err(ended) => ended,
        };
        let broken = |error: LakeError| self.or_damage(lake, view, running, error);
        let mut frame = match self.over_groups(lake, view, running, &failed).map_err(broken)? {
            Some(frame) => frame,
            None => {
                self.over_rows(lake, view, running).map_err(broken)?.execute(&self.sql).map_err(failed)?
            }
        };
        self.check_lists(&*frame.collect_schema().map_err(failed)?)?;
        let rows = pl::IdxSize::try_from(max_rows.saturating_add(1)).unwrap_or(pl::IdxSize::MAX);
        // A single query always has a single answer.
        let frame = frame.limit(rows).collect_with_engine(pl::Engine::Streaming);
        let frame = frame.map_err(|error| broken(failed(error)))?.unwrap_single();
        let mut result = ResultSet::from_polars(&frame)?;
        result.limit(max_rows);
        Ok(result)
    }

    /// All tables of the query, row by row.
    fn over_rows(&self, lake: &Lake, view: &View, running: &Arc<Running>) -> Result<SQLContext, LakeError> {
        let context = SQLContext::new();
        let needed = |column: &str| self.names.as_ref().is_none_or(|names| names.contains(column));
        for (name, bounds) in &self.tables {
            let Some(table) = view.tables.get(name) else { continue };
            context.register(
                name,
                frame::build(lake, &lake.reader.scan(view, table, bounds), &needed, running)?,
            );
        }
        Ok(context)
    }

    /// The query over groups of readings, if its shape and the files allow it.
    fn over_groups(
        &self,
        lake: &Lake,
        view: &View,
        running: &Arc<Running>,
        failed: &dyn Fn(pl::PolarsError) -> LakeError,
    ) -> Result<Option<pl::LazyFrame>, LakeError> {
        let (Some(partial), Some(table)) = (&self.partial, view.tables.get(READINGS)) else {
            return Ok(None);
        };
        let Some(groups) =
            groups::frame(lake, &lake.reader.scan(view, table, &partial.bounds), partial, running)?
        else {
            return Ok(None);
        };
        // polars names columns after what they are computed from, so it is asked what it would have named
        // these.
        let mut asked = SQLContext::new();
        asked.register(READINGS, frame::empty(&table.schema).map_err(failed)?);
        let names = asked.execute(&self.sql).and_then(|mut frame| frame.collect_schema()).map_err(failed)?;
        // Single values beside aggregates in one expression: what polars makes of them depends on the rows.
        if names.iter().any(|(_, ty)| matches!(ty, pl::DataType::List(_))) {
            return Ok(None);
        }
        let mut context = SQLContext::new();
        context.register(READINGS, groups.lazy());
        let mut frame = context.execute(&partial.sql).map_err(failed)?;
        let given = frame.collect_schema().map_err(failed)?;
        Ok(Some(frame.rename(given.iter_names(), names.iter_names(), true)))
    }
}

impl Plan {
    /// The damaged file that `error` may come from, or `error` itself. Blocks.
    fn or_damage(&self, lake: &Lake, view: &View, running: &Running, error: LakeError) -> LakeError {
        let Ok(runtime) = crate::store::runtime() else { return error };
        if !matches!(error, LakeError::Query(_) | LakeError::Store { .. } | LakeError::Table { .. }) {
            return error;
        }
        let tables = self.tables.iter().filter_map(|(name, bounds)| Some((view.tables.get(name)?, bounds)));
        let mut damages = tables.map(|(table, bounds)| {
            let files = table.files.iter().map(|file| &**file).filter(|file| bounds.may_match(file));
            let find = async { lake.reader.find_damage(&table.schema.name, files).await.map_or(Ok(()), Err) };
            runtime.block_on(running.unless_ended(find)).err()
        });
        damages.find_map(|damage| damage).unwrap_or(error)
    }

    /// Refuses columns of lists, unless the query says that it wants some: polars makes one of what a query
    /// takes from each row of a group.
    fn check_lists(&self, columns: &pl::Schema) -> Result<(), LakeError> {
        let list = columns.iter().find(|(_, ty)| matches!(ty, pl::DataType::List(_))).filter(|_| !self.lists);
        list.map_or(Ok(()), |(name, _)| {
            Err(LakeError::Query(format!(
                "column {name} takes a value from each row of a group; make an aggregate of it, such as max(…), add it to GROUP BY, or write \
                 array_agg(…) for all of them"
            )))
        })
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
        let known: Vec<&str> = tables
            .iter()
            .filter_map(|(name, _)| view.tables.get(name))
            .flat_map(|table| table.schema.sql_names())
            .collect();
        if known.contains(&unknown.as_str()) {
            return LakeError::Query(format!(
                "column {unknown} is none of what the rows have here; add it to GROUP BY, make an aggregate of it, such as max({unknown}), or \
                 take it along in the subquery"
            ));
        }
        let hint = nearest(&unknown, known.iter().copied())
            .map_or_else(|| ".".to_owned(), |name| format!("; did you mean {name}?"));
        return LakeError::Query(format!(
            "there is no column {unknown}{hint} The tables of this query have: {}",
            known.join(", ")
        ));
    }
    if let pl::PolarsError::Duplicate(message) = error {
        let name = message.split(['"', '\'']).nth(1).unwrap_or(first);
        return LakeError::Query(format!(
            "two columns or keys are called {name}; give them names of their own, such as … AS {name}2"
        ));
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
mod store_tests;
#[cfg(test)]
mod tests;
