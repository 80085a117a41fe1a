//! Folds over the log, and what drives them.
//!
//! Everything the server knows beside the log and the lake is a [`Fold`]: state computed from the log record
//! by record. The wiring gives one list of them, [`Folds`]; all else in here works on that list and knows no
//! fold by name. The [`Runner`] follows the log, lets the fold that judges decide, makes its decisions
//! durable, and then hands the records to the others. A [`Snapshot`] holds the state of every fold at one
//! offset, by the fold's name, and [`restore`] begins with the newest one that can be used.
//!
//! The runner itself has no timer and starts no task: [`RealTime`] drives it in the server, and `tests/sim`
//! drives the same code step by step.
//!
//! The [read model](read_model) is the fold that the API answers from; about rules it asks the engine itself,
//! through [`Rules`]. [`Metrics`] stands here since every
//! stage counts and only the API shows it.

mod error;
mod fold;
mod folds;
mod live;
mod metrics;
mod read_model;
mod restore;
mod rules;
mod runner;
mod snapshot;

pub use error::StateError;
pub use fold::{Decisions, Fold, Folds, Logged, Part, Parts, PartsToCome};
pub use folds::{
    Accounts, AccountsFold, AssetAttributes, AttributesFold, DefinitionsFold, EngineFold, InForce,
    IntakeFold, MAX_TOKENS, MAX_USERS, ReadModelFold, Token, User,
};
pub use forewarn_engine::{Lack, OpenAlert, RuleInForce, RuleOnAsset, RuleState, Wait};
pub use live::{
    Applied, DefinitionsRequest, Expected, FileKind, FileState, FileStatus, FileText, LiveDefinitions,
    Proposal, Rejection, TreeStatus, text_tag,
};
pub use metrics::{Counter, Exposition, Histogram, Metrics};
pub use read_model::{
    Alert, AlertFilter, AlertStep, Alerts, Asset, Cursor, LastReading, MAX_ASSETS, MAX_LIFE_EVENTS,
    MAX_MODELS, Series, SharedState, State, StateFilter,
};
pub use restore::{Restored, restore};
pub use rules::{RulePage, RulePageAsk, RuleSummary, Rules, RulesChanging, RulesOutlook, SeesAsset};
pub use runner::{
    CONSUMER, LogRoom, RealTime, RealTimeParts, Runner, RunnerMetrics, SnapshotReply, TakeSnapshot,
    snapshot_requests,
};
pub use snapshot::{Kept, SavedSnapshot, Snapshot, SnapshotKeeper, SnapshotStore};
