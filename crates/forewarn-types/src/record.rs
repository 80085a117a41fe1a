//! What the log holds: the one list of all kinds of records.
//!
//! A kind is a line in this list and a file below `record/`, which says what its body is, how it stands in
//! the log, and which table of the lake has its rows. What else must know of it, the compiler names: each
//! place matches on [`Record`] or on [`RecordKind`].

mod account;
mod alert;
mod attributes;
mod audit;
mod command;
mod definitions;
mod job_run;
mod life_event;
mod notification;
mod origins;
mod prediction;
mod promotion;
mod quiet;
mod readings;
mod resumed;
mod series;
mod tick;

pub use self::account::{Account, AccountChange, ApiToken, Role, SecretHash, TokenLimits};
pub use self::alert::{AlertTransition, Evidence, EvidenceValue};
pub use self::attributes::{ATTRIBUTE_PREFIX, AttributeMap, AttributeValue, Attributes};
pub use self::audit::Audit;
pub use self::command::{CommandAction, NotAllowed, OperatorCommand};
pub use self::definitions::{DefinitionChange, DefinitionFile, Definitions, FileChange};
pub use self::job_run::{JobKind, JobRun, RunState};
pub use self::life_event::{LifeEvent, LifeEventKind};
pub use self::notification::{Notification, NotificationKind, NotificationOutcome};
pub use self::origins::SeriesOrigin;
pub use self::prediction::{Contribution, Prediction};
pub use self::promotion::Promotion;
pub use self::quiet::{Quiet, QuietKind, Weekly};
pub use self::readings::{Quality, ReadingBatch, ReadingFlags, ReadingRef, encoded_bytes};
pub use self::resumed::Resumed;
use crate::body::Body;
use crate::error::TypesError;
use crate::series::SeriesDef;
use crate::time::Timestamp;

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident($body:ty) = $number:literal,)+) => {
        /// One entry of the log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Record {
            $($(#[doc = $about])+ $kind($body),)+
        }

        /// The kind of a [`Record`], as one byte on disk. Numbers are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum RecordKind {
            $($(#[doc = $about])+ $kind = $number,)+
        }

        impl RecordKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// A name for people.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => <$body as Body>::NAME,)+
                }
            }

            /// The table of the lake that has the rows of this kind, if there is one.
            #[must_use]
            pub const fn table(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => <$body as Body>::TABLE,)+
                }
            }

            /// The kind that `byte` on disk stands for, if this version of the program knows it.
            pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }

        impl Record {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> RecordKind {
                match self {
                    $(Self::$kind(_) => RecordKind::$kind,)+
                }
            }

            /// Appends the bytes of its body to `out`.
            pub(crate) fn encode_body(&self, out: &mut Vec<u8>) -> Result<(), TypesError> {
                match self {
                    $(Self::$kind(body) => body.encode(out),)+
                }
            }

            /// Reads a body of the kind `kind`, or says what is wrong.
            pub(crate) fn decode_body(kind: RecordKind, bytes: &[u8]) -> Result<Self, String> {
                match kind {
                    $(RecordKind::$kind => <$body as Body>::decode(bytes).map(Self::$kind),)+
                }
            }
        }
    };
}

kinds! {
    /// Readings, as columns.
    Readings(ReadingBatch) = 1,
    /// New series; stands before the first batch that uses them.
    Series(Vec<SeriesDef>) = 2,
    /// The server's clock says it is this late. The only way wall-clock time reaches the engine.
    Tick(Timestamp) = 3,
    /// The definitions in force from here on.
    Definitions(Definitions) = 4,
    /// An operator did something.
    Command(OperatorCommand) = 5,
    /// An alert changed.
    Alert(AlertTransition) = 6,
    /// A job's run changed.
    JobRun(JobRun) = 7,
    /// A model made a prediction.
    Prediction(Prediction) = 8,
    /// A machine was installed, repaired, failed or was retired.
    LifeEvent(LifeEvent) = 9,
    /// The server runs again, or its clock was set: the time since the record before does not count.
    Resumed(Resumed) = 10,
    /// What senders call series; stands before the first batch that uses them.
    Origins(Vec<SeriesOrigin>) = 11,
    /// A version of a model was put in force.
    Promotion(Promotion) = 12,
    /// An account of a user, or an API token, was made, changed or taken away.
    Account(Account) = 13,
    /// Somebody acted over HTTP, or was refused.
    Audit(Audit) = 14,
    /// A message about alerts was delivered or given up.
    Notification(Notification) = 15,
    /// A silence or a maintenance window was set or taken back.
    Quiet(Quiet) = 16,
    /// An asset has these attributes from here on.
    Attributes(Attributes) = 17,
}

impl RecordKind {
    /// The tables of the lake that have the rows of records.
    pub fn tables() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter_map(|kind| kind.table())
    }
}
