//! The lake as a model's [`History`]: life events and extents by SQL, readings by series, versions as
//! objects.

use std::sync::Arc;
use std::time::Duration;

use forewarn_lake::{Cell, LakeError, ReadingsQuery, ResultSet};
use forewarn_query::{Query, QueryEngine, QueryError};
use forewarn_spec::Model;
use forewarn_types::{
    BoxFuture, Clock, Journal, LifeEventKind, Offset, Quality, SeriesId, SeriesTable, SignalName, Timestamp,
};
use parking_lot::RwLock;

use crate::error::ModelError;
use crate::history::{Extent, GoodReadings, History, LifeEventRow, Predicted};
use crate::service::EARLIEST;
use crate::service::ModelService;

/// Most rows of one answer: there are as many as assets, or as life events.
const MAX_ROWS: usize = 10_000_000;
/// Longest time one question may take: the first one looks at all readings there are.
const TIMEOUT: Duration = Duration::from_hours(1);

/// Asks a lake.
struct LakeHistory {
    queries: QueryEngine,
}

impl ModelService {
    /// Opens the models and reads the versions in force. A damaged version does not keep the others from
    /// working; its model says so in [`crate::ModelStatus::problem`].
    ///
    /// # Errors
    /// [`ModelError::Lake`] if the lake does not answer.
    pub async fn open(
        models: Vec<Model>,
        queries: QueryEngine,
        journal: Arc<dyn Journal>,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ModelError> {
        Self::with_history(models, Arc::new(LakeHistory { queries }), journal, series, clock).await
    }
}

impl LakeHistory {
    /// All rows of the answer to `query`, or none: half an answer would make a wrong model.
    async fn rows(&self, query: String, from: Timestamp, to: Timestamp) -> Result<ResultSet, ModelError> {
        let params = Some((from, to));
        let query = Query {
            text: query,
            params,
            max_rows: Some(MAX_ROWS),
            timeout: Some(TIMEOUT),
            internal: true,
            ..Query::default()
        };
        let refused = |error| match error {
            QueryError::Lake(error) => failed(error),
            other => ModelError::Lake(other.to_string()),
        };
        let answer = self.queries.run(query).await.map_err(refused)?;
        let rows = answer.collect().await.map_err(refused)?;
        if rows.truncated() {
            return Err(ModelError::Lake(format!(
                "there are more than {MAX_ROWS} assets or life events, more than a model is made for"
            )));
        }
        Ok(rows)
    }
}

impl History for LakeHistory {
    fn life_events(&self, to: Timestamp) -> BoxFuture<'_, Result<Vec<LifeEventRow>, ModelError>> {
        Box::pin(async move {
            let query = r#"SELECT asset, time, event FROM life_events
                           WHERE time >= :from AND time < :to AND event <> 'withdrawn' AND "offset" NOT IN
                               (SELECT corrects FROM life_events WHERE corrects IS NOT NULL)
                           ORDER BY time, "offset""#;
            let rows = self.rows(query.to_owned(), EARLIEST, to).await?;
            let mut events = Vec::with_capacity(rows.row_count());
            for row in 0..rows.row_count() {
                let event = LifeEventKind::parse(text(&rows, row, 2)?);
                let event = event.ok_or_else(|| {
                    ModelError::Lake(format!("row {row} of life_events holds no known event"))
                })?;
                events.push(LifeEventRow {
                    asset: text(&rows, row, 0)?.into(),
                    time: time(&rows, row, 1)?,
                    event,
                });
            }
            Ok(events)
        })
    }

    fn extents(
        &self,
        signals: &[SignalName],
        from: Timestamp,
        to: Timestamp,
        since: Offset,
    ) -> BoxFuture<'_, Result<Vec<Extent>, ModelError>> {
        let names: Vec<String> = signals.iter().map(|signal| quoted(signal)).collect();
        let query = format!(
            r#"SELECT asset, min(time) AS first_time, max(time) AS last_time, max("offset") AS newest
               FROM readings
               WHERE time >= :from AND time < :to AND "offset" >= {since} AND signal IN ({}) GROUP BY asset"#,
            names.join(", ")
        );
        Box::pin(async move {
            let rows = self.rows(query, from, to).await?;
            let extent = |row| {
                let (first, last, newest) =
                    (time(&rows, row, 1)?, time(&rows, row, 2)?, offset(&rows, row, 3)?);
                Ok(Extent { asset: text(&rows, row, 0)?.into(), first, last, newest })
            };
            (0..rows.row_count()).map(extent).collect()
        })
    }

    fn readings(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<GoodReadings>, ModelError>> {
        let query = ReadingsQuery { series: series.to_vec(), from, to };
        Box::pin(async move {
            let found = self.queries.lake().readings(query).await.map_err(failed)?;
            let good = found.into_iter().map(|readings| {
                let rows = readings.time.iter().zip(&readings.value).zip(&readings.flags);
                let (time, value) =
                    rows.filter(|(_, flags)| flags.quality() == Quality::Good).map(|(row, _)| row).unzip();
                GoodReadings { id: readings.id, time, value }
            });
            Ok(good.collect())
        })
    }

    fn newest_predictions(&self, model: &str) -> BoxFuture<'_, Result<Vec<Predicted>, ModelError>> {
        let query = format!(
            r#"SELECT made.asset, made.version, made.time, made.life_started FROM predictions AS made
               JOIN (SELECT max("offset") AS newest FROM predictions
                     WHERE model = {} GROUP BY asset) AS last
               ON made."offset" = last.newest"#,
            quoted(model)
        );
        Box::pin(async move {
            let rows = self.rows(query, EARLIEST, LATEST).await?;
            let predicted = |row| {
                let (asset, version) = (text(&rows, row, 0)?.into(), text(&rows, row, 1)?.to_owned());
                Ok(Predicted {
                    asset,
                    version,
                    time: time(&rows, row, 2)?,
                    life_started: time(&rows, row, 3)?,
                })
            };
            (0..rows.row_count()).map(predicted).collect()
        })
    }

    fn promoted(&self, model: &str) -> BoxFuture<'_, Result<Option<String>, ModelError>> {
        let query = format!(
            r#"SELECT version FROM promotions WHERE model = {} ORDER BY "offset" DESC LIMIT 1"#,
            quoted(model)
        );
        Box::pin(async move {
            let rows = self.rows(query, EARLIEST, LATEST).await?;
            if rows.row_count() == 0 { Ok(None) } else { text(&rows, 0, 0).map(|name| Some(name.to_owned())) }
        })
    }

    fn put(&self, path: String, bytes: Vec<u8>, if_absent: bool) -> BoxFuture<'_, Result<(), ModelError>> {
        Box::pin(async move {
            self.queries.lake().store().put(&path, bytes.into(), if_absent).await.map(|_| ()).map_err(failed)
        })
    }

    fn get(&self, path: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, ModelError>> {
        Box::pin(async move {
            Ok(self.queries.lake().store().get(&path).await.map_err(failed)?.map(|bytes| bytes.to_vec()))
        })
    }

    fn list(&self, folder: String) -> BoxFuture<'_, Result<Vec<String>, ModelError>> {
        Box::pin(async move {
            let files = self.queries.lake().store().list(&folder).await.map_err(failed)?;
            Ok(files.into_iter().map(|file| file.path).collect())
        })
    }
}

/// Later than any reading.
const LATEST: Timestamp = Timestamp::from_secs(50_000_000_000);

fn failed(error: LakeError) -> ModelError {
    match error {
        LakeError::TooLarge(problem) => ModelError::TooLarge(problem),
        other => ModelError::Lake(other.to_string()),
    }
}

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn text(rows: &ResultSet, row: usize, column: usize) -> Result<&str, ModelError> {
    match rows.cell(row, column) {
        Cell::Text(text) => Ok(text),
        other => Err(ModelError::Lake(format!(
            "row {row}, column {column} of an answer is {other:?} where a text belongs"
        ))),
    }
}

fn time(rows: &ResultSet, row: usize, column: usize) -> Result<i64, ModelError> {
    match rows.cell(row, column) {
        Cell::Time(time) => Ok(time.0),
        other => Err(ModelError::Lake(format!(
            "row {row}, column {column} of an answer is {other:?} where a time belongs"
        ))),
    }
}

fn offset(rows: &ResultSet, row: usize, column: usize) -> Result<Offset, ModelError> {
    match rows.cell(row, column) {
        Cell::Int(offset) if offset >= 0 => Ok(Offset(offset.unsigned_abs())),
        other => Err(ModelError::Lake(format!(
            "row {row}, column {column} of an answer is {other:?} where an offset belongs"
        ))),
    }
}
