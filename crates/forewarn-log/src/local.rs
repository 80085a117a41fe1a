//! The log on this machine's disk: how it starts and stops, and what it offers.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;

use crate::buffers::Buffers;
use crate::cache::Cache;
use crate::checkpoints::Checkpoints;
use crate::crash::with_crash_points;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::queue::{Lack, Queue};
use crate::segment::{HEADER_BYTES, Recovered, Segment, parse_name, recover};
use crate::shared::{Shared, trim};
use crate::writer::{Step, Writer};
use crate::{Log, LogError, LogHealth, LogOptions, Ticket, WriterMode, identity};

/// A log in segment files of one directory, for one process at a time.
pub struct LocalLog {
    shared: Arc<Shared>,
    end: watch::Receiver<Offset>,
    writer: Mutex<Driver>,
    id: String,
    /// Holds the directory's lock for as long as this log lives.
    _lock: Box<dyn Send + Sync>,
}

/// Who writes what is in line.
enum Driver {
    Thread(JoinHandle<()>),
    ByHand(Box<Writer>),
    /// Nobody any more.
    Ended,
}

/// Figures for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMetrics {
    /// The oldest offset that can still be read.
    pub start: Offset,
    /// One past the newest durable record.
    pub end: Offset,
    /// Segment files.
    pub segments: usize,
    /// Bytes of the segment files, free space in them and what waits for the disk included.
    pub disk_bytes: u64,
    /// Above this the log refuses records.
    pub max_bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: usize,
    /// Whether the disk has no room for what is in line.
    pub disk_full: bool,
    /// Group commits since the start.
    pub fsyncs: u64,
    /// Every consumer and where it stands.
    pub checkpoints: Vec<(String, Offset)>,
}

impl LocalLog {
    /// Opens the log in `options.dir`, or begins one there. Blocks on the disk: the last segment is read
    /// through, and what a crash left half-written at its end is cut off.
    ///
    /// # Errors
    /// [`LogError`] if the folder is in use by another process, a file is damaged, or the disk fails.
    pub fn open(options: LogOptions) -> Result<Arc<Self>, LogError> {
        Self::open_on(options, with_crash_points(Arc::new(RealDisk)))
    }

    /// [`LocalLog::open`] on another disk.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(options: LogOptions, disk: Arc<dyn Disk>) -> Result<Arc<Self>, LogError> {
        options.check()?;
        Self::open_unchecked(options, disk)
    }

    /// [`LocalLog::open_on`] with options that may lie outside their bounds.
    pub(crate) fn open_unchecked(options: LogOptions, disk: Arc<dyn Disk>) -> Result<Arc<Self>, LogError> {
        disk.create_dir(&options.dir).map_err(LogError::io("create the folder", &options.dir))?;
        let lock = lock_dir(disk.as_ref(), &options.dir)?;
        let id = identity::open(disk.as_ref(), &options.dir)?;
        let checkpoints = Checkpoints::open(disk.as_ref(), &options.dir)?;
        let mut segments = list_segments(disk.as_ref(), &options.dir)?;
        let last = open_last(disk.as_ref(), &options.dir, &mut segments)?;
        let next = last.as_ref().map_or(Offset(0), |last| last.end);
        checkpoints.check(next)?;
        // No consumer may have anything new to say before there is room.
        let lowest = checkpoints.lowest(&options.consumers);
        let file = open_to_write(disk.as_ref(), &options, &mut segments, last, lowest)?;
        let shared = Arc::new(Shared {
            checkpoints: Mutex::new(checkpoints),
            queue: Mutex::new(Queue {
                pending: Vec::new(),
                bytes: 0,
                closing: false,
                lack: None,
                hurried: false,
                failed: None,
                taken_over: None,
            }),
            wake: Condvar::new(),
            disk_bytes: AtomicU64::new(segments.iter().map(|segment| segment.bytes).sum()),
            segments: Mutex::new(segments),
            cache: RwLock::new(Cache::new(next, options.cache_bytes)),
            buffers: Buffers::default(),
            free_bytes: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
            disk,
            options,
        });
        let (sender, end) = watch::channel(next);
        let writer = Writer::new(Arc::clone(&shared), file, next, sender);
        let driver = match shared.options.writer {
            WriterMode::ByHand => Driver::ByHand(Box::new(writer)),
            WriterMode::Thread => {
                let thread =
                    std::thread::Builder::new().name("forewarn-log".into()).spawn(move || writer.run());
                Driver::Thread(
                    thread.map_err(LogError::io("start the writer's thread for", &shared.options.dir))?,
                )
            }
        };
        Ok(Arc::new(Self { shared, end, writer: Mutex::new(driver), id, _lock: lock }))
    }

    /// Writes one group of what is in line, on this thread, as the log's own thread would. `false`: nothing
    /// became durable, since nothing is in line, the disk is full or has failed, or the log is not
    /// [`WriterMode::ByHand`].
    pub fn write_waiting(&self) -> bool {
        let mut driver = self.writer.lock();
        let Driver::ByHand(writer) = &mut *driver else { return false };
        let step = writer.step();
        if matches!(step, Step::Failed) {
            // With the writer goes the sender of the log's end, which tells every follower.
            *driver = Driver::Ended;
        }
        matches!(step, Step::Wrote)
    }

    /// From now on nothing waits for room on the disk: if there is none, the senders of what is in line hear
    /// that the log has stopped. To be called when the process is to end, as a full disk would otherwise hold
    /// up those who wait for their records.
    pub fn hurry(&self) {
        self.shared.queue.lock().hurried = true;
        self.shared.wake.notify_one();
    }

    /// Takes nothing more, since another server has taken over, as `reason` says. What is in line is still
    /// made durable, and reading works.
    pub fn give_up(&self, reason: &str) {
        self.shared.queue.lock().taken_over.get_or_insert_with(|| reason.to_owned());
    }

    /// Takes no more records, waits until those in line are durable, and stops. Reading still works. Blocks
    /// on the disk.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if the disk has failed, now or before.
    pub fn close(&self) -> Result<(), LogError> {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_one();
        let driver = std::mem::replace(&mut *self.writer.lock(), Driver::Ended);
        match driver {
            Driver::Thread(thread) => {
                thread.join().map_err(|_| LogError::Stopped("its writer broke off".into()))?;
            }
            Driver::ByHand(writer) => writer.run(),
            Driver::Ended => {}
        }
        self.shared.queue.lock().failed.clone().map_or(Ok(()), |reason| Err(LogError::Stopped(reason)))
    }

    /// Figures for an operator, as of now.
    #[must_use]
    pub fn metrics(&self) -> LogMetrics {
        // One statement a lock: within a single expression all three would be held to its end, and two
        // threads could wait for each other.
        let segments = self.shared.segments.lock().len();
        let (queue_bytes, disk_full) = {
            let queue = self.shared.queue.lock();
            (queue.bytes, queue.lack == Some(Lack::Room))
        };
        let checkpoints = self.shared.checkpoints.lock().all();
        LogMetrics {
            start: self.shared.start(),
            end: self.end(),
            segments,
            disk_bytes: self.shared.disk_bytes.load(Ordering::Relaxed)
                + self.shared.free_bytes.load(Ordering::Relaxed),
            max_bytes: self.shared.options.max_bytes,
            queue_bytes,
            disk_full,
            fsyncs: self.shared.fsyncs.load(Ordering::Relaxed),
            checkpoints,
        }
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        if self.shared.options.writer == WriterMode::Thread
            && let Err(error) = self.close()
        {
            tracing::error!(%error, "the log did not close cleanly");
        }
    }
}

impl Journal for LocalLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async move { self.shared.submit_all(vec![record])?.durable.await })
    }
}

impl Log for LocalLog {
    fn id(&self) -> &str {
        &self.id
    }

    fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError> {
        self.shared.submit_all(records)
    }

    fn health(&self) -> LogHealth {
        self.shared.health()
    }

    fn start(&self) -> Offset {
        self.shared.start()
    }

    fn end(&self) -> Offset {
        *self.end.borrow()
    }

    fn watch(&self) -> watch::Receiver<Offset> {
        self.end.clone()
    }

    fn read(
        &self,
        from: Offset,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        self.shared.read(from, self.end(), max_records, max_bytes)
    }

    fn checkpoint(&self, consumer: &str, offset: Offset) -> Result<(), LogError> {
        let end = self.end();
        if offset > end {
            return Err(LogError::Beyond { consumer: consumer.to_owned(), offset, end });
        }
        let mut checkpoints = self.shared.checkpoints.lock();
        if checkpoints.advance(self.shared.disk.as_ref(), consumer, offset)? {
            let lowest = checkpoints.lowest(&self.shared.options.consumers);
            self.shared.trim(lowest)?;
        }
        Ok(())
    }
}

fn lock_dir(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>, LogError> {
    disk.lock(dir).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => LogError::Locked(dir.to_owned()),
        _ => LogError::io("lock", &dir.join("lock"))(error),
    })
}

/// Takes the segment that the log ends with from `segments`, reads through it, and says what a crash has left
/// there.
fn open_last(
    disk: &dyn Disk,
    dir: &Path,
    segments: &mut Vec<Segment>,
) -> Result<Option<Recovered>, LogError> {
    while let Some(last) = segments.pop() {
        let recovered = match recover(disk, dir, last.base) {
            // Its creation met a full disk, as it does now: the log ends with the one before.
            Err(error) if error.is_full() && last.bytes < HEADER_BYTES && !segments.is_empty() => {
                disk.remove(&last.path).map_err(LogError::io("remove", &last.path))?;
                continue;
            }
            recovered => recovered?,
        };
        if recovered.cut_bytes > 0 {
            let (bytes, path) = (recovered.cut_bytes, recovered.segment.path.display());
            let end = recovered.end;
            tracing::warn!(bytes, %path, %end, "cut off what a crash left half-written at the log's end");
        }
        return Ok(Some(recovered));
    }
    Ok(None)
}

/// The file of the segment that is written to next, which is then the last of `segments`: that of `last`, or
/// of a new one. Older ones go first as far as nothing from `lowest` on is in them, since the disk may be
/// full.
fn open_to_write(
    disk: &dyn Disk,
    options: &LogOptions,
    segments: &mut Vec<Segment>,
    last: Option<Recovered>,
    lowest: Offset,
) -> Result<Box<dyn DiskFile>, LogError> {
    let tidy = |segments: &mut Vec<Segment>| {
        if let Err(error) = trim(disk, segments, lowest, |_| {}) {
            tracing::warn!(%error, "old files of the log could not be removed; this is tried again");
        }
    };
    let create = |segments: &mut Vec<Segment>, base| {
        let (segment, file) = Segment::create(disk, &options.dir, base)?;
        segments.push(segment);
        Ok(file)
    };
    let Some(Recovered { segment, file, end, is_current, .. }) = last else {
        return create(segments, Offset(0));
    };
    let (is_empty, is_long) = (segment.base == end, segment.bytes >= options.segment_bytes);
    segments.push(segment);
    tidy(segments);
    if is_current && (is_empty || !is_long) {
        return Ok(file);
    }
    if is_empty {
        // The new one takes its name.
        segments.pop();
    }
    // A long one, perhaps for an earlier and larger bound, would be in use for as long as there is no room
    // behind it.
    match create(segments, end) {
        Ok(file) => {
            tidy(segments);
            Ok(file)
        }
        Err(error) if is_current && error.is_full() => {
            tracing::warn!(%error, "the log goes on in the file that it has");
            // The writer creates it once there is room.
            let _ = disk.remove(&Segment::new(&options.dir, end, 0).path);
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// The segments of `dir` in order, with their lengths.
pub(crate) fn list_segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<Segment>, LogError> {
    let files = disk.list(dir).map_err(LogError::io("list", dir))?;
    let named = files
        .iter()
        .filter_map(|(path, bytes)| Some((path.file_name()?.to_str().and_then(parse_name)?, *bytes)));
    let mut segments: Vec<Segment> = named.map(|(base, bytes)| Segment::new(dir, base, bytes)).collect();
    segments.sort_by_key(|segment| segment.base);
    Ok(segments)
}
