//! The log on this machine's disk: who may put records in line, what may be trimmed, and how it starts and
//! stops.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record, encode_record, encoded_bytes};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use crate::buffers::Buffers;
use crate::cache::Cache;
use crate::checkpoints::Checkpoints;
use crate::crash::with_crash_points;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::frame::MAX_PAYLOAD_BYTES;
use crate::payload::Payload;
use crate::segment::{HEADER_BYTES, Recovered, Segment, parse_name, recover};
use crate::writer::{Outcome, Pending, Step, Writer};
use crate::{Compression, Log, LogError, LogOptions, Ticket, WriterMode, identity};

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

/// Records in line for the disk.
pub(crate) struct Queue {
    /// The offset of the next record to be put in line.
    pub(crate) next: Offset,
    pub(crate) pending: Vec<Pending>,
    /// Bytes of the frames that are not durable yet, those being written included.
    pub(crate) bytes: usize,
    /// Nothing more is taken; the writer ends when the line is empty.
    pub(crate) closing: bool,
    /// The disk has no room; what is in line waits for it.
    pub(crate) disk_full: bool,
    /// Nothing waits for room on the disk any more.
    pub(crate) hurried: bool,
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
    /// Bytes of the segment files, free space in them and what waits for the disk included.
    pub disk_bytes: u64,
    /// Above this the log refuses records.
    pub max_bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: usize,
    /// Whether the disk has no room for what is in line.
    pub disk_full: bool,
    /// Why the log takes no more records, if its disk has failed.
    pub failed: Option<String>,
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
                next,
                pending: Vec::new(),
                bytes: 0,
                closing: false,
                disk_full: false,
                hurried: false,
                failed: None,
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
        let (queue_bytes, disk_full, failed) = {
            let queue = self.shared.queue.lock();
            (queue.bytes, queue.disk_full, queue.failed.clone())
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
            failed,
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

impl Shared {
    /// See [`Log::submit_all`].
    fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError> {
        let limit = self.options.max_bytes
            - records.iter().map(kept_part).max().map_or(0, |part| self.options.max_bytes / 64 * part);
        let (pending, durable) = self.prepare(records)?;
        let frames: usize = pending.iter().map(Pending::frame_bytes).sum();
        let headers = HEADER_BYTES * pending.len() as u64;

        let mut queue = self.queue.lock();
        if let Some(reason) = &queue.failed {
            return Err(JournalError::Stopped(reason.clone()));
        }
        if queue.closing {
            return Err(JournalError::Stopped("the server is shutting down".into()));
        }
        if queue.disk_full {
            return Err(JournalError::Full(format!(
                "the disk that holds {} has no room; free some",
                self.options.dir.display()
            )));
        }
        if queue.bytes > 0 && queue.bytes + frames > self.options.queue_bytes {
            return Err(JournalError::Full(format!("{} bytes already wait for the disk", queue.bytes)));
        }
        let disk_bytes = self.disk_bytes.load(Ordering::Relaxed);
        if disk_bytes + frames as u64 + headers > limit {
            return Err(JournalError::Full(format!(
                "it takes {disk_bytes} of log.max_bytes = {} since not all of its records are in the lake and in snapshots yet",
                self.options.max_bytes
            )));
        }
        self.disk_bytes.fetch_add(frames as u64, Ordering::Relaxed);
        // The writer needs to be told of the first record in line, and of the one with which it need not wait
        // for more.
        let wake = queue.pending.is_empty() || queue.bytes + frames >= self.options.enough_bytes();
        queue.bytes += frames;
        queue.next = Offset(queue.next.0 + pending.len() as u64);
        let offset = Offset(queue.next.0 - 1);
        queue.pending.extend(pending);
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(Ticket { offset, durable: Box::pin(async { durable.await.unwrap_or_else(|_| Err(stopped())) }) })
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
    fn trim(&self, lowest: Offset) -> Result<(), LogError> {
        let removed = |bytes| {
            self.disk_bytes.fetch_sub(bytes, Ordering::Relaxed);
        };
        trim(self.disk.as_ref(), &mut self.segments.lock(), lowest, removed)
    }
}

impl Journal for LocalLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async move {
            let ticket = self.shared.submit_all(vec![record])?;
            ticket.durable.await.map(|()| ticket.offset)
        })
    }
}

impl Log for LocalLog {
    fn id(&self) -> &str {
        &self.id
    }

    fn submit_all(&self, records: Vec<Record>) -> Result<Ticket, JournalError> {
        self.shared.submit_all(records)
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

/// How many sixty-fourths of the log's room are kept from records of this kind. What comes from a sender, who
/// can keep it and send it again, is refused first. In the last thirty-second only alerts on what was
/// accepted find room, and in the last half of that only definitions, without which there is no start.
const fn kept_part(record: &Record) -> u64 {
    match record {
        Record::Readings(_) | Record::Series(_) => 4,
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

fn lock_dir(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>, LogError> {
    disk.lock(dir).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => LogError::Locked(dir.to_owned()),
        _ => LogError::io("lock", &dir.join("lock"))(error),
    })
}

/// Removes the oldest of `segments` of which nothing from `lowest` on is part, but never the last one;
/// `removed` hears how long each was.
fn trim(
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
            tracing::warn!(bytes, %path, end = %recovered.end, "cut off what a crash left half-written at the log's end");
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
            tracing::warn!(%error, "what nobody needs of the log could not be removed; it is tried again");
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
