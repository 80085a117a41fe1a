//! Texts that are sent: checked, written to the folders, and put in force, so that disk and force agree.

use std::sync::Arc;

use forewarn_spec::Diagnostics;
use forewarn_state::{
    Applied, DefinitionsRequest, Expected, FileKind, FileStatus, FileText, Proposal, Rejection, text_tag,
};
use forewarn_types::JournalError;

use super::{From, Owner};
use crate::config::Texts;

/// Longest name of a file, bytes.
const MAX_NAME_BYTES: usize = 100;

/// A file that is to be written: its path, its text now, and the one it gets.
struct Written {
    path: String,
    former: Option<String>,
    text: String,
}

/// The tree as it would be.
struct Proposed {
    texts: Texts,
    written: Vec<Written>,
}

impl Owner {
    /// Answers a request.
    ///
    /// # Errors
    /// If the log has stopped.
    pub(super) async fn answer(&mut self, request: DefinitionsRequest) -> Result<(), JournalError> {
        let (outcome, reply) = match request {
            DefinitionsRequest::Check(proposal, reply) => (self.consider(&proposal).await, reply),
            DefinitionsRequest::Apply(proposal, reply) => (self.apply(proposal).await, reply),
        };
        let stopped = match &outcome {
            Err(Rejection::Journal(error @ JournalError::Stopped(_))) => Some(error.clone()),
            _ => None,
        };
        // Nobody may wait for the answer any more.
        let _sent = reply.send(outcome);
        stopped.map_or(Ok(()), Err)
    }

    /// What a proposal would come to.
    async fn consider(&self, proposal: &Proposal) -> Result<Applied, Rejection> {
        let proposed = self.propose(proposal).await?;
        let definitions = self.check(&proposed.texts).map_err(Rejection::Mistakes)?;
        Ok(Applied { definitions: Arc::new(definitions), texts: proposed.texts.to_record(), offset: None })
    }

    /// Writes and puts in force what is proposed.
    async fn apply(&mut self, proposal: Proposal) -> Result<Applied, Rejection> {
        let Proposed { texts, written } = self.propose(&proposal).await?;
        let from = From { by: proposal.by, actor: proposal.actor };
        if written.is_empty() {
            return self.apply_folders(texts, from).await;
        }
        let checked = self.check(&texts);
        let definitions = checked.inspect_err(|_| self.counts.refusals += 1).map_err(Rejection::Mistakes)?;
        let mut done: Vec<Written> = Vec::new();
        for file in written {
            if let Err(error) = self.folders.write(file.path.clone(), file.text.clone()).await {
                self.undo(done).await;
                return Err(Rejection::Files(format!("{error:#}")));
            }
            done.push(file);
        }
        let shared = Arc::new(definitions.clone());
        match self.put_in_force(&texts, definitions, from).await {
            Ok(offset) => {
                self.judged = texts.clone();
                self.mistakes = Diagnostics::default();
                self.problem = None;
                self.show();
                Ok(Applied { definitions: shared, texts: texts.to_record(), offset })
            }
            Err(error) => {
                self.undo(done).await;
                Err(Rejection::Journal(error))
            }
        }
    }

    /// Puts the folders in force as they are now.
    async fn apply_folders(&mut self, texts: Texts, from: From) -> Result<Applied, Rejection> {
        let before = self.offset;
        self.take(texts.clone(), from).await.map_err(Rejection::Journal)?;
        if !self.mistakes.0.is_empty() {
            return Err(Rejection::Mistakes(self.mistakes.clone()));
        }
        if let Some(problem) = &self.problem {
            return Err(Rejection::Files(problem.clone()));
        }
        let offset = self.offset.filter(|_| self.offset != before);
        Ok(Applied { definitions: self.live.get(), texts: texts.to_record(), offset })
    }

    /// Gives files that were written their former texts.
    async fn undo(&self, written: Vec<Written>) {
        for Written { path, former, .. } in written {
            let undone = match former {
                Some(text) => self.folders.write(path, text).await,
                None => self.folders.delete(path).await,
            };
            if let Err(error) = undone {
                tracing::error!("{error:#}; the folder holds a definition that is not in force");
            }
        }
    }

    /// The tree with the proposed texts in it.
    async fn propose(&self, proposal: &Proposal) -> Result<Proposed, Rejection> {
        let mut texts = self.folders.read().await.map_err(|error| Rejection::Files(format!("{error:#}")))?;
        let mut written = Vec::new();
        let mut kept: Vec<String> = Vec::new();
        for file in &proposal.files {
            let files = match file.kind {
                FileKind::Pipeline => &mut texts.pipelines,
                FileKind::Model => &mut texts.models,
            };
            let path = self.path_of(file, files)?;
            let place = files.iter().position(|(other, _)| *other == path);
            let former = place.map(|place| files[place].1.clone());
            if let Some(expected) = &proposal.expected {
                check_expected(expected, file, former.as_deref())?;
            }
            kept.push(path.clone());
            match place {
                Some(place) => files[place].1.clone_from(&file.text),
                None => files.push((path.clone(), file.text.clone())),
            }
            files.sort();
            if former.as_ref() != Some(&file.text) {
                written.push(Written { path, former, text: file.text.clone() });
            }
        }
        if proposal.whole {
            texts.pipelines.retain(|(path, _)| kept.contains(path));
            texts.models.retain(|(path, _)| kept.contains(path));
        }
        Ok(Proposed { texts, written })
    }

    /// The path of the file that `file` is for.
    fn path_of(&self, file: &FileText, files: &[(String, String)]) -> Result<String, Rejection> {
        let kind = file.kind;
        if file.by_name {
            let declared = FileStatus::name_in(kind, &file.target, &file.text);
            if declared != file.target {
                let (key, target) = (kind.key(), &file.target);
                return Err(Rejection::BadName(format!(
                    "the text is that of the {key} {declared}, not {target}: begin it with `{key}: {target}`, \
                     or send it as {declared}"
                )));
            }
            let there =
                files.iter().find(|(path, text)| FileStatus::name_in(kind, path, text) == file.target);
            if let Some((path, _)) = there {
                return Ok(path.clone());
            }
        }
        let name = if file.by_name { format!("{}.yaml", file.target) } else { file.target.clone() };
        check_file_name(&name)?;
        Ok(self.folders.of(kind).join(name).display().to_string())
    }
}

/// Only plain names: what is sent must not write elsewhere.
fn check_file_name(name: &str) -> Result<(), Rejection> {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    let is_plain = stem.is_some_and(|stem| {
        !stem.is_empty()
            && !stem.starts_with('.')
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    });
    if is_plain && name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
    Err(Rejection::BadName(format!(
        "{shown:?} cannot be the name of a definition file: use letters, digits, '-', '_' and '.', and end in .yaml"
    )))
}

fn check_expected(expected: &Expected, file: &FileText, former: Option<&str>) -> Result<(), Rejection> {
    let (key, name) = (file.kind.key(), &file.target);
    match (expected, former) {
        (Expected::Any, _) | (Expected::Absent, None) => Ok(()),
        (Expected::Absent, Some(_)) => Err(Rejection::Changed(format!(
            "there is a {key} {name} already; read it, and send its ETag as If-Match"
        ))),
        (Expected::Tags(tags), Some(text)) if tags.contains(&text_tag(text)) => Ok(()),
        (Expected::Tags(_), Some(_)) => Err(Rejection::Changed(format!(
            "the {key} {name} has been changed since you read it: read it again, and repeat your change"
        ))),
        (Expected::Tags(_), None) => Err(Rejection::Changed(format!(
            "there is no {key} {name} any more: to make it, send If-None-Match: *"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_name_files() {
        for good in ["a.yaml", "pumps-2_x.yml", "a.b.yaml"] {
            assert!(check_file_name(good).is_ok(), "{good}");
        }
        for bad in ["../a.yaml", "a/b.yaml", ".yaml", ".a.yaml", "a.txt", "", "ä.yaml", "a\\b.yaml", "a yaml"]
        {
            assert!(check_file_name(bad).is_err(), "{bad}");
        }
        assert!(check_file_name(&format!("{}.yaml", "a".repeat(100))).is_err());
    }
}
