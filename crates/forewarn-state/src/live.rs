//! The definitions, as those see them that only look at them or ask for others: a handle that the owner of
//! the definitions fills. The owner is a stage of the server; what it puts in force it appends to the log.

mod file;

use std::sync::Arc;

use forewarn_spec::{Definitions, Diagnostics};
use forewarn_types::{JournalError, Offset, Timestamp};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

pub use file::{FileKind, FileState, FileStatus, FileText, text_tag};

/// Requests that wait for the owner.
const MAX_REQUESTS: usize = 64;

/// The definitions in force, checked, and how each file stands. Cheap to clone.
#[derive(Clone)]
pub struct LiveDefinitions {
    shared: Arc<Shared>,
    requests: mpsc::Sender<DefinitionsRequest>,
}

struct Shared {
    definitions: RwLock<Arc<Definitions>>,
    status: RwLock<Arc<TreeStatus>>,
}

/// How the definitions stand.
#[derive(Debug, Clone, Default)]
pub struct TreeStatus {
    /// Each file, pipelines first, by path.
    pub files: Vec<FileStatus>,
    /// Where the record stands in the log that put the present ones in force; `None` if that was before this
    /// start.
    pub offset: Option<Offset>,
    /// When they were put in force, if that is known.
    pub since: Option<Timestamp>,
    /// Who did it, if that is known.
    pub actor: Option<String>,
    /// Why the folders are not in force as they are, if that is no file's fault.
    pub problem: Option<String>,
    /// Definitions in force that this version does not load.
    pub left_out: usize,
    /// How often other definitions were put in force since the start.
    pub changes: u64,
    /// How often they were refused.
    pub refusals: u64,
}

impl TreeStatus {
    /// The files that are not in force as they stand on disk.
    pub fn pending(&self) -> impl Iterator<Item = &FileStatus> {
        self.files.iter().filter(|file| file.state != FileState::InForce)
    }
}

/// What is asked of the owner of the definitions.
pub enum DefinitionsRequest {
    /// To put other texts in force.
    Apply(Proposal, oneshot::Sender<Result<Applied, Rejection>>),
    /// To say what they would be, without effect.
    Check(Proposal, oneshot::Sender<Result<Applied, Rejection>>),
}

/// Texts that are to be in force.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// Who asks, if that is known.
    pub actor: Option<String>,
    /// How: `api` or `apply`.
    pub by: &'static str,
    /// The files; none: those on disk as they are.
    pub files: Vec<FileText>,
    /// Whether these are all files, and others are to go. They are left alone otherwise.
    pub whole: bool,
    /// The file that was read before must still be as it was.
    pub expected: Option<Expected>,
}

/// What a file must be for a proposal to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// One of these texts, by tag.
    Tags(Vec<String>),
    /// There must be none.
    Absent,
    /// Any text will do.
    Any,
}

/// What a proposal comes to.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The definitions.
    pub definitions: Arc<Definitions>,
    /// The texts, as they stand in the log.
    pub texts: forewarn_types::Definitions,
    /// Where the record stands; `None` if nothing changed, or it was only checked.
    pub offset: Option<Offset>,
}

/// Why a proposal was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Rejection {
    /// The definitions have mistakes; nothing changed.
    #[error("the definitions have mistakes; those in force stay")]
    Mistakes(Diagnostics),
    /// The file is not what the sender read before.
    #[error("{0}")]
    Changed(String),
    /// A file cannot have this name.
    #[error("{0}")]
    BadName(String),
    /// The files cannot be read or written.
    #[error("{0}")]
    Files(String),
    /// The log takes nothing now.
    #[error("the log did not take the definitions: {0}")]
    Journal(JournalError),
    /// The server is ending.
    #[error("the server is shutting down")]
    Stopped,
}

impl LiveDefinitions {
    /// A handle on `definitions`, and the requests for their owner.
    #[must_use]
    pub fn new(definitions: Definitions) -> (Self, mpsc::Receiver<DefinitionsRequest>) {
        let (requests, receiver) = mpsc::channel(MAX_REQUESTS);
        let shared = Shared {
            definitions: RwLock::new(Arc::new(definitions)),
            status: RwLock::new(Arc::new(TreeStatus::default())),
        };
        (Self { shared: Arc::new(shared), requests }, receiver)
    }

    /// The definitions in force.
    #[must_use]
    pub fn get(&self) -> Arc<Definitions> {
        Arc::clone(&self.shared.definitions.read())
    }

    /// How they and their files stand.
    #[must_use]
    pub fn status(&self) -> Arc<TreeStatus> {
        Arc::clone(&self.shared.status.read())
    }

    /// For their owner: others are in force.
    pub fn set(&self, definitions: Arc<Definitions>) {
        *self.shared.definitions.write() = definitions;
    }

    /// For their owner: they stand like this.
    pub fn set_status(&self, status: TreeStatus) {
        *self.shared.status.write() = Arc::new(status);
    }

    /// Has the texts be in force, whole, or not at all.
    ///
    /// # Errors
    /// Why not; those in force stay.
    pub async fn apply(&self, proposal: Proposal) -> Result<Applied, Rejection> {
        self.ask(|reply| DefinitionsRequest::Apply(proposal, reply)).await
    }

    /// Says what the texts would be, and changes nothing.
    ///
    /// # Errors
    /// Why they would not be taken.
    pub async fn check(&self, proposal: Proposal) -> Result<Applied, Rejection> {
        self.ask(|reply| DefinitionsRequest::Check(proposal, reply)).await
    }

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<Applied, Rejection>>) -> DefinitionsRequest,
    ) -> Result<Applied, Rejection> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Rejection::Stopped)?;
        answer.await.map_err(|_| Rejection::Stopped)?
    }
}
