//! What a step back of the server's clock does to an asset.

use forewarn_types::Quality;

use super::{Row, Shard};
use crate::moment::Moment;
use crate::slot::Clock;
use crate::state::State;

impl Shard {
    /// Stores a reading that is not late and yet far older than the newest of its series: the server's clock
    /// was set back, by which that one had got its time. What is ahead of the present arrival is taken to
    /// be of now; holds go on where they stood.
    #[cold]
    pub(super) fn set_back(&mut self, asset: u32, row: &Row, moment: Moment) {
        let Self { slots, assets, instances, index, .. } = self;
        let before: Vec<(u32, i64)> = assets[asset as usize]
            .instances
            .iter()
            .filter_map(|index| match &instances[*index as usize].state {
                State::When(inputs, _) => Some((*index, Clock::latest(inputs, slots).newest)),
                State::Detector(..) | State::Missing(_) => None,
            })
            .collect();
        for (_, slot) in index.range((asset, 0)..=(asset, u32::MAX)) {
            slots[*slot as usize].set_back(moment.wall);
        }
        for (index, newest) in before {
            let State::When(inputs, when) = &mut instances[index as usize].state else { continue };
            when.shift(Clock::latest(inputs, slots).newest.saturating_sub(newest));
        }
        let slot = &mut slots[row.slot as usize];
        slot.clock = slot.clock.max(Clock { newest: row.time, ..moment.clock() });
        if row.flags.quality() == Quality::Bad {
            slot.known = false;
        } else {
            slot.take(row.value, row.time);
        }
    }
}
