//! The versions of a model, as JSON objects in the lake.
//!
//! `models/NAME/versions/VERSION.json` is written once and never changed. Which version is in force follows
//! from the records of promotions. `models/NAME/current.json` names it as well: for where there is no record,
//! as an earlier release has put it in force or the records were too old to be kept. A version's name is the
//! time of its training, so that names sort by age, and the fingerprint of its bytes, so that a damaged
//! object is noticed.

use std::sync::Arc;

use forewarn_types::{Timestamp, fingerprint};
use serde::{Deserialize, Serialize};

use crate::artefact::Artefact;
use crate::error::ModelError;
use crate::history::History;

/// Reads and writes versions.
#[derive(Clone)]
pub(crate) struct Registry {
    history: Arc<dyn History>,
}

/// Content of `current.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Current {
    version: String,
    promoted: Timestamp,
}

impl Registry {
    pub(crate) fn new(history: Arc<dyn History>) -> Self {
        Self { history }
    }

    /// Stores `artefact` as a new version and returns its name.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn save(&self, artefact: &Artefact) -> Result<String, ModelError> {
        let bytes = serde_json::to_vec(artefact).map_err(|error| ModelError::Numeric {
            model: artefact.model.clone(),
            problem: format!("the version cannot be written: {error}"),
        })?;
        let time = artefact.summary.trained.to_utc().format("%Y%m%dT%H%M%SZ");
        let version = format!("{time}-{}", &fingerprint(&bytes)[..8]);
        self.history.put(version_path(&artefact.model, &version), bytes, true).await?;
        Ok(version)
    }

    /// Reads a version.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`], [`ModelError::Artefact`] if the object is damaged, and those of the
    /// store.
    pub(crate) async fn load(&self, model: &str, version: &str) -> Result<Artefact, ModelError> {
        let unknown = || ModelError::UnknownVersion { model: model.to_owned(), version: version.to_owned() };
        if !version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(unknown());
        }
        let path = version_path(model, version);
        let bytes = self.history.get(path.clone()).await?.ok_or_else(unknown)?;
        let damaged = |problem: String| ModelError::Artefact { path: path.clone(), problem };
        if !version.ends_with(&fingerprint(&bytes)[..8]) {
            return Err(damaged("has been changed since it was written".into()));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("was not written by a release that this one can read: {error}")))
    }

    /// The names of all versions of `model`, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn versions(&self, model: &str) -> Result<Vec<String>, ModelError> {
        let paths = self.history.list(format!("models/{model}/versions")).await?;
        let name = |path: &String| Some(path.rsplit('/').next()?.strip_suffix(".json")?.to_owned());
        let mut names: Vec<String> = paths.iter().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The version in force.
    ///
    /// # Errors
    /// Those of the store, and [`ModelError::Artefact`] if what an earlier release has written is damaged.
    pub(crate) async fn current(&self, model: &str) -> Result<Option<String>, ModelError> {
        match self.history.promoted(model).await? {
            Some(version) => Ok(Some(version)),
            None => self.named_earlier(model).await,
        }
    }

    /// Notes which version is in force, which is on record by now.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn note_current(
        &self,
        model: &str,
        version: &str,
        promoted: Timestamp,
    ) -> Result<(), ModelError> {
        let current = Current { version: version.to_owned(), promoted };
        let bytes = serde_json::to_vec(&current).map_err(|error| ModelError::Numeric {
            model: model.to_owned(),
            problem: format!("its version cannot be named: {error}"),
        })?;
        self.history.put(current_path(model), bytes, false).await
    }

    /// The version that is noted, where there is no record of a promotion.
    ///
    /// # Errors
    /// [`ModelError::Artefact`] if the object is damaged, and those of the store.
    async fn named_earlier(&self, model: &str) -> Result<Option<String>, ModelError> {
        let path = current_path(model);
        let Some(bytes) = self.history.get(path.clone()).await? else { return Ok(None) };
        let current: Current = serde_json::from_slice(&bytes).map_err(|error| ModelError::Artefact {
            path,
            problem: format!("does not name a version: {error}"),
        })?;
        Ok(Some(current.version))
    }
}

fn version_path(model: &str, version: &str) -> String {
    format!("models/{model}/versions/{version}.json")
}

fn current_path(model: &str) -> String {
    format!("models/{model}/current.json")
}
