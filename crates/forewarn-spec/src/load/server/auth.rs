//! `auth`: who may use the server.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{DAY_US, MINUTE_US};
use crate::diagnostics::Report;
use crate::model::{AuthConfig, AuthMode};
use crate::yaml::field::{Choice, Chosen, Text, choice};
use crate::yaml::kinds::PositiveDuration;
use crate::yaml::values::positive_duration;

/// Who may use the server.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Auth")]
pub(super) struct RawAuth {
    /// Whether users have to say who they are. `off` goes only with an address of the loopback.
    #[schemars(extend("default" = "off"))]
    mode: Option<Chosen<AuthMode>>,
    /// A login ends when it has not been used for so long.
    #[schemars(extend("default" = "8h"))]
    session_idle: Option<Text<PositiveDuration>>,
    /// A login ends after so long in any case.
    #[schemars(extend("default" = "7d"))]
    session: Option<Text<PositiveDuration>>,
}

impl Choice for AuthMode {
    const NAME: &'static str = "AuthMode";
    const ABOUT: &'static str = "Whether users have to say who they are.";
    const CHOICES: &'static [(&'static str, Self)] = &[("off", Self::Off), ("users", Self::Users)];
}

impl RawAuth {
    /// The checked settings.
    pub(super) fn settings(&self, report: &mut Report<'_>) -> AuthConfig {
        AuthConfig {
            mode: self.mode.as_ref().and_then(|mode| choice(mode, report)).unwrap_or_default(),
            session_idle_us: self
                .session_idle
                .as_ref()
                .map_or(480 * MINUTE_US, |text| positive_duration(text, report)),
            session_us: self.session.as_ref().map_or(7 * DAY_US, |text| positive_duration(text, report)),
        }
    }
}
