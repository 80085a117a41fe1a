//! The one thread that writes: it takes everything that waits, writes it in one piece, and makes it durable by one fsync.
//!
//! While an fsync runs, the next records gather; so the number of fsyncs adapts to the disk, and one sender alone waits for one only.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_types::{JournalError, Offset, Record};
use tokio::sync::{oneshot, watch};

use crate::LogError;
use crate::disk::Disk;
use crate::local::Shared;
use crate::segment::{FRAME_BYTES, HEADER_BYTES, Mark, Segment, push_frame};

/// A record in line for the disk.
pub(crate) struct Pending {
    pub(crate) record: Arc<Record>,
    pub(crate) payload: Vec<u8>,
    pub(crate) done: oneshot::Sender<Result<(), JournalError>>,
}

impl Pending {
    /// Bytes of its frame.
    pub(crate) const fn frame_bytes(&self) -> usize {
        FRAME_BYTES + self.payload.len()
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
            let batch = {
                let mut queue = self.shared.queue.lock();
                while queue.pending.is_empty() && !queue.closing {
                    self.shared.wake.wait(&mut queue);
                }
                std::mem::take(&mut queue.pending)
            };
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.write(&batch, &mut group) {
                self.poison(batch, &error);
                return;
            }
            self.publish(batch);
        }
    }

    /// Writes `batch` durably; what does not fit into the segment begins the next one.
    fn write(&mut self, batch: &[Pending], group: &mut Vec<u8>) -> Result<(), LogError> {
        group.clear();
        let mut marks = Vec::new();
        for pending in batch {
            let position = self.position + group.len() as u64;
            if position > HEADER_BYTES && position + pending.frame_bytes() as u64 > self.shared.options.segment_bytes {
                self.write_group(group, &mut marks)?;
                let (segment, file) = self.disk.create(&self.shared.options.dir, self.next)?;
                self.shared.disk_bytes.fetch_add(HEADER_BYTES, Ordering::Relaxed);
                self.shared.segments.lock().push(segment);
                (self.file, self.position) = (file, HEADER_BYTES);
            }
            marks.push(Mark { offset: self.next, position: self.position + group.len() as u64 });
            push_frame(group, &pending.payload);
            self.next = self.next.next();
        }
        self.write_group(group, &mut marks)
    }

    fn write_group(&mut self, group: &mut Vec<u8>, marks: &mut Vec<Mark>) -> Result<(), LogError> {
        if group.is_empty() {
            return Ok(());
        }
        let written = self.disk.write(&self.file, group).and_then(|()| self.disk.sync(&self.file));
        self.shared.fsyncs.fetch_add(1, Ordering::Relaxed);
        self.position += group.len() as u64;
        let mut segments = self.shared.segments.lock();
        if let Some(segment) = segments.last_mut() {
            written.map_err(LogError::io("write", &segment.path))?;
            segment.bytes = self.position;
            marks.drain(..).for_each(|mark| segment.mark(mark));
        }
        // One giant group must not hold its memory for ever.
        group.clear();
        group.shrink_to(4 << 20);
        Ok(())
    }

    /// Tells readers first and senders second, so that whoever was told that a record is durable can read it.
    fn publish(&self, batch: Vec<Pending>) {
        let bytes: usize = batch.iter().map(Pending::frame_bytes).sum();
        let mut cache = self.shared.cache.write();
        for pending in &batch {
            cache.push(Arc::clone(&pending.record), pending.payload.len());
        }
        drop(cache);
        self.shared.queue.lock().bytes -= bytes;
        self.end.send_replace(self.next);
        for pending in batch {
            // The sender may have gone; its record is durable all the same.
            let _told = pending.done.send(Ok(()));
        }
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
