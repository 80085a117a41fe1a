//! The list of all folds. A new one is a file in `forewarn-state/src/folds/` and a line in here.

use std::sync::Arc;

use forewarn_engine::EngineOptions;
use forewarn_ingest::Intake;
use forewarn_notify::{Outbox, OutboxFold};
use forewarn_state::{
    Accounts, AccountsFold, AssetAttributes, AttributesFold, DefinitionsFold, EngineFold, Folds, InForce,
    IntakeFold, ReadModelFold, Rules, SharedState, State,
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
    /// What is still to be told, and what was.
    pub(super) outbox: Outbox,
    /// Who may use the server.
    pub(super) accounts: Accounts,
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
            outbox: Outbox::default(),
            accounts: Accounts::default(),
            attributes: AssetAttributes::default(),
        }
    }

    /// The folds that keep it.
    pub(super) fn folds(&self, intake: &Arc<Intake>) -> Folds {
        Folds::new(vec![
            Box::new(DefinitionsFold::new(self.in_force.clone())),
            // Before the read model: whoever has waited for that finds the accounts changed, too.
            Box::new(AccountsFold::new(self.accounts.clone())),
            Box::new(EngineFold::behind(self.rules.clone())),
            // Before the read model: who has waited for that sees what is told as well.
            Box::new(OutboxFold::new(self.outbox.clone())),
            Box::new(ReadModelFold::new(self.state.clone())),
            Box::new(AttributesFold::new(self.attributes.clone())),
            Box::new(IntakeFold::new(Arc::clone(intake))),
        ])
    }
}
