//! The rules for those who ask: how each stands on each asset, and why.
//!
//! The engine is shared with the runner, which must not wait. So a question takes hold of it for a portion of
//! a fraction of a millisecond, again and again; readings may come in between. Only where other definitions
//! come in between does it begin anew.

mod outlook;
#[cfg(test)]
mod tests;

pub use outlook::RulesOutlook;

use std::sync::Arc;

use forewarn_engine::{Engine, EngineOptions, Lack, RuleInForce, RuleOnAsset, RuleState, RulesReport};
use forewarn_types::{AssetPath, SignalName};
use parking_lot::RwLock;

/// So many pairs of a rule and an asset are looked at before the engine is let go.
const PORTION: usize = 1_024;
/// For so many assets at a time it is looked for signals that may have been meant.
const MEANT_PORTION: usize = 16;
/// How often a question begins anew as the definitions change.
const ATTEMPTS: usize = 5;

/// The definitions changed all the time while a question was being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rules are being changed; ask again")]
pub struct RulesChanging;

/// The engine, to be asked about its rules while the runner drives it.
#[derive(Clone)]
pub struct Rules(pub(crate) Arc<RwLock<Engine>>);

/// A rule, and on how many assets it is in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    /// The rule.
    pub rule: RuleInForce,
    /// How many of the assets known it matches.
    pub matches: usize,
    /// How many of them are in a state, in the order of [`RuleState::ALL`].
    pub counts: [usize; RuleState::ALL.len()],
    /// What is to be known of it beside that.
    pub notes: Vec<String>,
}

/// Which assets of a rule to report.
#[derive(Debug, Clone, Default)]
pub struct RulePageAsk {
    /// Those in this state, or all.
    pub state: Option<RuleState>,
    /// Those whose names come after this.
    pub after: Option<String>,
    /// So many.
    pub limit: usize,
}

/// Whether who asks may see an asset. What is said of rules counts no other.
pub type SeesAsset<'a> = &'a dyn Fn(&str) -> bool;

/// A rule with some of the assets that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePage {
    /// The rule, with counts of all assets.
    pub summary: RuleSummary,
    /// How it stands on those asked for, by name.
    pub assets: Vec<RuleOnAsset>,
    /// The last of them, if there are more.
    pub next: Option<AssetPath>,
}

/// What is counted of a rule.
#[derive(Default)]
struct Count {
    matches: usize,
    counts: [usize; RuleState::ALL.len()],
    /// Signals that were never heard: on how many assets, and the first of these.
    unheard: Vec<(SignalName, usize, AssetPath)>,
    /// The first note on an asset, and that asset.
    note: Option<(String, AssetPath)>,
}

impl Rules {
    /// Those of an engine that has seen nothing.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        Self(Arc::new(RwLock::new(Engine::new(options))))
    }

    /// What of the definitions in force does not load, a sentence each.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.0.read().refused()
    }

    /// All rules with their counts over the assets that `sees` lets through. It blocks for as long as it
    /// takes to look at each asset.
    ///
    /// # Errors
    /// If the definitions change all the time.
    pub fn all(&self, sees: SeesAsset<'_>) -> Result<Vec<RuleSummary>, RulesChanging> {
        self.consistently(|rules| {
            let mut counts: Vec<Count> = rules.iter().map(|_| Count::default()).collect();
            self.look(rules, None, sees, |number, row| counts[number].add(&row))?;
            let told = rules.iter().zip(counts);
            Some(told.map(|(rule, count)| self.summary(rule, count)).collect())
        })
    }

    /// One rule with the assets asked for; `None` if there is no such rule. It blocks for as long as it takes
    /// to look at each asset.
    ///
    /// # Errors
    /// If the definitions change all the time.
    pub fn one(
        &self,
        name: &str,
        ask: &RulePageAsk,
        sees: SeesAsset<'_>,
    ) -> Result<Option<RulePage>, RulesChanging> {
        self.consistently(|rules| {
            let Some(number) = rules.iter().position(|rule| *rule.name == *name) else { return Some(None) };
            let (mut count, mut assets, mut more) = (Count::default(), Vec::new(), false);
            self.look(rules, Some(number), sees, |_, row| {
                count.add(&row);
                let is_asked = ask.after.as_deref().is_none_or(|after| *row.asset > *after)
                    && ask.state.is_none_or(|state| state == row.state);
                if is_asked && assets.len() < ask.limit {
                    assets.push(row);
                } else {
                    more |= is_asked;
                }
            })?;
            self.add_meant(&mut assets);
            let next = assets.last().filter(|_| more).map(|row| row.asset.clone());
            Some(Some(RulePage { summary: self.summary(&rules[number], count), assets, next }))
        })
    }

    /// Answers a question of rules that stay the same meanwhile; `ask` gives nothing if they did not.
    fn consistently<T>(&self, ask: impl Fn(&[RuleInForce]) -> Option<T>) -> Result<T, RulesChanging> {
        (0..ATTEMPTS)
            .find_map(|_| {
                let rules = self.0.read().rules();
                ask(&rules)
            })
            .ok_or(RulesChanging)
    }

    /// Shows `see` each asset that `rule` matches, or each of all `rules`, if `sees` lets it through, portion
    /// by portion.
    fn look(
        &self,
        rules: &[RuleInForce],
        rule: Option<usize>,
        sees: SeesAsset<'_>,
        mut see: impl FnMut(usize, RuleOnAsset),
    ) -> Option<()> {
        let most = if rule.is_some() { PORTION } else { (PORTION / rules.len().max(1)).max(1) };
        let mut after: Option<AssetPath> = None;
        loop {
            let RulesReport { rows, last } = {
                let engine = self.0.read();
                if !engine.has_rules(rules) {
                    return None;
                }
                engine.rules_report(rule, after.as_deref(), most)
            };
            for (number, row) in rows.into_iter().filter(|(_, row)| sees(&row.asset)) {
                see(number, row);
            }
            after = last;
            if after.is_none() {
                return Some(());
            }
        }
    }

    /// Adds which signals may have been meant by those that were never heard.
    fn add_meant(&self, rows: &mut [RuleOnAsset]) {
        for rows in rows.chunks_mut(MEANT_PORTION) {
            let engine = self.0.read();
            for RuleOnAsset { asset, waits_for, .. } in rows {
                for wait in waits_for.iter_mut().filter(|wait| wait.lack == Lack::NeverHeard) {
                    wait.meant = engine.meant_signal(asset, &wait.signal);
                }
            }
        }
    }

    fn summary(&self, rule: &RuleInForce, count: Count) -> RuleSummary {
        let Count { matches, counts, unheard, note } = count;
        let mut notes = Vec::new();
        let judged: usize = counts
            .iter()
            .zip(RuleState::ALL)
            .filter(|(_, state)| *state != RuleState::Retired)
            .map(|(count, _)| count)
            .sum();
        if matches == 0 {
            notes.push(format!("it matches none of the assets that are known: {}", rule.assets));
        }
        for (signal, on, first) in unheard {
            let on = match (on, judged) {
                (1, 1) => format!("{first}, the only asset"),
                _ if on == judged => format!("any of the {on} assets, such as {first}"),
                _ => format!("{on} of the {judged} assets, such as {first}"),
            };
            let meant = self.0.read().meant_signal(&first, &signal);
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            notes.push(format!("{signal} was never heard on {on}{meant}"));
        }
        notes.extend(note.map(|(note, asset)| format!("{asset}: {note}")));
        RuleSummary { rule: rule.clone(), matches, counts, notes }
    }
}

impl Count {
    fn add(&mut self, row: &RuleOnAsset) {
        self.matches += 1;
        for (count, state) in self.counts.iter_mut().zip(RuleState::ALL) {
            *count += usize::from(state == row.state);
        }
        for wait in row.waits_for.iter().filter(|wait| wait.lack == Lack::NeverHeard) {
            match self.unheard.iter_mut().find(|(signal, ..)| *signal == wait.signal) {
                Some((_, on, _)) => *on += 1,
                None => self.unheard.push((wait.signal.clone(), 1, row.asset.clone())),
            }
        }
        if self.note.is_none() {
            self.note = row.notes.first().map(|note| (note.clone(), row.asset.clone()));
        }
    }
}
