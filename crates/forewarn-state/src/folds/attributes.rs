//! The attributes of assets.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarn_types::{AssetPath, Attributes, Offset, Record};
use parking_lot::RwLock;

use super::bytes;
use crate::{Fold, Logged, Part, StateError};

const NAME: &str = "attributes";
const VERSION: u8 = 1;

type ByAsset = BTreeMap<AssetPath, (Offset, Attributes)>;

/// A handle on the attributes of all assets; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct AssetAttributes(Arc<RwLock<ByAsset>>);

impl AssetAttributes {
    /// The newest record of an asset, and where it stands.
    #[must_use]
    pub fn of(&self, asset: &AssetPath) -> Option<(Offset, Attributes)> {
        self.0.read().get(asset).cloned()
    }
}

/// Keeps the newest attributes of each asset.
#[derive(Debug, Default)]
pub struct AttributesFold(AssetAttributes);

impl AttributesFold {
    /// A fold that keeps `attributes` up to date.
    #[must_use]
    pub const fn new(attributes: AssetAttributes) -> Self {
        Self(attributes)
    }
}

impl Fold for AttributesFold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&mut self, records: &[Logged]) {
        for (offset, record) in records {
            if let Record::Attributes(attributes) = record.as_ref() {
                self.0.0.write().insert(attributes.asset.clone(), (*offset, attributes.clone()));
            }
        }
    }

    fn snapshot(&self) -> Result<Part, StateError> {
        Ok(bytes::encode(NAME, VERSION, &*self.0.0.read())?.into())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self.0.0.write() = bytes::decode(NAME, VERSION, bytes)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.0.0.write().clear();
    }
}
