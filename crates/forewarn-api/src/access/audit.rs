//! The audit: acts are on record before they are answered; refusals are counted, so that a flood of them
//! fills no disk.
//!
//! The first refusal of a kind within a minute is on record at once, further ones as one record with their
//! count at the minute's end. The kinds of a minute are bounded; beyond that all share one record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use forewarn_types::{Audit, Clock, Journal, JournalError, Record, Timestamp};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::principal::Principal;

/// Counts are written this often.
const PERIOD: Duration = Duration::from_mins(1);
/// Most kinds of refusals within a period that have a record each.
const MAX_KINDS: usize = 64;
/// Records that may wait to be written.
const MAX_WAITING: usize = 256;
/// The longest path that is kept, characters.
const MAX_PATH: usize = 200;

/// What is known of a request before it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) route: String,
    pub(crate) path: String,
    pub(crate) address: Option<String>,
}

type Kind = (Option<String>, Option<String>, String, u16);

/// Puts acts and refusals on record.
pub(crate) struct Auditor {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    waiting: mpsc::Sender<Record>,
    counted: Mutex<HashMap<Kind, Audit>>,
}

/// The stage that writes what has no need to be durable at once.
pub struct AuditWriter {
    auditor: Arc<Auditor>,
    records: mpsc::Receiver<Record>,
}

impl Auditor {
    pub(crate) fn new(journal: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> (Arc<Self>, AuditWriter) {
        let (waiting, records) = mpsc::channel(MAX_WAITING);
        let auditor = Arc::new(Self { journal, clock, waiting, counted: Mutex::default() });
        (Arc::clone(&auditor), AuditWriter { auditor, records })
    }

    /// An act was carried out: it is on record when this comes back.
    pub(crate) async fn done(&self, asked: &Asked, principal: Option<&Principal>, status: StatusCode) {
        let audit = self.entry(asked, principal, status, "done");
        // The act itself is durable, so it is answered as done.
        if let Err(error) = self.journal.append(Record::Audit(audit)).await {
            tracing::error!(%error, route = asked.route, "an act could not be put on record in the audit");
        }
    }

    /// An act was refused, or failed.
    pub(crate) fn not_done(&self, asked: &Asked, principal: Option<&Principal>, status: StatusCode) {
        let outcome = if status.is_server_error() { "failed" } else { "refused" };
        let mut audit = self.entry(asked, principal, status, outcome);
        let mut counted = self.counted.lock();
        let mut kind = (audit.principal.clone(), audit.address.clone(), audit.route.clone(), audit.status);
        if counted.len() >= MAX_KINDS && !counted.contains_key(&kind) {
            kind = (None, None, "others".to_owned(), 0);
            (audit.principal, audit.role, audit.address, audit.path) = (None, None, None, None);
            "others".clone_into(&mut audit.route);
        }
        if let Some(known) = counted.get_mut(&kind) {
            known.count += 1;
            known.time = audit.time;
            return;
        }
        let at_once = self.waiting.try_send(Record::Audit(audit.clone())).is_ok();
        audit.count = u64::from(!at_once);
        counted.insert(kind, audit);
    }

    /// Writes `record` soon; it is dropped if too many wait.
    pub(crate) fn soon(&self, record: Record) {
        drop(self.waiting.try_send(record));
    }

    fn entry(
        &self,
        asked: &Asked,
        principal: Option<&Principal>,
        status: StatusCode,
        outcome: &str,
    ) -> Audit {
        Audit {
            time: self.clock.now(),
            principal: principal.and_then(|principal| principal.name.clone()),
            role: principal.map(|principal| principal.role.as_str().to_owned()),
            address: asked.address.clone(),
            route: asked.route.clone(),
            path: Some(asked.path.chars().take(MAX_PATH).collect()),
            outcome: outcome.to_owned(),
            status: status.as_u16(),
            count: 1,
        }
    }

    /// The counts of the period that ends.
    fn counts(&self) -> Vec<Record> {
        let counted = std::mem::take(&mut *self.counted.lock());
        let mut counted: Vec<Audit> = counted.into_values().filter(|audit| audit.count > 0).collect();
        counted.sort_by_key(|audit| -> Timestamp { audit.time });
        counted.into_iter().map(Record::Audit).collect()
    }
}

impl AuditWriter {
    /// Writes until `shutdown`, and then what is left.
    ///
    /// # Errors
    /// If the log has stopped.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), JournalError> {
        let mut period = tokio::time::interval(PERIOD);
        loop {
            let records = tokio::select! {
                () = shutdown.cancelled() => break,
                record = self.records.recv() => record.into_iter().collect(),
                _ = period.tick() => self.auditor.counts(),
            };
            self.write(records).await?;
        }
        let mut left = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            left.push(record);
        }
        left.extend(self.auditor.counts());
        self.write(left).await
    }

    async fn write(&self, records: Vec<Record>) -> Result<(), JournalError> {
        for record in records {
            match self.auditor.journal.append(record).await {
                // Refusals are no reason to stop a server whose log is full.
                Ok(_) | Err(JournalError::Full(_) | JournalError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
