//! What a model asks of the past, and where it keeps its versions. The lake answers; tests answer from
//! memory.

use std::collections::HashMap;
use std::sync::Arc;

use forewarn_types::{AssetPath, BoxFuture, LifeEventKind, Offset, SeriesId, SignalName, Timestamp};

use crate::error::ModelError;
use crate::grid::{GridBuilder, LifeGrid};

/// The questions. Time ranges are half-open.
pub(crate) trait History: Send + Sync {
    /// Life events before `to` that have not been corrected or withdrawn, ascending in time, equal times in
    /// order of arrival.
    fn life_events(&self, to: Timestamp) -> BoxFuture<'_, Result<Vec<LifeEventRow>, ModelError>>;

    /// Time of the first and the last reading of any of `signals`, by asset, among those that stand in the
    /// log at `since` or later.
    fn extents(
        &self,
        signals: &[SignalName],
        from: Timestamp,
        to: Timestamp,
        since: Offset,
    ) -> BoxFuture<'_, Result<Vec<Extent>, ModelError>>;

    /// The good readings of some series, ascending in time within each.
    fn readings(
        &self,
        series: &[SeriesId],
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<GoodReadings>, ModelError>>;

    /// Each asset's newest prediction of `model`.
    fn newest_predictions(&self, model: &str) -> BoxFuture<'_, Result<Vec<Predicted>, ModelError>>;

    /// The version of `model` that was put in force last, by the records of promotions.
    fn promoted(&self, model: &str) -> BoxFuture<'_, Result<Option<String>, ModelError>>;

    /// Stores an object. With `if_absent` an object that is already there stays as it is.
    fn put(&self, path: String, bytes: Vec<u8>, if_absent: bool) -> BoxFuture<'_, Result<(), ModelError>>;

    /// An object's bytes; `None` if there is none.
    fn get(&self, path: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, ModelError>>;

    /// The paths of the objects in a folder, ascending.
    fn list(&self, folder: String) -> BoxFuture<'_, Result<Vec<String>, ModelError>>;
}

/// A row of `life_events`.
#[derive(Debug, Clone)]
pub(crate) struct LifeEventRow {
    /// The asset.
    pub asset: AssetPath,
    /// When, µs.
    pub time: i64,
    /// What.
    pub event: LifeEventKind,
}

/// Where an asset's readings lie. Times are µs.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// The asset.
    pub asset: AssetPath,
    /// Time of the first reading.
    pub first: i64,
    /// Time of the last reading.
    pub last: i64,
    /// The newest record of the log that holds one of them; late readings make it another than that of the
    /// last.
    pub newest: Offset,
}

/// What the newest prediction for an asset is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Predicted {
    /// The asset.
    pub asset: AssetPath,
    /// The version that made it.
    pub version: String,
    /// Time of the newest reading it is based on, µs.
    pub time: i64,
    /// When the life began that it is about, µs.
    pub life_started: i64,
}

/// Readings of one series that are fit to learn from.
#[derive(Debug, Clone)]
pub(crate) struct GoodReadings {
    /// Which series.
    pub id: SeriesId,
    /// Times, µs.
    pub time: Vec<i64>,
    /// Values.
    pub value: Vec<f64>,
}

/// Stands for a signal that an asset has never sent; never asked for.
pub(crate) const NO_SERIES: SeriesId = SeriesId(u32::MAX);

/// A stretch of one asset's life that is to be put on rows.
pub(crate) struct Wanted {
    /// Takes in the readings.
    pub builder: GridBuilder,
    /// The asset's series, one for each signal of the plan.
    pub series: Vec<SeriesId>,
    /// Readings from here on, µs.
    pub from: i64,
    /// Readings before here, µs.
    pub to: i64,
}

/// Reads in pieces of time whose length follows from how many readings the last piece held: memory stays
/// bounded for dense sensors, and sparse ones need few queries.
#[derive(Debug)]
pub(crate) struct Reader {
    piece_us: i64,
}

const DAY_US: i64 = 86_400_000_000;
const LONGEST_PIECE_US: i64 = 400 * DAY_US;
const SHORTEST_PIECE_US: i64 = 60_000_000;
/// A piece with fewer readings than this doubles the next.
const FEW_READINGS: usize = 250_000;
/// A piece with more readings than this halves the next.
const MANY_READINGS: usize = 1_000_000;

impl Reader {
    pub(crate) const fn new() -> Self {
        Self { piece_us: DAY_US }
    }

    /// Puts the readings of all `wanted` on rows; they share the queries, so they should lie near one another
    /// in time.
    ///
    /// # Errors
    /// Those of the history.
    pub(crate) async fn grids(
        &mut self,
        history: &Arc<dyn History>,
        mut wanted: Vec<Wanted>,
    ) -> Result<Vec<LifeGrid>, ModelError> {
        let mut takers: HashMap<SeriesId, Vec<(usize, usize)>> = HashMap::new();
        for (index, wanted) in wanted.iter().enumerate() {
            for (signal, &id) in wanted.series.iter().enumerate().filter(|&(_, &id)| id != NO_SERIES) {
                takers.entry(id).or_default().push((index, signal));
            }
        }
        let mut series: Vec<SeriesId> = takers.keys().copied().collect();
        series.sort_unstable();
        let mut at = wanted.iter().map(|wanted| wanted.from).min().unwrap_or(0);
        let end = wanted.iter().map(|wanted| wanted.to).max().unwrap_or(0);
        while at < end {
            let to = at.saturating_add(self.piece_us).min(end);
            let piece = match history.readings(&series, Timestamp(at), Timestamp(to)).await {
                Err(ModelError::TooLarge(_)) if self.piece_us > SHORTEST_PIECE_US => {
                    self.piece_us = (self.piece_us / 8).max(SHORTEST_PIECE_US);
                    continue;
                }
                piece => piece?,
            };
            let count = piece.iter().map(|readings| readings.time.len()).sum::<usize>();
            for readings in piece {
                for &(index, signal) in takers.get(&readings.id).into_iter().flatten() {
                    let builder = &mut wanted[index].builder;
                    readings
                        .time
                        .iter()
                        .zip(&readings.value)
                        .for_each(|(&time, &value)| builder.push(signal, time, value));
                }
            }
            at = to;
            if count < FEW_READINGS {
                self.piece_us = (self.piece_us * 2).min(LONGEST_PIECE_US);
            } else if count > MANY_READINGS {
                self.piece_us = (self.piece_us / 2).max(SHORTEST_PIECE_US);
            }
        }
        Ok(wanted.into_iter().map(|wanted| wanted.builder.finish()).collect())
    }
}
