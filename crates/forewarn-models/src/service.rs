//! The models of a server: trains them from the lake, keeps their versions, and writes their predictions into
//! the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use forewarn_spec::Model;
use forewarn_types::{AssetPath, Clock, Journal, Promotion, Record, SeriesId, SeriesTable, Timestamp};
use parking_lot::RwLock;
use serde::Serialize;

use crate::artefact::{Artefact, Summary, definition_fingerprint};
use crate::error::ModelError;
use crate::history::{Extent, History};
use crate::lives::{Lives, lives_of};
use crate::registry::Registry;
use crate::remembered::Remembered;

/// Earlier than any reading, and still a date that every table format can write.
pub(crate) const EARLIEST: Timestamp = Timestamp::from_secs(-5_000_000_000);
/// So long the start waits for the lake to say which versions are in force.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most versions that are shown, the newest ones.
const MAX_VERSIONS: usize = 100;

/// All models of a server. Cheap to clone.
#[derive(Clone)]
pub struct ModelService {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    served: RwLock<Vec<Arc<Served>>>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) registry: Registry,
    pub(crate) journal: Arc<dyn Journal>,
    series: Arc<RwLock<SeriesTable>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// One model and the version in force.
pub(crate) struct Served {
    pub(crate) model: Arc<Model>,
    in_force: RwLock<InForce>,
    /// One promotion at a time, so that they take effect in the order of their records.
    promoting: tokio::sync::Mutex<()>,
    /// One training at a time.
    pub(crate) training: tokio::sync::Mutex<()>,
    /// One round of predictions at a time.
    pub(crate) predicting: tokio::sync::Mutex<Remembered>,
}

#[derive(Clone, Default)]
struct InForce {
    version: Option<Arc<Version>>,
    problem: Option<String>,
    /// Which version is in force could not be asked so far.
    unknown: bool,
}

/// A version that has been read.
#[derive(Debug)]
pub(crate) struct Version {
    /// Its name.
    pub name: String,
    /// Its content.
    pub artefact: Artefact,
}

/// A model as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelStatus {
    /// Its name.
    pub model: String,
    /// Which assets it predicts for.
    pub assets: String,
    /// The signals it uses.
    pub signals: Vec<String>,
    /// Unit of its predictions.
    pub unit: String,
    /// Longest time to failure that it predicts, in `unit`; longer ones all count as this.
    pub cap: f64,
    /// The version in force.
    pub version: Option<VersionInfo>,
    /// Why it cannot predict, and what to do.
    pub problem: Option<String>,
}

/// A version as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionInfo {
    /// Its name.
    pub version: String,
    /// Whether predictions come from it.
    pub current: bool,
    /// Whether it was trained for the present definition; if not it cannot be put in force.
    pub usable: bool,
    /// What it was trained on, and how well it does.
    pub summary: Summary,
}

/// An asset that a model may predict for.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    /// Its path.
    pub path: AssetPath,
    /// One for each signal of the model; `None` while there is no reading of it.
    pub series: Vec<Option<SeriesId>>,
}

impl ModelService {
    /// Opens the models over any history. A damaged version does not keep the others from working; its model
    /// says so in [`ModelStatus::problem`].
    pub(crate) async fn with_history(
        models: Vec<Model>,
        history: Arc<dyn History>,
        journal: Arc<dyn Journal>,
        series: Arc<RwLock<SeriesTable>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ModelError> {
        let registry = Registry::new(history.clone());
        let served = RwLock::new(models.into_iter().map(Served::new).map(Arc::new).collect());
        let models = Self { inner: Arc::new(Inner { served, history, registry, journal, series, clock }) };
        // Where the lake is not up to date yet, the models are read when they are asked for first.
        let _ = tokio::time::timeout(PATIENCE, models.read()).await;
        Ok(models)
    }

    /// Reads the versions in force that could not be read so far. What cannot be read now either says so in
    /// its [`ModelStatus::problem`].
    pub async fn read(&self) {
        let served = self.inner.served.read().clone();
        for served in served {
            if self.inner.known(&served).await.is_err() {
                return;
            }
        }
    }

    /// Has the models be `models`. One that is defined as before is not touched. Of one that is defined anew
    /// the version in force stays so if it fits; a training at work ends without promoting what it makes.
    pub async fn update(&self, models: Vec<Model>) {
        {
            let mut served = self.inner.served.write();
            let former = std::mem::take(&mut *served);
            *served = models
                .into_iter()
                .map(|model| {
                    let same = former.iter().find(|served| served.is_defined_as(&model));
                    same.map_or_else(|| Arc::new(Served::new(model)), Arc::clone)
                })
                .collect();
        }
        // Where the lake does not answer, the models are read when they are asked for first.
        let _ = tokio::time::timeout(PATIENCE, self.read()).await;
    }

    /// All models, and what each predicts with.
    #[must_use]
    pub fn models(&self) -> Vec<ModelStatus> {
        self.inner.served.read().iter().map(|served| served.status()).collect()
    }

    /// The versions of `model`, newest first, at most 100. A damaged one is left out and logged.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`] and [`ModelError::Lake`].
    pub async fn versions(&self, model: &str) -> Result<Vec<VersionInfo>, ModelError> {
        let served = self.inner.served(model)?;
        self.inner.known(&served).await?;
        let mut found = Vec::new();
        for name in self.inner.registry.versions(model).await?.into_iter().rev().take(MAX_VERSIONS) {
            match self.inner.registry.load(model, &name).await {
                Ok(artefact) => found.push(served.info(&name, &artefact)),
                Err(error @ ModelError::Lake(_)) => return Err(error),
                Err(error) => tracing::warn!(model, version = name, %error, "a version cannot be read"),
            }
        }
        Ok(found)
    }

    /// Puts `version` of `model` in force.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::UnknownVersion`], [`ModelError::DefinitionChanged`],
    /// [`ModelError::Artefact`], [`ModelError::Lake`] and [`ModelError::Journal`].
    pub async fn promote(
        &self,
        model: &str,
        version: &str,
        actor: Option<String>,
        reason: Option<String>,
    ) -> Result<(), ModelError> {
        let served = self.inner.served(model)?;
        let artefact = self.inner.registry.load(model, version).await?;
        let version = Version { name: version.to_owned(), artefact };
        self.inner.put_in_force(&served, version, actor, reason).await
    }
}

impl Inner {
    pub(crate) fn served(&self, model: &str) -> Result<Arc<Served>, ModelError> {
        let all = self.served.read();
        all.iter().find(|served| served.model.name == model).cloned().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|served| served.model.name.as_str()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            ModelError::UnknownModel { name: model.chars().take(80).collect(), known }
        })
    }

    /// Sees to it that the version in force is known.
    ///
    /// # Errors
    /// [`ModelError::Lake`] if the lake does not answer. A version that cannot be used is told by the status.
    pub(crate) async fn known(&self, served: &Served) -> Result<(), ModelError> {
        let _alone = served.promoting.lock().await;
        if !served.in_force.read().unknown {
            return Ok(());
        }
        let read = self.read_current(&served.model).await;
        let (version, problem, unknown) = match &read {
            Ok(version) => (version.clone(), None, false),
            Err(error) => {
                tracing::warn!(model = served.model.name, %error, "the version in force cannot be used");
                (None, Some(error.to_string()), matches!(error, ModelError::Lake(_)))
            }
        };
        *served.in_force.write() = InForce { version, problem, unknown };
        match read {
            Err(error @ ModelError::Lake(_)) => Err(error),
            _ => Ok(()),
        }
    }

    async fn read_current(&self, model: &Model) -> Result<Option<Arc<Version>>, ModelError> {
        let Some(name) = self.registry.current(&model.name).await? else { return Ok(None) };
        let artefact = self.registry.load(&model.name, &name).await?;
        Ok(Some(Arc::new(Version { name, artefact })))
    }

    /// Puts `version` in force, on record.
    pub(crate) async fn put_in_force(
        &self,
        served: &Served,
        version: Version,
        actor: Option<String>,
        reason: Option<String>,
    ) -> Result<(), ModelError> {
        let model = &served.model;
        let is_present =
            self.served(&model.name).is_ok_and(|present| std::ptr::eq(&raw const *present, served));
        if !is_present || version.artefact.definition != definition_fingerprint(model) {
            return Err(ModelError::DefinitionChanged { model: model.name.clone(), version: version.name });
        }
        self.known(served).await?;
        let _alone = served.promoting.lock().await;
        let from = served.in_force.read().version.as_ref().map(|version| version.name.clone());
        let promotion = Promotion {
            model: model.name.clone(),
            version: version.name.clone(),
            from,
            actor,
            reason,
            time: self.clock.now(),
        };
        let time = promotion.time;
        self.journal.append(Record::Promotion(promotion)).await?;
        if let Err(error) = self.registry.note_current(&model.name, &version.name, time).await {
            tracing::warn!(model = model.name, %error, "the version in force is on record, but not noted");
        }
        *served.in_force.write() = InForce { version: Some(Arc::new(version)), ..InForce::default() };
        Ok(())
    }

    /// The assets that `model` matches and that have at least one of its signals, by path.
    pub(crate) fn assets(&self, model: &Model) -> BTreeMap<AssetPath, Asset> {
        let mut found: BTreeMap<AssetPath, Asset> = BTreeMap::new();
        let table = self.series.read();
        for def in table.defs() {
            let Some(signal) = model.signals.iter().position(|signal| *signal == def.signal) else {
                continue;
            };
            if let Some(asset) = found.get_mut(&def.asset) {
                asset.series[signal] = Some(def.id);
            } else if model.assets.matches(&def.asset) {
                let mut series = vec![None; model.signals.len()];
                series[signal] = Some(def.id);
                found.insert(def.asset.clone(), Asset { path: def.asset.clone(), series });
            }
        }
        found
    }

    /// The lives of all assets of `model` as known at `to`, given where their readings lie.
    pub(crate) async fn lives(
        &self,
        model: &Model,
        to: Timestamp,
        extents: &HashMap<AssetPath, Extent>,
    ) -> Result<BTreeMap<AssetPath, Lives>, ModelError> {
        let mut events: BTreeMap<AssetPath, Vec<_>> = BTreeMap::new();
        for row in self.history.life_events(to).await? {
            if model.assets.matches(&row.asset) {
                events.entry(row.asset).or_default().push((row.time, row.event));
            }
        }
        for asset in extents.keys().filter(|asset| model.assets.matches(asset)) {
            events.entry(asset.clone()).or_default();
        }
        let lives = |(asset, events): (AssetPath, Vec<_>)| {
            let first = extents.get(&asset).map(|extent| extent.first);
            (asset, lives_of(first, &events))
        };
        Ok(events.into_iter().map(lives).collect())
    }
}

impl Served {
    /// A model of which it is not known yet which version is in force.
    fn new(model: Model) -> Self {
        Self {
            model: Arc::new(model),
            in_force: RwLock::new(InForce { unknown: true, ..InForce::default() }),
            promoting: tokio::sync::Mutex::default(),
            training: tokio::sync::Mutex::default(),
            predicting: tokio::sync::Mutex::default(),
        }
    }

    /// Whether it is defined as `model` is, in all that a definition says.
    fn is_defined_as(&self, model: &Model) -> bool {
        format!("{:?}", self.model) == format!("{model:?}")
    }

    /// The version in force, if it fits the definition.
    pub(crate) fn version(&self) -> Result<Arc<Version>, ModelError> {
        let version = self.in_force.read().version.clone();
        let version = version.ok_or_else(|| ModelError::NotTrained(self.model.name.clone()))?;
        if version.artefact.definition == definition_fingerprint(&self.model) {
            Ok(version)
        } else {
            Err(ModelError::DefinitionChanged {
                model: self.model.name.clone(),
                version: version.name.clone(),
            })
        }
    }

    pub(crate) fn info(&self, name: &str, artefact: &Artefact) -> VersionInfo {
        let current = self.in_force.read().version.as_ref().is_some_and(|version| version.name == name);
        let usable = artefact.definition == definition_fingerprint(&self.model);
        VersionInfo { version: name.to_owned(), current, usable, summary: artefact.summary.clone() }
    }

    fn status(&self) -> ModelStatus {
        let InForce { version, problem, .. } = self.in_force.read().clone();
        ModelStatus {
            model: self.model.name.clone(),
            assets: self.model.assets.as_str().to_owned(),
            signals: self.model.signals.iter().map(ToString::to_string).collect(),
            unit: self.model.target.unit.to_string(),
            cap: self.model.target.cap,
            version: version.map(|version| self.info(&version.name, &version.artefact)),
            problem: problem.or_else(|| self.version().err().map(|error| error.to_string())),
        }
    }
}

/// Runs what keeps a core busy where it does not hold up the server.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ModelError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ModelError::Interrupted(error.to_string()))
}

/// Extents by asset.
pub(crate) fn by_asset(extents: Vec<Extent>) -> HashMap<AssetPath, Extent> {
    extents.into_iter().map(|extent| (extent.asset.clone(), extent)).collect()
}
