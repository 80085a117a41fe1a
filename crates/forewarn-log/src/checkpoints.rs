//! How far each consumer has come: one small JSON file, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use forewarn_types::Offset;

use crate::LogError;

const FILE: &str = "checkpoints.json";

/// What every consumer has told the log, as it stands on disk.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    dir: PathBuf,
    offsets: BTreeMap<String, u64>,
}

impl Checkpoints {
    /// Reads the file in `dir`; none is there before the first checkpoint.
    pub(crate) fn open(dir: &Path) -> Result<Self, LogError> {
        let path = dir.join(FILE);
        let offsets = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| LogError::corrupt(&path, 0, format!("not the JSON object of consumers that was written: {error}")))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(LogError::io("read", &path)(error)),
        };
        Ok(Self { dir: dir.to_owned(), offsets })
    }

    /// Fails if a consumer stands beyond the log's end: records were lost, and their offsets must not be given out again.
    pub(crate) fn check(&self, end: Offset) -> Result<(), LogError> {
        match self.offsets.iter().find(|(_, offset)| **offset > end.0) {
            Some((consumer, &offset)) => Err(LogError::Beyond { consumer: consumer.clone(), offset: Offset(offset), end }),
            None => Ok(()),
        }
    }

    /// Moves `consumer` forward to `offset`, on disk too. A consumer never moves backwards. Returns whether it moved.
    pub(crate) fn advance(&mut self, consumer: &str, offset: Offset) -> Result<bool, LogError> {
        let before = self.offsets.get(consumer).copied();
        if before.is_some_and(|before| before >= offset.0) {
            return Ok(false);
        }
        self.offsets.insert(consumer.to_owned(), offset.0);
        let saved = self.save();
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

    /// Writes a second file and renames it over the first, so that a crash leaves one of them whole.
    fn save(&self) -> Result<(), LogError> {
        let (path, temporary) = (self.dir.join(FILE), self.dir.join("checkpoints.json.tmp"));
        let text = serde_json::to_vec_pretty(&self.offsets).map_err(std::io::Error::from).map_err(LogError::io("write", &path))?;
        let mut file = File::create(&temporary).map_err(LogError::io("create", &temporary))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(LogError::io("write", &temporary))?;
        std::fs::rename(&temporary, &path).map_err(LogError::io("replace", &path))?;
        sync_dir(&self.dir)
    }
}

/// Makes the creation, renaming and removal of files in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(LogError::io("fsync the folder", dir))
}
