//! The one thread that writes: it takes everything that waits, writes it in one piece, and makes it durable by one fsync.
//!
//! While an fsync runs, the next records gather; so the number of fsyncs adapts to the disk, and one sender alone waits for one only.
//!
//! A full disk is no failure: what is in line waits for room, and senders are asked to try again. A failed fsync is one, for good.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forewarn_types::{JournalError, Offset, Record};
use tokio::sync::{oneshot, watch};

use crate::LogError;
use crate::disk::{Disk, is_full};
use crate::local::Shared;
use crate::segment::{FRAME_BYTES, HEADER_BYTES, Mark, push_frame};

/// What a sender hears of its record: it is durable, or never will be.
pub(crate) type Outcome = Result<(), JournalError>;

/// A record in line for the disk.
pub(crate) struct Pending {
    pub(crate) record: Arc<Record>,
    pub(crate) payload: Vec<u8>,
    pub(crate) done: oneshot::Sender<Outcome>,
}

impl Pending {
    /// Bytes of its frame.
    pub(crate) const fn frame_bytes(&self) -> usize {
        FRAME_BYTES + self.payload.len()
    }
}

/// After how long the writer looks whether a full disk has room again.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Why records could not be written.
enum Failure {
    /// There is no room. The disk holds what it held before.
    Full(LogError),
    /// Nobody knows what the disk holds.
    Lost(LogError),
}

impl Failure {
    /// A segment that could not be created holds nothing, so it may be created anew.
    fn of_creation(error: LogError) -> Self {
        if matches!(&error, LogError::Io { source, .. } if is_full(source)) { Self::Full(error) } else { Self::Lost(error) }
    }
}

/// The thread's state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) file: File,
    /// Length of the file.
    pub(crate) position: u64,
    /// The offset of the next record to be written.
    pub(crate) next: Offset,
    /// Dropped when the thread ends, which tells every follower.
    pub(crate) end: watch::Sender<Offset>,
    pub(crate) disk: Box<dyn Disk>,
}

impl Writer {
    /// Runs until the log is closed and everything is written, or until the disk fails.
    pub(crate) fn run(mut self) {
        let mut group = Vec::new();
        loop {
            let mut batch = {
                let mut queue = self.shared.queue.lock();
                while queue.pending.is_empty() && !queue.closing {
                    self.shared.wake.wait(&mut queue);
                }
                std::mem::take(&mut queue.pending)
            };
            if batch.is_empty() {
                return;
            }
            while !batch.is_empty() {
                match self.write(&batch, &mut group) {
                    Ok(written) => self.publish(batch.drain(..written).collect()),
                    Err(Failure::Full(error)) if self.wait_for_room(&error) => {}
                    Err(Failure::Full(error) | Failure::Lost(error)) => return self.poison(batch, &error),
                }
            }
        }
    }

    /// Writes the first records of `batch` durably, as many as the segment takes, and returns how many these are. A record that does
    /// not fit begins the next segment.
    fn write(&mut self, batch: &[Pending], group: &mut Vec<u8>) -> Result<usize, Failure> {
        if batch.first().is_some_and(|first| !self.fits(0, first)) {
            let (segment, file) = self.disk.create(&self.shared.options.dir, self.next).map_err(Failure::of_creation)?;
            self.shared.disk_bytes.fetch_add(HEADER_BYTES, Ordering::Relaxed);
            self.shared.segments.lock().push(segment);
            (self.file, self.position) = (file, HEADER_BYTES);
        }
        let mut marks = Vec::new();
        let mut next = self.next;
        group.clear();
        for pending in batch {
            if !self.fits(group.len(), pending) {
                break;
            }
            marks.push(Mark { offset: next, position: self.position + group.len() as u64 });
            push_frame(group, &pending.payload);
            next = next.next();
        }
        self.write_group(group)?;
        self.position += group.len() as u64;
        self.next = next;
        let written = marks.len();
        if let Some(segment) = self.shared.segments.lock().last_mut() {
            segment.bytes = self.position;
            marks.drain(..).for_each(|mark| segment.mark(mark));
        }
        // One giant group must not hold its memory for ever.
        group.clear();
        group.shrink_to(4 << 20);
        Ok(written)
    }

    /// Whether the segment takes `pending` behind `group_bytes` that are to be written. An empty one takes any record.
    fn fits(&self, group_bytes: usize, pending: &Pending) -> bool {
        let position = self.position + group_bytes as u64;
        position == HEADER_BYTES || position + pending.frame_bytes() as u64 <= self.shared.options.segment_bytes
    }

    /// Writes `group` durably. If there is no room for it, what was written of it is taken back: no fsync has failed, so the file is
    /// known to be what it was before, and the group may be written again.
    fn write_group(&mut self, group: &[u8]) -> Result<(), Failure> {
        let position = self.position;
        let path = self.shared.segments.lock().last().map_or_else(|| self.shared.options.dir.clone(), |segment| segment.path.clone());
        if let Err(error) = self.disk.write(&self.file, group) {
            let full = is_full(&error);
            let error = LogError::io("write", &path)(error);
            if full && self.file.set_len(position).and_then(|()| self.file.seek(SeekFrom::Start(position))).is_ok() {
                return Err(Failure::Full(error));
            }
            return Err(Failure::Lost(error));
        }
        let synced = self.disk.sync(&self.file);
        self.shared.fsyncs.fetch_add(1, Ordering::Relaxed);
        synced.map_err(|error| Failure::Lost(LogError::io("fsync", &path)(error)))
    }

    /// Tells readers first and senders second, so that whoever was told that a record is durable can read it.
    fn publish(&self, batch: Vec<Pending>) {
        let bytes: usize = batch.iter().map(Pending::frame_bytes).sum();
        let mut cache = self.shared.cache.write();
        for pending in &batch {
            cache.push(Arc::clone(&pending.record), pending.payload.len());
        }
        drop(cache);
        let mut queue = self.shared.queue.lock();
        queue.bytes -= bytes;
        if std::mem::take(&mut queue.disk_full) {
            tracing::info!("the disk has room again");
        }
        drop(queue);
        self.end.send_replace(self.next);
        for pending in batch {
            // The sender may have gone; its record is durable all the same.
            let _told = pending.done.send(Ok(()));
        }
    }

    /// The disk is full: what is in line waits, nothing more is taken, and after a while the writer tries again. `false`: the log is
    /// being closed, there is nothing to wait for.
    fn wait_for_room(&self, error: &LogError) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.closing {
            return false;
        }
        if !queue.disk_full {
            tracing::error!(%error, "the log takes nothing more until the disk has room");
        }
        queue.disk_full = true;
        self.shared.wake.wait_for(&mut queue, TRY_AGAIN);
        true
    }

    /// After a failed write or fsync nobody knows what the disk holds, so the log takes nothing more until it is opened anew.
    fn poison(&self, batch: Vec<Pending>, error: &LogError) {
        tracing::error!(%error, "the log stops: its disk failed");
        let mut queue = self.shared.queue.lock();
        queue.failed = Some(error.to_string());
        let waiting = std::mem::take(&mut queue.pending);
        drop(queue);
        for pending in batch.into_iter().chain(waiting) {
            let _told = pending.done.send(Err(JournalError::Stopped(error.to_string())));
        }
    }
}
