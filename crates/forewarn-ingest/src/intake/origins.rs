//! Whose names are whose: from which words of a sender the names of a series were made, as a fold over the
//! log.

use forewarn_types::{AssetPath, SeriesId, SeriesOrigin};
use hashbrown::HashMap;

use crate::NameOrigin;

/// In `by_series`: names that senders gave themselves, or from before this was kept.
const NONE: NameOrigin = NameOrigin { asset: 0, name: 0 };

/// What is known of the origins of names. The first who uses a name keeps it.
#[derive(Debug, Default)]
pub(super) struct Origins {
    by_series: Vec<NameOrigin>,
    by_asset: HashMap<AssetPath, u64>,
    /// Those that the log does not hold yet.
    unlogged: Vec<SeriesOrigin>,
}

impl Origins {
    /// Whether the names of `id` are known to be made of `origin`.
    pub(super) fn is(&self, id: SeriesId, origin: NameOrigin) -> bool {
        self.by_series.get(id.index()) == Some(&origin)
    }

    /// Whether it is not known whose the names of `id` are.
    pub(super) fn is_free(&self, id: SeriesId) -> bool {
        self.by_series.get(id.index()).is_none_or(|known| *known == NONE)
    }

    /// Whether what `origin` says may have the asset `asset`.
    pub(super) fn allows_asset(&self, asset: &str, origin: NameOrigin) -> bool {
        self.by_asset.get(asset).is_none_or(|known| *known == origin.asset)
    }

    /// Whether what `origin` says may have the names of `id`.
    pub(super) fn allows(&self, id: SeriesId, origin: NameOrigin) -> bool {
        self.is_free(id) || self.by_series.get(id.index()).is_some_and(|known| known.name == origin.name)
    }

    /// From now on the names of `id`, and with them those of its asset, are those of `origin`.
    pub(super) fn claim(&mut self, id: SeriesId, asset: &AssetPath, origin: NameOrigin) {
        if !self.is(id, origin) {
            let origin = SeriesOrigin { series: id, asset: origin.asset, name: origin.name };
            self.restore(origin, asset);
            self.unlogged.push(origin);
        }
    }

    /// Takes in what the log holds.
    pub(super) fn restore(&mut self, origin: SeriesOrigin, asset: &AssetPath) {
        let SeriesOrigin { series, asset: of_asset, name } = origin;
        if series.index() >= self.by_series.len() {
            self.by_series.resize(series.index() + 1, NONE);
        }
        self.by_series[series.index()] = NameOrigin { asset: of_asset, name };
        self.by_asset.entry_ref(asset).or_insert(of_asset);
    }

    /// What is still to be logged.
    pub(super) fn unlogged(&self) -> &[SeriesOrigin] {
        &self.unlogged
    }

    /// All of it is in the log, or in line for it.
    pub(super) fn logged(&mut self) {
        self.unlogged.clear();
    }

    /// All that is known of the first `count` series.
    pub(super) fn to_vec(&self, count: usize) -> Vec<SeriesOrigin> {
        let known = self.by_series.iter().zip(0..).take(count).filter(|(origin, _)| **origin != NONE);
        known
            .map(|(origin, id)| SeriesOrigin { series: SeriesId(id), asset: origin.asset, name: origin.name })
            .collect()
    }
}
