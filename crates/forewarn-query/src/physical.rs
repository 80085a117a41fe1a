//! Steps of a plan that use how the lake's files are laid out.

mod aggregate;
mod runs;

use datafusion::execution::session_state::SessionStateBuilder;

/// Puts the rules behind DataFusion's own.
pub(crate) fn register(state: SessionStateBuilder) -> SessionStateBuilder {
    state.with_physical_optimizer_rule(std::sync::Arc::new(aggregate::AggregateRuns))
}
