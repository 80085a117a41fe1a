//! An asset, and which of the signals that are asked for it lacks.

use forewarn_types::{AssetPath, SignalName, Timestamp, did_you_mean};

use super::row::{Lack, Wait};
use crate::dictionary::Dictionary;
use crate::program::Program;
use crate::shard::Shard;
use crate::slot::{NO_TIME, Slot};

/// So many signals of an asset are looked at for one that may have been meant.
const MOST_MEANT: usize = 256;

/// An asset in its shard.
pub(super) struct Place<'a> {
    pub(super) program: &'a Program,
    pub(super) names: &'a Dictionary,
    pub(super) shard: &'a Shard,
    /// Its number within the shard.
    pub(super) asset: u32,
    pub(super) path: &'a AssetPath,
}

impl Place<'_> {
    pub(super) fn slot(&self, signal: &str) -> Option<&Slot> {
        let signal = self.names.signal_number(signal)?;
        self.shard.index.get(&(self.asset, signal)).map(|slot| &self.shard.slots[*slot as usize])
    }

    /// Those of `signals` that cannot be used at event time `at`, each once. Of a computed one it is what
    /// it is computed from that is told.
    pub(super) fn waits(&self, signals: &[SignalName], at: i64, tolerance_us: Option<i64>) -> Vec<Wait> {
        let mut waits = Vec::new();
        for signal in signals {
            self.add_wait(signal, None, at, tolerance_us, &mut waits);
        }
        waits
    }

    fn add_wait(
        &self,
        signal: &SignalName,
        computes: Option<&SignalName>,
        at: i64,
        tolerance_us: Option<i64>,
        waits: &mut Vec<Wait>,
    ) {
        let slot = self.slot(signal);
        if slot.is_some_and(|slot| slot.is_known_at(at, tolerance_us))
            || waits.iter().any(|wait| wait.signal == *signal)
        {
            return;
        }
        let mut derived = self.program.derived.iter();
        let definition = derived.find(|one| one.name == *signal && one.assets.matches(self.path));
        if let Some(definition) = definition {
            let before = waits.len();
            for input in definition.node.signals() {
                self.add_wait(input, Some(signal), at, None, waits);
            }
            if waits.len() > before {
                return;
            }
        }
        let lack = match slot {
            Some(slot) if slot.known => Lack::TooOld {
                age_us: at.saturating_sub(slot.time),
                tolerance_us: slot.expiry(tolerance_us).saturating_sub(slot.time),
            },
            _ if definition.is_some() => Lack::Undefined,
            Some(slot) if slot.clock.newest != NO_TIME => Lack::Bad,
            _ => Lack::NeverHeard,
        };
        let last = slot.map(|slot| slot.time).filter(|time| *time != NO_TIME).map(Timestamp);
        waits.push(Wait { signal: signal.clone(), computes: computes.cloned(), lack, last, meant: None });
    }

    /// A signal of the asset that was heard and is spelt nearly as `wrong`.
    pub(super) fn meant(&self, wrong: &str) -> Option<SignalName> {
        let slots = self.shard.index.range((self.asset, 0)..=(self.asset, u32::MAX));
        let heard = slots.filter(|(_, slot)| self.shard.slots[**slot as usize].clock.newest != NO_TIME);
        let names = heard.take(MOST_MEANT).map(|((_, signal), _)| &**self.names.signal(*signal));
        did_you_mean(wrong, names).map(Into::into)
    }
}
