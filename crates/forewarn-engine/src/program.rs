//! The definitions in force, compiled: what a rule watches, on which assets, and how signals are derived.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use forewarn_spec::{
    AssetGlob, Compiled, Condition, Definitions, Detector, Diagnostics, Expr, Refused, Rule, Signal,
};
use forewarn_types::{DefinitionFile, Severity, SignalName, fingerprint};
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::words;

/// All rules and derived signals.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) rules: Vec<CompiledRule>,
    /// In an order in which each comes after what it is computed from.
    pub(crate) derived: Vec<DerivedSignal>,
    /// What of the definitions does not load, and is not among the rules and signals.
    pub(crate) refused: Vec<Refused>,
    /// Whether a rule or a derived signal waits for the rest of a sample.
    pub(crate) settles: bool,
    units: Vec<(SignalName, AssetGlob, String)>,
}

/// A rule, ready to be evaluated.
pub(crate) struct CompiledRule {
    pub(crate) head: RuleHead,
    pub(crate) assets: AssetGlob,
    pub(crate) watch: RuleWatch,
    /// The pipeline it stands in.
    pub(crate) pipeline: String,
    /// Its condition, for people.
    pub(crate) words: String,
}

/// What must be known of a rule to carry its state over to other definitions, and to speak of its alerts when
/// it is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleHead {
    pub(crate) name: SignalName,
    pub(crate) severity: Severity,
    /// Fingerprint of the assets, of the condition and of the derived signals it rests on: when it changes,
    /// what is open is judged anew.
    pub(crate) version: String,
    /// Fingerprint of the kind of condition, of its signals and of the derived ones among them: when it
    /// changes the rule starts afresh. Snapshots before version 4 have none.
    #[serde(default)]
    pub(crate) shape: String,
}

impl RuleHead {
    /// Whether the state of a rule so far, on an asset that both watch, is state of this one.
    pub(crate) fn continues(&self, old: &Self) -> bool {
        self.name == old.name
            && (self.version == old.version || (!old.shape.is_empty() && self.shape == old.shape))
    }
}

/// Names what state belongs to: rules and derived signals, by number.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outline {
    pub(crate) rules: Vec<RuleHead>,
    /// Keys of derived signals.
    pub(crate) derived: Vec<String>,
}

impl Outline {
    /// Adds the shapes that a snapshot before version 4 does not hold, of rules that are the same in
    /// `present`.
    pub(crate) fn complete(&mut self, present: &Self) {
        for rule in self.rules.iter_mut().filter(|rule| rule.shape.is_empty()) {
            let same = present.rules.iter().find(|one| one.continues(rule));
            rule.shape = same.map_or_else(String::new, |same| same.shape.clone());
        }
    }
}

/// What a rule watches.
pub(crate) enum RuleWatch {
    When(WhenRule),
    Detector { signal: SignalName, params: Detector },
    Missing { signal: SignalName, longer_than_us: i64, expected: bool },
}

/// An expression rule.
pub(crate) struct WhenRule {
    pub(crate) when: Compiled,
    pub(crate) when_source: String,
    pub(crate) until: Option<Compiled>,
    /// The signals of `when`, then those of `until`.
    pub(crate) signals: Vec<SignalName>,
    /// How many of `signals` are those of `when`.
    pub(crate) when_count: usize,
    pub(crate) hold_us: i64,
    pub(crate) clear_hold_us: i64,
    pub(crate) tolerance_us: Option<i64>,
    /// How long it waits for the other values of one time; 0: not at all.
    pub(crate) settle_us: i64,
}

/// A signal computed from others of the same asset.
pub(crate) struct DerivedSignal {
    pub(crate) name: SignalName,
    pub(crate) assets: AssetGlob,
    pub(crate) node: Node,
    /// How long it waits for the other values of one time; 0: not at all.
    pub(crate) settle_us: i64,
    /// Its name, assets and text, and those of the derived signals it rests on: when this changes it is
    /// computed anew.
    key: String,
}

impl CompiledRule {
    /// The signals the rule looks at.
    pub(crate) fn signals(&self) -> &[SignalName] {
        match &self.watch {
            RuleWatch::When(rule) => &rule.signals,
            RuleWatch::Detector { signal, .. } | RuleWatch::Missing { signal, .. } => {
                std::slice::from_ref(signal)
            }
        }
    }
}

impl Program {
    /// Compiles what loads of definition texts. They were in force, or were checked before they were written
    /// to the log; a program that is stricter than the one that took them leaves out what it does not load.
    pub(crate) fn load(files: &[DefinitionFile]) -> Self {
        let pipelines: Vec<(String, String)> =
            files.iter().map(|file| (file.path.clone(), file.text.to_string())).collect();
        let stored = forewarn_spec::load_stored(&pipelines, &[], &Diagnostics::default());
        Self { refused: stored.refused, ..Self::compile(&stored.definitions) }
    }

    /// Why the rule `name` is left out, if it is: by itself or with its file, of which the rules are not
    /// known.
    pub(crate) fn refused_rule(&self, name: &str) -> Option<&Refused> {
        if self.rules.iter().any(|rule| *rule.head.name == *name) {
            return None;
        }
        let by_name = self.refused.iter().find(|one| one.list == "rules" && one.name == name);
        by_name.or_else(|| self.refused.iter().find(|one| one.list.is_empty()))
    }

    /// Compiles checked definitions.
    fn compile(definitions: &Definitions) -> Self {
        let signals: Vec<&Signal> =
            definitions.pipelines.iter().flat_map(|pipeline| &pipeline.signals).collect();
        let units = signals
            .iter()
            .filter_map(|signal| {
                signal.unit.as_ref().map(|unit| (signal.name.clone(), signal.assets.clone(), unit.clone()))
            })
            .collect();
        let mut derived = derived_in_order(&signals);
        let sources = name_sources(&mut derived);
        let rules: Vec<CompiledRule> = definitions
            .pipelines
            .iter()
            .flat_map(|pipeline| &pipeline.rules)
            .map(|rule| compile_rule(rule, &sources))
            .collect();
        let settles = derived.iter().any(|signal| signal.settle_us > 0)
            || rules.iter().any(|rule| matches!(&rule.watch, RuleWatch::When(when) if when.settle_us > 0));
        Self { rules, derived, refused: Vec::new(), settles, units }
    }

    /// The unit of `signal` on `asset`, with a blank before it, or nothing.
    pub(crate) fn unit(&self, asset: &str, signal: &str) -> String {
        self.units
            .iter()
            .find(|(name, assets, _)| **name == *signal && assets.matches(asset))
            .map_or_else(String::new, |(_, _, unit)| format!(" {unit}"))
    }

    /// What its state is numbered by.
    pub(crate) fn outline(&self) -> Outline {
        Outline {
            rules: self.rules.iter().map(|rule| rule.head.clone()).collect(),
            derived: self.derived.iter().map(|signal| signal.key.clone()).collect(),
        }
    }
}

fn compile_rule(rule: &Rule, sources: &BTreeMap<SignalName, String>) -> CompiledRule {
    let watch = match &rule.condition {
        Condition::When { when, hold_us, until, clear_hold_us, tolerance_us, settle_us } => {
            let mut signals = when.signals().to_vec();
            let when_count = signals.len();
            signals.extend(until.iter().flat_map(|until| until.signals().to_vec()));
            RuleWatch::When(WhenRule {
                when: when.compile(),
                when_source: when.source().to_owned(),
                until: until.as_ref().map(Expr::compile),
                signals,
                when_count,
                hold_us: *hold_us,
                clear_hold_us: *clear_hold_us,
                tolerance_us: *tolerance_us,
                settle_us: *settle_us,
            })
        }
        Condition::Detector { signal, detector } => {
            RuleWatch::Detector { signal: signal.clone(), params: detector.clone() }
        }
        Condition::Missing { signal, longer_than_us, expected } => RuleWatch::Missing {
            signal: signal.clone(),
            longer_than_us: *longer_than_us,
            expected: *expected,
        },
    };
    let head = RuleHead {
        name: rule.name.clone(),
        severity: rule.severity,
        version: rule.version.clone(),
        shape: String::new(),
    };
    let mut compiled = CompiledRule {
        head,
        assets: rule.assets.clone(),
        watch,
        pipeline: rule.pipeline.clone(),
        words: words::condition(&rule.condition),
    };
    let rests_on: String =
        compiled.signals().iter().filter_map(|signal| sources.get(signal).map(String::as_str)).collect();
    let mut signals: Vec<&str> = compiled.signals().iter().map(|signal| &**signal).collect();
    signals.sort_unstable();
    signals.dedup();
    let kind = match &rule.condition {
        Condition::When { .. } => "when".to_owned(),
        Condition::Detector { detector, .. } => detector.shape(),
        Condition::Missing { .. } => "missing".to_owned(),
    };
    compiled.head.shape = fingerprint(format!("{kind} {}{rests_on}", signals.join(" ")).as_bytes());
    if !rests_on.is_empty() {
        compiled.head.version = fingerprint(format!("{}{rests_on}", rule.version).as_bytes());
    }
    compiled
}

/// The derived signals, each after those it is computed from. The checked definitions hold no cycle; were
/// there one, its members would be left out.
fn derived_in_order(signals: &[&Signal]) -> Vec<DerivedSignal> {
    let mut waiting: Vec<DerivedSignal> = signals
        .iter()
        .filter_map(|signal| {
            let (name, assets) = (signal.name.clone(), signal.assets.clone());
            let settle_us = signal.settle_us;
            Some(DerivedSignal { name, assets, node: Node::compile(signal)?, settle_us, key: String::new() })
        })
        .collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    loop {
        let names: BTreeSet<SignalName> = waiting.iter().map(|signal| signal.name.clone()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|signal| !signal.node.signals().iter().any(|input| names.contains(input)));
        if ready.is_empty() {
            return ordered;
        }
        ordered.extend(ready);
        waiting = rest;
    }
}

/// Gives each derived signal its key. Returns for each name the texts of everything it rests on.
fn name_sources(derived: &mut [DerivedSignal]) -> BTreeMap<SignalName, String> {
    let mut sources: BTreeMap<SignalName, String> = BTreeMap::new();
    for signal in derived {
        let inner: String =
            signal.node.signals().iter().filter_map(|input| sources.get(input).cloned()).collect();
        let mut text = format!("|{}@{}={}{inner}", signal.name, signal.assets.as_str(), signal.node.source());
        if signal.settle_us > 0 {
            let _ = write!(text, " settle {}", signal.settle_us);
        }
        sources.entry(signal.name.clone()).or_default().push_str(&text);
        signal.key = text;
    }
    sources
}
