//! How the definitions and their files stand, for those who ask.

use std::collections::BTreeSet;

use forewarn_spec::Diagnostic;
use forewarn_state::{FileKind, FileState, FileStatus, TreeStatus};
use forewarn_types::DefinitionFile;

use super::Owner;

impl Owner {
    /// Shows how all stands.
    pub(super) fn show(&self) {
        let mut files = self.of_kind(FileKind::Pipeline, &self.judged.pipelines, &self.in_force.files);
        files.extend(self.of_kind(FileKind::Model, &self.judged.models, &self.in_force.models));
        let change = self.in_force.change.as_ref();
        self.live.set_status(TreeStatus {
            files,
            offset: self.offset,
            since: change.map(|change| change.time),
            actor: change.and_then(|change| change.actor.clone()),
            problem: self.problem.clone(),
            left_out: self.left_out.len(),
            changes: self.counts.changes,
            refusals: self.counts.refusals,
        });
    }

    fn of_kind(
        &self,
        kind: FileKind,
        on_disk: &[(String, String)],
        in_force: &[DefinitionFile],
    ) -> Vec<FileStatus> {
        let text_in_force =
            |path: &str| in_force.iter().find(|file| file.path == path).map(|file| &file.text);
        let mut files: Vec<FileStatus> = Vec::new();
        for (path, text) in on_disk {
            let is_in_force = text_in_force(path).is_some_and(|in_force| **in_force == **text);
            let problems: Vec<Diagnostic> = if is_in_force {
                let left_out = self.left_out.iter().map(|one| &one.mistake);
                left_out.filter(|mistake| mistake.file == *path).cloned().collect()
            } else {
                self.mistakes.0.iter().filter(|mistake| mistake.file == *path).cloned().collect()
            };
            let state = match (is_in_force, problems.is_empty()) {
                (true, _) => FileState::InForce,
                (false, true) => FileState::Waiting,
                (false, false) => FileState::Refused,
            };
            let name = FileStatus::name_in(kind, path, text);
            files.push(FileStatus {
                kind,
                name,
                path: path.clone(),
                state,
                text: text.as_str().into(),
                problems,
            });
        }
        let there: BTreeSet<&str> = on_disk.iter().map(|(path, _)| path.as_str()).collect();
        for file in in_force.iter().filter(|file| !there.contains(file.path.as_str())) {
            files.push(FileStatus {
                kind,
                name: FileStatus::name_in(kind, &file.path, &file.text),
                path: file.path.clone(),
                state: FileState::Deleted,
                text: std::sync::Arc::clone(&file.text),
                problems: Vec::new(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}
