//! What the intake knows about the readings that are in the log, as a fold over the log.

use forewarn_types::{
    BoxFuture, JournalError, Offset, Record, SeriesDef, SeriesId, SeriesOrigin, SeriesTable,
};
use futures::future::Shared;
use serde::{Deserialize, Serialize};

use super::origins::Origins;
use super::window::{Window, fingerprint};
use crate::IngestError;

/// A snapshot of what the intake knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeState {
    /// One past the last record that is accounted for: replay begins here.
    pub next: Offset,
    /// Every series that the log defines before `next`.
    pub series: Vec<SeriesDef>,
    /// By series: its newest time, µs UTC; `i64::MIN` where there is no reading.
    pub newest: Vec<i64>,
    /// Fingerprints of the newest readings, oldest first.
    pub recent: Vec<u64>,
    /// Of what the names of series were made, where senders did not give them themselves.
    #[serde(default)]
    pub origins: Vec<SeriesOrigin>,
}

/// Resolves once a batch is durable, for all who wait for it; gives the offset of its last record.
pub(super) type Durable = Shared<BoxFuture<'static, Result<Offset, JournalError>>>;

/// What stands behind the append lock.
#[derive(Debug)]
pub(super) struct Memory {
    /// One past the last record that was replayed.
    next: Offset,
    /// The batch that was submitted last; its offset is known once it is durable. `None` since the start.
    pub(super) last: Option<Durable>,
    /// How many of the table's definitions are in the log, or in line for it.
    pub(super) series_logged: usize,
    /// Whose names are whose.
    pub(super) origins: Origins,
    newest: Vec<i64>,
    /// Former values of `newest` since the last commit.
    changed: Vec<(SeriesId, i64)>,
    window: Window,
}

impl Memory {
    pub(super) fn new(duplicate_window: usize) -> Self {
        Self {
            next: Offset(0),
            last: None,
            series_logged: 0,
            origins: Origins::default(),
            newest: Vec::new(),
            changed: Vec::new(),
            window: Window::new(duplicate_window),
        }
    }

    /// The newest time of a series; `i64::MIN` if it has no reading.
    pub(super) fn newest(&self, id: SeriesId) -> i64 {
        self.newest.get(id.index()).copied().unwrap_or(i64::MIN)
    }

    /// Whether this reading was taken in recently.
    pub(super) fn is_known(&self, id: SeriesId, time: i64, value: f64) -> bool {
        self.window.contains(fingerprint(id, time, value))
    }

    /// Remembers a reading; [`Memory::commit`] or [`Memory::undo`] follows. One that `moves_time` becomes the
    /// newest of its series.
    pub(super) fn remember(&mut self, id: SeriesId, time: i64, value: f64, moves_time: bool) {
        self.window.add(fingerprint(id, time, value));
        if id.index() >= self.newest.len() {
            self.newest.resize(id.index() + 1, i64::MIN);
        }
        let newest = &mut self.newest[id.index()];
        if moves_time && time != *newest {
            self.changed.push((id, *newest));
            *newest = time;
        }
    }

    /// What was remembered stays: its record is in the log, or in line for it.
    pub(super) fn commit(&mut self) {
        self.changed.clear();
        self.window.commit();
    }

    /// Forgets what was remembered since the last commit: the log did not take it.
    pub(super) fn undo(&mut self) {
        for (id, former) in self.changed.drain(..).rev() {
            self.newest[id.index()] = former;
        }
        self.window.undo();
    }

    /// As of the last record that was replayed. What was submitted since is in it as well; its offset is for
    /// the caller to add.
    pub(super) fn to_state(&self, table: &SeriesTable) -> IntakeState {
        let series: Vec<_> = table.defs().iter().take(self.series_logged).cloned().collect();
        let mut newest = self.newest.clone();
        // A refused batch leaves room for its series behind; a snapshot is the same with and without it.
        newest.resize(series.len(), i64::MIN);
        let origins = self.origins.to_vec(series.len());
        IntakeState { next: self.next, series, newest, recent: self.window.to_vec(), origins }
    }

    pub(super) fn restore(
        &mut self,
        snapshot: &IntakeState,
        table: &mut SeriesTable,
    ) -> Result<(), IngestError> {
        self.define(&snapshot.series, table)?;
        self.adopt(&snapshot.origins, table)?;
        self.newest.clone_from(&snapshot.newest);
        snapshot.recent.iter().for_each(|&fingerprint| self.window.add(fingerprint));
        self.next = snapshot.next;
        self.commit();
        Ok(())
    }

    pub(super) fn replay(
        &mut self,
        offset: Offset,
        record: &Record,
        table: &mut SeriesTable,
    ) -> Result<(), IngestError> {
        if offset < self.next {
            return Ok(());
        }
        match record {
            Record::Series(defs) => self.define(defs, table)?,
            Record::Origins(origins) => self.adopt(origins, table)?,
            Record::Readings(batch) => {
                if let Some(id) = batch.series.iter().find(|id| id.index() >= self.series_logged) {
                    let defined = self.series_logged;
                    return Err(IngestError::Restore(format!(
                        "offset {offset} has readings of series {}, but only {defined} series are defined \
                         before it",
                        id.0
                    )));
                }
                for row in batch.rows() {
                    let moves_time = !row.flags.is_late() && !row.flags.is_ahead();
                    self.remember(row.series, row.time.0, row.value, moves_time);
                }
            }
            _ => {}
        }
        self.next = offset.next();
        self.commit();
        Ok(())
    }

    fn adopt(&mut self, origins: &[SeriesOrigin], table: &SeriesTable) -> Result<(), IngestError> {
        for origin in origins {
            let def = table.def(origin.series).filter(|def| def.id.index() < self.series_logged);
            let undefined =
                || IngestError::Restore(format!("series {} has names, but is not defined", origin.series.0));
            self.origins.restore(*origin, &def.ok_or_else(undefined)?.asset);
        }
        Ok(())
    }

    fn define(&mut self, defs: &[SeriesDef], table: &mut SeriesTable) -> Result<(), IngestError> {
        for def in defs {
            table.restore(def.clone()).map_err(|error| IngestError::Restore(error.to_string()))?;
            self.series_logged = self.series_logged.max(def.id.index() + 1);
        }
        Ok(())
    }
}
