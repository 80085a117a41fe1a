//! Definitions as JSON.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use forewarn_spec::{Diagnostic, Diagnostics};
use forewarn_state::{Applied, FileKind, FileStatus, FileText, Proposal, Rejection, TreeStatus};
use forewarn_types::{Offset, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outlook::OutlookView;
use crate::problem::Problem;

/// A mistake, or a warning.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MistakeView {
    /// The file.
    file: String,
    /// Line, from 1; 0 if it belongs to the file as a whole.
    line: usize,
    /// Column in characters, from 1.
    column: usize,
    /// What is wrong.
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The line's text.
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
}

impl From<&Diagnostic> for MistakeView {
    fn from(one: &Diagnostic) -> Self {
        let Diagnostic { file, line, column, message, hint, source } = one.clone();
        Self { file, line, column, message, hint, source }
    }
}

/// How a definition file stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileView {
    /// The name of the pipeline or model; that of the file if it says none.
    name: String,
    /// The file.
    file: String,
    /// `in_force`: as it stands on disk; `refused`: it has mistakes, and what was in force before still is;
    /// `waiting`: it has none, and waits until those of other files are corrected; `deleted`: it is gone from
    /// disk, and in force until then.
    state: &'static str,
    /// Names the text on disk, as `If-Match` takes it.
    etag: String,
    /// What is wrong with it, or does not load in this version.
    problems: Vec<MistakeView>,
}

impl From<&FileStatus> for FileView {
    fn from(file: &FileStatus) -> Self {
        Self {
            name: file.name.clone(),
            file: file.path.clone(),
            state: file.state.as_str(),
            etag: file.tag(),
            problems: file.problems.iter().map(Into::into).collect(),
        }
    }
}

/// The definition files, and how they stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipelinesView {
    /// The files of pipelines, by path.
    pipelines: Vec<FileView>,
    /// The files of models, by path.
    models: Vec<FileView>,
    /// When what is in force was put in force, if that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Who did it, if that is known.
    actor: Option<String>,
    /// Why the folders are not in force as they are, if that is no file's fault.
    problem: Option<String>,
}

impl PipelinesView {
    pub(super) fn new(status: &TreeStatus) -> Self {
        let of = |kind| status.files.iter().filter(|file| file.kind == kind).map(FileView::from).collect();
        Self {
            pipelines: of(FileKind::Pipeline),
            models: of(FileKind::Model),
            since: status.since,
            actor: status.actor.clone(),
            problem: status.problem.clone(),
        }
    }
}

/// A text of a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DefinitionText {
    #[serde(flatten)]
    file: FileView,
    /// The YAML text, as it stands on disk.
    text: String,
}

impl DefinitionText {
    pub(super) fn new(file: &FileStatus) -> Self {
        Self { file: file.into(), text: file.text.to_string() }
    }
}

/// A file that is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileBody {
    /// The file's name, such as `pumps.yaml`.
    file: String,
    /// The YAML text.
    text: String,
}

/// Files that are sent. Others of the server stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextsBody {
    /// Files of pipelines.
    #[serde(default)]
    pipelines: Vec<FileBody>,
    /// Files of models.
    #[serde(default)]
    models: Vec<FileBody>,
    /// In a check: these are all files, as if the others were deleted.
    #[serde(default)]
    whole: bool,
}

impl TextsBody {
    pub(super) fn into_proposal(self, actor: Option<String>, is_check: bool) -> Proposal {
        let text =
            |kind| move |FileBody { file, text }| FileText { kind, target: file, by_name: false, text };
        let models = self.models.into_iter().map(text(FileKind::Model));
        let files = self.pipelines.into_iter().map(text(FileKind::Pipeline)).chain(models).collect();
        Proposal { actor, by: "apply", files, whole: is_check && self.whole, expected: None }
    }
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckView {
    /// Whether there are no mistakes.
    ok: bool,
    /// All mistakes.
    mistakes: Vec<MistakeView>,
    /// What is in order and probably not meant.
    warnings: Vec<MistakeView>,
    /// What it would do to open alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<OutlookView>,
}

impl CheckView {
    pub(super) fn refused(mistakes: Vec<MistakeView>) -> Self {
        Self { ok: false, mistakes, warnings: Vec::new(), would: None }
    }

    pub(super) fn good(warnings: &Diagnostics, would: OutlookView) -> Self {
        let warnings = warnings.0.iter().map(Into::into).collect();
        Self { ok: true, mistakes: Vec::new(), warnings, would: Some(would) }
    }
}

/// What came of definitions that were sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedView {
    /// `in_force`, or `would_be` after a dry run.
    state: &'static str,
    /// Where the record stands in the log from which on they are in force; null if nothing changed.
    #[schema(value_type = Option<u64>)]
    offset: Option<Offset>,
    /// What is in order and probably not meant.
    warnings: Vec<MistakeView>,
    /// What it would do to open alerts; after a dry run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<OutlookView>,
}

impl AppliedView {
    pub(super) fn done(applied: &Applied) -> Self {
        let warnings = applied.definitions.warnings.0.iter().map(Into::into).collect();
        Self { state: "in_force", offset: applied.offset, warnings, would: None }
    }

    pub(super) fn dry(CheckView { warnings, would, .. }: CheckView) -> Self {
        Self { state: "would_be", offset: None, warnings, would }
    }
}

/// Definitions were refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mistakes {
    #[serde(flatten)]
    problem: Problem,
    /// All mistakes.
    pub(super) mistakes: Vec<MistakeView>,
}

/// Why definitions were not taken.
pub(crate) enum Refusal {
    /// They have mistakes.
    Mistakes(Mistakes),
    /// Something else.
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Problem(match rejection {
            Rejection::Mistakes(Diagnostics(found)) => {
                let first = found.first().map_or_else(String::new, |first| {
                    format!("{}:{}: {}", first.file, first.line, first.message)
                });
                let more = match found.len() {
                    0 | 1 => String::new(),
                    count => format!(" (and {} more)", count - 1),
                };
                let problem = Problem::unusable(format!("the definitions have mistakes: {first}{more}"))
                    .hint("correct what `mistakes` names; nothing has changed");
                let mistakes = found.iter().map(Into::into).collect();
                return Self::Mistakes(Mistakes { problem, mistakes });
            }
            Rejection::Changed(why) => Problem::precondition_failed(why),
            Rejection::BadName(why) => Problem::bad_request(why),
            Rejection::Files(why) => Problem::unavailable(why).hint("nothing has changed"),
            Rejection::Journal(error) => error.into(),
            Rejection::Stopped => Problem::unavailable("the server is shutting down"),
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Mistakes(mistakes) => mistakes.problem.respond_with(&mistakes),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// The text in a body: the body itself, or the member `text` of JSON.
pub(super) fn text_of(headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TextBody {
        text: String,
    }
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    if is_json {
        let body: TextBody = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("the body is not {{\"text\": …}}: {error}")))?;
        return Ok(body.text);
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad_request("the text is not UTF-8"))?;
    Ok(text.to_owned())
}
