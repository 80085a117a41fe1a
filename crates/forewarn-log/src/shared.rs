//! What the senders, the readers and the writer of a local log share, and the rules by which records are
//! taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarn_types::{JournalError, Offset, Record, encode_record, encoded_bytes};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::oneshot;

use crate::buffers::Buffers;
use crate::cache::Cache;
use crate::checkpoints::Checkpoints;
use crate::disk::Disk;
use crate::frame::{FRAME_BYTES, MAX_PAYLOAD_BYTES};
use crate::health::LogHealth;
use crate::payload::Payload;
use crate::queue::{Lack, Outcome, Pending, Queue};
use crate::segment::{HEADER_BYTES, Segment};
use crate::{Compression, LogError, LogOptions, Ticket};

/// How many sixty-fourths of the log's room are kept from what senders send.
const SENDERS_PART: u64 = 4;

/// What the senders, the readers and the writer's thread share. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(crate) options: LogOptions,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) checkpoints: Mutex<Checkpoints>,
    pub(crate) queue: Mutex<Queue>,
    /// Wakes the writer when the queue has something for it.
    pub(crate) wake: Condvar,
    pub(crate) segments: Mutex<Vec<Segment>>,
    pub(crate) cache: RwLock<Cache>,
    pub(crate) buffers: Buffers,
    /// Bytes in use of all segment files, what is in line included.
    pub(crate) disk_bytes: AtomicU64,
    /// Bytes of free space at the end of the last segment.
    pub(crate) free_bytes: AtomicU64,
    pub(crate) fsyncs: AtomicU64,
}

impl Shared {
    /// See [`crate::Log::submit_all`].
    pub(crate) fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError> {
        let limit = self.limit(records.iter().map(kept_part).max().unwrap_or(0));
        let (pending, durable) = self.prepare(records)?;
        let frames: usize = pending.iter().map(Pending::frame_bytes).sum();
        let headers = HEADER_BYTES * pending.len() as u64;

        let mut queue = self.queue.lock();
        if let Some(reason) = &queue.failed {
            return Err(JournalError::Stopped(reason.clone()));
        }
        if let Some(reason) = &queue.taken_over {
            return Err(JournalError::TakenOver(reason.clone()));
        }
        if queue.closing {
            return Err(JournalError::Stopped("the server is shutting down".into()));
        }
        if queue.bytes > 0 && queue.bytes + frames > self.options.queue_bytes {
            return Err(JournalError::Full(format!("{} bytes already wait for the disk", queue.bytes)));
        }
        if let Some(reason) = self.lack_of_room(&queue, frames as u64 + headers, limit) {
            return Err(JournalError::Full(reason));
        }
        self.disk_bytes.fetch_add(frames as u64, Ordering::Relaxed);
        // The writer needs to be told of the first record in line, and of the one with which it need not wait
        // for more.
        let wake = queue.pending.is_empty() || queue.bytes + frames >= self.options.enough_bytes();
        queue.bytes += frames;
        queue.pending.extend(pending);
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(Ticket { durable: Box::pin(async { durable.await.unwrap_or_else(|_| Err(stopped())) }) })
    }

    /// See [`crate::Log::health`].
    pub(crate) fn health(&self) -> LogHealth {
        let queue = self.queue.lock();
        if let Some(reason) = &queue.failed {
            return LogHealth::Failed(reason.clone());
        }
        if let Some(reason) = &queue.taken_over {
            return LogHealth::TakenOver(reason.clone());
        }
        let least = FRAME_BYTES as u64 + HEADER_BYTES;
        let lack = self.lack_of_room(&queue, least, self.limit(SENDERS_PART));
        lack.map_or(LogHealth::Ok, LogHealth::Full)
    }

    /// How many bytes the log may take for records from which so many sixty-fourths of it are kept.
    const fn limit(&self, kept: u64) -> u64 {
        self.options.max_bytes - self.options.max_bytes / 64 * kept
    }

    /// Why there is no room for so many `bytes` more below `limit`, if there is none.
    fn lack_of_room(&self, queue: &Queue, bytes: u64, limit: u64) -> Option<String> {
        match queue.lack {
            Some(Lack::Room) => {
                let dir = self.options.dir.display();
                return Some(format!("the disk that holds {dir} has no room; free some"));
            }
            Some(Lack::Files) => {
                let reason = "the process has as many files open as it may; close connections, or raise its \
                              limit (LimitNOFILE, ulimit -n)";
                return Some(reason.to_owned());
            }
            None => {}
        }
        let disk_bytes = self.disk_bytes.load(Ordering::Relaxed);
        (disk_bytes + bytes > limit).then(|| {
            format!(
                "it takes {disk_bytes} of log.max_bytes = {} since not all of its records are in the lake \
                 and in snapshots yet",
                self.options.max_bytes
            )
        })
    }

    /// Encodes records that are to be put in line together; the receiver hears of the last of them.
    fn prepare(
        &self,
        records: Vec<Record>,
    ) -> Result<(Vec<Pending>, oneshot::Receiver<Outcome>), JournalError> {
        let most = usize::try_from(self.options.max_bytes / 2).unwrap_or(usize::MAX);
        let largest = MAX_PAYLOAD_BYTES.min(most);
        let mut pending: Vec<Pending> = Vec::with_capacity(records.len());
        let mut last = None;
        let mut total = 0;
        for record in records {
            let mut encoded = self.buffers.take(expected_bytes(&record));
            encode_record(&record, &mut encoded).map_err(|error| JournalError::Refused(error.to_string()))?;
            if encoded.len() > largest {
                let bytes = encoded.len();
                return Err(JournalError::Refused(format!(
                    "its {bytes} bytes are more than the {largest} that one record may take"
                )));
            }
            total += encoded.len();
            let payload = match self.options.compression {
                Compression::None => Payload::plain(encoded),
                Compression::Lz4 => Payload::lz4(encoded, &self.buffers),
            };
            let (done, durable) = oneshot::channel();
            pending.push(Pending { record: Arc::new(record), payload, done });
            last = Some(durable);
        }
        if total > most {
            return Err(JournalError::Refused(format!(
                "its {total} bytes are more than half of log.max_bytes; send it in parts"
            )));
        }
        last.map(|last| (pending, last)).ok_or_else(|| JournalError::Refused("there is no record".into()))
    }

    /// Removes the oldest segments of which no consumer needs a record, but never the one that is written to.
    pub(crate) fn trim(&self, lowest: Offset) -> Result<(), LogError> {
        let removed = |bytes| {
            self.disk_bytes.fetch_sub(bytes, Ordering::Relaxed);
        };
        trim(self.disk.as_ref(), &mut self.segments.lock(), lowest, removed)
    }
}

/// How many sixty-fourths of the log's room are kept from records of this kind. What comes from a sender, who
/// can keep it and send it again, is refused first. In the last thirty-second only alerts on what was
/// accepted find room, and in the last half of that only definitions, without which there is no start.
const fn kept_part(record: &Record) -> u64 {
    match record {
        Record::Readings(_) | Record::Series(_) | Record::Origins(_) => SENDERS_PART,
        Record::Alert(_) => 1,
        Record::Definitions(_) => 0,
        _ => 2,
    }
}

/// How many bytes the encoding of `record` will take, where that may be many; 0 else.
const fn expected_bytes(record: &Record) -> usize {
    match record {
        Record::Readings(batch) => encoded_bytes(batch),
        _ => 0,
    }
}

fn stopped() -> JournalError {
    JournalError::Stopped("its writer has ended".into())
}

/// Removes the oldest of `segments` of which nothing from `lowest` on is part, but never the last one;
/// `removed` hears how long each was.
pub(crate) fn trim(
    disk: &dyn Disk,
    segments: &mut Vec<Segment>,
    lowest: Offset,
    removed: impl Fn(u64),
) -> Result<(), LogError> {
    while let [first, second, ..] = segments.as_slice()
        && second.base <= lowest
    {
        disk.remove(&first.path).map_err(LogError::io("remove", &first.path))?;
        removed(first.bytes);
        segments.remove(0);
    }
    Ok(())
}
