//! How measurement, tags and fields of Influx line protocol become asset paths and signal names.

use crate::IngestError;

/// The templates of the server's `influx` settings (`forewarn_spec::InfluxConfig`), taken apart once.
///
/// Two conveniences: an asset template that comes out empty (no tags) gives the measurement, and with the
/// signal template `{measurement}_{field}` a field that is just called `value` gives the measurement alone.
#[derive(Debug, Clone)]
pub struct InfluxMapping {
    asset: Vec<Part>,
    signal: Vec<Part>,
    plain_value: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Measurement,
    Tag(String),
    Tags,
    Field,
}

/// Measurement and tags of a series, without escapes.
pub(super) struct SeriesKey {
    pub(super) measurement: String,
    /// In order of tag name.
    pub(super) tags: Vec<(String, String)>,
}

impl InfluxMapping {
    /// Checks and takes apart the templates.
    ///
    /// # Errors
    /// [`IngestError::Influx`] if a template names something that does not exist there.
    pub fn new(asset_template: &str, signal_template: &str) -> Result<Self, IngestError> {
        let asset = parts(asset_template)?;
        let signal = parts(signal_template)?;
        if asset.contains(&Part::Field) {
            return Err(IngestError::Influx(
                "influx.asset cannot hold {field}: one asset has many; use {measurement}, {tag:NAME} or \
                 {tags}"
                    .into(),
            ));
        }
        if signal.iter().any(|part| matches!(part, Part::Tags | Part::Tag(_))) {
            return Err(IngestError::Influx(
                "influx.signal cannot hold tags; use {field} and {measurement}".into(),
            ));
        }
        let plain_value = signal_template == "{measurement}_{field}";
        Ok(Self { asset, signal, plain_value })
    }

    /// The asset path of a series.
    ///
    /// # Errors
    /// The reason, for the sender, if a tag that the template needs is missing.
    pub(super) fn asset(&self, key: &SeriesKey) -> Result<String, String> {
        let mut path = String::new();
        for part in &self.asset {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Measurement => path.push_str(&level(&key.measurement)),
                Part::Tag(name) => {
                    let tag = key.tags.iter().find(|(tag, _)| tag == name);
                    let (_, value) = tag.ok_or_else(|| {
                        format!("tag {name:?} is missing, which the asset's template (influx.asset) needs")
                    })?;
                    path.push_str(&level(value));
                }
                Part::Tags => {
                    let values: Vec<String> = key.tags.iter().map(|(_, value)| level(value)).collect();
                    path.push_str(&values.join("/"));
                }
                Part::Field => {}
            }
        }
        let path = path.trim_matches('/');
        Ok(if path.is_empty() { level(&key.measurement) } else { path.to_owned() })
    }

    /// The name of a signal.
    pub(super) fn signal(&self, measurement: &str, field: &str) -> String {
        let mut name = String::new();
        if self.plain_value && field == "value" {
            name.push_str(measurement);
        } else {
            for part in &self.signal {
                match part {
                    Part::Text(text) => name.push_str(text),
                    Part::Measurement => name.push_str(measurement),
                    Part::Field => name.push_str(field),
                    Part::Tag(_) | Part::Tags => {}
                }
            }
        }
        signal_name(&name)
    }
}

/// `text` as a signal's name: what a name may not hold becomes `_`.
#[must_use]
pub fn signal_name(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if c.is_alphanumeric() || "_-.:".contains(c) { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// A tag value as one or more levels of an asset path: `/` parts levels, what a path may not hold becomes
/// `_`. The value `/` alone (the root file system, as Telegraf names it) becomes `_` too, so that it does not
/// vanish.
fn level(value: &str) -> String {
    let levels: Vec<String> = value.split('/').filter(|level| !level.is_empty()).map(one_level).collect();
    if levels.is_empty() { "_".into() } else { levels.join("/") }
}

fn one_level(text: &str) -> String {
    if text == "." || text == ".." {
        return "_".repeat(text.len());
    }
    let count = text.chars().count();
    let keeps = |index: usize, c: char| {
        // A blank may stand inside a level, not at its ends.
        c.is_alphanumeric() || "_-.:@+".contains(c) || (c == ' ' && index > 0 && index + 1 < count)
    };
    text.chars().enumerate().map(|(index, c)| if keeps(index, c) { c } else { '_' }).collect()
}

fn unknown_name(template: &str, name: &str) -> IngestError {
    let known = "{measurement}, {tag:NAME}, {tags} and {field}";
    IngestError::Influx(format!("the template {template:?} holds {{{name}}}; known are {known}"))
}

fn parts(template: &str) -> Result<Vec<Part>, IngestError> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let (name, after) = after.split_once('}').ok_or_else(|| {
            IngestError::Influx(format!(
                "the template {template:?} has a {{ without }}; write {{measurement}}"
            ))
        })?;
        parts.push(match name {
            "measurement" => Part::Measurement,
            "tags" => Part::Tags,
            "field" => Part::Field,
            _ => {
                let tag = name.strip_prefix("tag:").filter(|tag| !tag.is_empty());
                Part::Tag(tag.ok_or_else(|| unknown_name(template, name))?.to_owned())
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    if parts.is_empty() {
        return Err(IngestError::Influx(
            "a template is empty; the defaults are {tags} for influx.asset, {measurement}_{field} for \
             influx.signal"
                .into(),
        ));
    }
    Ok(parts)
}
