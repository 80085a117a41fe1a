//! The engine: the fold that judges.

use forewarn_engine::{Actions, Engine, EngineOptions, is_news};
use forewarn_types::{Offset, Record};

use super::bytes;
use crate::{Decisions, Fold, Logged, Part, Rules, StateError};

const NAME: &str = "engine";
/// The version, the newest decision in the log as `MessagePack`, and the engine's own snapshot.
const VERSION: u8 = 1;

/// The newest decision that is in the log: its cause and its ordinal.
type Newest = Option<(Offset, u32)>;

/// The engine, and which of its decisions are in the log already.
///
/// After a restart the engine is given again what it had seen since the snapshot, and decides the same again.
/// A decision that is in the log is not given to be appended a second time.
pub struct EngineFold {
    options: EngineOptions,
    engine: Rules,
    newest: Newest,
}

impl EngineFold {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        Self::behind(Rules::new(options))
    }

    /// The one that `rules` asks, which must not have seen anything.
    #[must_use]
    pub fn behind(rules: Rules) -> Self {
        let options = rules.0.read().options().clone();
        Self { options, engine: rules, newest: None }
    }

    /// The bytes of an engine's own snapshot as [`Fold::snapshot`] gives them.
    pub(crate) fn encode(newest: Newest, engine: &[u8]) -> Result<Vec<u8>, StateError> {
        let mut bytes = bytes::encode(NAME, VERSION, &newest)?;
        bytes.extend_from_slice(engine);
        Ok(bytes)
    }
}

impl Fold for EngineFold {
    fn name(&self) -> &'static str {
        NAME
    }

    /// It has taken them in when it judged them.
    fn apply(&mut self, _records: &[Logged]) {}

    fn snapshot(&self) -> Result<Part, StateError> {
        let engine = self.engine.0.read().snapshot().map_err(|error| StateError::written(NAME, error))?;
        Ok(Self::encode(self.newest, &engine)?.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut rest = bytes::body(NAME, VERSION, bytes)?;
        self.newest = rmp_serde::from_read(&mut rest).map_err(|error| StateError::read(NAME, error))?;
        *self.engine.0.write() = Engine::restore(rest).map_err(|error| StateError::read(NAME, error))?;
        Ok(())
    }

    fn reset(&mut self) {
        *self.engine.0.write() = Engine::new(self.options.clone());
        self.newest = None;
    }

    /// Learns which decisions are in the log.
    fn preview(&mut self, records: &[Logged]) -> Result<(), StateError> {
        for (_, record) in records {
            if let Record::Alert(alert) = record.as_ref() {
                self.newest = self.newest.max(Some((alert.cause, alert.ordinal)));
            }
        }
        Ok(())
    }

    fn judges(&self) -> bool {
        true
    }

    fn judge(&mut self, records: &[Logged], decisions: &mut Decisions) {
        let mut actions = Actions::default();
        for (offset, record) in records {
            self.engine.0.write().step(*offset, record, &mut actions);
        }
        let Self { newest, .. } = self;
        let news = actions.transitions.into_iter().filter(|transition| is_news(transition, newest));
        decisions.records.extend(news.map(Record::Alert));
        decisions.problems.append(&mut actions.problems);
    }
}
