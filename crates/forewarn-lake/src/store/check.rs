//! The check of a store before anything relies on it, and what its refusals mean.
//!
//! S3 names what is wrong by a code in the body of its answer; the client passes that on as text. Here the
//! codes become a sentence that says what to do.

use bytes::Bytes;
use forewarn_types::Timestamp;
use object_store::ObjectStoreExt as _;

use super::{ObjectFiles, unique};

const MINUTE_US: i64 = 60_000_000;
/// S3 refuses requests that are signed with a clock this far off: "The difference between the request time
/// and the current time is too large" (Amazon S3 API reference, error code `RequestTimeTooSkewed`, 15
/// minutes).
const SKEW_REFUSED_US: i64 = 15 * MINUTE_US;
/// From here on it is worth a warning.
const SKEW_ODD_US: i64 = 5 * MINUTE_US;

/// What a store is called in messages.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) endpoint: String,
    pub(super) region: String,
}

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
            return Err("overwrites files although told not to (no conditional put), so that commits would get lost; use a store, or a \
                        version of it, that heeds If-None-Match in PUT"
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
            "has a clock that differs: this machine's is {minutes} minutes {side} the store's; set it, for example by NTP"
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

/// What `said`, the text of an error, means; `None` if it is none of the usual mistakes.
pub(super) fn remedy(said: &str, place: &Place) -> Option<String> {
    let Place { bucket, endpoint, region } = place;
    let code = said
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code.trim());
    let wrong_region = || {
        format!(
            "has its bucket {bucket} in another region than {region}, or at another address than {endpoint}; correct AWS_REGION or AWS_ENDPOINT"
        )
    };
    let denied = |code: &str| {
        format!(
            "refuses access to the bucket {bucket} ({code}); allow the user of AWS_ACCESS_KEY_ID s3:GetObject, s3:PutObject, \
             s3:DeleteObject and s3:ListBucket on it"
        )
    };
    Some(match code {
        Some("NoSuchBucket") => format!("has no bucket {bucket} at {endpoint}; create it, or correct its name or AWS_ENDPOINT"),
        Some(code @ ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" | "TokenRefreshRequired")) => {
            format!("refuses the credentials ({code}); correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
        }
        Some("RequestTimeTooSkewed") => "refuses requests as this machine's clock is wrong (RequestTimeTooSkewed); set it, for example \
                                         by NTP"
            .to_owned(),
        Some(code @ ("AccessDenied" | "AllAccessDisabled" | "AccountProblem")) => denied(code),
        Some("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            wrong_region()
        }
        Some("NotImplemented") => "does not know conditional puts (NotImplemented), without which commits would get lost; use a store, or \
                                   a version of it, that heeds If-None-Match in PUT"
            .to_owned(),
        Some(code @ ("SlowDown" | "ServiceUnavailable" | "InternalError")) => {
            format!("is overloaded or broken ({code}); nothing is wrong with the settings, try again later")
        }
        None if said.contains("169.254.169.254") => "wants credentials and there are none; set AWS_ACCESS_KEY_ID and \
                                                     AWS_SECRET_ACCESS_KEY"
            .to_owned(),
        None if said.contains("redirect without LOCATION") || said.contains("status code: 30") => wrong_region(),
        None if said.contains("status code: 403") => denied("403 Forbidden"),
        None if said.contains("status code: 404") => {
            format!("has nothing at {endpoint}/{bucket} (404 Not Found); create the bucket, or correct AWS_ENDPOINT")
        }
        None if said.contains("HTTP error") || said.contains("error sending request") => {
            format!("cannot be reached at {endpoint}; correct AWS_ENDPOINT, or see to the network and the store ({said})")
        }
        _ => return None,
    })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
