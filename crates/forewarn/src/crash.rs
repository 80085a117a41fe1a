//! Lets a test kill the program at a named place (see `forewarn_types::crash_point`). Only a build with debug
//! assertions heeds it.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};
use forewarn_types::on_crash_point;

/// The environment variable: `POINT:N`, to die the N-th time that POINT is passed.
const VARIABLE: &str = "FOREWARN_KILL_AT";

/// Does as the environment says.
///
/// # Errors
/// If it says something that is not understood: a test that kills nobody must not pass.
pub(crate) fn heed_environment() -> Result<()> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(()) };
    let Some((point, passages)) = text.split_once(':') else {
        bail!("{VARIABLE}={text}: write POINT:N, such as lake.marker.before:1")
    };
    let passages: u64 =
        passages.parse().with_context(|| format!("{VARIABLE}={text}: {passages} is no number"))?;
    let (point, left) = (point.to_owned(), AtomicU64::new(passages));
    on_crash_point(move |name| {
        if name == point && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            die();
        }
    });
    Ok(())
}

/// Ends the process as `kill -9` does: no destructor runs, nothing is flushed.
#[expect(
    unsafe_code,
    reason = "the standard library sends no signals; these two calls read no memory of ours"
)]
fn die() -> ! {
    // A process may always kill itself, so there is no failure to be told of.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}
