//! The service over a real log and a real lake.

use std::sync::Arc;

use forewarn_lake::{Branch, Lake, LakeOptions};
use forewarn_log::{LocalLog, LogOptions};
use forewarn_query::{Query, QueryEngine, QueryOptions};
use forewarn_spec::Statistic;
use forewarn_types::{
    Clock, Journal, LifeEvent, LifeEventKind, ManualClock, Offset, Quality, ReadingBatch, ReadingFlags,
};
use forewarn_types::{Record, SeriesTable, Timestamp};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::core::{HOUR, fleet, model, worn};
use crate::{LifeReadings, ModelService};

const SIGNALS: [&str; 3] = ["vibration", "temperature", "switch"];

async fn send(log: &LocalLog, series: &RwLock<SeriesTable>, asset: &str, life: &LifeReadings) {
    let mut batch = ReadingBatch::default();
    let mut defs = Vec::new();
    for (signal, readings) in SIGNALS.iter().zip(&life.signals) {
        let (id, new) = series.write().intern(asset, signal).unwrap();
        defs.extend(series.read().def(id).filter(|_| new).cloned());
        for &(time, value) in readings {
            batch.push(id, Timestamp(time), value, ReadingFlags::default());
            // What a sensor does not vouch for must not be learnt from.
            batch.push(id, Timestamp(time + HOUR / 2), 1e9, ReadingFlags::new(Quality::Bad, false));
        }
    }
    log.append(Record::Series(defs)).await.unwrap();
    log.append(Record::Readings(batch)).await.unwrap();
}

async fn fail(log: &LocalLog, asset: &str, time: i64, event: LifeEventKind) -> Offset {
    let event = LifeEvent {
        asset: asset.into(),
        event,
        time: Timestamp(time),
        actor: None,
        comment: None,
        corrects: None,
    };
    log.append(Record::LifeEvent(event)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_learns_from_the_lake_and_speaks_through_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = LocalLog::open(LogOptions::new(folder.path().join("log"))).unwrap();
    let series = Arc::new(RwLock::new(SeriesTable::new(1_000)));
    let now = 10_000 * HOUR;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(now)));
    let url = format!("file://{}", folder.path().join("lake").display());
    // Users' queries get one row; a model asks about every asset.
    let lake = Lake::open(LakeOptions { url, ..LakeOptions::default() }, series.clone(), clock.clone())
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    let branch = tokio::spawn(Branch::build(lake.clone(), log.clone(), clock.clone()).run(shutdown.clone()));

    for (index, (life, end)) in fleet(6).iter().enumerate() {
        let asset = format!("plant1/pump-{index}");
        send(&log, &series, &asset, life).await;
        fail(&log, &asset, *end, LifeEventKind::Failed).await;
    }
    lake.flush().await.unwrap();
    let start = now - 140 * HOUR;
    let mut running = worn(start, 150, 7);
    running.signals.iter_mut().for_each(|readings| readings.truncate(141));
    fail(&log, "plant1/pump-0", start, LifeEventKind::Installed).await;
    send(&log, &series, "plant1/pump-0", &running).await;

    let queries = QueryEngine::new(
        lake.clone(),
        clock.clone(),
        QueryOptions { max_rows: 1, ..QueryOptions::default() },
    )
    .unwrap();
    let definition = model(&SIGNALS, &[Statistic::Last, Statistic::Mean]);
    let open = || {
        ModelService::open(
            vec![definition.clone()],
            queries.clone(),
            log.clone(),
            series.clone(),
            clock.clone(),
        )
    };
    let service = open().await.unwrap();
    let report = service.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!((report.summary.lives, report.promoted), (6, true), "{report:?}");
    assert_eq!(service.predict("pump-life", Timestamp(now)).await, Ok(1));
    let one = service.predict_asset("pump-life", "plant1/pump-0", Timestamp(now)).await.unwrap().unwrap();
    assert_eq!((one.time, one.life_started), (Timestamp(now), Timestamp(start)));
    assert!(one.p50 < 40.0 && one.p05 <= 10.0, "ten hours before it fails: {one:?}");

    let text = "SELECT asset FROM predictions \
                WHERE from_time < time AND coverage = 0.9 AND life_started < from_time";
    let query = Query { text: text.into(), max_rows: Some(9), internal: true, ..Query::default() };
    let rows = queries.run(query).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.row_count(), 2, "the table says what predictions rest on");

    let again = open().await.unwrap();
    assert_eq!(
        again.models()[0].version.as_ref().unwrap().version,
        report.version,
        "versions outlive the process"
    );
    assert_eq!(again.predict("pump-life", Timestamp(now)).await, Ok(0), "and so does what was predicted");
    let mut tested = worn(100 * HOUR, 150, 8);
    tested.signals.iter_mut().for_each(|readings| readings.truncate(100));
    send(&log, &series, "plant1/tested", &tested).await;
    assert_eq!(again.predict("pump-life", Timestamp(now)).await, Ok(1), "old history of a new asset");
    assert_eq!(again.versions("pump-life").await.unwrap().len(), 1);
    take_events_back(&log, &queries, &again, now).await;
    shutdown.cancel();
    branch.await.unwrap().unwrap();
}

/// Corrects life events, trains again, and looks at what is on record.
async fn take_events_back(log: &LocalLog, queries: &QueryEngine, again: &ModelService, now: i64) {
    // A failure that was none is taken back, and so is one that was recorded at the wrong time.
    let (_, end) = fleet(6)[5];
    let wrong = fail(log, "plant1/tested", 190 * HOUR, LifeEventKind::Failed).await;
    let early = fail(log, "plant1/pump-5", end + HOUR, LifeEventKind::Installed).await;
    for (asset, time, event, corrects) in [
        ("plant1/tested", 190 * HOUR, LifeEventKind::Withdrawn, wrong),
        ("plant1/pump-5", end + 2 * HOUR, LifeEventKind::Installed, early),
    ] {
        let event = LifeEvent {
            asset: asset.into(),
            event,
            time: Timestamp(time),
            actor: None,
            comment: None,
            corrects: Some(corrects),
        };
        log.append(Record::LifeEvent(event)).await.unwrap();
    }
    let report = again.train("pump-life", Timestamp(now)).await.unwrap();
    assert_eq!((report.summary.lives, report.promoted), (6, true), "{report:?}");
    let text = "SELECT version, from_version, actor FROM promotions ORDER BY \"offset\"";
    let query = Query { text: text.into(), max_rows: Some(9), internal: true, ..Query::default() };
    let rows = queries.run(query).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.row_count(), 2);
    assert_eq!(rows.cell(1, 0), forewarn_lake::Cell::Text(&report.version));
    assert_eq!(
        (rows.cell(1, 1), rows.cell(1, 2)),
        (rows.cell(0, 0), forewarn_lake::Cell::Text("train:pump-life"))
    );
}
