//! The one thread that writes: it takes everything that waits, writes it in one piece, and makes it durable
//! by one fsync.
//!
//! While an fsync runs, the next records gather; so the number of fsyncs adapts to the disk, and one sender
//! alone waits for one only.
//!
//! A full disk is no failure, nor is a process that may open no more files: what is in line waits, and
//! senders are asked to try again. A failed fsync is one, for good.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forewarn_types::{JournalError, Offset};
use tokio::sync::watch;

use crate::LogError;
use crate::disk::DiskFile;
use crate::error::is_full;
use crate::group::Group;
use crate::queue::{Lack, Pending};
use crate::segment::{HEADER_BYTES, Mark, Segment};
use crate::shared::Shared;

/// After how long the writer looks whether a full disk has room again.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// How many bytes of free space are taken from the disk at once.
const AHEAD_BYTES: u64 = 1 << 20;

/// Why records could not be written.
enum Failure {
    /// There is no room, or no descriptor. The disk holds what it held before.
    Full(LogError),
    /// Nobody knows what the disk holds.
    Lost(LogError),
}

impl Failure {
    /// A segment that could not be created holds nothing, so it may be created anew.
    fn of_creation(error: LogError) -> Self {
        if error.is_full() { Self::Full(error) } else { Self::Lost(error) }
    }
}

/// What became of one step of the writer.
pub(crate) enum Step {
    /// Nothing is in line.
    Idle,
    /// A group is durable, and its senders know.
    Wrote,
    /// The disk has no room for what is in line.
    Full(LogError),
    /// The disk has failed; the log is at its end.
    Failed,
}

/// What the thread works with.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    file: Box<dyn DiskFile>,
    /// Bytes of the file that are in use.
    position: u64,
    /// Length of the file; what is behind `position` is zeros.
    length: u64,
    /// The offset of the next record to be written.
    next: Offset,
    /// Dropped when the thread ends, which tells every follower.
    end: watch::Sender<Offset>,
    /// Taken from the line, but not yet durable.
    batch: Vec<Pending>,
    /// Kept for its memory.
    group: Group,
}

impl Writer {
    /// A writer that goes on at the end of the last segment, whose file is `file`, with the record of offset
    /// `next`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        file: Box<dyn DiskFile>,
        next: Offset,
        end: watch::Sender<Offset>,
    ) -> Self {
        let position = shared.segments.lock().last().map_or(HEADER_BYTES, |segment| segment.bytes);
        Self {
            shared,
            file,
            position,
            length: position,
            next,
            end,
            batch: Vec::new(),
            group: Group::default(),
        }
    }

    /// Runs until the log is closed and everything is written, or until the disk fails.
    pub(crate) fn run(mut self) {
        while !self.batch.is_empty() || self.wait_for_work() {
            match self.step() {
                Step::Wrote | Step::Idle => {}
                Step::Full(_) if self.wait_for_room() => {}
                Step::Full(error) => return self.poison(&error),
                Step::Failed => return,
            }
        }
        self.release_free();
    }

    /// Writes one group of what is in line.
    pub(crate) fn step(&mut self) -> Step {
        if self.batch.is_empty() {
            self.batch = std::mem::take(&mut self.shared.queue.lock().pending);
        }
        if self.batch.is_empty() {
            return Step::Idle;
        }
        match self.write() {
            Ok(written) => {
                self.publish(written);
                Step::Wrote
            }
            Err(Failure::Full(error)) => {
                self.note_full(&error);
                Step::Full(error)
            }
            Err(Failure::Lost(error)) => {
                self.poison(&error);
                Step::Failed
            }
        }
    }

    /// Waits until something is in line. `false`: the log is being closed, and nothing will come any more.
    fn wait_for_work(&self) -> bool {
        let mut queue = self.shared.queue.lock();
        while queue.pending.is_empty() && !queue.closing {
            self.shared.wake.wait(&mut queue);
        }
        let (delay, enough) = (self.shared.options.group_delay, self.shared.options.enough_bytes());
        if !delay.is_zero() {
            self.shared.wake.wait_while_for(
                &mut queue,
                |queue| queue.bytes < enough && !queue.closing,
                delay,
            );
        }
        !queue.pending.is_empty()
    }

    /// Writes the first records of the batch durably, as many as the segment takes, and returns how many
    /// these are. A record that does not fit begins the next segment.
    fn write(&mut self) -> Result<usize, Failure> {
        if self.batch.first().is_some_and(|first| !self.fits(0, first)) {
            self.cut_free()?;
            let (segment, file) =
                Segment::create(self.shared.disk.as_ref(), &self.shared.options.dir, self.next)
                    .map_err(Failure::of_creation)?;
            self.shared.disk_bytes.fetch_add(HEADER_BYTES, Ordering::Relaxed);
            self.shared.segments.lock().push(segment);
            (self.file, self.position, self.length) = (file, HEADER_BYTES, HEADER_BYTES);
        }
        let mut marks = Vec::new();
        let mut next = self.next;
        let mut group = std::mem::take(&mut self.group);
        for (index, pending) in self.batch.iter().enumerate() {
            if !self.fits(group.bytes(), pending) {
                break;
            }
            marks.push(Mark { offset: next, position: self.position + group.bytes() as u64 });
            group.push(index, pending);
            next = next.next();
        }
        let bytes = group.bytes() as u64;
        let outcome = self.write_group(&group);
        group.clear();
        self.group = group;
        outcome?;
        self.position += bytes;
        self.length = self.length.max(self.position);
        self.note_free();
        self.next = next;
        let written = marks.len();
        if let Some(segment) = self.shared.segments.lock().last_mut() {
            segment.bytes = self.position;
            marks.drain(..).for_each(|mark| segment.mark(mark));
        }
        Ok(written)
    }

    /// Whether the segment takes `pending` behind `group_bytes` that are to be written. An empty one takes
    /// any record.
    fn fits(&self, group_bytes: usize, pending: &Pending) -> bool {
        let position = self.position + group_bytes as u64;
        position == HEADER_BYTES
            || position + pending.frame_bytes() as u64 <= self.shared.options.segment_bytes
    }

    /// Writes `group` durably, with free space behind it if it reaches the end of the file. If there is no
    /// room, it does without; if there is none for the group either, what was written of it is taken back: no
    /// fsync has failed, so the file is known to be what it was before, and the group may be written again.
    fn write_group(&mut self, group: &Group) -> Result<(), Failure> {
        let path = self.path();
        let mut ahead = self.ahead(group.bytes());
        let mut written = self.file.write_parts_at(&mut group.parts(&self.batch, ahead), self.position);
        if ahead > 0 && written.as_ref().is_err_and(is_full) {
            self.cut_free()?;
            ahead = 0;
            written = self.file.write_parts_at(&mut group.parts(&self.batch, ahead), self.position);
        }
        if let Err(error) = written {
            let full = is_full(&error);
            let error = LogError::io("write", &path)(error);
            return if full && self.cut_free().is_ok() {
                Err(Failure::Full(error))
            } else {
                Err(Failure::Lost(error))
            };
        }
        self.length = self.length.max(self.position + (group.bytes() + ahead) as u64);
        let synced = self.file.sync();
        self.shared.fsyncs.fetch_add(1, Ordering::Relaxed);
        synced.map_err(|error| Failure::Lost(LogError::io("fsync", &path)(error)))
    }

    /// How many bytes of free space are to be taken behind a group of so many `bytes`. None while the group
    /// finds room in what was taken before; and none behind a large one, whose own bytes cost more than the
    /// new length of the file.
    fn ahead(&self, bytes: usize) -> usize {
        let end = self.position + bytes as u64;
        if end <= self.length || bytes as u64 >= AHEAD_BYTES / 4 {
            return 0;
        }
        let options = &self.shared.options;
        let left = options.max_bytes.saturating_sub(self.shared.disk_bytes.load(Ordering::Relaxed));
        let ahead =
            AHEAD_BYTES.min(options.max_bytes / 16).min(left).min(options.segment_bytes.saturating_sub(end));
        usize::try_from(ahead).unwrap_or(0)
    }

    /// Cuts the file off behind what is in use of it.
    fn cut_free(&mut self) -> Result<(), Failure> {
        let cut = self.file.set_length(self.position);
        cut.map_err(|error| Failure::Lost(LogError::io("cut the free space off", &self.path())(error)))?;
        self.length = self.position;
        self.note_free();
        Ok(())
    }

    /// Leaves a closed log's last file as long as what is in it. Failing that, the next start does it.
    fn release_free(&mut self) {
        if let Err(Failure::Full(error) | Failure::Lost(error)) = self.cut_free() {
            tracing::warn!(%error, "the log's last file keeps its free space");
        }
    }

    fn note_free(&self) {
        self.shared.free_bytes.store(self.length - self.position, Ordering::Relaxed);
    }

    /// The file that is written to.
    fn path(&self) -> PathBuf {
        self.shared
            .segments
            .lock()
            .last()
            .map_or_else(|| self.shared.options.dir.clone(), |segment| segment.path.clone())
    }

    /// Tells readers first and senders second, so that a sender can read what was acknowledged.
    fn publish(&mut self, written: usize) {
        let batch: Vec<Pending> = self.batch.drain(..written).collect();
        let bytes: usize = batch.iter().map(Pending::frame_bytes).sum();
        let mut dropped = Vec::new();
        let mut cache = self.shared.cache.write();
        for pending in &batch {
            cache.push(Arc::clone(&pending.record), pending.payload.record_bytes, &mut dropped);
        }
        drop(cache);
        let mut queue = self.shared.queue.lock();
        queue.bytes -= bytes;
        if let Some(lack) = queue.lack.take() {
            tracing::info!(?lack, "the log takes records again; it lacked something");
        }
        drop(queue);
        self.end.send_replace(self.next);
        let first = self.next.0 - written as u64;
        let answer = |(offset, pending): (u64, Pending)| {
            // The sender may have gone; its record is durable all the same.
            let _sent = pending.done.send(Ok(Offset(offset)));
            pending.payload.bytes
        };
        let buffers: Vec<Vec<u8>> = (first..).zip(batch).map(answer).collect();
        self.shared.buffers.give(buffers);
    }

    /// The disk is full, or no file can be opened: what is in line waits, and nothing more is taken.
    fn note_full(&self, error: &LogError) {
        let mut queue = self.shared.queue.lock();
        let (lack, until) = if error.is_out_of_files() {
            (Lack::Files, "it can open a file")
        } else {
            (Lack::Room, "the disk has room")
        };
        if queue.lack.replace(lack).is_none() {
            tracing::error!(%error, until, "the log takes nothing more for now");
        }
    }

    /// Waits until it is time to try again. `false`: the process is to end, and nothing may wait any more.
    fn wait_for_room(&self) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.closing || queue.hurried {
            return false;
        }
        self.shared.wake.wait_for(&mut queue, TRY_AGAIN);
        true
    }

    /// After a failed write or fsync it is unknown what the disk holds. The log takes nothing more until it
    /// is opened anew.
    fn poison(&mut self, error: &LogError) {
        tracing::error!(%error, "the log stops: its disk failed, or has no room at the end");
        let mut queue = self.shared.queue.lock();
        queue.failed = Some(error.to_string());
        let waiting = std::mem::take(&mut queue.pending);
        drop(queue);
        for pending in self.batch.drain(..).chain(waiting) {
            let _told = pending.done.send(Err(JournalError::Stopped(error.to_string())));
        }
    }
}
