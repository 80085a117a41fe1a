//! The words every stage of Forewarn shares, and nothing else.
//!
//! A *reading* is `(series, time, value, quality)`. Readings travel only as columns ([`ReadingBatch`]), never
//! as a vector of structs. A [`Record`] is what the durable log holds; its position there is an [`Offset`].
//! Two stages that meet, meet through records, so every type that crosses a stage border stands here, and
//! types that do not stay home.
//!
//! This crate does no I/O and reads no clock: time arrives as data.

mod alert;
mod body;
mod clock;
mod codec;
mod crash;
mod error;
mod exact;
mod fingerprint;
mod journal;
mod name;
mod offset;
mod printable;
mod record;
mod secret;
mod series;
mod suggest;
mod time;

pub use alert::{AlertId, AlertState, Severity, Transition};
pub use clock::{Clock, ManualClock};
pub use codec::{decode_record, encode_record};
pub use crash::{crash_point, crash_points_matter, on_crash_point};
pub use error::TypesError;
pub use fingerprint::{fingerprint, fingerprint_64};
pub use journal::{BoxFuture, Journal, JournalError};
pub use name::{
    AssetPath, MAX_ASSET_BYTES, MAX_ASSET_LEVELS, MAX_SIGNAL_BYTES, SignalName, check_asset, check_signal,
    is_word,
};
pub use offset::Offset;
pub use printable::{is_unprintable, printable};
pub use record::{
    ATTRIBUTE_PREFIX, Account, AccountChange, AlertTransition, ApiToken, AttributeMap, AttributeValue,
    Attributes, Audit, CommandAction, Contribution, DefinitionChange, DefinitionFile, Definitions, Evidence,
    EvidenceValue, FileChange, JobKind, JobRun, LifeEvent, LifeEventKind, NotAllowed, Notification,
    NotificationKind, NotificationOutcome, OperatorCommand, Prediction, Promotion, Quality, Quiet, QuietKind,
    ReadingBatch, ReadingFlags, ReadingRef, Record, RecordKind, Resumed, Role, RunState, SecretHash,
    SeriesOrigin, TokenLimits, Weekly, encoded_bytes,
};
pub use secret::{
    Secret, SecretUrl, decode_user_part, has_plain_password, redact_urls, redact_urls_in_place,
};
pub use series::{SeriesDef, SeriesId, SeriesTable};
pub use suggest::{did_you_mean, edit_distance};
pub use time::{Timestamp, format_duration, parse_duration_us};
