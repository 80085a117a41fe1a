//! What predicting remembers from one round to the next. All of it can be read from the lake again.

use std::collections::HashMap;

use forewarn_types::{AssetPath, Offset, Timestamp};

use crate::history::{Extent, Predicted};

/// What is remembered about one model.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// Where each asset's readings lie, as far as that is known.
    pub known: Option<Known>,
    /// The newest prediction of each asset.
    pub predicted: Option<HashMap<AssetPath, Predicted>>,
}

/// Where each asset's readings lie, as of some point of the log.
#[derive(Debug)]
pub(crate) struct Known {
    /// Where they lie.
    pub extents: HashMap<AssetPath, Extent>,
    /// Readings before this time …
    pub to: Timestamp,
    /// … in records before this one are accounted for.
    pub next: Offset,
}
