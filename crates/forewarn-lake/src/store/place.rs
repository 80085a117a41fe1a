//! What the refusals of a store mean.
//!
//! S3 names what is wrong by a code in the body of its answer; the client passes that on as text. Here the
//! codes become a sentence that says what to do.

/// What a store is called in messages.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) endpoint: String,
    pub(super) region: String,
}

/// What `said`, the text of an error, means; `None` if it is none of the usual mistakes.
pub(super) fn remedy(said: &str, place: &Place) -> Option<String> {
    let code = said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match code {
        Some((code, _)) => place.remedy_of_code(code.trim()),
        None => place.remedy_of_text(said),
    }
}

impl Place {
    fn remedy_of_code(&self, code: &str) -> Option<String> {
        let Self { bucket, endpoint, .. } = self;
        Some(match code {
            "NoSuchBucket" => {
                format!("has no bucket {bucket} at {endpoint}; create it, or correct its name or AWS_ENDPOINT")
            }
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "TokenRefreshRequired" => format!(
                "refuses the credentials ({code}); correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                 AWS_SESSION_TOKEN"
            ),
            "RequestTimeTooSkewed" => "refuses requests as this machine's clock is wrong \
                                       (RequestTimeTooSkewed); set it, for example by NTP"
                .to_owned(),
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => self.denied(code),
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => self.elsewhere(),
            "NotImplemented" => "does not know conditional puts (NotImplemented), without which commits would \
                                 get lost; use a store, or a version of it, that supports If-None-Match in PUT"
                .to_owned(),
            "SlowDown" | "ServiceUnavailable" | "InternalError" => format!(
                "is overloaded or broken ({code}); nothing is wrong with the settings, try again later"
            ),
            _ => return None,
        })
    }

    /// Of an answer without a code, or of none.
    fn remedy_of_text(&self, said: &str) -> Option<String> {
        let Self { bucket, endpoint, .. } = self;
        let says = |part: &str| said.contains(part);
        if says("169.254.169.254") {
            return Some(
                "wants credentials and there are none; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            );
        }
        if says("redirect without LOCATION") || says("status code: 30") {
            return Some(self.elsewhere());
        }
        if says("status code: 403") {
            return Some(self.denied("403 Forbidden"));
        }
        if says("status code: 404") {
            return Some(format!(
                "has nothing at {endpoint}/{bucket} (404 Not Found); create the bucket, or correct \
                 AWS_ENDPOINT"
            ));
        }
        (says("HTTP error") || says("error sending request")).then(|| {
            format!(
                "cannot be reached at {endpoint}; correct AWS_ENDPOINT, or check the network and the store \
                 ({said})"
            )
        })
    }

    fn elsewhere(&self) -> String {
        let Self { bucket, endpoint, region } = self;
        format!(
            "has its bucket {bucket} in another region than {region}, or at another address than {endpoint}; \
             correct AWS_REGION or AWS_ENDPOINT"
        )
    }

    fn denied(&self, code: &str) -> String {
        format!(
            "refuses access to the bucket {} ({code}); allow the user of AWS_ACCESS_KEY_ID s3:GetObject, \
             s3:PutObject, s3:DeleteObject and s3:ListBucket on it",
            self.bucket
        )
    }
}
