//! How far each consumer has come: one small JSON file, replaced as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forewarn_types::Offset;

use crate::LogError;
use crate::disk::{Disk, read_small, replace_small};

const FILE: &str = "checkpoints.json";

/// What every consumer has told the log, as it stands on disk.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    path: PathBuf,
    offsets: BTreeMap<String, u64>,
}

impl Checkpoints {
    /// Reads the file in `dir`; none is there before the first checkpoint.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<Self, LogError> {
        let path = dir.join(FILE);
        let offsets = match read_small(disk, &path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                LogError::corrupt(
                    &path,
                    0,
                    format!("not the JSON object of consumers that was written: {error}"),
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(LogError::io("read", &path)(error)),
        };
        Ok(Self { path, offsets })
    }

    /// Fails if a consumer stands beyond the log's end: records were lost, and their offsets must not be
    /// given out again.
    pub(crate) fn check(&self, end: Offset) -> Result<(), LogError> {
        match self.offsets.iter().find(|(_, offset)| **offset > end.0) {
            Some((consumer, &offset)) => {
                Err(LogError::Beyond { consumer: consumer.clone(), offset: Offset(offset), end })
            }
            None => Ok(()),
        }
    }

    /// Moves `consumer` forward to `offset`, on disk too. A consumer never moves backwards. Returns whether
    /// it moved.
    pub(crate) fn advance(
        &mut self,
        disk: &dyn Disk,
        consumer: &str,
        offset: Offset,
    ) -> Result<bool, LogError> {
        let before = self.offsets.get(consumer).copied();
        if before.is_some_and(|before| before >= offset.0) {
            return Ok(false);
        }
        self.offsets.insert(consumer.to_owned(), offset.0);
        let saved = self.save(disk);
        if saved.is_err() {
            match before {
                Some(before) => self.offsets.insert(consumer.to_owned(), before),
                None => self.offsets.remove(consumer),
            };
        }
        saved.map(|()| true)
    }

    /// Nobody needs a record below this; 0 while one of `required` has never been heard of.
    pub(crate) fn lowest(&self, required: &[String]) -> Offset {
        if required.iter().any(|consumer| !self.offsets.contains_key(consumer)) {
            return Offset(0);
        }
        Offset(self.offsets.values().copied().min().unwrap_or(0))
    }

    /// Every consumer and where it stands.
    pub(crate) fn all(&self) -> Vec<(String, Offset)> {
        self.offsets.iter().map(|(consumer, offset)| (consumer.clone(), Offset(*offset))).collect()
    }

    fn save(&self, disk: &dyn Disk) -> Result<(), LogError> {
        let text = serde_json::to_vec_pretty(&self.offsets)
            .map_err(std::io::Error::from)
            .map_err(LogError::io("write", &self.path))?;
        replace_small(disk, &self.path, &text)
    }
}
