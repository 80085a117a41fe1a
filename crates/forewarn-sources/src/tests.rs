//! The pump, with sources of the two ways that MQTT is not: one that commits positions, as Kafka does, and
//! one that polls, as Modbus does.

use std::sync::Arc;

use forewarn_ingest::{NO_TIME, RawBatch};
use forewarn_log::MemoryLog;
use forewarn_spec::{MqttPayload, MqttSource, MqttTls, Source as Definition};
use forewarn_types::{Clock, ManualClock, Quality};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::testing::{NOW, PATIENCE, Running, intake, readings};
use crate::{Letter, Link, Source, SourceError, SourceHandle, Sources};

/// A partition of numbers, read from a position on; a text that is no number is a dead letter.
struct Partition {
    records: Vec<String>,
    /// One past the last record that need not come again.
    committed: Arc<Mutex<u64>>,
}

impl Partition {
    fn of(records: impl Iterator<Item = String>) -> (Self, Arc<Mutex<u64>>) {
        let committed = Arc::new(Mutex::new(0));
        (Self { records: records.collect(), committed: Arc::clone(&committed) }, committed)
    }
}

impl Source for Partition {
    type Message = String;
    type Receipt = u64;

    fn decode(&self, message: &String, line: u32, batch: &mut RawBatch) -> Result<(), String> {
        // Each record holds two readings; the first one is always good.
        batch.push("plant/pump", "good", NO_TIME, 1.0, Quality::Good, line);
        let number: i32 = message.parse().map_err(|_| "not a number".to_owned())?;
        let (time, value) = (i64::from(number), f64::from(number));
        batch.push("plant/pump", "value", time, value, Quality::Good, line);
        Ok(())
    }

    fn letter<'m>(&self, message: &'m String) -> Letter<'m> {
        Letter { topic: "partition 0", payload: message.as_bytes(), payload_bytes: message.len() }
    }

    async fn run(&self, mut link: Link<String, u64>, shutdown: CancellationToken) {
        link.status().set_connected();
        for (record, next) in self.records.iter().zip(1..) {
            link.status().set_behind(self.records.len() as u64 - next);
            link.deliver(record.clone(), Some(next)).await;
        }
        while let Some(Some(next)) = shutdown.run_until_cancelled(link.durable()).await {
            self.commit(next, &link);
        }
        link.close();
        while let Some(next) = link.durable().await {
            self.commit(next, &link);
        }
    }
}

impl Partition {
    fn commit(&self, next: u64, link: &Link<String, u64>) {
        let mut committed = self.committed.lock();
        assert_eq!(next, *committed + 1, "receipts come back in order");
        *committed = next;
        link.status().count_acknowledged();
    }
}

#[tokio::test]
async fn positions_are_committed_in_order_and_only_once_they_are_durable() {
    let log = Arc::new(MemoryLog::default());
    log.hold();
    let (source, committed) = Partition::of((0..500).map(|number| number.to_string()));
    let running = Running::start(source, &intake(Arc::clone(&log) as _));
    running.until(|status| status.received == 500).await;
    assert_eq!((*committed.lock(), running.handle.status().lag()), (0, 500));
    log.release_for_good();
    running.until(|status| status.acknowledged == 500).await;
    let status = running.handle.status();
    assert_eq!((*committed.lock(), status.lag(), status.last_received), (500, 0, Some(NOW)));
    running.stop().await;
    assert_eq!(readings(&log), 1_000);
}

#[tokio::test]
async fn what_is_durable_is_still_committed_after_the_end_was_called() {
    let log = Arc::new(MemoryLog::default());
    log.hold();
    let (source, committed) = Partition::of((0..10).map(|number| number.to_string()));
    let running = Running::start(source, &intake(Arc::clone(&log) as _));
    running.until(|status| status.received == 10).await;
    running.stop.cancel();
    log.release_for_good();
    running.task.await.unwrap().unwrap();
    assert_eq!(*committed.lock(), 10);
}

#[tokio::test]
async fn of_a_message_that_is_half_good_the_good_half_is_stored_and_the_message_is_kept_once() {
    let log = Arc::new(MemoryLog::default());
    let bad = "x".repeat(2_000);
    let texts = (0..250).map(|number| if number % 2 == 0 { number.to_string() } else { bad.clone() });
    let (source, committed) = Partition::of(texts);
    let running = Running::start(source, &intake(Arc::clone(&log) as _));
    running.until(|status| status.acknowledged == 250).await;
    let status = running.handle.status();
    assert_eq!((status.refused, *committed.lock()), (125, 250), "a dead letter is acknowledged too");
    let dead = running.handle.dead_letters();
    assert_eq!((dead.len() as u64, status.waiting), (status.dead_letters.min(100), 0));
    assert!(dead.len() >= 100, "{status:?}");
    assert_eq!((dead[0].payload.len(), dead[0].payload_bytes), (1_000, 2_000));
    assert_eq!(
        (dead[0].reason.as_str(), dead[0].topic.as_str(), dead[0].time),
        ("not a number", "partition 0", NOW)
    );
    running.stop().await;
    let good = 250 + 125;
    assert_eq!(readings(&log), good);
}

/// A device that is asked whenever its clock ticks. Nothing is acknowledged.
struct Device {
    ticks: Arc<Semaphore>,
}

impl Source for Device {
    type Message = i32;
    type Receipt = ();

    fn decode(&self, value: &i32, line: u32, batch: &mut RawBatch) -> Result<(), String> {
        batch.push("plant/pump", "pressure", i64::from(*value), f64::from(*value), Quality::Good, line);
        Ok(())
    }

    fn letter<'m>(&self, _: &'m i32) -> Letter<'m> {
        Letter { topic: "register 40001", payload: &[], payload_bytes: 0 }
    }

    async fn run(&self, mut link: Link<i32, ()>, shutdown: CancellationToken) {
        link.status().set_connected();
        let mut value = 0;
        while let Some(Ok(tick)) = shutdown.run_until_cancelled(self.ticks.acquire()).await {
            tick.forget();
            value += 1;
            link.deliver(value, None).await;
        }
        link.close();
        assert_eq!(link.durable().await, None, "the pump ends when the link is closed");
        link.status().set_closed();
    }
}

#[tokio::test]
async fn a_device_that_is_polled_needs_no_receipts() {
    let log = Arc::new(MemoryLog::default());
    let ticks = Arc::new(Semaphore::new(0));
    let running = Running::start(Device { ticks: Arc::clone(&ticks) }, &intake(Arc::clone(&log) as _));
    ticks.add_permits(7);
    running.until(|status| status.received == 7 && status.waiting == 0).await;
    let handle = running.handle.clone();
    running.stop().await;
    assert_eq!((readings(&log), handle.status().acknowledged, handle.status().connected), (7, 0, false));
}

fn mqtt(url: &str, client_id: &str) -> Definition {
    Definition::Mqtt(MqttSource {
        url: url.into(),
        client_id: client_id.into(),
        topic: "a/+".into(),
        asset: "{1}".into(),
        signal: "v".into(),
        payload: MqttPayload::Number,
        qos: 1,
        tls: MqttTls::default(),
        max_packet_bytes: 1 << 20,
    })
}

fn build(definitions: &[Definition]) -> Result<Sources, SourceError> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    Sources::build(definitions, &intake(Arc::new(MemoryLog::default())), &clock)
}

#[test]
fn each_source_has_a_name_of_its_own() {
    let definitions = ["mqtt://one", "mqtt://two", "mqtt://three"].map(|url| mqtt(url, "forewarn"));
    let sources = build(&definitions).unwrap();
    let names: Vec<String> = sources.handles().list().iter().map(SourceHandle::name).collect();
    assert_eq!(names, ["forewarn", "forewarn-2", "forewarn-3"]);
    let error = build(&[mqtt("broker", "c")]).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("source c: its url is not a URL"), "{error}");
}

#[tokio::test]
async fn a_server_without_sources_waits_for_its_end() {
    let stop = CancellationToken::new();
    let running = tokio::spawn(build(&[]).unwrap().run(stop.clone()));
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

/// The sources that run, by the handle of each: the same handle is the same connection.
#[tokio::test]
async fn sources_change_while_they_run_and_those_that_stay_are_not_touched() {
    let stop = CancellationToken::new();
    let first = ["a", "b", "c"].map(|name| mqtt("mqtt://127.0.0.1:1", name));
    let sources = build(&first).unwrap();
    let handles = sources.handles();
    let running = tokio::spawn(sources.run(stop.clone()));
    let before = handles.list();
    let changed = mqtt("mqtt://127.0.0.1:2", "b");
    handles.update(&[mqtt("mqtt://127.0.0.1:1", "d"), changed, first[2].clone()]);
    let names = || handles.list().iter().map(SourceHandle::name).collect::<Vec<_>>();
    let listed = async {
        while names() != ["d", "b", "c"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.unwrap();
    let after = handles.list();
    // A note on the handle of before is seen on that of after only if they are of one source.
    for handle in &before {
        handle.set_behind(7);
    }
    let behind: Vec<_> = after.iter().map(|handle| handle.status().behind).collect();
    assert_eq!(behind, [None, None, Some(7)]);
    // The new ones have begun: nothing listens at their ports.
    let tried = async {
        while after.iter().any(|handle| handle.status().failures == 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[test]
fn a_source_that_cannot_work_changes_nothing() {
    let mut sources = build(&[mqtt("mqtt://127.0.0.1:1", "a")]).unwrap();
    let wrong = [mqtt("mqtt://127.0.0.1:1", "b"), mqtt("broker", "c")];
    assert!(sources.want(&wrong).is_err());
    let names: Vec<String> = sources.handles().list().iter().map(SourceHandle::name).collect();
    assert_eq!(names, ["a"]);
}
