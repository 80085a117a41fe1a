//! Names and numbers: which series is which signal of which asset, and where its state stands.

use std::collections::BTreeMap;

use forewarn_types::{AssetPath, SeriesId, SignalName};
use serde::{Deserialize, Serialize};

/// Where the state of a series stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) slot: u32,
}

impl Place {
    /// The place of a series that has not been defined.
    pub(crate) const NOWHERE: Self = Self { shard: u32::MAX, slot: u32::MAX };
}

/// Assets and signals by number, and series by id. Numbers are given in the order of first appearance.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Dictionary {
    assets: Vec<AssetPath>,
    asset_numbers: BTreeMap<AssetPath, u32>,
    signals: Vec<SignalName>,
    signal_numbers: BTreeMap<SignalName, u32>,
    pub(crate) series: Vec<Place>,
}

impl Dictionary {
    pub(crate) fn intern_asset(&mut self, asset: &AssetPath) -> u32 {
        intern(&mut self.assets, &mut self.asset_numbers, asset)
    }

    pub(crate) fn intern_signal(&mut self, signal: &SignalName) -> u32 {
        intern(&mut self.signals, &mut self.signal_numbers, signal)
    }

    pub(crate) fn signal_number(&self, signal: &str) -> Option<u32> {
        self.signal_numbers.get(signal).copied()
    }

    pub(crate) fn asset(&self, number: u32) -> &AssetPath {
        &self.assets[number as usize]
    }

    pub(crate) fn signal(&self, number: u32) -> &SignalName {
        &self.signals[number as usize]
    }

    pub(crate) fn asset_count(&self) -> usize {
        self.assets.len()
    }

    pub(crate) fn place(&self, series: SeriesId) -> Place {
        self.series.get(series.index()).copied().unwrap_or(Place::NOWHERE)
    }
}

fn intern(names: &mut Vec<SignalName>, numbers: &mut BTreeMap<SignalName, u32>, name: &SignalName) -> u32 {
    if let Some(number) = numbers.get(name) {
        return *number;
    }
    let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.push(name.clone());
    numbers.insert(name.clone(), number);
    number
}
