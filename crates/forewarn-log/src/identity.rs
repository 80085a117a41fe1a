//! The id of a log: who follows it, and writes elsewhere how far it has come, must never take another log for
//! this one.

use std::hash::{BuildHasher as _, RandomState};
use std::io::ErrorKind;
use std::path::Path;

use crate::LogError;
use crate::disk::{Disk, read_small, replace_small};

const FILE: &str = "id";
/// Hexadecimal digits of an id.
const LENGTH: usize = 32;

/// Reads the id of the log in `dir`; one that has none yet gets a random one, durably.
pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<String, LogError> {
    let path = dir.join(FILE);
    let id = match read_small(disk, &path) {
        Ok(text) => String::from_utf8_lossy(text.trim_ascii_end()).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return create(disk, dir),
        Err(error) => return Err(LogError::io("read", &path)(error)),
    };
    if id.len() != LENGTH || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(LogError::corrupt(
            &path,
            0,
            format!("not the {LENGTH} hexadecimal digits that were written"),
        ));
    }
    Ok(id)
}

fn create(disk: &dyn Disk, dir: &Path) -> Result<String, LogError> {
    let id = new_id();
    give(disk, dir, &id)?;
    Ok(id)
}

/// An id that no other log has.
#[must_use]
pub fn new_id() -> String {
    // The standard library's only source of randomness; it is seeded by the system.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

/// Gives the log in `dir` the id `id`, durably.
pub(crate) fn give(disk: &dyn Disk, dir: &Path, id: &str) -> Result<(), LogError> {
    replace_small(disk, &dir.join(FILE), format!("{id}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;

    #[test]
    fn a_log_keeps_its_id_and_shares_it_with_no_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = open(&RealDisk, one.path()).unwrap();
        assert_eq!(open(&RealDisk, one.path()).unwrap(), id);
        assert_ne!(open(&RealDisk, other.path()).unwrap(), id);
        std::fs::write(one.path().join(FILE), "").unwrap();
        assert!(
            matches!(open(&RealDisk, one.path()), Err(LogError::Corrupt { .. })),
            "half an id is not taken for one"
        );
    }
}
