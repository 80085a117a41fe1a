//! A log that is full: what the runner does about it, and that neither a decision nor the state is lost by
//! it.

use std::collections::BTreeSet;
use std::time::Duration;

use forewarn_engine::EngineOptions;
use forewarn_ingest::{Intake, IntakeLimits, RawBatch};
use forewarn_lake::ObjectFiles;
use forewarn_log::{LocalLog, LogOptions};
use forewarn_types::{
    DefinitionFile, Definitions, Journal as _, ManualClock, Offset, Quality, Record, SeriesTable, Timestamp,
};
use parking_lot::RwLock;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::*;
use crate::{
    DefinitionsFold, EngineFold, InForce, IntakeFold, ReadModelFold, SharedState, Snapshot, State,
    TakeSnapshot, restore, snapshot_requests,
};

const KIB: u64 = 1 << 10;
const FIRST_US: i64 = 1_767_225_600_000_000;
const HOT: &str = "\
pipeline: p
rules:
  - { name: hot, assets: \"plant1/**\", when: \"temperature > 90.0\", severity: critical }
";

/// A log with its snapshots, in folders that outlive it.
struct Plant {
    log: Arc<LocalLog>,
    intake: Arc<Intake>,
    store: SnapshotStore,
}

/// The runner at work.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), StateError>>,
    /// The decisions that are durable and folded in.
    feed: broadcast::Receiver<(Offset, Arc<Record>)>,
}

impl Plant {
    async fn open(dir: &TempDir, max_bytes: u64) -> Self {
        let options = LogOptions {
            max_bytes,
            segment_bytes: 4 * KIB,
            consumers: vec![CONSUMER.to_owned()],
            ..LogOptions::new(dir.path().join("log"))
        };
        let log = LocalLog::open(options).unwrap();
        let series = Arc::new(RwLock::new(SeriesTable::new(100)));
        let intake = Intake::new(
            Arc::clone(&log) as Arc<dyn Log>,
            series,
            Arc::new(ManualClock::new(Timestamp(FIRST_US))),
            IntakeLimits::default(),
        );
        let files =
            ObjectFiles::open(&format!("file://{}/lake", dir.path().display()), Timestamp(0)).await.unwrap();
        let store = SnapshotStore::new(files, log.id(), None);
        Self { log, intake: Arc::new(intake), store }
    }

    /// The real-time path as the server makes it: from the newest snapshot.
    async fn real_time(&self) -> (RealTime, SharedState, TakeSnapshot) {
        let log: Arc<dyn Log> = Arc::clone(&self.log) as Arc<dyn Log>;
        let state = SharedState::new(State::default());
        let mut folds = Folds::new(vec![
            Box::new(DefinitionsFold::new(InForce::default())),
            Box::new(EngineFold::new(EngineOptions::default())),
            Box::new(ReadModelFold::new(state.clone())),
            Box::new(IntakeFold::new(Arc::clone(&self.intake))),
        ]);
        let restored = restore(&self.store, &log, &mut folds).await.unwrap();
        let (take, requests) = snapshot_requests();
        let counted = Arc::clone(&self.log);
        let real_time = RealTime::build(RealTimeParts {
            log,
            folds,
            restored,
            store: self.store.clone(),
            room: Box::new(move || {
                let metrics = counted.metrics();
                LogRoom { used_bytes: metrics.disk_bytes, max_bytes: metrics.max_bytes }
            }),
            requests,
            every: Duration::from_millis(5),
            metrics: Arc::new(RunnerMetrics::default()),
        });
        (real_time, state, take)
    }

    /// Starts the runner.
    async fn run(&self) -> Running {
        let (real_time, state, _take) = self.real_time().await;
        let feed = state.alert_feed();
        let shutdown = CancellationToken::new();
        Running { task: tokio::spawn(real_time.run(shutdown.clone())), shutdown, feed }
    }

    /// Appends ticks until `bytes` of the log are in use, or it takes no more.
    async fn fill(&self, bytes: u64) {
        while self.log.metrics().disk_bytes < bytes
            && self.log.append(Record::Tick(Timestamp(FIRST_US))).await.is_ok()
        {}
    }

    /// Sends readings of which each changes whether the pump is hot.
    async fn flip(&self, count: i64) {
        let mut batch = RawBatch::with_capacity(usize::try_from(count).unwrap());
        for n in 0..count {
            let value = if n % 2 == 0 { 95.0 } else { 70.0 };
            batch.push("plant1/pump0", "temperature", FIRST_US + n * 1_000_000, value, Quality::Good, 1);
        }
        assert_eq!(self.intake.accept(batch).await.unwrap().accepted, u64::try_from(count).unwrap());
    }

    /// The offset of the newest usable snapshot.
    async fn newest(&self) -> Option<Offset> {
        self.store.newest(|snapshot| Ok(snapshot.offset)).await.unwrap().map(|(offset, _)| offset)
    }

    /// How many decisions the log holds.
    fn decisions(&self) -> usize {
        let records = self.log.read(self.log.start(), usize::MAX, usize::MAX).unwrap();
        records.iter().filter(|(_, record)| matches!(record.as_ref(), Record::Alert(_))).count()
    }
}

impl Running {
    /// Waits until `condition` holds, and the runner with it.
    async fn until(&mut self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let holds = async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            held = tokio::time::timeout(Duration::from_mins(1), holds) => {
                assert!(held.is_ok(), "there is still not {what}");
            }
            ended = &mut self.task => panic!("the runner ended: {ended:?}"),
        }
    }

    /// Waits until so many decisions, all of one record, are folded in: each of them once.
    async fn decides(&mut self, count: u32) {
        let mut ordinals = BTreeSet::new();
        while ordinals.len() < count as usize {
            let received = tokio::time::timeout(Duration::from_mins(1), self.feed.recv()).await;
            let (_, record) = received.unwrap_or_else(|_| panic!("there are only {ordinals:?}")).unwrap();
            let Record::Alert(alert) = record.as_ref() else { panic!("{record:?}") };
            assert!(ordinals.insert(alert.ordinal), "{} twice", alert.ordinal);
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn definitions() -> Record {
    Record::Definitions(Definitions::of(vec![DefinitionFile { path: "p.yaml".into(), text: HOT.into() }]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_full_to_its_last_byte_gets_room_though_nothing_can_happen_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Plant::open(&dir, 64 * KIB).await;
    plant.log.append(definitions()).await.unwrap();
    let mut running = plant.run().await;
    running.until("a snapshot", async || plant.newest().await.is_some()).await;
    running.stop().await;
    // The store is away while the log fills up. When it is back there is one more snapshot, at the end.
    plant.fill(u64::MAX).await;
    while plant.log.append(Record::Definitions(Definitions::default())).await.is_ok() {}
    let (end, start) = (plant.log.end(), plant.log.start());
    let (snapshot, before) = plant.store.newest(Ok).await.unwrap().unwrap();
    let first = plant.store.save(Snapshot { offset: end, ..snapshot }, before.as_ref()).await.unwrap();
    plant.log.checkpoint(CONSUMER, before.unwrap().offset).unwrap();
    let mut running = plant.run().await;
    running
        .until("room", async || plant.log.start() > start && plant.log.metrics().disk_bytes < 8 * KIB)
        .await;
    running.stop().await;
    std::fs::write(dir.path().join("lake").join(&first.path), "damaged").unwrap();
    assert_eq!(plant.newest().await, Some(end), "the state still does not hang on one object");
    plant.flip(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_waits_for_room_gets_it_from_snapshots_of_the_state_before() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Plant::open(&dir, 64 * KIB).await;
    plant.log.append(definitions()).await.unwrap();
    plant.fill(58 * KIB).await;
    plant.flip(50).await;
    let mut running = plant.run().await;
    running.decides(50).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_that_never_find_room_are_made_again_from_a_snapshot_taken_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Plant::open(&dir, 64 * KIB).await;
    plant.log.append(definitions()).await.unwrap();
    plant.fill(50 * KIB).await;
    let before = plant.log.end().0;
    plant.flip(300).await;
    let mut running = plant.run().await;
    // Not all decisions find room, though all before the batch that led to them is trimmed: the last segment
    // that holds some of it stays.
    let is_full = async || {
        let room = plant.log.metrics();
        plant.log.start().0 + 400 > before && room.max_bytes.saturating_sub(room.disk_bytes) < 2 * KIB
    };
    running.until("a full log", is_full).await;
    running.stop().await;
    let newest = plant.newest().await.unwrap().0;
    assert!((before - 256..=before + 1).contains(&newest), "{newest}: that of before the batch");
    assert!((1..300).contains(&plant.decisions()), "{}", plant.decisions());
    drop(plant);

    let plant = Plant::open(&dir, 1 << 20).await;
    let mut running = plant.run().await;
    running.decides(300).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_waits_where_no_state_was_kept_gets_room_from_a_second_copy_of_the_newest_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Plant::open(&dir, 64 * KIB).await;
    let rule = |n| {
        format!(
            "  - {{ name: hot{n}, assets: \"plant1/**\", when: \"temperature > 90.0\", \
             severity: critical }}\n"
        )
    };
    let text = (0..80).fold("pipeline: p\nrules:\n".to_owned(), |text, n| text + &rule(n));
    plant
        .log
        .append(Record::Definitions(Definitions::of(vec![DefinitionFile {
            path: "p.yaml".into(),
            text: text.into(),
        }])))
        .await
        .unwrap();
    let mut running = plant.run().await;
    running.until("a snapshot", async || plant.newest().await.is_some()).await;
    running.stop().await;
    // Nothing that looks like more alerts than there is room for.
    while plant.log.metrics().disk_bytes < 50 * KIB {
        plant.log.append(Record::Series(Vec::new())).await.unwrap();
    }
    let (snapshot, before) = plant.store.newest(Ok).await.unwrap().unwrap();
    let end = plant.log.end();
    plant.store.save(Snapshot { offset: end, ..snapshot }, before.as_ref()).await.unwrap();
    plant.log.checkpoint(CONSUMER, before.unwrap().offset).unwrap();
    plant.flip(1).await;
    let (mut real_time, _state, _take) = plant.real_time().await;
    let records = plant.log.read(end, usize::MAX, usize::MAX).unwrap();
    assert!(!real_time.pace.room().is_scarce(&records), "no state is kept");
    let shutdown = CancellationToken::new();
    let taken = tokio::time::timeout(Duration::from_mins(1), real_time.step(records, &shutdown)).await;
    assert!(taken.unwrap_or_else(|_| panic!("they wait for ever: {:?}", plant.log.metrics())).unwrap());
    assert_eq!(plant.decisions(), 80);
    let (_, saved) = plant.store.newest(Ok).await.unwrap().unwrap();
    std::fs::write(dir.path().join("lake").join(saved.unwrap().path), "damaged").unwrap();
    assert_eq!(plant.newest().await, Some(end), "there are two of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_snapshot_is_answered_with_the_copy_that_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let plant = Plant::open(&dir, 64 * KIB).await;
    plant.log.append(definitions()).await.unwrap();
    plant.run().await.stop().await;
    let (_, first) = plant.store.newest(Ok).await.unwrap().unwrap();
    let first = first.unwrap();
    let second = plant.store.save_again(&first).await.unwrap();
    std::fs::write(dir.path().join("lake").join(&first.path), "damaged").unwrap();
    let (real_time, _state, take) = plant.real_time().await;
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(real_time.run(shutdown.clone()));
    assert_eq!(take().await.unwrap(), second, "the start rests on it, and a backup may");
    shutdown.cancel();
    task.await.unwrap().unwrap();
}
