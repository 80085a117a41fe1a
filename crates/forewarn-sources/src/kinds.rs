//! The list of all kinds of sources.

use std::sync::Arc;

use forewarn_ingest::Intake;
use forewarn_spec::Source as Definition;

use crate::error::SourceError;
use crate::mqtt::Mqtt;
use crate::stage::Stage;
use crate::status::SourceHandle;

/// Prepares a source as it is defined.
///
/// # Errors
/// [`SourceError::Setup`] if the definition cannot work.
pub(crate) fn prepare(
    definition: &Definition,
    handle: &SourceHandle,
    intake: &Arc<Intake>,
) -> Result<Stage, SourceError> {
    let stage = match definition {
        Definition::Mqtt(settings) => Mqtt::new(settings).map(|source| Stage::new(source, handle, intake)),
    };
    stage.map_err(|problem| SourceError::Setup { name: handle.name(), problem })
}
