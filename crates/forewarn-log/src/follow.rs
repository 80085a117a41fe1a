//! A reader that keeps up with the end of the log.

use std::sync::Arc;

use forewarn_types::{Offset, Record};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Log, LogError};

type Records = Vec<(Offset, Arc<Record>)>;

/// Reads every record from a given offset on, and waits at the end for more.
pub struct Follower {
    log: Arc<dyn Log>,
    next: Offset,
    end: watch::Receiver<Offset>,
    /// The read that is under way. It outlives a call that was given up: begun anew each time, a read that is
    /// slower than its caller is patient would never come to an end.
    reading: Option<JoinHandle<Result<Records, LogError>>>,
}

impl Follower {
    /// A follower whose first record is that at `from`.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, from: Offset) -> Self {
        let end = log.watch();
        Self { log, next: from, end, reading: None }
    }

    /// The offset of the record that comes next.
    #[must_use]
    pub const fn position(&self) -> Offset {
        self.next
    }

    /// The next records, at most `max_records` of them; waits until there is one. Cancel-safe: a record is
    /// passed over only if it was returned, and a read that has begun goes on, with the `max_records` it
    /// began with.
    ///
    /// # Errors
    /// [`LogError`] if the records have been trimmed, the disk fails, or the log has stopped.
    pub async fn next(&mut self, max_records: usize) -> Result<Records, LogError> {
        const MAX_BYTES: usize = 4 << 20;
        if self.reading.is_none() {
            while *self.end.borrow_and_update() <= self.next {
                self.end.changed().await.map_err(|_| LogError::Stopped("its writer has ended".into()))?;
            }
        }
        let Self { log, next, reading, .. } = self;
        let read = reading.get_or_insert_with(|| {
            let (log, from) = (Arc::clone(log), *next);
            tokio::task::spawn_blocking(move || log.read(from, max_records, MAX_BYTES))
        });
        let ended = read.await;
        *reading = None;
        let records = ended.map_err(|error| LogError::Stopped(format!("reading was cut off: {error}")))??;
        if let Some((offset, _)) = records.last() {
            self.next = offset.next();
        }
        Ok(records)
    }
}
