//! What begins or ends without a reading: silence that is counted from the start, and assets that are
//! taken out of service or back in.

use std::cmp::Reverse;

use forewarn_types::Offset;

use super::Shard;
use crate::episode::Episode;
use crate::missing::Missing;
use crate::program::{Program, RuleWatch};
use crate::slot::NO_TIME;
use crate::state::State;
use crate::when::WhenState;

impl Shard {
    /// A deadline of an instance that was made just now.
    pub(crate) fn expect(&mut self, deadline: i64, instance: u32) {
        self.deadlines.push(Reverse((deadline, instance)));
    }

    /// Begins to count the silence of what is expected and was not heard of, now that there is a time.
    pub(crate) fn begin_to_expect(&mut self, program: &Program, now: i64) {
        for instance in &mut self.instances {
            if let (State::Missing(missing), RuleWatch::Missing { expected: true, .. }) =
                (&mut instance.state, &program.rules[instance.rule as usize].watch)
                && missing.arrived == NO_TIME
            {
                missing.arrived = now;
            }
        }
        self.rebuild_deadlines(program);
    }

    /// The record by which an asset is out of service for good, if it is.
    pub(crate) fn retired_by(&self, asset: u32) -> Option<Offset> {
        self.assets[asset as usize].retired_by
    }

    /// Notes by which record an asset is out of service, if it is. Where that takes it out of service or
    /// back in, its rules start afresh; what detectors learnt stays.
    pub(crate) fn set_retired(&mut self, asset: u32, by: Option<Offset>) {
        let state = &mut self.assets[asset as usize];
        let before = std::mem::replace(&mut state.retired_by, by);
        if before.is_some() == by.is_some() {
            return;
        }
        for index in &state.instances {
            match &mut self.instances[*index as usize].state {
                State::When(_, when) => *when = WhenState::new(),
                State::Detector(episode, _) => *episode = Episode::new(episode.slot),
                State::Missing(missing) => *missing = Missing::new(missing.slot, NO_TIME),
            }
        }
    }
}
