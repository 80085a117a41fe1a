//! What the parts count for themselves, as `/metrics` shows it. The API adds what it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarn_log::{LocalLog, LogMetrics};
use forewarn_notify::Health;
use forewarn_state::{Exposition, Metrics, RunnerMetrics};
use forewarn_types::Clock;

/// Has `metrics` show the log and the real-time path.
pub(crate) fn register(metrics: &Metrics, log: Arc<LocalLog>, real_time: Arc<RunnerMetrics>) {
    metrics.collect_with(move |out| {
        show_log(out, &log.metrics());
        let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        out.counter(
            "forewarn_alert_transitions_total",
            "Transitions the engine decided.",
            &[],
            counted(&real_time.transitions),
        );
        out.counter(
            "forewarn_engine_problems_total",
            "Things the engine could not do.",
            &[],
            counted(&real_time.problems),
        );
        let help = "Everything before it is in the newest snapshot.";
        out.gauge("forewarn_snapshot_offset", help, &[], counted(&real_time.snapshot_offset) as f64);
        let help = "Records behind the snapshot that the start had to read again.";
        out.gauge("forewarn_start_replayed_records", help, &[], counted(&real_time.replayed) as f64);
    });
}

/// Has `metrics` show how contacts are doing.
pub(crate) fn register_contacts(metrics: &Metrics, contacts: Health, clock: Arc<dyn Clock>) {
    metrics.collect_with(move |out| contacts.show(out, clock.now()));
}

fn show_log(out: &mut Exposition, log: &LogMetrics) {
    out.gauge(
        "forewarn_log_disk_bytes",
        "Bytes that the log takes on disk, free space in its files included.",
        &[],
        log.disk_bytes as f64,
    );
    out.gauge(
        "forewarn_log_max_bytes",
        "Bytes that the log may take; then readings are refused.",
        &[],
        log.max_bytes as f64,
    );
    out.gauge("forewarn_log_queue_bytes", "Bytes that wait for the disk.", &[], log.queue_bytes as f64);
    let as_number = |flag: bool| f64::from(u8::from(flag));
    let help = "1 while the disk has no room for what is in line; then readings are refused.";
    out.gauge("forewarn_log_disk_full", help, &[], as_number(log.disk_full));
    out.gauge("forewarn_log_segments", "Segment files.", &[], log.segments as f64);
    out.counter("forewarn_log_fsyncs_total", "Groups of records made durable together.", &[], log.fsyncs);
    for (consumer, offset) in &log.checkpoints {
        let labels = [("consumer", consumer.as_str())];
        out.gauge(
            "forewarn_log_checkpoint_offset",
            "The consumer needs nothing before it any more.",
            &labels,
            offset.0 as f64,
        );
    }
}
