//! The log on this machine's disk: who may put records in line, what may be trimmed, and how it starts and stops.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record, encode_record};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use crate::cache::Cache;
use crate::checkpoints::Checkpoints;
use crate::segment::{FRAME_BYTES, HEADER_BYTES, MAX_PAYLOAD_BYTES, Segment, parse_name, recover};
use crate::writer::{Pending, SyncFile, Writer};
use crate::{Log, LogError, LogOptions, Ticket, identity};

/// A log in segment files of one directory, for one process at a time.
pub struct LocalLog {
    shared: Arc<Shared>,
    end: watch::Receiver<Offset>,
    writer: Mutex<Option<JoinHandle<()>>>,
    id: String,
    /// Holds the directory's lock for as long as this log lives.
    _lock: File,
}

/// What the senders, the readers and the writer's thread share. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(crate) options: LogOptions,
    pub(crate) checkpoints: Mutex<Checkpoints>,
    pub(crate) queue: Mutex<Queue>,
    /// Wakes the writer when the queue has something for it.
    pub(crate) wake: Condvar,
    pub(crate) segments: Mutex<Vec<Segment>>,
    pub(crate) cache: RwLock<Cache>,
    /// Bytes of all segment files, what is in line included.
    pub(crate) disk_bytes: AtomicU64,
    pub(crate) fsyncs: AtomicU64,
}

/// Records in line for the disk.
pub(crate) struct Queue {
    /// The offset of the next record to be put in line.
    pub(crate) next: Offset,
    pub(crate) pending: Vec<Pending>,
    /// Bytes of the frames that are not durable yet, those being written included.
    pub(crate) bytes: usize,
    /// Nothing more is taken; the writer ends when the line is empty.
    pub(crate) closing: bool,
    /// Why the disk failed, if it did.
    pub(crate) failed: Option<String>,
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
    /// Bytes of the segment files, with what waits for the disk.
    pub disk_bytes: u64,
    /// Above this the log refuses records.
    pub max_bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: usize,
    /// Group commits since the start.
    pub fsyncs: u64,
    /// Every consumer and where it stands.
    pub checkpoints: Vec<(String, Offset)>,
}

impl LocalLog {
    /// Opens the log in `options.dir`, or begins one there. Blocks on the disk: the last segment is read through, and what a crash
    /// left half-written at its end is cut off.
    ///
    /// # Errors
    /// [`LogError`] if the folder is in use by another process, a file is damaged, or the disk fails.
    pub fn open(options: LogOptions) -> Result<Arc<Self>, LogError> {
        Self::open_with(options, Box::new(File::sync_data))
    }

    /// [`LocalLog::open`] with another way to make a file durable.
    pub(crate) fn open_with(options: LogOptions, sync: SyncFile) -> Result<Arc<Self>, LogError> {
        options.check()?;
        std::fs::create_dir_all(&options.dir).map_err(LogError::io("create the folder", &options.dir))?;
        let lock = lock_dir(&options.dir)?;
        let id = identity::open(&options.dir)?;
        let checkpoints = Checkpoints::open(&options.dir)?;
        let mut segments = list_segments(&options.dir)?;
        let (last, file, next) = match segments.pop() {
            Some(last) => open_last(&options.dir, last.base)?,
            None => begin(&options.dir)?,
        };
        checkpoints.check(next)?;
        let position = last.bytes;
        segments.push(last);
        let shared = Arc::new(Shared {
            checkpoints: Mutex::new(checkpoints),
            queue: Mutex::new(Queue { next, pending: Vec::new(), bytes: 0, closing: false, failed: None }),
            wake: Condvar::new(),
            disk_bytes: AtomicU64::new(segments.iter().map(|segment| segment.bytes).sum()),
            segments: Mutex::new(segments),
            cache: RwLock::new(Cache::new(next, options.cache_bytes)),
            fsyncs: AtomicU64::new(0),
            options,
        });
        let (sender, end) = watch::channel(next);
        let writer = Writer { shared: Arc::clone(&shared), file, position, next, end: sender, sync };
        let thread = std::thread::Builder::new()
            .name("forewarn-log".into())
            .spawn(move || writer.run())
            .map_err(LogError::io("start the writer's thread for", &shared.options.dir))?;
        Ok(Arc::new(Self { shared, end, writer: Mutex::new(Some(thread)), id, _lock: lock }))
    }

    /// Takes no more records, waits until those in line are durable, and stops. Reading still works. Blocks on the disk.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if the disk has failed, now or before.
    pub fn close(&self) -> Result<(), LogError> {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.writer.lock().take()
            && thread.join().is_err()
        {
            return Err(LogError::Stopped("its writer broke off".into()));
        }
        self.shared.queue.lock().failed.clone().map_or(Ok(()), |reason| Err(LogError::Stopped(reason)))
    }

    /// Figures for an operator, as of now.
    #[must_use]
    pub fn metrics(&self) -> LogMetrics {
        // One statement a lock: within a single expression all three would be held to its end, and two threads could wait for each other.
        let segments = self.shared.segments.lock().len();
        let queue_bytes = self.shared.queue.lock().bytes;
        let checkpoints = self.shared.checkpoints.lock().all();
        LogMetrics {
            start: self.shared.start(),
            end: self.end(),
            segments,
            disk_bytes: self.shared.disk_bytes.load(Ordering::Relaxed),
            max_bytes: self.shared.options.max_bytes,
            queue_bytes,
            fsyncs: self.shared.fsyncs.load(Ordering::Relaxed),
            checkpoints,
        }
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the log did not close cleanly");
        }
    }
}

impl Shared {
    fn submit(&self, record: Record) -> Result<Ticket, JournalError> {
        let mut payload = Vec::new();
        encode_record(&record, &mut payload).map_err(|error| JournalError::Refused(error.to_string()))?;
        let frame = FRAME_BYTES + payload.len();
        let largest = MAX_PAYLOAD_BYTES.min(usize::try_from(self.options.max_bytes / 2).unwrap_or(usize::MAX));
        if payload.len() > largest {
            return Err(JournalError::Refused(format!("its {} bytes are more than the {largest} that one record may take", payload.len())));
        }
        let limit = self.options.max_bytes - if is_sent(&record) { self.options.max_bytes / 16 } else { 0 };
        let (done, durable) = oneshot::channel();
        let record = Arc::new(record);

        let mut queue = self.queue.lock();
        if let Some(reason) = &queue.failed {
            return Err(JournalError::Stopped(reason.clone()));
        }
        if queue.closing {
            return Err(JournalError::Stopped("the server is shutting down".into()));
        }
        if queue.bytes > 0 && queue.bytes + frame > self.options.queue_bytes {
            return Err(JournalError::Full(format!("{} bytes already wait for the disk", queue.bytes)));
        }
        let disk_bytes = self.disk_bytes.load(Ordering::Relaxed);
        if disk_bytes + frame as u64 + HEADER_BYTES > limit {
            return Err(JournalError::Full(format!(
                "it takes {disk_bytes} of log.max_bytes = {} since the lake has not taken its records in",
                self.options.max_bytes
            )));
        }
        self.disk_bytes.fetch_add(frame as u64, Ordering::Relaxed);
        queue.bytes += frame;
        let offset = queue.next;
        queue.next = offset.next();
        queue.pending.push(Pending { record, payload, done });
        drop(queue);
        self.wake.notify_one();
        Ok(Ticket { offset, durable: Box::pin(async { durable.await.unwrap_or_else(|_| Err(stopped())) }) })
    }

    /// Removes the oldest segments of which no consumer needs a record, but never the one that is written to.
    fn trim(&self, lowest: Offset) -> Result<(), LogError> {
        let mut segments = self.segments.lock();
        while let [first, second, ..] = segments.as_slice()
            && second.base <= lowest
        {
            std::fs::remove_file(&first.path).map_err(LogError::io("remove", &first.path))?;
            self.disk_bytes.fetch_sub(first.bytes, Ordering::Relaxed);
            segments.remove(0);
        }
        Ok(())
    }
}

impl Journal for LocalLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async move {
            let ticket = self.submit(record)?;
            ticket.durable.await.map(|()| ticket.offset)
        })
    }
}

impl Log for LocalLog {
    fn id(&self) -> &str {
        &self.id
    }

    fn submit(&self, record: Record) -> Result<Ticket, JournalError> {
        self.shared.submit(record)
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

    fn read(&self, from: Offset, max_records: usize, max_bytes: usize) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        self.shared.read(from, self.end(), max_records, max_bytes)
    }

    fn checkpoint(&self, consumer: &str, offset: Offset) -> Result<(), LogError> {
        let end = self.end();
        if offset > end {
            return Err(LogError::Beyond { consumer: consumer.to_owned(), offset, end });
        }
        let mut checkpoints = self.shared.checkpoints.lock();
        if checkpoints.advance(consumer, offset)? {
            let lowest = checkpoints.lowest(&self.shared.options.consumers);
            self.shared.trim(lowest)?;
        }
        Ok(())
    }
}

/// Whether `record` comes from a sender that can keep it and send it again. The last sixteenth of the log's room is kept for
/// what the server itself has to say, so that alerts are still raised on what was accepted.
const fn is_sent(record: &Record) -> bool {
    matches!(record, Record::Readings(_) | Record::Series(_))
}

fn stopped() -> JournalError {
    JournalError::Stopped("its writer has ended".into())
}

fn lock_dir(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let file = File::options().create(true).append(true).open(&path).map_err(LogError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(LogError::io("lock", &path)(error)),
    }
}

/// The segment that the log ends with, ready to append to, and the log's end.
fn open_last(dir: &Path, base: Offset) -> Result<(Segment, File, Offset), LogError> {
    let recovered = recover(dir, base)?;
    if recovered.cut_bytes > 0 {
        let (bytes, path) = (recovered.cut_bytes, recovered.segment.path.display());
        tracing::warn!(bytes, %path, end = %recovered.end, "cut off what a crash left half-written at the log's end");
    }
    Ok((recovered.segment, recovered.file, recovered.end))
}

/// The first segment of an empty log.
fn begin(dir: &Path) -> Result<(Segment, File, Offset), LogError> {
    let (segment, file) = Segment::create(dir, Offset(0))?;
    Ok((segment, file, Offset(0)))
}

/// The segments of `dir` in order, with their lengths.
fn list_segments(dir: &Path) -> Result<Vec<Segment>, LogError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let entry = entry.map_err(LogError::io("list", dir))?;
        if let Some(base) = entry.file_name().to_str().and_then(parse_name) {
            let length = entry.metadata().map_err(LogError::io("read", &entry.path()))?.len();
            segments.push(Segment::new(dir, base, length));
        }
    }
    segments.sort_by_key(|segment| segment.base);
    Ok(segments)
}
