//! Names and numbers: which series is which signal of which asset, and where its state stands.

use std::collections::BTreeMap;
use std::ops::Bound;

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
    series: Vec<Place>,
    /// The asset of each series, which its place says as well, by a longer way.
    #[serde(skip)]
    assets_of_series: Vec<u32>,
}

impl Dictionary {
    pub(crate) fn intern_asset(&mut self, asset: &AssetPath) -> u32 {
        intern(&mut self.assets, &mut self.asset_numbers, asset)
    }

    pub(crate) fn intern_signal(&mut self, signal: &SignalName) -> u32 {
        intern(&mut self.signals, &mut self.signal_numbers, signal)
    }

    pub(crate) fn asset_number(&self, asset: &str) -> Option<u32> {
        self.asset_numbers.get(asset).copied()
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

    /// The assets by name, with their numbers: those after `after`, or all.
    pub(crate) fn assets_after(&self, after: Option<&str>) -> impl Iterator<Item = (&AssetPath, u32)> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.asset_numbers.range::<str, _>((after, Bound::Unbounded));
        range.map(|(path, number)| (path, *number))
    }

    pub(crate) fn asset_count(&self) -> usize {
        self.assets.len()
    }

    /// How many series there are.
    pub(crate) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Adds the next series, which stands at `place` and belongs to `asset`.
    pub(crate) fn push_series(&mut self, place: Place, asset: u32) {
        self.series.push(place);
        self.assets_of_series.push(asset);
    }

    /// Finds the assets of all series anew.
    pub(crate) fn rebuild_assets(&mut self, asset_at: impl Fn(Place) -> u32) {
        self.assets_of_series = self.series.iter().map(|place| asset_at(*place)).collect();
    }

    /// The asset of a series; no asset's number if the series has not been defined.
    #[inline]
    pub(crate) fn asset_of(&self, series: SeriesId) -> u32 {
        self.assets_of_series.get(series.index()).copied().unwrap_or(u32::MAX)
    }

    #[inline]
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
