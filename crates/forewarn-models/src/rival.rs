//! The version in force and the one that may follow it, compared on the same lives, none of which either has
//! seen.
//!
//! Lives that ended after the version in force was trained are new to it. To the other one they are new as
//! well where it is judged by cross-validation: there each life is predicted by a fit that was made without
//! it. Both speak about the same rows of these lives.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use forewarn_spec::Model;
use serde::Serialize;

use crate::dataset::evaluation_rows;
use crate::features::FeaturePlan;
use crate::grid::LifeGrid;
use crate::interval::Scored;
use crate::service::Version;
use crate::train::plan_of;
use crate::validate::Metrics;

/// How two versions fared on the same lives, which neither had seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The version in force.
    pub champion: String,
    /// How many lives.
    pub lives: usize,
    /// How many rows of them.
    pub rows: usize,
    /// Root mean squared error of the version in force, in the target's unit.
    pub champion_rmse: f64,
    /// That of the new version.
    pub challenger_rmse: f64,
}

/// What the version in force says about lives that it has not seen.
pub(crate) struct Rival {
    pub(crate) version: Arc<Version>,
    plan: FeaturePlan,
    /// The places of its signals among those of the definition.
    signals: Vec<usize>,
    /// By number of life and row.
    said: HashMap<(usize, usize), f64>,
}

impl Rival {
    pub(crate) fn new(model: &Model, version: Arc<Version>) -> Self {
        let place = |name: &String| model.signals.iter().position(|signal| **signal == **name);
        let signals = version.artefact.signals.iter().filter_map(place).collect();
        Self { plan: plan_of(model, &version.artefact), signals, version, said: HashMap::new() }
    }

    /// Asks it about the life that has the number `life` in the table, at the rows that are scored.
    pub(crate) fn ask(&mut self, life: usize, grid: &LifeGrid) {
        let values = self.signals.iter().map(|&signal| grid.values[signal].clone()).collect();
        let own = LifeGrid { values, ..grid.clone() };
        let slots: Vec<usize> = grid.rows().collect();
        for number in evaluation_rows(slots.len()) {
            let row = self.plan.rows(&own, &[slots[number]]);
            if row.iter().all(|value| value.is_finite()) {
                self.said.insert((life, number), self.version.artefact.state(&row).p50);
            }
        }
    }

    /// Compares what it said with what the new version said in cross-validation; `None` if there is no row
    /// about which both said something.
    pub(crate) fn compare(&self, scored: &[Scored], cap: f64) -> Option<Comparison> {
        let (mut own, mut other, mut lives) = (Vec::new(), Vec::new(), BTreeSet::new());
        for outcome in scored {
            if let Some(said) = self.said.get(&outcome.row) {
                own.push((*said, outcome.truth));
                other.push((outcome.predicted, outcome.truth));
                lives.insert(outcome.row.0);
            }
        }
        (!own.is_empty()).then(|| Comparison {
            champion: self.version.name.clone(),
            lives: lives.len(),
            rows: own.len(),
            champion_rmse: Metrics::of(&own, cap).rmse,
            challenger_rmse: Metrics::of(&other, cap).rmse,
        })
    }
}
