//! What the definitions in force say about telling: the routes, and the rules' words for people.

use std::collections::HashMap;
use std::sync::Arc;

use forewarn_spec::{AssetGlob, Condition, Diagnostics, Route};
use forewarn_types::{Definitions, SignalName};

use crate::item::About;

/// Routes, rules' words and units.
#[derive(Debug, Default)]
pub(crate) struct Rulebook {
    /// The routes of all pipelines.
    pub(crate) routes: Vec<Arc<Route>>,
    rules: HashMap<SignalName, Words>,
    units: Vec<(SignalName, AssetGlob, Arc<str>)>,
}

#[derive(Debug)]
struct Words {
    signal: Option<SignalName>,
    limit: Option<Arc<str>>,
    consequence: Option<Arc<str>>,
    action: Option<Arc<str>>,
}

impl Rulebook {
    /// What loads of the definitions.
    pub(crate) fn load(definitions: &Definitions) -> Self {
        let files: Vec<(String, String)> =
            definitions.files.iter().map(|file| (file.path.clone(), file.text.to_string())).collect();
        let loaded = forewarn_spec::load_stored(&files, &[], &Diagnostics::default()).definitions;
        let mut book = Self::default();
        for pipeline in loaded.pipelines {
            book.routes.extend(pipeline.routes.into_iter().map(Arc::new));
            for signal in pipeline.signals {
                book.units.extend(signal.unit.map(|unit| (signal.name, signal.assets, unit.into())));
            }
            for rule in pipeline.rules {
                let (signal, limit) = watched(&rule.condition);
                let words = Words {
                    signal,
                    limit: limit.map(Into::into),
                    consequence: rule.consequence.map(Into::into),
                    action: rule.action.map(Into::into),
                };
                book.rules.insert(rule.name, words);
            }
        }
        book
    }

    /// The route of that name.
    pub(crate) fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// What `rule` says to people about `asset`, and the signal it watches where that is not among the values
    /// of its evidence.
    pub(crate) fn about(
        &self,
        rule: &str,
        asset: &str,
        signal: Option<&SignalName>,
    ) -> (Option<SignalName>, About) {
        let words = self.rules.get(rule);
        let signal = signal.or_else(|| words.and_then(|words| words.signal.as_ref())).cloned();
        let unit = signal.as_ref().and_then(|signal| self.unit(signal, asset));
        let about = About {
            unit,
            limit: words.and_then(|words| words.limit.clone()),
            consequence: words.and_then(|words| words.consequence.clone()),
            action: words.and_then(|words| words.action.clone()),
        };
        (signal, about)
    }

    fn unit(&self, signal: &SignalName, asset: &str) -> Option<Arc<str>> {
        let declared = self.units.iter().find(|(name, assets, _)| name == signal && assets.matches(asset));
        declared.map(|(_, _, unit)| Arc::clone(unit))
    }
}

/// The signal a condition watches, if it is one, and what its value is held against, if it says so.
fn watched(condition: &Condition) -> (Option<SignalName>, Option<String>) {
    match condition {
        Condition::When { when, .. } => (None, Some(when.to_string())),
        Condition::Detector { signal, .. } => (Some(signal.clone()), None),
        Condition::Missing { signal, longer_than_us, .. } => {
            let limit = format!("silent for {}", forewarn_types::format_duration(*longer_than_us));
            (Some(signal.clone()), Some(limit))
        }
    }
}
