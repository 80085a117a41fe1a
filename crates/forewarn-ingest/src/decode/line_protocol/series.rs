//! The series of one body of line protocol: each is taken apart and named once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::escape::unescaped;
use crate::RawBatch;
use crate::decode::mapping::SeriesKey;
use crate::decode::{InfluxMapping, shorten};
use crate::raw::{MAX_NAMES, NameOrigin, Naming, TOO_MANY_NAMES, TextRange};

/// Finds series by their bytes, and numbers of names by series and field.
pub(super) struct SeriesCache<'a> {
    mapping: &'a InfluxMapping,
    series: Vec<Series<'a>>,
    by_key: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Fields that did not stand where they stood in the first line of their series.
    strays: HashMap<(u32, &'a str), u32>,
    last: u32,
}

struct Series<'a> {
    /// Measurement and tags as sent.
    key: &'a str,
    /// How it is called, or why it is refused.
    named: Result<Named, String>,
    /// The fields with the numbers of their names, in the order of the first line.
    fields: Vec<(&'a str, u32)>,
    /// The series whose line came next last time.
    next: u32,
}

/// How a series is called.
struct Named {
    /// Without escapes.
    measurement: String,
    asset: String,
    /// What the asset's path is made of.
    origin: u64,
    /// The series as sent, among the texts of the batch; empty until it has a reading.
    sent: TextRange,
}

/// How line protocol names what two series would otherwise share.
#[derive(Debug)]
pub(super) struct Explicit(pub(super) InfluxMapping);

impl Naming for Explicit {
    fn explicit(&self, series: &str, field: &str) -> (String, String) {
        match parse_key(series) {
            Ok(key) => self.0.explicit(&key, &unescape(field)),
            Err(_) => (String::new(), String::new()),
        }
    }
}

impl<'a> SeriesCache<'a> {
    pub(super) fn new(mapping: &'a InfluxMapping) -> Self {
        Self {
            mapping,
            series: Vec::new(),
            by_key: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            strays: HashMap::new(),
            last: 0,
        }
    }

    /// The number of the series that `key` (measurement and tags) names.
    ///
    /// # Errors
    /// Why the series is refused.
    pub(super) fn series(&mut self, key: &'a str) -> Result<u32, String> {
        let is = |index: u32| self.series.get(index as usize).is_some_and(|series| series.key == key);
        let next = self.series.get(self.last as usize).map_or(0, |series| series.next);
        let index = if is(self.last) {
            self.last
        } else if is(next) {
            next
        } else {
            self.look_up(key).ok_or(TOO_MANY_NAMES)?
        };
        if let Some(last) = self.series.get_mut(self.last as usize)
            && self.last != index
        {
            last.next = index;
        }
        self.last = index;
        match &self.series[index as usize].named {
            Ok(_) => Ok(index),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// The number in `batch` of the name of `field` (as sent), which stands at `place` among the readings of
    /// its line.
    ///
    /// # Errors
    /// Why the field is refused.
    pub(super) fn name(
        &mut self,
        series: u32,
        place: usize,
        field: &'a str,
        batch: &mut RawBatch,
    ) -> Result<u32, &'static str> {
        let entry = &mut self.series[series as usize];
        if let Some((known, name)) = entry.fields.get(place)
            && *known == field
        {
            return Ok(*name);
        }
        if let Some(name) = self.strays.get(&(series, field)) {
            return Ok(*name);
        }
        let name = match &mut entry.named {
            Ok(Named { measurement, asset, origin, sent }) => {
                if sent.start == sent.end {
                    *sent = batch.keep_text(entry.key);
                }
                let plain = unescape(field);
                let signal = self.mapping.signal(measurement, &plain);
                let name = self.mapping.name_origin(*origin, measurement, &plain);
                let origin = NameOrigin { asset: *origin, name };
                batch.intern_made((asset, &signal), origin, sent.clone(), field)
            }
            // Lines of refused series do not come here; an empty name would be refused by the intake.
            Err(_) => batch.intern("", ""),
        }
        .ok_or(TOO_MANY_NAMES)?;
        if entry.fields.len() == place {
            entry.fields.push((field, name));
        } else {
            self.strays.insert((series, field), name);
        }
        Ok(name)
    }

    fn look_up(&mut self, key: &'a str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let Self { series, by_key, hasher, mapping, .. } = self;
        if let Some(&index) = by_key.find(hash, |&index| series[index as usize].key == key) {
            return Some(index);
        }
        if series.len() >= MAX_NAMES {
            return None;
        }
        let named = parse_key(key).and_then(|parsed| {
            let (asset, origin) = (mapping.asset(&parsed)?, mapping.asset_origin(&parsed));
            Ok(Named { measurement: parsed.measurement, asset, origin, sent: 0..0 })
        });
        let index = u32::try_from(series.len()).ok()?;
        series.push(Series { key, named, fields: Vec::new(), next: 0 });
        by_key.insert_unique(hash, index, |&index| hasher.hash_one(series[index as usize].key));
        Some(index)
    }
}

/// Takes measurement and tags apart.
fn parse_key(key: &str) -> Result<SeriesKey, String> {
    let mut parts = split(key, b',');
    let measurement = unescape(parts.next().unwrap_or(""));
    if measurement.is_empty() {
        return Err("the measurement is missing; write measurement,tag=value field=1.5 timestamp".into());
    }
    let mut tags = Vec::new();
    for part in parts {
        let mut sides = split(part, b'=');
        let (name, value) = (unescape(sides.next().unwrap_or("")), unescape(sides.next().unwrap_or("")));
        if name.is_empty() || value.is_empty() || sides.next().is_some() {
            return Err(format!(
                "tag {:?} is not name=value; escape blanks, commas and equals signs with \\",
                shorten(part)
            ));
        }
        tags.push((name, value));
    }
    tags.sort();
    if let Some(pair) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("tag {:?} is given twice", shorten(&pair[0].0)));
    }
    Ok(SeriesKey { measurement, tags })
}

/// Splits at every `separator` that no `\` stands before.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = unescaped(text.as_bytes(), 0, separator);
        rest = text.get(end + 1..);
        text.get(..end)
    })
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped =
            if c == '\\' { chars.next_if(|next| matches!(next, ',' | '=' | ' ' | '\\')) } else { None };
        plain.push(escaped.unwrap_or(c));
    }
    plain
}
