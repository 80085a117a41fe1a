//! The outbox as a fold, and the handle by which others see it.

use std::sync::Arc;

use forewarn_state::{Fold, Logged, Part, StateError};
use forewarn_types::{AlertId, Offset, Quiet, Record};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::mute::holds;
use super::state::{Sent, State};
use super::why::Reason;
use crate::pending::Pending;
use crate::rulebook::Rulebook;

const NAME: &str = "outbox";
const VERSION: u8 = 1;

/// A handle on the outbox; cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    applied: watch::Sender<Offset>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), applied: watch::Sender::new(Offset(0)) }))
    }
}

impl Outbox {
    /// What is to be sent, in order, each with its number.
    #[must_use]
    pub fn pending(&self) -> Vec<(u64, Arc<Pending>)> {
        self.0.state.lock().pending.iter().map(|(number, one)| (*number, Arc::clone(one))).collect()
    }

    /// The messages that were sent or given up, the newest first.
    #[must_use]
    pub fn sent(&self, filter: impl Fn(&Sent) -> bool, most: usize) -> Vec<Sent> {
        self.0.state.lock().sent.iter().rev().filter(|sent| filter(sent)).take(most).cloned().collect()
    }

    /// Why an open alert was told, or not.
    #[must_use]
    pub fn why(&self, alert: AlertId) -> Option<Reason> {
        self.0.state.lock().why(alert)
    }

    /// The messages about an alert that were sent or given up, the oldest first.
    #[must_use]
    pub fn sent_about(&self, alert: AlertId) -> Vec<Sent> {
        self.0.state.lock().sent_about(alert).cloned().collect()
    }

    /// Silences and maintenance windows, each with whether it holds now.
    #[must_use]
    pub fn quiets(&self) -> Vec<(Quiet, bool)> {
        let state = self.0.state.lock();
        let now = state.now();
        state.quiets.values().map(|quiet| (quiet.clone(), holds(quiet, now))).collect()
    }

    /// The contacts of the route `name`, if there is one.
    #[must_use]
    pub fn contacts_of(&self, name: &str) -> Option<Vec<String>> {
        self.0.state.lock().book.route(name).map(|route| route.to.clone())
    }

    /// What `contact` was told of and is not over: what a channel that forgets must be told again.
    #[must_use]
    pub fn told_to(&self, contact: &str) -> Vec<crate::item::Item> {
        let state = self.0.state.lock();
        let is_told = |known: &&super::state::Known| {
            known.told.iter().any(|(name, told)| {
                let own = state.book.route(name).is_some_and(|route| route.to.iter().any(|to| to == contact));
                told.status.is_some_and(|status| !status.is_final()) && (own || told.others.contains(contact))
            })
        };
        state.alerts.values().filter(is_told).map(super::state::Known::now).collect()
    }

    /// Everything in the log before this has been taken in; it changes with each record.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Offset> {
        self.0.applied.subscribe()
    }
}

/// Keeps the outbox up to date.
pub struct OutboxFold(Outbox);

impl OutboxFold {
    /// A fold that keeps `outbox` up to date.
    #[must_use]
    pub const fn new(outbox: Outbox) -> Self {
        Self(outbox)
    }
}

impl State {
    /// Takes in a record.
    pub(crate) fn apply(&mut self, offset: Offset, record: &Record) {
        match record {
            Record::Tick(now) => self.tick(*now),
            Record::Alert(step) => self.alert(offset, step),
            Record::Definitions(definitions) => self.redefine(definitions),
            Record::Notification(notification) => self.settled(offset, notification),
            Record::Quiet(quiet) => self.quiet(quiet),
            Record::Readings(_)
            | Record::Series(_)
            | Record::Command(_)
            | Record::JobRun(_)
            | Record::Prediction(_)
            | Record::LifeEvent(_)
            | Record::Resumed(_)
            | Record::Origins(_)
            | Record::Account(_)
            | Record::Audit(_)
            | Record::Attributes(_)
            | Record::Promotion(_) => {}
        }
    }
}

impl Fold for OutboxFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, records: &[Logged]) {
        let Some((last, _)) = records.last() else { return };
        let mut state = self.0.0.state.lock();
        for (offset, record) in records {
            state.apply(*offset, record);
        }
        drop(state);
        self.0.0.applied.send_replace(last.next());
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        let mut bytes = vec![VERSION];
        let state = self.0.0.state.lock();
        rmp_serde::encode::write(&mut bytes, &*state).map_err(|error| StateError::written(NAME, error))?;
        Ok(bytes.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let Some((&VERSION, body)) = bytes.split_first() else {
            let problem = format!("it has version {:?}, and this program reads {VERSION}", bytes.first());
            return Err(StateError::read(NAME, problem));
        };
        let mut state: State = rmp_serde::from_slice(body).map_err(|error| StateError::read(NAME, error))?;
        state.book = Rulebook::load(&state.definitions);
        *self.0.0.state.lock() = state;
        Ok(())
    }

    fn reset(&mut self) {
        *self.0.0.state.lock() = State::default();
    }
}
