//! Training a model from the lake: find the failed lives, put their readings on rows, fit, store, promote.

use std::collections::{BTreeMap, HashMap};

use forewarn_spec::{Model, Promote};
use forewarn_types::{AssetPath, Offset, Timestamp};
use serde::Serialize;

use crate::artefact::{Artefact, SeenLife, Summary};
use crate::dataset::DatasetBuilder;
use crate::error::ModelError;
use crate::grid::{GridBuilder, MAX_CELLS, cells};
use crate::history::{Extent, NO_SERIES, Reader, Wanted};
use crate::lives::{Lives, Outcome};
use crate::rival::{Comparison, Rival};
use crate::service::{Asset, EARLIEST, Inner, ModelService, Version, blocking, by_asset};
use crate::train::{Context, MIN_FAILED_LIVES, Trained, train};

/// Most lives that share the queries to the lake and are in memory at once.
const GROUP: usize = 16;
/// Most warnings in a report.
const MAX_WARNINGS: usize = 20;

/// What came of a training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// The model.
    pub model: String,
    /// The new version.
    pub version: String,
    /// Whether it is in force now.
    pub promoted: bool,
    /// Why it is or is not.
    pub reason: String,
    /// How it fared against the version in force, on the same lives, which neither had seen; nothing if there
    /// were none.
    pub comparison: Option<Comparison>,
    /// What it was trained on, and how well it does.
    pub summary: Summary,
    /// What a person should check, such as life events that fit nowhere.
    pub warnings: Vec<String>,
}

/// A failed life that is to be learnt from. Times are µs.
#[derive(Debug, Clone)]
struct FailedLife {
    asset: Asset,
    start: i64,
    /// Where its readings begin.
    from: i64,
    end: i64,
    until: i64,
}

impl FailedLife {
    fn seen(&self) -> SeenLife {
        SeenLife { asset: self.asset.path.clone(), start: self.start, end: self.end }
    }
}

impl ModelService {
    /// Trains `model` on everything before `to`, stores the version, and puts it in force if the definition's
    /// `promote` says so.
    ///
    /// # Errors
    /// [`ModelError::UnknownModel`], [`ModelError::NotEnoughData`], [`ModelError::Numeric`],
    /// [`ModelError::Lake`].
    pub async fn train(&self, model: &str, to: Timestamp) -> Result<TrainReport, ModelError> {
        let inner = &self.inner;
        let served = inner.served(model)?;
        let _alone = served.training.lock().await;
        inner.known(&served).await?;
        let model = &served.model;
        let extents = by_asset(inner.history.extents(&model.signals, EARLIEST, to, Offset(0)).await?);
        let lives = inner.lives(model, to, &extents).await?;
        let mut warnings = stray_events(&lives);
        let failed = inner.failed_lives(model, &lives, &extents, &mut warnings)?;
        let from = Timestamp(failed.iter().map(|life| life.start).min().unwrap_or(0));
        let context = Context { trained: inner.clock.now(), from, to };
        let lives: Vec<SeenLife> = failed.iter().map(FailedLife::seen).collect();
        let rival = served.version().ok().map(|version| Rival::new(model, version));
        let (builder, rival) = inner.collect(model, failed, rival).await?;
        let definition = model.clone();
        let Trained { mut artefact, scored } =
            blocking(move || train(&definition, builder, context)).await??;
        let comparison = rival.as_ref().and_then(|rival| rival.compare(&scored, model.target.cap));
        let (promote, reason) = verdict(model, &artefact, rival.as_ref(), comparison.as_ref(), &lives);
        artefact.lives = lives;
        let version = inner.registry.save(&artefact).await?;
        let summary = artefact.summary.clone();
        warnings.splice(0..0, summary.warnings.iter().cloned());
        if promote {
            let trained = Version { name: version.clone(), artefact };
            let actor = Some(format!("train:{}", model.name));
            inner.put_in_force(&served, trained, actor, Some(reason.clone())).await?;
        }
        tracing::info!(
            model = model.name,
            version,
            promoted = promote,
            rmse = summary.metrics.rmse,
            "model trained"
        );
        warnings.truncate(MAX_WARNINGS);
        Ok(TrainReport {
            model: model.name.clone(),
            version,
            promoted: promote,
            reason,
            comparison,
            summary,
            warnings,
        })
    }
}

impl Inner {
    /// The failed lives that have readings of all signals, in order of their beginning; the newest, if there
    /// are very many.
    fn failed_lives(
        &self,
        model: &Model,
        lives: &BTreeMap<AssetPath, Lives>,
        extents: &HashMap<AssetPath, Extent>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<FailedLife>, ModelError> {
        let assets = self.assets(model);
        let (mut found, mut count) = (Vec::new(), 0_usize);
        for (path, lives) in lives {
            for life in lives.lives.iter().filter(|life| life.outcome == Outcome::Failed) {
                count += 1;
                let (Some(asset), Some(extent), Some(end)) = (assets.get(path), extents.get(path), life.end)
                else {
                    warnings
                        .push(format!("{path} has failed, but has no readings of the signals of this model"));
                    continue;
                };
                let from = life.start.max(extent.first);
                if from < life.until {
                    found.push(FailedLife {
                        asset: asset.clone(),
                        start: life.start,
                        from,
                        end,
                        until: life.until,
                    });
                }
            }
        }
        if count < MIN_FAILED_LIVES {
            let problem = format!(
                "{} has {count} failed lives among {} assets; training needs at least {MIN_FAILED_LIVES}: \
                 post life events (POST /v1/assets/{{asset}}/life-events) for past failures, \
                 and import the readings before them",
                model.name,
                lives.len(),
            );
            return Err(ModelError::NotEnoughData { model: model.name.clone(), problem });
        }
        found.sort_by_key(|life| (life.from, life.end));
        let most = DatasetBuilder::max_lives(model);
        if found.len() > most {
            warnings.push(format!("of {} failed lives the newest {most} are used", found.len()));
            found.drain(..found.len() - most);
        }
        Ok(found)
    }

    /// Reads the lives in groups and turns each into rows of the table. The version in force is asked about
    /// those it has not seen.
    async fn collect(
        &self,
        model: &Model,
        lives: Vec<FailedLife>,
        mut rival: Option<Rival>,
    ) -> Result<(DatasetBuilder, Option<Rival>), ModelError> {
        let every = model.features.every_us.max(1);
        let mut builder = DatasetBuilder::new(model);
        let mut reader = Reader::new();
        for group in groups(lives, every, model.signals.len()) {
            let wanted = group.iter().map(|life| {
                let spec = builder.plan().grid_spec(life.start, life.from, life.until);
                // A signal that the asset has never sent stays unknown: no series has its place.
                let series = life.asset.series.iter().map(|id| id.unwrap_or(NO_SERIES)).collect();
                Wanted {
                    builder: GridBuilder::new(spec, model.signals.len()),
                    series,
                    from: life.from,
                    to: life.until,
                }
            });
            let grids = reader.grids(&self.history, wanted.collect()).await?;
            (builder, rival) = blocking(move || {
                for (grid, life) in grids.iter().zip(group) {
                    let number = builder.add(grid, life.end);
                    let rival = rival.as_mut().filter(|rival| !rival.version.artefact.has_seen(&life.seen()));
                    if let Some((rival, number)) = rival.zip(number) {
                        rival.ask(number, grid);
                    }
                }
                (builder, rival)
            })
            .await?;
        }
        Ok((builder, rival))
    }
}

/// Groups of lives that lie near one another in time: to read them together costs little more than to read
/// one.
fn groups(lives: Vec<FailedLife>, every_us: i64, signals: usize) -> Vec<Vec<FailedLife>> {
    let mut groups: Vec<Vec<FailedLife>> = Vec::new();
    let mut held = 0;
    for life in lives {
        let more = cells(life.until - life.from, every_us, signals);
        let longest =
            |group: &[FailedLife]| group.iter().map(|life| life.until - life.from).max().unwrap_or(0);
        let near = |group: &[FailedLife]| life.until - group[0].from <= 2 * longest(group);
        match groups.last_mut() {
            Some(group) if group.len() < GROUP && held + more <= MAX_CELLS && near(group) => {
                held += more;
                group.push(life);
            }
            _ => {
                held = more;
                groups.push(vec![life]);
            }
        }
    }
    groups
}

fn stray_events(lives: &BTreeMap<AssetPath, Lives>) -> Vec<String> {
    let stray = |(asset, lives): (&AssetPath, &Lives)| {
        let (time, event) = lives.stray.first()?;
        let (time, event) = (Timestamp(*time), event.as_str());
        Some(format!(
            "{asset}: `{event}` at {time} ends no life; \
             post `installed` or `repaired` with the time at which that life began"
        ))
    };
    lives.iter().filter_map(stray).collect()
}

/// Whether a new version takes over, and why.
fn verdict(
    model: &Model,
    artefact: &Artefact,
    rival: Option<&Rival>,
    comparison: Option<&Comparison>,
    lives: &[SeenLife],
) -> (bool, String) {
    let Some(Rival { version: old, .. }) = rival else {
        return match model.promote {
            Promote::Manually => (false, "the definition says `promote: manually`".into()),
            _ => (true, "no usable version was in force".into()),
        };
    };
    match model.promote {
        Promote::Manually => return (false, "the definition says `promote: manually`".into()),
        Promote::Always => return (true, "the definition says `promote: always`".into()),
        Promote::WhenBetter => {}
    }
    let (name, taken_back) = (&old.name, old.artefact.taken_back(lives));
    if taken_back > 0 {
        let why = "the life events of which have been corrected or withdrawn since";
        return (true, format!("{name} was trained on {taken_back} lives, {why}"));
    }
    if let Some(Comparison { lives, champion_rmse, challenger_rmse, .. }) = comparison {
        let better = challenger_rmse <= champion_rmse;
        let word = if better { "not larger" } else { "larger" };
        return (
            better,
            format!(
                "on {lives} lives that neither had seen its error of {challenger_rmse:.3} is {word} than the \
                 {champion_rmse:.3} of {name}"
            ),
        );
    }
    if lives.iter().any(|life| !old.artefact.has_seen(life)) {
        return (true, format!("{name} says nothing about the lives that have ended since it was trained"));
    }
    let (new_rmse, old_rmse) = (artefact.summary.metrics.rmse, old.artefact.summary.metrics.rmse);
    let better = new_rmse <= old_rmse;
    let word = if better { "not larger" } else { "larger" };
    (
        better,
        format!(
            "no life has ended since {name} was trained; on the same lives its cross-validated error of \
             {new_rmse:.3} is {word} than that of {old_rmse:.3}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_room_in_memory() {
        let sizes = |slots: i64, signals: usize| -> Vec<usize> {
            let life = |_| FailedLife {
                asset: Asset { path: "a".into(), series: Vec::new() },
                start: 0,
                from: 0,
                end: slots,
                until: slots,
            };
            groups((0..20).map(life).collect(), 1, signals).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(1_000, 10), [16, 4], "short lives");
        // 180 days of minutes, ten signals: 2.6 million cells a life.
        assert_eq!(sizes(180 * 1_440, 10), [6, 6, 6, 2]);
        assert_eq!(sizes(1 << 40, 10), [1; 20], "lives that do not even fit alone");
    }
}
