//! What works off the log: the branch to the lake, the real-time path, and the notifier.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use forewarn_lake::{Branch, ObjectFiles};
use forewarn_log::LocalLog;
use forewarn_notify::{Health, Notifier, NotifierParts, Tester};
use forewarn_spec::ServerConfig;
use forewarn_state::{LogRoom, RealTime, RealTimeParts, RunnerMetrics, TakeSnapshot, snapshot_requests};

use super::open::{Base, Folded};
use super::stages::Stages;
use tokio_util::sync::CancellationToken;

/// How often the store is asked whether another server has taken the lake over. Every commit asks as well.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(2);

/// The stages, and what the front has of them.
pub(super) struct Back {
    pub(super) stages: Stages,
    pub(super) take_snapshot: TakeSnapshot,
    pub(super) metrics: Arc<RunnerMetrics>,
    pub(super) contacts: Health,
    pub(super) tester: Tester,
}

/// Starts them; the server is reached at `url`.
///
/// # Errors
/// If messages could not be sent.
pub(super) fn start(base: &Base, folded: Folded, settings: &ServerConfig, url: String) -> Result<Back> {
    let mut stages = Stages::default();
    let branch = Branch::build(base.lake.clone(), base.log(), Arc::clone(&base.clock));
    stages.spawn("looking for other servers on the lake failed", |shutdown| {
        watch_epoch(base.lake.store().clone(), Arc::clone(&base.log), shutdown)
    });
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
    let notifier = Notifier::build(NotifierParts {
        outbox: base.known.outbox.clone(),
        log: base.log(),
        clock: Arc::clone(&base.clock),
        settings: settings.notify.clone(),
        url,
    })
    .map_err(|problem| anyhow!(problem).context("messages about alerts could not be sent"))?;
    let (contacts, tester) = (notifier.health(), notifier.tester());
    stages.spawn("the notifier failed", |shutdown| notifier.run(shutdown));
    Ok(Back { stages, take_snapshot, metrics, contacts, tester })
}

/// Lets the log take nothing more once another server has taken the lake over: what this one took would never
/// get there.
async fn watch_epoch(store: ObjectFiles, log: Arc<LocalLog>, shutdown: CancellationToken) -> Result<()> {
    let mut pace = tokio::time::interval(LOOK_FOR_OTHERS);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let reason = loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            reason = store.until_taken_over() => break reason,
            _ = pace.tick() => {
                // A store that fails is asked again; one that knows of another server wakes the line above.
                if let Err(error) = store.check_epoch().await {
                    tracing::debug!(%error, "whether another server feeds the lake is not known for now");
                }
            }
        }
    };
    log.give_up(&reason);
    tracing::error!(
        reason,
        "this server takes no more readings and writes nothing more to the lake, as another one has taken it \
         over: stop the one that is not meant to run, and start the other one again; readings that this one \
         has acknowledged and not committed are in its log, in data_dir"
    );
    shutdown.cancelled().await;
    Ok(())
}
