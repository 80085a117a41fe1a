//! The list of all folds. A new one is a file in `forewarn-state/src/folds/` and a line in here.

use std::sync::Arc;

use forewarn_engine::EngineOptions;
use forewarn_ingest::Intake;
use forewarn_state::{
    AssetAttributes, AttributesFold, DefinitionsFold, EngineFold, Folds, InForce, IntakeFold, ReadModelFold,
    Rules, SharedState, State,
};

/// Handles on what folds keep, for the stages that read it.
#[derive(Clone)]
pub(super) struct Known {
    /// The read model.
    pub(super) state: SharedState,
    /// The definitions in force.
    pub(super) in_force: InForce,
    /// The rules, on each asset.
    pub(super) rules: Rules,
    /// The attributes of assets.
    pub(super) attributes: AssetAttributes,
}

impl Known {
    /// Nothing is known before the folds are restored.
    pub(super) fn new() -> Self {
        Self {
            state: SharedState::new(State::default()),
            in_force: InForce::default(),
            rules: Rules::new(EngineOptions::default()),
            attributes: AssetAttributes::default(),
        }
    }

    /// The folds that keep it.
    pub(super) fn folds(&self, intake: &Arc<Intake>) -> Folds {
        Folds::new(vec![
            Box::new(DefinitionsFold::new(self.in_force.clone())),
            Box::new(EngineFold::behind(self.rules.clone())),
            Box::new(ReadModelFold::new(self.state.clone())),
            Box::new(AttributesFold::new(self.attributes.clone())),
            Box::new(IntakeFold::new(Arc::clone(intake))),
        ])
    }
}
