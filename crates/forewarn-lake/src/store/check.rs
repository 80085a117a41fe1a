//! The check of a store before anything relies on it.

use bytes::Bytes;
use forewarn_types::Timestamp;
use object_store::ObjectStoreExt as _;

use super::files::ObjectFiles;
use super::place::remedy;
use super::runtime::unique;

const MINUTE_US: i64 = 60_000_000;
/// S3 refuses requests that are signed with a clock this far off: "The difference between the request time
/// and the current time is too large" (Amazon S3 API reference, error code `RequestTimeTooSkewed`, 15
/// minutes).
const SKEW_REFUSED_US: i64 = 15 * MINUTE_US;
/// From here on it is worth a warning.
const SKEW_ODD_US: i64 = 5 * MINUTE_US;

impl ObjectFiles {
    /// Writes a file, tries to write it again, looks at it and deletes it. A commit is a file that must not
    /// exist yet: on a store that overwrites silently two writers would both believe they won.
    ///
    /// # Errors
    /// What is wrong with the store and what to do about it, in words.
    pub(super) async fn check(&self, now: Timestamp) -> Result<(), String> {
        let plain = |error: &dyn std::fmt::Display| self.explain(&error.to_string());
        let path = format!("_forewarn/probe-{:016x}", unique());
        let put = async || self.put(&path, Bytes::from_static(b"probe"), true).await;
        put().await.map_err(|error| plain(&error))?;
        // The first answer says nothing: a request that is repeated as its answer got lost finds its own
        // file.
        let again = put().await.map_err(|error| plain(&error));
        let seen = self.store.head(&self.path(&path)).await.map_err(|error| plain(&error));
        self.store
            .delete(&self.path(&path))
            .await
            .map_err(|error| format!("{}, when deleting a probe file", plain(&error)))?;
        if again? {
            return Err("overwrites files although told not to (no conditional put), so that commits would \
                get lost; use a store, or a \
                        version of it, that supports If-None-Match in PUT"
                .into());
        }
        let written = Timestamp(seen?.last_modified.timestamp_micros());
        if self.local { Ok(()) } else { compare_clocks(now, written) }
    }

    fn explain(&self, said: &str) -> String {
        self.place.as_ref().and_then(|place| remedy(said, place)).unwrap_or_else(|| said.to_owned())
    }
}

fn compare_clocks(now: Timestamp, store: Timestamp) -> Result<(), String> {
    let apart = now.since_us(store);
    let side = if apart > 0 { "ahead of" } else { "behind" };
    let minutes = apart.abs() / MINUTE_US;
    if apart.abs() > SKEW_REFUSED_US {
        return Err(format!(
            "has a clock that differs: this machine's is {minutes} minutes {side} the store's; set it, for \
             example by NTP"
        ));
    }
    if apart.abs() > SKEW_ODD_US {
        tracing::warn!(
            minutes,
            "this machine's clock is {side} the store's; at 15 minutes the store refuses all requests: set it"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
