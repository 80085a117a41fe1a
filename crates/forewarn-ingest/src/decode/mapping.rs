//! How measurement, tags and fields of Influx line protocol become asset paths and signal names.

use forewarn_types::{fingerprint_64, is_word};

use super::encode;
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
                Part::Measurement => levels(&key.measurement, &mut path),
                Part::Tag(name) => levels(key.tag(name).ok_or_else(|| missing(name))?, &mut path),
                Part::Tags => {
                    for (index, (_, value)) in key.tags.iter().enumerate() {
                        path.push_str(if index > 0 { "/" } else { "" });
                        levels(value, &mut path);
                    }
                }
                Part::Field => {}
            }
        }
        let trimmed = path.trim_matches('/');
        if trimmed.is_empty() {
            path.clear();
            levels(&key.measurement, &mut path);
            return Ok(path);
        }
        Ok(trimmed.to_owned())
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
        let mut signal = String::with_capacity(name.len());
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            signal.push('_');
        }
        encode::signal(&name.replace(' ', "_"), &mut signal);
        signal
    }

    /// What the asset of a series is made of: two series with the same one have the same asset.
    pub(super) fn asset_origin(&self, key: &SeriesKey) -> u64 {
        let takes = |part: &Part| self.asset.contains(part);
        let mut origin = Origin::default();
        if takes(&Part::Measurement) || self.is_untagged(key) {
            origin.add("", &key.measurement);
        }
        for (name, value) in &key.tags {
            if takes(&Part::Tags) || takes(&Part::Tag(name.clone())) {
                origin.add(name, value);
            }
        }
        origin.finish()
    }

    /// What both names of a series are made of.
    pub(super) fn name_origin(&self, asset: u64, measurement: &str, field: &str) -> u64 {
        let mut origin = Origin(asset);
        if self.plain_value || self.signal.contains(&Part::Measurement) {
            origin.add("m", measurement);
        }
        if self.plain_value || self.signal.contains(&Part::Field) {
            origin.add("f", field);
        }
        origin.finish()
    }

    /// The asset path and the signal's name in the form that tells all that they are made of: tags with their
    /// names, each in one level, and measurement and field with a colon between them.
    pub(super) fn explicit(&self, key: &SeriesKey, field: &str) -> (String, String) {
        let mut path = String::new();
        for part in &self.asset {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Measurement => encode::level(&key.measurement, &mut path),
                Part::Tag(name) => encode::level(key.tag(name).unwrap_or(""), &mut path),
                Part::Tags => {
                    for (index, (name, value)) in key.tags.iter().enumerate() {
                        path.push_str(if index > 0 { "/" } else { "" });
                        encode::part(name, &mut path);
                        path.push(':');
                        encode::level(value, &mut path);
                    }
                }
                Part::Field => {}
            }
        }
        if self.is_untagged(key) {
            path = "measurement:".into();
            encode::level(&key.measurement, &mut path);
        }
        let mut signal = String::new();
        let starts_well = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if self.plain_value || self.signal.contains(&Part::Measurement) {
            signal.push_str(if starts_well(&key.measurement) { "" } else { "_:" });
            encode::part(&key.measurement, &mut signal);
            signal.push(':');
        } else if !starts_well(field) {
            signal.push_str("_:");
        }
        encode::part(field, &mut signal);
        (path.trim_matches('/').to_owned(), signal)
    }

    /// Whether the template comes out empty, so that the measurement alone names the asset.
    fn is_untagged(&self, key: &SeriesKey) -> bool {
        key.tags.is_empty()
            && self.asset.iter().all(|part| match part {
                Part::Tags => true,
                Part::Text(text) => text.trim_matches('/').is_empty(),
                Part::Measurement | Part::Tag(_) | Part::Field => false,
            })
    }
}

impl SeriesKey {
    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
    }
}

/// A fingerprint of names and values: the same in every version, as the log keeps it.
struct Origin(u64);

impl Default for Origin {
    fn default() -> Self {
        Self(fingerprint_64([]))
    }
}

impl Origin {
    /// Lengths stand before the texts, so that no two lists of them look alike.
    fn add(&mut self, name: &str, value: &str) {
        let parts = [name, value].map(|text| (text.len() as u64, text.as_bytes()));
        let bytes =
            parts.iter().flat_map(|(len, text)| len.to_le_bytes().into_iter().chain(text.iter().copied()));
        let before = self.0.to_le_bytes().into_iter();
        self.0 = fingerprint_64(before.chain(bytes));
    }

    /// Never 0, which stands for none.
    const fn finish(self) -> u64 {
        if self.0 == 0 { 1 } else { self.0 }
    }
}

fn missing(tag: &str) -> String {
    format!("tag {tag:?} is missing, which the asset's template (influx.asset) needs")
}

/// `text` as a signal's name: what a name may not hold becomes `_`.
#[must_use]
pub fn signal_name(text: &str) -> String {
    let mut name: String =
        text.chars().map(|c| if is_word(c) || "_-.:".contains(c) { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// Appends a tag value as one or more levels of an asset path: `/` parts levels. The value `/` alone (the
/// root file system, as Telegraf names it) becomes `_`, so that it does not vanish.
fn levels(value: &str, path: &mut String) {
    let before = path.len();
    for level in value.split('/').filter(|level| !level.is_empty()) {
        path.push_str(if path.len() > before { "/" } else { "" });
        encode::level(level, path);
    }
    if path.len() == before {
        path.push('_');
    }
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
