//! From failed lives to a trained model, without a lake: what the service does with readings it has fetched,
//! and what the accuracy benchmark calls with readings from a file.

use forewarn_spec::Model;
use forewarn_types::{SignalName, Timestamp};

use crate::algorithms::Candidate;
use crate::artefact::{Artefact, Parts, Statement, Summary};
use crate::dataset::{Dataset, DatasetBuilder};
use crate::error::ModelError;
use crate::features::FeaturePlan;
use crate::grid::{GridBuilder, LifeGrid};
use crate::interval::{Interval, Scored};
use crate::validate::{cross_validate, folds, training_rows};

/// Fewer failed lives than this are too few to predict the next failure.
pub const MIN_FAILED_LIVES: usize = 5;

/// Below so many failed lives nothing certain can be said of how often the interval holds the truth.
const FEW_LIVES: usize = 10;
/// A life of fewer rows shows nothing of how a failure comes.
const TINY_ROWS: usize = 5;
/// So much less than asked for the interval may hold before it is said.
const COVERAGE_MARGIN: f64 = 0.05;

/// The readings of one life, from any source.
#[derive(Debug, Clone, Default)]
pub struct LifeReadings {
    /// When the life began, µs.
    pub start: i64,
    /// One for each signal of the definition, in its order: times (µs) and values of good readings.
    pub signals: Vec<Vec<(i64, f64)>>,
}

/// A trained model in memory.
#[derive(Debug, Clone)]
pub struct Fitted {
    artefact: Artefact,
    model: Model,
}

impl LifeReadings {
    fn grid(&self, plan: &FeaturePlan, signals: &[usize], until: i64) -> LifeGrid {
        let columns =
            || signals.iter().map(|&signal| self.signals.get(signal).map_or(&[][..], Vec::as_slice));
        let first = columns().flatten().map(|&(time, _)| time).min().unwrap_or(self.start);
        let mut builder = GridBuilder::new(plan.grid_spec(self.start, first, until), signals.len());
        for (signal, readings) in columns().enumerate() {
            for &(time, value) in readings {
                builder.push(signal, time, value);
            }
        }
        builder.finish()
    }
}

impl Fitted {
    /// Trains `model` on failed lives: readings, and the time of the failure (µs). Readings after it count
    /// nothing.
    ///
    /// # Errors
    /// [`ModelError::NotEnoughData`] or [`ModelError::Numeric`].
    pub fn train(model: &Model, lives: &[(LifeReadings, i64)]) -> Result<Self, ModelError> {
        let mut builder = DatasetBuilder::new(model);
        let all: Vec<usize> = (0..model.signals.len()).collect();
        for (life, end) in lives {
            let grid = life.grid(builder.plan(), &all, end.saturating_add(1));
            let _ = builder.add(&grid, *end);
        }
        let from = lives.iter().map(|(life, _)| life.start).min().unwrap_or(0);
        let to = lives.iter().map(|&(_, end)| end).max().unwrap_or(0);
        let context = Context { trained: Timestamp(to), from: Timestamp(from), to: Timestamp(to) };
        Ok(Self { artefact: train(model, builder, context)?.artefact, model: model.clone() })
    }

    /// What the model says at the newest complete row of a life, and the time of the newest reading there
    /// (µs); `None` if no row has all signals.
    #[must_use]
    pub fn predict(&self, life: &LifeReadings) -> Option<(i64, Statement)> {
        let plan = plan_of(&self.model, &self.artefact);
        let kept: Vec<usize> =
            self.artefact.signals.iter().filter_map(|name| position(&self.model, name)).collect();
        latest(&plan, &self.artefact, &life.grid(&plan, &kept, i64::MAX))
            .map(|latest| (latest.time, latest.statement))
    }

    #[cfg(test)]
    pub(crate) const fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// What it was trained on, and how well it does.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.artefact.summary
    }
}

fn position(model: &Model, name: &str) -> Option<usize> {
    model.signals.iter().position(|signal| **signal == *name)
}

/// The plan for the signals that `artefact` uses.
pub(crate) fn plan_of(model: &Model, artefact: &Artefact) -> FeaturePlan {
    FeaturePlan::new(model, artefact.signals.iter().map(|signal| SignalName::from(signal.as_str())).collect())
}

/// What a model says about a life at its newest row, and the readings it says it from. Times are µs.
pub(crate) struct Latest {
    /// Time of the oldest reading.
    pub from: i64,
    /// Time of the newest reading.
    pub time: i64,
    /// What it says.
    pub statement: Statement,
}

/// What `artefact` says at the newest row of `grid` where all its signals are known.
/// A row further back than a value may be carried is too old to speak for the present.
pub(crate) fn latest(plan: &FeaturePlan, artefact: &Artefact, grid: &LifeGrid) -> Option<Latest> {
    let oldest = grid.newest.len().saturating_sub(plan.fill_slots() + 1);
    let complete = |&slot: &usize| grid.values.iter().all(|values| !values[slot].is_nan());
    let slot = grid.rows().rev().take_while(|&slot| slot >= oldest).find(complete)?;
    let row = plan.rows(grid, &[slot]);
    let time = grid.newest[slot];
    let from = grid.oldest[plan.first_slot(slot)..=slot].iter().copied().min().unwrap_or(time);
    Some(Latest { from, time, statement: artefact.state(&row) })
}

/// When a training happened and what it covered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// By the server's clock.
    pub trained: Timestamp,
    /// Start of the oldest life.
    pub from: Timestamp,
    /// End of the data interval, exclusive.
    pub to: Timestamp,
}

/// What comes of a training.
pub(crate) struct Trained {
    pub artefact: Artefact,
    /// What the winner said in cross-validation.
    pub scored: Vec<Scored>,
}

/// Trains `model` on the lives collected in `builder`.
///
/// # Errors
/// [`ModelError::NotEnoughData`] or [`ModelError::Numeric`].
pub(crate) fn train(model: &Model, builder: DatasetBuilder, context: Context) -> Result<Trained, ModelError> {
    let short = |problem: String| ModelError::NotEnoughData { model: model.name.clone(), problem };
    let numeric = |problem: String| ModelError::Numeric { model: model.name.clone(), problem };
    let unseen = builder.unseen();
    if !unseen.is_empty() {
        let names = unseen.join(", ");
        return Err(short(format!(
            "no failed life has a good reading of {names}; check the names, or leave them out of `signals`"
        )));
    }
    let data = builder.finish();
    let complete = data
        .lives
        .iter()
        .enumerate()
        .filter(|&(life, _)| data.rows.iter().any(|row| row.life == life))
        .count();
    if data.signals.is_empty() {
        return Err(short(
            "none of its signals has more than two distinct values; name signals that vary".into(),
        ));
    }
    if complete < MIN_FAILED_LIVES {
        return Err(short(format!(
            "{complete} failed lives have rows in which all signals are known; \
             training needs at least {MIN_FAILED_LIVES}: \
             post life events for past failures and import the readings before them"
        )));
    }
    let cap = model.target.cap;
    let fold_of = folds(&data.lives, model.folds.clamp(2, complete));
    let candidates: Vec<Candidate> = model.algorithms.iter().flat_map(|&kind| Candidate::of(kind)).collect();
    let validation = cross_validate(&data, &fold_of, &candidates, cap).map_err(numeric)?;
    let (coverage, width) = Interval::assess(&validation.scored, model.coverage, cap);
    let (scaler, training) = training_rows(&data, cap, |_| true);
    let regressor = validation.best.candidate.fit(&training).map_err(numeric)?;
    let interval = Interval::of(&validation.scored, model.coverage, cap);
    let (kept, constant) = split_signals(model, &data);
    let summary = Summary {
        trained: context.trained,
        from: context.from,
        to: context.to,
        lives: complete,
        rows: data.rows.iter().filter(|row| row.train).count(),
        incomplete_rows: data.incomplete,
        features: data.columns.len(),
        constant_signals: constant,
        chosen: validation.best.candidate,
        metrics: validation.best.metrics,
        coverage,
        width,
        trials: validation.trials,
        warnings: doubts(model, &data, complete, coverage),
    };
    let parts = Parts { columns: &data.columns, scaler, regressor, interval, x: data.x.view() };
    Ok(Trained { artefact: Artefact::new(model, kept, summary, parts), scored: validation.scored })
}

/// What speaks against relying on the interval: few lives, tiny ones, truths that it did not hold.
fn doubts(model: &Model, data: &Dataset, lives: usize, coverage: f64) -> Vec<String> {
    let mut doubts = Vec::new();
    let tiny = data.lives.iter().filter(|life| life.rows < TINY_ROWS).count();
    if tiny > 0 {
        doubts.push(format!(
            "{tiny} of {} failed lives have fewer than {TINY_ROWS} rows, too few to show how a failure \
             comes; check that their life events are right and that their readings have been imported",
            data.lives.len()
        ));
    }
    let (wanted, held) = (100.0 * model.coverage, 100.0 * coverage);
    if lives < FEW_LIVES {
        doubts.push(format!(
            "there are only {lives} failed lives: how often the interval holds the truth cannot be told from \
             so few; it held {held:.0} % of the truths on lives that the model had not seen, and is made for \
             {wanted:.0} %"
        ));
    } else if coverage < model.coverage - COVERAGE_MARGIN {
        doubts.push(format!(
            "the interval held {held:.0} % of the truths on {lives} lives that the model had not seen, and \
             is made for {wanted:.0} %: do not rely on it until there are more lives"
        ));
    }
    doubts
}

fn split_signals(model: &Model, data: &Dataset) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut constant) = (Vec::new(), Vec::new());
    for (index, signal) in model.signals.iter().enumerate() {
        if data.signals.contains(&index) {
            kept.push(signal.to_string());
        } else {
            constant.push(signal.to_string());
        }
    }
    (kept, constant)
}
