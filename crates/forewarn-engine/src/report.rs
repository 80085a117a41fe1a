//! How each rule stands on each asset, and why: what is asked when an alert is expected and none comes.
//!
//! A report changes nothing and is cut into portions by the caller, who holds the engine for one portion at a
//! time only.

mod outlook;
mod place;
mod rhythm;
mod row;

use forewarn_types::{AssetPath, Severity, SignalName};

use self::outlook::Outlook;
use self::place::Place;
pub use self::row::{Lack, OpenAlert, RuleOnAsset, RuleState, Wait};
use crate::Engine;
use crate::build::index_u32;
use crate::shard::Shard;

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInForce {
    /// Its name.
    pub name: SignalName,
    /// The pipeline it stands in.
    pub pipeline: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which assets it watches, as it is written.
    pub assets: String,
    /// What it watches for, in words.
    pub condition: String,
    /// Fingerprint of everything that decides.
    pub version: String,
}

/// A portion of a report.
#[derive(Debug, Default)]
pub struct RulesReport {
    /// Number of a rule, and how it stands on an asset that it matches; in the order of the assets' names.
    pub rows: Vec<(usize, RuleOnAsset)>,
    /// The last asset looked at, if there may be more.
    pub last: Option<AssetPath>,
}

impl Engine {
    /// The rules in force, by number.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleInForce> {
        let rules = self.program.rules.iter().map(|rule| RuleInForce {
            name: rule.head.name.clone(),
            pipeline: rule.pipeline.clone(),
            severity: rule.head.severity,
            assets: rule.assets.as_str().to_owned(),
            condition: rule.words.clone(),
            version: rule.head.version.clone(),
        });
        rules.collect()
    }

    /// Whether `rules` are still those in force.
    #[must_use]
    pub fn has_rules(&self, rules: &[RuleInForce]) -> bool {
        let mut pairs = self.program.rules.iter().zip(rules);
        self.program.rules.len() == rules.len()
            && pairs.all(|(rule, told)| rule.head.name == told.name && rule.head.version == told.version)
    }

    /// How all rules, or `rule` alone, stand on the assets whose names come after `after`; looks at no
    /// more than `most` assets.
    #[must_use]
    pub fn rules_report(&self, rule: Option<usize>, after: Option<&str>, most: usize) -> RulesReport {
        let mut report = RulesReport::default();
        let numbers = match rule {
            Some(number) => number..number.saturating_add(1),
            None => 0..self.program.rules.len(),
        };
        let mut looked_at = 0;
        for (path, id) in self.names.assets_after(after).take(most) {
            looked_at += 1;
            if looked_at == most {
                report.last = Some(path.clone());
            }
            let Some((shard, asset)) = self.whereabouts(id) else { continue };
            let place = Place { program: &self.program, names: &self.names, shard, asset, path };
            for number in numbers.clone() {
                if self.program.rules.get(number).is_some_and(|rule| rule.assets.matches(path)) {
                    report.rows.push((number, self.on_asset(&place, number, id)));
                }
            }
        }
        report
    }

    /// A signal of the asset that may have been meant by a name of which nothing was heard.
    #[must_use]
    pub fn meant_signal(&self, asset: &str, wrong: &str) -> Option<SignalName> {
        let id = self.names.asset_number(asset)?;
        let (shard, number) = self.whereabouts(id)?;
        let path = self.names.asset(id);
        Place { program: &self.program, names: &self.names, shard, asset: number, path }.meant(wrong)
    }

    fn whereabouts(&self, id: u32) -> Option<(&Shard, u32)> {
        let (count, id) = (self.shards.len(), id as usize);
        let (shard, asset) = (&self.shards[id % count], id / count);
        (asset < shard.assets.len()).then(|| (shard, index_u32(asset)))
    }

    fn on_asset(&self, place: &Place<'_>, number: usize, id: u32) -> RuleOnAsset {
        let number = index_u32(number);
        let alert = self.alerts.on(number, id);
        let outlook = Outlook::of(place, number, self.running.now());
        let Outlook { mut state, waits_for, notes } = outlook;
        if let Some((_, own, _, unknown)) = alert {
            state = RuleState::of_alert(own, unknown);
        }
        let alert = alert.map(|(id, _, shown, _)| OpenAlert { id, state: shown });
        RuleOnAsset { asset: place.path.clone(), state, alert, waits_for, notes }
    }
}
