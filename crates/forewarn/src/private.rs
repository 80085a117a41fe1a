//! What the server writes is for its own user: readings, comments and definitions are nobody else's business.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// What the owner alone may do with a folder.
const OWNER_ONLY: u32 = 0o700;

/// Creates `data_dir` for this user alone. Nobody else gets to what lies in it, whatever its own mode is.
///
/// # Errors
/// If the folder cannot be made.
pub(crate) fn create_data_dir(folder: &Path) -> Result<()> {
    match folder.metadata() {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => tracing::warn!(
            data_dir = %folder.display(),
            "other users of this machine may read data_dir; `chmod 700` keeps it private"
        ),
        Ok(_) => {}
        Err(_) => {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(OWNER_ONLY);
            builder.create(folder).with_context(|| {
                format!("cannot create the folder {}: check the owner of the one above", folder.display())
            })?;
        }
    }
    Ok(())
}
