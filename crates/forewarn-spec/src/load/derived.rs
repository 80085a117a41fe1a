//! Derived signals over all pipelines: each is computed once per asset, and none from itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use forewarn_types::SignalName;

use crate::diagnostics::{Place, Report};
use crate::glob::AssetGlob;
use crate::model::Pipeline;

/// A derived signal where it is declared.
pub(super) struct Derived {
    /// Which of the reports is that of its file.
    pub(super) report: usize,
    pub(super) place: Place,
    pub(super) name: SignalName,
    /// The assets that have it; `None` if that has been reported as a mistake.
    pub(super) assets: Option<AssetGlob>,
    /// The signals it is computed from.
    pub(super) inputs: Vec<SignalName>,
}

/// Reports what is computed twice and what depends on itself, and puts the signals of each pipeline in an
/// order in which a derived one comes after those it is computed from. The reports are those of the
/// pipelines' files.
pub(super) fn check(derived: &[Derived], pipelines: &mut [Pipeline], reports: &mut [Report<'_>]) {
    let mut by_name: BTreeMap<&str, Vec<&Derived>> = BTreeMap::new();
    for signal in derived {
        by_name.entry(&signal.name).or_default().push(signal);
    }
    for signals in by_name.values() {
        twice(signals, reports);
    }
    let ranks = ranks(derived, &by_name);
    for signal in derived.iter().filter(|signal| !ranks.contains_key(&*signal.name)) {
        if reports[signal.report].is_full() {
            continue;
        }
        let Some(way) = way_back(signal, &by_name) else { continue };
        let step = |step: &&Derived| {
            format!("'{}' ({}:{})", step.name, reports[step.report].file(), step.place.line)
        };
        let steps: Vec<String> = way.iter().map(step).chain([format!("'{}'", signal.name)]).collect();
        let hint = steps.join(" is computed from ");
        reports[signal.report].at(
            signal.place,
            format!("the derived signal '{}' depends on itself", signal.name),
            Some(hint),
        );
    }
    for pipeline in pipelines {
        pipeline.signals.sort_by_key(|signal| {
            signal.expr.as_ref().and_then(|_| ranks.get(&*signal.name)).map_or(0, |rank| rank + 1)
        });
    }
}

/// Reports those of one name that some asset would have twice.
fn twice(signals: &[&Derived], reports: &mut [Report<'_>]) {
    for (number, second) in signals.iter().enumerate() {
        let meets = |first: &&&Derived| {
            first
                .assets
                .as_ref()
                .zip(second.assets.as_ref())
                .is_some_and(|(first, second)| first.meets(second))
        };
        let Some(first) = signals[..number].iter().find(meets) else { continue };
        let place = format!("{}:{}", reports[first.report].file(), first.place.line);
        let message = format!("the derived signal '{}' is defined twice for the same assets", second.name);
        let hint =
            format!("the other one is at {place}; rename one, or select assets that the other one does not");
        reports[second.report].at(second.place, message, Some(hint));
    }
}

/// For each derived signal how many steps it is away from those that rest on none. What depends on itself, or
/// rests on what does, has no rank.
fn ranks<'a>(
    derived: &'a [Derived],
    by_name: &BTreeMap<&'a str, Vec<&'a Derived>>,
) -> BTreeMap<&'a str, usize> {
    let mut rests_on: BTreeMap<&str, BTreeSet<&str>> =
        by_name.keys().map(|name| (*name, BTreeSet::new())).collect();
    let mut carries: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for signal in derived {
        for input in signal.inputs.iter().filter(|input| by_name.contains_key(&***input)) {
            rests_on.entry(&signal.name).or_default().insert(input);
            carries.entry(input).or_default().insert(&signal.name);
        }
    }
    let mut ranks = BTreeMap::new();
    let mut ready: VecDeque<(&str, usize)> =
        rests_on.iter().filter(|(_, inputs)| inputs.is_empty()).map(|(name, _)| (*name, 0)).collect();
    while let Some((name, rank)) = ready.pop_front() {
        ranks.insert(name, rank);
        for above in carries.get(name).into_iter().flatten() {
            let Some(inputs) = rests_on.get_mut(above) else { continue };
            inputs.remove(name);
            // Ranks come in ascending order, so the last input to be ranked is the one furthest up.
            if inputs.is_empty() {
                ready.push_back((above, rank + 1));
            }
        }
    }
    ranks
}

/// The shortest way from `signal` over what it is computed from back to itself, without the last step.
fn way_back<'a>(signal: &'a Derived, by_name: &BTreeMap<&str, Vec<&'a Derived>>) -> Option<Vec<&'a Derived>> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut steps: Vec<(&Derived, Option<usize>)> = vec![(signal, None)];
    let mut at = 0;
    while let Some((here, _)) = steps.get(at).copied() {
        if here.inputs.contains(&signal.name) {
            let back = std::iter::successors(Some(at), |at| steps[*at].1);
            let mut way: Vec<&Derived> = back.map(|at| steps[at].0).collect();
            way.reverse();
            return Some(way);
        }
        for input in here.inputs.iter().filter(|input| seen.insert(input)) {
            steps.extend(by_name.get(&**input).into_iter().flatten().map(|next| (*next, Some(at))));
        }
        at += 1;
    }
    None
}
