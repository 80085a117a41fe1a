//! What works off the log: the branch to the lake, and the real-time path.

use std::sync::Arc;
use std::time::Duration;

use forewarn_lake::Branch;
use forewarn_spec::ServerConfig;
use forewarn_state::{LogRoom, RealTime, RealTimeParts, RunnerMetrics, TakeSnapshot, snapshot_requests};

use super::open::{Base, Folded};
use super::stages::Stages;

/// The stages, and what the front has of them.
pub(super) struct Back {
    pub(super) stages: Stages,
    pub(super) take_snapshot: TakeSnapshot,
    pub(super) metrics: Arc<RunnerMetrics>,
}

/// Starts them.
pub(super) fn start(base: &Base, folded: Folded, settings: &ServerConfig) -> Back {
    let mut stages = Stages::default();
    let branch = Branch::build(base.lake.clone(), base.log(), Arc::clone(&base.clock));
    stages.spawn("the branch to the lake failed", |shutdown| branch.run(shutdown));

    let Folded { folds, restored, snapshots } = folded;
    let metrics = Arc::new(RunnerMetrics { replayed: restored.replayed.into(), ..RunnerMetrics::default() });
    let (take_snapshot, requests) = snapshot_requests();
    let log = Arc::clone(&base.log);
    let real_time = RealTime::build(RealTimeParts {
        log: base.log(),
        folds,
        restored,
        store: snapshots,
        room: Box::new(move || {
            let metrics = log.metrics();
            LogRoom { used_bytes: metrics.disk_bytes, max_bytes: metrics.max_bytes }
        }),
        requests,
        every: Duration::from_micros(settings.snapshot.every_us.unsigned_abs()),
        metrics: Arc::clone(&metrics),
    });
    stages.spawn("the real-time path failed", |shutdown| real_time.run(shutdown));
    Back { stages, take_snapshot, metrics }
}
