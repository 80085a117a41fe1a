//! Predicting from the lake: for each running life, what the version in force says at its newest row.

use std::collections::HashMap;

use forewarn_types::{AssetPath, Offset, Prediction, Record, SeriesId, Timestamp};

use crate::error::ModelError;
use crate::features::FeaturePlan;
use crate::grid::{GridBuilder, MAX_CELLS, cells};
use crate::history::{Extent, Predicted, Reader, Wanted};
use crate::remembered::{Known, Remembered};
use crate::service::{Asset, EARLIEST, Inner, ModelService, Served, Version, blocking, by_asset};
use crate::train::{Latest, latest, plan_of};

/// Most assets that share the queries to the lake and are in memory at once.
const GROUP: usize = 32;
/// Most contributions that a prediction names.
const MAX_CONTRIBUTIONS: usize = 16;

/// An asset with a running life. Times are µs.
struct Candidate {
    asset: Asset,
    life_started: i64,
    /// Time of its newest reading.
    last: i64,
}

impl ModelService {
    /// Predicts, from readings up to and with `at`, for every asset of `model` that has a running life and
    /// any reading, and appends the predictions to the log. An asset without a new reading since this version
    /// predicted for the same life is left out. Returns how many predictions were made.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::NotTrained`], [`ModelError::DefinitionChanged`],
    /// [`ModelError::Lake`] and [`ModelError::Journal`]. Predictions appended before an error stay.
    pub async fn predict(&self, model: &str, at: Timestamp) -> Result<u64, ModelError> {
        let inner = &self.inner;
        let served = inner.served(model)?;
        inner.known(&served).await?;
        let version = served.version()?;
        let mut memory = served.predicting.lock().await;
        let to = at.plus_us(1);
        let extents = inner.extents(&served, &mut memory, to).await?;
        let mut known = match memory.predicted.take() {
            Some(known) => known,
            None => inner.predicted(model).await?,
        };
        let mut candidates = inner.running(&served, &version, to, &extents).await?;
        candidates.retain(|candidate| {
            let last = known.get(&candidate.asset.path);
            let last = last.map(|last| (&last.version, last.time, last.life_started));
            last != Some((&version.name, candidate.last, candidate.life_started))
        });
        let made = inner.predict_all(&served, &version, to, candidates, &mut known).await;
        memory.predicted = Some(known);
        made
    }

    /// Predicts for one asset, whether or not it has new readings, and appends the prediction to the log.
    /// `None`: it has no running life, or no row where all signals are known.
    ///
    /// # Errors
    /// As [`ModelService::predict`].
    pub async fn predict_asset(
        &self,
        model: &str,
        asset: &str,
        at: Timestamp,
    ) -> Result<Option<Prediction>, ModelError> {
        let inner = &self.inner;
        let served = inner.served(model)?;
        inner.known(&served).await?;
        let version = served.version()?;
        let to = at.plus_us(1);
        let extents = by_asset(inner.history.extents(&served.model.signals, EARLIEST, to, Offset(0)).await?);
        let mut candidates = inner.running(&served, &version, to, &extents).await?;
        candidates.retain(|candidate| *candidate.asset.path == *asset);
        let prediction =
            inner.predictions(&served, &version, to, &mut Reader::new(), candidates).await?.pop();
        if let Some(prediction) = &prediction {
            inner.journal.append(Record::Prediction(prediction.clone())).await?;
        }
        Ok(prediction)
    }
}

impl Inner {
    /// Where the readings before `to` lie. What is remembered is completed with what was stored since,
    /// however old it is, and with what lies between the former and the present `to`. If `to` is earlier than
    /// before, everything is asked again.
    async fn extents(
        &self,
        served: &Served,
        memory: &mut Remembered,
        to: Timestamp,
    ) -> Result<HashMap<AssetPath, Extent>, ModelError> {
        let signals = &served.model.signals;
        let all = || self.history.extents(signals, EARLIEST, to, Offset(0));
        let (mut extents, news) = match &memory.known {
            Some(known) if known.to > to => return Ok(by_asset(all().await?)),
            Some(known) => {
                // In this order, a record that is stored in between is in the second answer.
                let mut news = if known.to < to {
                    self.history.extents(signals, known.to, to, Offset(0)).await?
                } else {
                    Vec::new()
                };
                news.extend(self.history.extents(signals, EARLIEST, to, known.next).await?);
                (known.extents.clone(), news)
            }
            None => (HashMap::new(), all().await?),
        };
        for new in news {
            let old = extents.entry(new.asset.clone()).or_insert_with(|| new.clone());
            old.first = old.first.min(new.first);
            old.last = old.last.max(new.last);
            old.newest = old.newest.max(new.newest);
        }
        let next = extents.values().map(|extent| extent.newest.next()).max().unwrap_or_default();
        memory.known = Some(Known { extents: extents.clone(), to, next });
        Ok(extents)
    }

    async fn predicted(&self, model: &str) -> Result<HashMap<AssetPath, Predicted>, ModelError> {
        let newest = self.history.newest_predictions(model).await?;
        Ok(newest.into_iter().map(|last| (last.asset.clone(), last)).collect())
    }

    /// The assets with a running life and all signals that `version` uses; those with old readings first, so
    /// that neighbours lie near one another in time. The series are those of the version's signals.
    async fn running(
        &self,
        served: &Served,
        version: &Version,
        to: Timestamp,
        extents: &HashMap<AssetPath, Extent>,
    ) -> Result<Vec<Candidate>, ModelError> {
        let model = &served.model;
        let used: Vec<usize> = version
            .artefact
            .signals
            .iter()
            .filter_map(|name| model.signals.iter().position(|signal| **signal == **name))
            .collect();
        let lives = self.lives(model, to, extents).await?;
        let mut found = Vec::new();
        for (path, mut asset) in self.assets(model) {
            let running = lives.get(&path).and_then(|lives| lives.running());
            let (Some(life), Some(extent)) = (running, extents.get(&path)) else { continue };
            asset.series = used.iter().map(|&signal| asset.series[signal]).collect();
            if asset.series.iter().any(Option::is_none) {
                tracing::debug!(
                    asset = &*path,
                    model = model.name,
                    "no prediction: the asset lacks a signal of the model"
                );
            } else if extent.last >= life.start {
                found.push(Candidate { asset, life_started: life.start, last: extent.last });
            }
        }
        found.sort_by(|a, b| (a.last, &a.asset.path).cmp(&(b.last, &b.asset.path)));
        Ok(found)
    }

    async fn predict_all(
        &self,
        served: &Served,
        version: &Version,
        to: Timestamp,
        mut candidates: Vec<Candidate>,
        known: &mut HashMap<AssetPath, Predicted>,
    ) -> Result<u64, ModelError> {
        let mut reader = Reader::new();
        let mut made = 0;
        let size = group_size(&plan_of(&served.model, &version.artefact));
        while !candidates.is_empty() {
            let rest = candidates.split_off(candidates.len().min(size));
            let group = std::mem::replace(&mut candidates, rest);
            for prediction in self.predictions(served, version, to, &mut reader, group).await? {
                let news = Predicted {
                    asset: prediction.asset.clone(),
                    version: prediction.version.clone(),
                    time: prediction.time.0,
                    life_started: prediction.life_started.0,
                };
                if known.get(&news.asset) == Some(&news) {
                    continue;
                }
                self.journal.append(Record::Prediction(prediction)).await?;
                made += 1;
                known.insert(news.asset.clone(), news);
            }
        }
        Ok(made)
    }

    /// The predictions for `candidates`; those without a complete row are left out.
    async fn predictions(
        &self,
        served: &Served,
        version: &Version,
        to: Timestamp,
        reader: &mut Reader,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<Prediction>, ModelError> {
        let plan = plan_of(&served.model, &version.artefact);
        if !version.artefact.fits(&plan.columns()) {
            return Err(ModelError::DefinitionChanged {
                model: served.model.name.clone(),
                version: version.name.clone(),
            });
        }
        let wanted = candidates.iter().map(|candidate| {
            let from = candidate.last.saturating_sub(plan.look_back_us()).max(candidate.life_started);
            let series: Vec<SeriesId> = candidate.asset.series.iter().filter_map(|&id| id).collect();
            let spec = plan.grid_spec(candidate.life_started, from, to.0);
            Wanted {
                builder: GridBuilder::new(spec, series.len()),
                series,
                from,
                to: candidate.last.saturating_add(1).min(to.0),
            }
        });
        let grids = reader.grids(&self.history, wanted.collect()).await?;
        let artefact = version.artefact.clone();
        let statements =
            blocking(move || grids.iter().map(|grid| latest(&plan, &artefact, grid)).collect::<Vec<_>>())
                .await?;
        let made = self.clock.now();
        let predictions = candidates.into_iter().zip(statements).filter_map(|(candidate, latest)| {
            let Latest { from, time, mut statement } = latest?;
            statement.contributions.truncate(MAX_CONTRIBUTIONS);
            Some(Prediction {
                model: served.model.name.clone(),
                version: version.name.clone(),
                asset: candidate.asset.path,
                time: Timestamp(time),
                made,
                unit: version.artefact.unit.clone(),
                p05: statement.p05,
                p50: statement.p50,
                p95: statement.p95,
                cap: version.artefact.cap,
                contributions: statement.contributions,
                out_of_distribution: statement.out_of_distribution,
                life_started: Timestamp(candidate.life_started),
                from: Some(Timestamp(from)),
                coverage: Some(served.model.coverage),
            })
        });
        Ok(predictions.filter(is_finite).collect())
    }
}

/// Whether the log can hold the prediction: JSON knows finite numbers only.
fn is_finite(prediction: &Prediction) -> bool {
    let Prediction { model, asset, p05, p50, p95, cap, contributions, .. } = prediction;
    let finite = [p05, p50, p95, cap]
        .into_iter()
        .chain(contributions.iter().map(|part| &part.weight))
        .all(|number| number.is_finite());
    if !finite {
        tracing::warn!(
            %model, %asset, p05, p50, p95,
            "a prediction is not finite and is dropped; check the values of the asset"
        );
    }
    finite
}

/// How many assets may be in memory at once, with all that `plan` looks back on.
fn group_size(plan: &FeaturePlan) -> usize {
    (MAX_CELLS / cells(plan.look_back_us(), plan.every_us, plan.signals.len())).clamp(1, GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::core::{HOUR, model};

    #[test]
    fn a_group_has_room_in_memory() {
        let size = |every_us: i64, window_us: i64| {
            let mut model = model(&["a", "b", "c", "d"], &[]);
            (model.features.every_us, model.features.windows_us) = (every_us, vec![window_us]);
            group_size(&FeaturePlan::new(&model, model.signals.clone()))
        };
        assert_eq!(size(HOUR, 168 * HOUR), GROUP);
        // A week of seconds, half as long again for values carried forward, four signals: 3.6 million cells
        // an asset.
        assert_eq!(size(1_000_000, 168 * HOUR), 4);
        assert_eq!(size(1_000_000, 168_000 * HOUR), 1);
    }
}
