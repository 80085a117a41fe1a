//! From a topic to asset and signal: the wildcard levels of the subscription fill the templates.

use forewarn_ingest::decode::{asset_levels, signal_text};

/// A topic filter and the two templates, checked.
#[derive(Debug, Clone)]
pub(super) struct TopicMap {
    levels: Vec<Level>,
    asset: Template,
    signal: Template,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Text(String),
    /// `+`: one level.
    One,
    /// `#`: all levels that are left.
    Rest,
}

/// Literal text and the numbers of wildcards, from 0, in turn.
#[derive(Debug, Clone)]
struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Wildcard(usize),
}

impl TopicMap {
    /// Checks filter and templates; the message of a failure is for the operator.
    pub(super) fn parse(filter: &str, asset: &str, signal: &str) -> Result<Self, String> {
        let levels = parse_filter(filter)?;
        let wildcards = levels.iter().filter(|level| !matches!(level, Level::Text(_))).count();
        let template = |name: &str, text: &str| {
            Template::parse(text, wildcards).map_err(|problem| format!("{name} {text:?}: {problem}"))
        };
        Ok(Self { asset: template("asset", asset)?, signal: template("signal", signal)?, levels })
    }

    /// Asset and signal of a topic; `None` if the filter does not match it. What a name may not hold is
    /// written as in line protocol, so that different topics stay different.
    pub(super) fn map(&self, topic: &str) -> Option<(String, String)> {
        let captures = self.captures(topic)?;
        Some((asset_levels(&self.asset.fill(&captures)), signal_text(&self.signal.fill(&captures))))
    }

    fn captures<'t>(&self, topic: &'t str) -> Option<Vec<&'t str>> {
        let mut captures = Vec::new();
        let mut rest = Some(topic);
        for level in &self.levels {
            if *level == Level::Rest {
                // `a/#` matches `a` too.
                captures.push(rest.unwrap_or_default());
                return Some(captures);
            }
            let (first, after) =
                rest?.split_once('/').map_or((rest?, None), |(first, after)| (first, Some(after)));
            match level {
                Level::Text(text) if text != first => return None,
                Level::Text(_) => {}
                Level::One | Level::Rest => captures.push(first),
            }
            rest = after;
        }
        rest.is_none().then_some(captures)
    }
}

fn parse_filter(filter: &str) -> Result<Vec<Level>, String> {
    // A shared subscription is delivered with the topic alone.
    let shared =
        filter.strip_prefix("$share/").map(|rest| rest.split_once('/').map_or("", |(_, filter)| filter));
    let topic = shared.unwrap_or(filter);
    if topic.is_empty() {
        return Err(format!("topic {filter:?} is empty; write a filter such as plant1/+/+/+"));
    }
    let count = topic.split('/').count();
    let parse = |(index, level): (usize, &str)| match level {
        "+" => Ok(Level::One),
        "#" if index + 1 == count => Ok(Level::Rest),
        level if level.contains(['+', '#']) => Err(format!(
            "topic {filter:?}: + must be a level of its own, # the last one; write plant1/+/temperature or \
             plant1/#"
        )),
        level => Ok(Level::Text(level.to_owned())),
    };
    topic.split('/').enumerate().map(parse).collect()
}

impl Template {
    fn parse(text: &str, wildcards: usize) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (number, behind) = after.split_once('}').ok_or("a { has no }")?;
            let number: usize = number.parse().map_err(|_| {
                format!("{{{number}}} is not the number of a wildcard; write {{1}}, {{2}}, …")
            })?;
            if number == 0 || number > wildcards {
                return Err(format!(
                    "{{{number}}} does not exist: the topic has {wildcards} wildcard levels, counted from 1"
                ));
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Wildcard(number - 1));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    fn fill(&self, captures: &[&str]) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Wildcard(number) => captures.get(*number).copied().unwrap_or_default(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, asset: &str, signal: &str, topic: &str, expected: Option<(&str, &str)>) {
        let found = TopicMap::parse(filter, asset, signal).unwrap().map(topic);
        assert_eq!(
            found.as_ref().map(|(asset, signal)| (asset.as_str(), signal.as_str())),
            expected,
            "{filter} {topic}"
        );
    }

    #[test]
    fn wildcards_fill_the_templates() {
        check(
            "plant1/+/+/+",
            "plant1/{1}/{2}",
            "{3}",
            "plant1/line3/pump7/temp",
            Some(("plant1/line3/pump7", "temp")),
        );
        check("plant1/+/+/+", "plant1/{1}/{2}", "{3}", "plant1/line3/pump7", None);
        check("plant1/+/+/+", "plant1/{1}/{2}", "{3}", "plant1/a/b/c/d", None);
        check("plant1/+/+/+", "plant1/{1}/{2}", "{3}", "plant2/a/b/c", None);
        check("+/t", "{1}", "t_{1}", "/t", Some(("", "t_")));
        check("s/+/#", "x/{2}/{1}", "v", "s/a/b/c", Some(("x/b/c/a", "v")));
        check("s/#", "p/{1}", "v", "s", Some(("p/", "v")));
        check("#", "{1}", "v", "a/b", Some(("a/b", "v")));
        check("$share/group/s/+", "p/{1}", "v", "s/a", Some(("p/a", "v")));
        check("s/t", "pump", "v", "s/t", Some(("pump", "v")));
    }

    #[test]
    fn topics_with_odd_names_are_taken_and_held_apart() {
        let map = |topic: &str| TopicMap::parse("+/#", "plant/{1}", "{2}").unwrap().map(topic).unwrap();
        for (topic, asset, signal) in [
            ("pump#7", "plant/pump_x23_7", ""),
            ("P&7/Volume Flow", "plant/P_x26_7", "Volume_x20_Flow"),
            ("P_7/Volume_Flow", "plant/P_7", "Volume_Flow"),
            ("pump 7/1f", "plant/pump 7", "_x31_f"),
            ("pump/a/b", "plant/pump", "a_x2F_b"),
            ("ปั๊ม/อุณหภูมิ", "plant/ปั๊ม", "อุณหภูมิ"),
        ] {
            assert_eq!(map(topic), (asset.to_owned(), signal.to_owned()), "{topic}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (filter, asset, expected) in [
            ("a/+", "{2}", "has 1 wildcard levels"),
            ("a/+", "{0}", "counted from 1"),
            ("a/+", "{x}", "not the number of a wildcard"),
            ("a/+", "{1", "has no }"),
            ("a/b+", "x", "level of its own"),
            ("a/#/b", "x", "# the last one"),
            ("", "x", "is empty"),
            ("$share/g", "x", "is empty"),
        ] {
            let error = TopicMap::parse(filter, asset, "v").unwrap_err();
            assert!(error.contains(expected), "{filter} {asset}: {error}");
        }
    }
}
