//! A log in memory, for tests and benchmarks: it refuses, fails and makes records durable on demand.

use std::sync::Arc;

use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Log, LogError, LogHealth, Ticket};

/// A log that forgets everything when it is dropped. Records are durable at once, unless it is told to hold
/// them.
pub struct MemoryLog {
    records: Mutex<Vec<Arc<Record>>>,
    mood: Mutex<Mood>,
    end: watch::Sender<Offset>,
}

/// What the log does with the next record.
struct Mood {
    /// So many records are still taken.
    room: usize,
    failed: bool,
    held: bool,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self {
            records: Mutex::default(),
            mood: Mutex::new(Mood { room: usize::MAX, failed: false, held: false }),
            end: watch::Sender::new(Offset(0)),
        }
    }
}

impl MemoryLog {
    /// All records, the durable ones and the others.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<Record>> {
        self.records.lock().clone()
    }

    /// From now on the log takes `records` more, and then says that it is full.
    pub fn set_room(&self, records: usize) {
        self.mood.lock().room = records;
    }

    /// Whether the log behaves as one whose disk has failed.
    pub fn set_failed(&self, failed: bool) {
        self.mood.lock().failed = failed;
    }

    /// From now on records are not durable until [`MemoryLog::release`] says so.
    pub fn hold(&self) {
        self.mood.lock().held = true;
    }

    /// What is in line becomes durable; what follows is held again.
    pub fn release(&self) {
        self.end.send_replace(Offset(self.records.lock().len() as u64));
    }

    /// What is in line becomes durable, and what follows is durable at once.
    pub fn release_for_good(&self) {
        self.mood.lock().held = false;
        self.release();
    }
}

impl Journal for MemoryLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        Box::pin(async move { self.submit(record)?.durable.await })
    }
}

impl Log for MemoryLog {
    fn id(&self) -> &'static str {
        "memory"
    }

    fn submit_all(&self, new: Vec<Record>) -> Result<Ticket, JournalError> {
        let mut mood = self.mood.lock();
        if mood.failed {
            return Err(JournalError::Stopped("a test says so".into()));
        }
        mood.room =
            mood.room.checked_sub(new.len()).ok_or_else(|| JournalError::Full("a test says so".into()))?;
        let mut records = self.records.lock();
        records.extend(new.into_iter().map(Arc::new));
        let offset = Offset(records.len() as u64 - 1);
        if !mood.held {
            self.end.send_replace(offset.next());
        }
        let mut end = self.end.subscribe();
        let durable = async move {
            end.wait_for(|end| *end > offset)
                .await
                .map(|_| offset)
                .map_err(|_| JournalError::Stopped("the log is gone".into()))
        };
        Ok(Ticket { durable: Box::pin(durable) })
    }

    fn health(&self) -> LogHealth {
        let mood = self.mood.lock();
        match (mood.failed, mood.room) {
            (true, _) => LogHealth::Failed("a test says so".into()),
            (false, 0) => LogHealth::Full("a test says so".into()),
            _ => LogHealth::Ok,
        }
    }

    fn start(&self) -> Offset {
        Offset(0)
    }

    fn end(&self) -> Offset {
        *self.end.borrow()
    }

    fn watch(&self) -> watch::Receiver<Offset> {
        self.end.subscribe()
    }

    fn read(
        &self,
        from: Offset,
        max_records: usize,
        _: usize,
    ) -> Result<Vec<(Offset, Arc<Record>)>, LogError> {
        let records = self.records.lock();
        let durable = usize::try_from(self.end().0).unwrap_or(usize::MAX);
        let skipped = usize::try_from(from.0).unwrap_or(usize::MAX);
        let numbered = (0..).map(Offset).zip(records.iter().cloned());
        Ok(numbered.take(durable).skip(skipped).take(max_records).collect())
    }

    fn checkpoint(&self, _: &str, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}
