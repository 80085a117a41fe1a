//! The runtime of the lake's own I/O, and names that meet no other.
//!
//! The lake's calls to the Delta kernel block, and the kernel wants a multi-threaded runtime for its own I/O
//! whichever runtime the caller has. So one small runtime belongs to the process; it is never dropped, as a
//! runtime must not be dropped from async code.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;

use crate::error::LakeError;

/// The runtime on which the kernel does its I/O.
pub(crate) fn runtime() -> Result<&'static Runtime, LakeError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let build = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(2)
            .thread_name("forewarn-lake")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    };
    RUNTIME.get_or_init(build).as_ref().map_err(|error| LakeError::store("starting its threads", error))
}

/// A random number that this process has not given out before.
pub(crate) fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    RandomState::new().hash_one(NEXT.fetch_add(1, Ordering::Relaxed))
}
