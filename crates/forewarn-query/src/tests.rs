//! The engine over a real lake with a log behind it: part of the rows is in files, part in the tail.

mod answers;
mod harm;
mod refusals;

use std::sync::Arc;

use forewarn_lake::{Branch, Cell, Lake, LakeOptions, ResultSet};
use forewarn_log::{LocalLog, Log, LogOptions};
use forewarn_types::{
    Clock, Journal as _, LifeEvent, LifeEventKind, ManualClock, Quality, ReadingBatch, ReadingFlags, Record,
    SeriesDef, SeriesId, SeriesTable, Timestamp,
};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{Query, QueryEngine, QueryError, QueryOptions};

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600_000_000;
const MINUTE: i64 = 60_000_000;

/// A lake with readings of two pumps, a log that feeds it, and an engine.
struct Plant {
    queries: QueryEngine,
    log: Arc<LocalLog>,
    _folder: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

impl Plant {
    /// 120 temperatures of each of two pumps, one a minute from the new year on, of which the first 60 are in
    /// files, and one life event. Values count up; of the second pump they are 1,000 more.
    async fn filled(options: QueryOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(NEW_YEAR + 120 * MINUTE)));
        let series = Arc::new(RwLock::new(SeriesTable::new(10)));
        let log = LocalLog::open(LogOptions::new(folder.path().join("log"))).unwrap();
        let url = format!("file://{}/lake", folder.path().display());
        let lake = Lake::open(
            LakeOptions { url, ..LakeOptions::default() },
            Arc::clone(&series),
            Arc::clone(&clock),
        );
        let lake = lake.await.unwrap();
        let stop = CancellationToken::new();
        let branch = Branch::build(lake.clone(), Arc::clone(&log) as Arc<dyn Log>, Arc::clone(&clock));
        tokio::spawn(branch.run(stop.clone()));
        let names = ["plant1/pump1", "plant1/pump2"];
        for (id, asset) in (0..).zip(names) {
            series.write().intern(asset, "temperature").unwrap();
            let def = SeriesDef { id: SeriesId(id), asset: asset.into(), signal: "temperature".into() };
            log.append(Record::Series(vec![def])).await.unwrap();
        }
        for half in 0..2 {
            for id in 0..2 {
                let mut batch = ReadingBatch::with_capacity(Timestamp(NEW_YEAR), 60);
                for step in half * 60..half * 60 + 60 {
                    let value = f64::from(u32::try_from(step).unwrap()) + f64::from(id) * 1_000.0;
                    let flags = ReadingFlags::new(Quality::Good, false);
                    batch.push(SeriesId(id), Timestamp(NEW_YEAR + step * MINUTE), value, flags);
                }
                log.append(Record::Readings(batch)).await.unwrap();
            }
            if half == 0 {
                lake.flush().await.unwrap();
            }
        }
        let event = LifeEvent {
            asset: "plant1/pump1".into(),
            event: LifeEventKind::Repaired,
            time: Timestamp(NEW_YEAR + 90 * MINUTE),
            actor: None,
            comment: None,
            corrects: None,
        };
        log.append(Record::LifeEvent(event)).await.unwrap();
        let queries = QueryEngine::new(lake, clock, options).unwrap();
        Self { queries, log, _folder: folder, _stop: stop.drop_guard() }
    }

    async fn start() -> Self {
        Self::filled(QueryOptions::default()).await
    }

    async fn ask(&self, text: &str) -> Result<ResultSet, QueryError> {
        let params = Some((Timestamp(NEW_YEAR), Timestamp(NEW_YEAR + 60 * MINUTE)));
        let query = Query { text: text.to_owned(), params, ..Query::default() };
        self.queries.run(query).await?.collect().await
    }

    /// The rows as CSV without the header, lines parted by a bar.
    async fn csv(&self, text: &str) -> String {
        let rows = self.ask(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut out = Vec::new();
        rows.write_csv_rows(&mut out);
        let text = String::from_utf8(out).unwrap();
        text.lines().collect::<Vec<_>>().join("|")
    }

    async fn int(&self, text: &str) -> i64 {
        match self.ask(text).await.unwrap_or_else(|error| panic!("{text}: {error}")).cell(0, 0) {
            Cell::Int(number) => number,
            other => panic!("{text} answered {other:?}"),
        }
    }

    async fn error(&self, text: &str) -> String {
        match self.ask(text).await {
            Ok(rows) => panic!("{text} was answered with {} rows", rows.row_count()),
            Err(error) => error.to_string(),
        }
    }
}
