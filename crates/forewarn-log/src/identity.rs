//! The id of a log: who follows it, and writes elsewhere how far it has come, must never take another log for this one.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::LogError;
use crate::checkpoints::sync_dir;

const FILE: &str = "id";
/// Hexadecimal digits of an id.
const LENGTH: usize = 32;

/// Reads the id of the log in `dir`; one that has none yet gets a random one, durably.
pub(crate) fn open(dir: &Path) -> Result<String, LogError> {
    let path = dir.join(FILE);
    let id = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return create(dir),
        Err(error) => return Err(LogError::io("read", &path)(error)),
    };
    if id.len() != LENGTH || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(LogError::corrupt(&path, 0, format!("not the {LENGTH} hexadecimal digits that were written")));
    }
    Ok(id)
}

fn create(dir: &Path) -> Result<String, LogError> {
    let id = new_id();
    adopt(dir, &id)?;
    Ok(id)
}

/// An id that no other log has.
#[must_use]
pub fn new_id() -> String {
    // The standard library's only source of randomness; it is seeded by the system.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

/// Gives the log in `dir` the id `id`. A second file is written and renamed, so that a crash leaves a whole id or none.
pub(crate) fn adopt(dir: &Path, id: &str) -> Result<(), LogError> {
    let (path, temporary) = (dir.join(FILE), dir.join("id.tmp"));
    let written = File::create(&temporary).and_then(|mut file| {
        writeln!(file, "{id}")?;
        file.sync_all()
    });
    written.map_err(LogError::io("write", &temporary))?;
    std::fs::rename(&temporary, &path).map_err(LogError::io("write", &path))?;
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_id_and_shares_it_with_no_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = open(one.path()).unwrap();
        assert_eq!(open(one.path()).unwrap(), id);
        assert_ne!(open(other.path()).unwrap(), id);
        std::fs::write(one.path().join(FILE), "").unwrap();
        assert!(matches!(open(one.path()), Err(LogError::Corrupt { .. })), "half an id is not taken for one");
    }
}
