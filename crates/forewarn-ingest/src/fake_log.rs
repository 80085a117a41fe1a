//! A log in memory for tests: it refuses, and it makes durable, on demand.

use std::sync::Arc;

use forewarn_log::{Log, LogError, Ticket};
use forewarn_types::{BoxFuture, Journal, JournalError, Offset, Record, SeriesId};
use parking_lot::Mutex;
use tokio::sync::watch;

/// A log in memory that refuses on demand, and is durable at once or on demand.
pub(crate) struct FakeLog {
    pub(crate) records: Mutex<Vec<Arc<Record>>>,
    /// So many records are still taken.
    pub(crate) room: Mutex<usize>,
    /// Its disk has failed.
    pub(crate) failed: Mutex<bool>,
    held: Mutex<bool>,
    end: watch::Sender<Offset>,
}

impl FakeLog {
    pub(crate) fn new(held: bool) -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::default(),
            room: Mutex::new(usize::MAX),
            failed: Mutex::new(false),
            held: Mutex::new(held),
            end: watch::Sender::new(Offset(0)),
        })
    }

    /// What is there becomes durable.
    pub(crate) fn release(&self) {
        self.end.send_replace(Offset(self.records.lock().len() as u64));
    }

    /// What is there becomes durable, and whatever follows is so at once.
    pub(crate) fn release_for_good(&self) {
        *self.held.lock() = false;
        self.release();
    }

    /// All readings in the order of the log; each must use a series that was defined before it.
    pub(crate) fn readings(&self) -> Vec<(u32, i64, f64, bool)> {
        let mut defined = 0;
        let mut readings = Vec::new();
        for record in self.records.lock().iter() {
            match &**record {
                Record::Series(defs) => {
                    assert!(
                        defs.iter().zip(defined..).all(|(def, id)| def.id == SeriesId(id)),
                        "definitions out of order: {defs:?}"
                    );
                    defined += u32::try_from(defs.len()).unwrap();
                }
                Record::Readings(batch) => {
                    assert!(batch.len() <= 65_536 && !batch.is_empty());
                    assert!(
                        batch.series.iter().all(|id| id.0 < defined),
                        "a series was used before its definition"
                    );
                    readings.extend(
                        batch.rows().map(|row| (row.series.0, row.time.0, row.value, row.flags.is_late())),
                    );
                }
                other => panic!("not written by the intake: {other:?}"),
            }
        }
        readings
    }
}

impl Journal for FakeLog {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<Offset, JournalError>> {
        let ticket = self.submit(record);
        Box::pin(async move { ticket.map(|ticket| ticket.offset) })
    }
}

impl Log for FakeLog {
    fn id(&self) -> &'static str {
        "fake"
    }

    fn submit_all(&self, new: Vec<Record>) -> Result<Ticket, JournalError> {
        if *self.failed.lock() {
            return Err(JournalError::Stopped("a test says so".into()));
        }
        let mut room = self.room.lock();
        *room = room.checked_sub(new.len()).ok_or_else(|| JournalError::Full("a test says so".into()))?;
        let mut records = self.records.lock();
        records.extend(new.into_iter().map(Arc::new));
        let offset = Offset(records.len() as u64 - 1);
        if !*self.held.lock() {
            self.end.send_replace(offset.next());
        }
        let mut end = self.end.subscribe();
        let durable = async move {
            end.wait_for(|end| *end > offset)
                .await
                .map(drop)
                .map_err(|_| JournalError::Stopped("the log is gone".into()))
        };
        Ok(Ticket { offset, durable: Box::pin(durable) })
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
        Ok((0..)
            .map(Offset)
            .zip(records.iter().cloned())
            .skip(usize::try_from(from.0).unwrap())
            .take(max_records)
            .collect())
    }

    fn checkpoint(&self, _: &str, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}
