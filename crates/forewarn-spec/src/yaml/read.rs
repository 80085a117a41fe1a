//! From the tree of a file to the raw structs, without stopping at faults of form.
//!
//! Each fault is noted with its place, something neutral takes the place of what could not be read, and
//! reading goes on, so that all faults of a file are found in one go. What is neutral stands nowhere: its
//! place is unknown, and mistakes found there later are not reported, since the fault of form is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use forewarn_types::did_you_mean;
use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::field::{ONE_OR_MANY, PLACE_OF_KEY};
use super::form;
use super::free::EITHER;
use super::references::{Values, Variables, expand_all};
use super::tree::{Key, Node, Value};
use crate::diagnostics::{MAX_MISTAKES, Place, Report};

/// Larger files are refused before they are read.
const MAX_BYTES: usize = 8 << 20;

const KEYS_EXPECTED: (&str, &str) = ("keys with values are expected here", "write `key: value`");

/// Reads a file, in which all references have their values. Faults of form go into `report`; what they
/// concern is neutral in the result.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    variables: Variables<'_>,
    report: &mut Report<'_>,
) -> Option<T> {
    let mut document = Document::parse(text, report)?;
    document.expand(Values::Of(variables), report);
    document.read(report)
}

/// A file that YAML reads, before it is known what it defines.
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Node,
}

impl<'t> Document<'t> {
    /// Reads the syntax. If there is a fault, it goes into `report`.
    pub(crate) fn parse(text: &'t str, report: &mut Report<'_>) -> Option<Self> {
        if text.len() > MAX_BYTES {
            report.whole_file(format!("the file is larger than {} MiB", MAX_BYTES >> 20));
            return None;
        }
        let text = text.trim_start_matches('\u{feff}');
        match Node::parse(text) {
            Ok(Node { value: Value::Null, place }) => {
                let (message, hint) = form::empty();
                report.fault(place, message, Some(hint.to_owned()));
                None
            }
            Ok(root) => Some(Self { text, root }),
            Err(error) => {
                let (message, hint) = form::explain(error.without_snippet());
                report.fault(error.location().map_or(Place::UNKNOWN, Place::from), message, hint);
                None
            }
        }
    }

    /// Puts the values of references into all texts.
    pub(crate) fn expand(&mut self, values: Values<'_>, report: &mut Report<'_>) {
        expand_all(&mut self.root, values, report);
    }

    /// Puts the values of references into the texts at `keys`, the file's own. All others stay as they are
    /// written.
    pub(crate) fn expand_at(&mut self, keys: &[&str], values: Values<'_>, report: &mut Report<'_>) {
        for key in keys {
            if let Some(node) = self.root.value_of(key) {
                expand_all(node, values, report);
            }
        }
    }

    /// Reads the raw struct. Faults of form go into `report`.
    pub(crate) fn read<T: DeserializeOwned>(&self, report: &mut Report<'_>) -> Option<T> {
        let notes = Notes { text: self.text, faults: RefCell::default() };
        let reader = Reader { source: Source::Node(&self.root), key: Place::UNKNOWN, notes: &notes };
        let raw = T::deserialize(reader);
        for (place, message, hint) in notes.faults.into_inner() {
            report.fault(place, message, hint);
        }
        raw.map_err(|error| report.whole_file(error.to_string())).ok()
    }

    /// Takes the items of the file's lists out in which one of `places` lies. Gives for each the key of its
    /// list, its `name`, and which of the places it was; nothing if a place lies in no item.
    pub(crate) fn take_out(&mut self, places: &[Place]) -> Option<Vec<(String, String, usize)>> {
        let Value::Keys(entries) = &mut self.root.value else { return None };
        let mut starts: Vec<Place> = Vec::new();
        for (key, node) in entries.iter() {
            starts.push(key.place);
            node.each_place(&mut |place| starts.push(place));
        }
        // What is wrong inside of a text belongs to the value that begins last before it.
        let begins = |place: &Place| starts.iter().copied().filter(|start| start <= place).max();
        let wanted: Vec<Place> = places.iter().map(begins).collect::<Option<_>>()?;
        let mut found = vec![false; wanted.len()];
        let mut taken = Vec::new();
        for (key, node) in entries {
            let Value::List(items) = &mut node.value else { continue };
            items.retain(|item| {
                let mut first = None;
                item.each_place(&mut |start| {
                    for (number, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted == start) {
                        found[number] = true;
                        first = Some(first.map_or(number, |first: usize| first.min(number)));
                    }
                });
                taken.extend(first.map(|first| (key.name.clone(), item.name(self.text), first)));
                first.is_none()
            });
        }
        found.iter().all(|found| *found).then_some(taken)
    }
}

/// The file and the faults found so far.
struct Notes<'t> {
    text: &'t str,
    faults: RefCell<Vec<(Place, String, Option<String>)>>,
}

impl Notes<'_> {
    fn add(&self, place: Place, message: impl Into<String>, hint: Option<&str>) {
        self.faults.borrow_mut().push((place, message.into(), hint.map(str::to_owned)));
    }

    fn count(&self) -> usize {
        self.faults.borrow().len()
    }
}

/// Where a value comes from.
#[derive(Clone, Copy)]
enum Source<'t> {
    /// It stands in the file.
    Node(&'t Node),
    /// It is a key itself, one that whoever wrote the file has chosen.
    Key(&'t Key),
    /// Its key is not there. That is a fault if somebody asks for more than an optional value.
    Absent(&'t Absent),
    /// Its fault has been noted, or that of what it is part of.
    Nothing,
}

/// A key that is not there.
struct Absent {
    key: &'static str,
    /// Where its fellows stand.
    place: Place,
    noted: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Reader<'t> {
    source: Source<'t>,
    /// The place of the key of which this is the value.
    key: Place,
    notes: &'t Notes<'t>,
}

impl<'t> Reader<'t> {
    fn with(self, source: Source<'t>) -> Self {
        Self { source, ..self }
    }

    /// The text of a single value; a fault is noted if there is none.
    fn scalar(self) -> Option<String> {
        let node = match self.source {
            Source::Node(node) => node,
            Source::Key(key) => return Some(key.name.clone()),
            Source::Absent(_) | Source::Nothing => return None,
        };
        if let Some(text) = node.scalar(self.notes.text) {
            return Some(text.into_owned());
        }
        match node.value {
            Value::Null => self.notes.add(
                node.place,
                "a value is missing here",
                Some("write one; an empty text is \"\""),
            ),
            _ => self.notes.add(
                node.place,
                "a single value is expected here",
                Some("put a text with `[`, `{` or `: ` in quotes"),
            ),
        }
        None
    }

    /// A number or a truth value as YAML writes it, or the neutral one of its type.
    fn parsed<T: DeserializeOwned + Default>(self, what: &str) -> T {
        let Some(text) = self.scalar() else { return T::default() };
        let word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
        word.then(|| serde_saphyr::from_str(&text).ok()).flatten().unwrap_or_else(|| {
            // A reference without a value stands nowhere.
            if let Source::Node(node) = self.source
                && !node.place.is_unknown()
            {
                self.notes.add(node.place, format!("{what} is expected here"), None);
            }
            T::default()
        })
    }

    /// The sources of `fields`, in this order, from the keys of the file. Keys that are not among them are
    /// noted.
    fn fields(self, entries: &'t [(Key, Node)], fields: &[&str]) -> Vec<Option<&'t (Key, Node)>> {
        let mut found = vec![None; fields.len()];
        let mut unknown = Vec::new();
        for entry in entries {
            let (key, _) = entry;
            match fields.iter().position(|field| *field == key.name) {
                Some(at) if found[at].is_none() => found[at] = Some(entry),
                Some(_) => self.notes.add(key.place, format!("the key '{}' stands twice", key.name), None),
                None => unknown.push(entry),
            }
        }
        // Beyond the bound of mistakes nothing is reported, and guessing what each key was meant to be takes
        // time.
        for entry in unknown.into_iter().take(MAX_MISTAKES.saturating_sub(self.notes.count())) {
            let (key, _) = entry;
            let (message, hint) = form::unknown_key(&key.name, fields);
            self.notes.add(key.place, message, Some(&hint));
            // A slip is read as what it was meant to be, so that nothing seems to be missing and its value is
            // checked, too.
            let meant = did_you_mean(&key.name, form::offered(fields))
                .and_then(|meant| fields.iter().position(|field| *field == meant));
            if let Some(at) = meant.filter(|at| found[*at].is_none()) {
                found[at] = Some(entry);
            }
        }
        found
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.source {
            Source::Node(node) if !matches!(node.value, Value::Null) => visitor.visit_some(self),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.scalar().unwrap_or_default())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.parsed("true or false"))
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.parsed("a whole number, zero or above,"))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.parsed("a whole number, zero or above,"))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.parsed("a number"))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items = match self.source {
            Source::Node(Node { value: Value::List(items), .. }) => items.iter().map(Source::Node).collect(),
            Source::Node(node) => {
                self.notes.add(
                    node.place,
                    "a list is expected here",
                    Some("begin each item with `- `, or write `[]` for none"),
                );
                vec![Source::Nothing]
            }
            Source::Absent(_) => Vec::new(),
            // One item that could not be read: a list without any would say that nothing is declared.
            Source::Key(_) | Source::Nothing => vec![Source::Nothing],
        };
        visitor.visit_seq(Items { reader: self, items: items.into_iter() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = match self.source {
            Source::Node(Node { value: Value::Keys(entries), .. }) => entries.as_slice(),
            Source::Node(node) => {
                self.notes.add(node.place, KEYS_EXPECTED.0, Some(KEYS_EXPECTED.1));
                &[]
            }
            Source::Key(_) | Source::Absent(_) | Source::Nothing => &[],
        };
        let mut seen = BTreeSet::new();
        let mut once = Vec::with_capacity(entries.len());
        for entry in entries {
            if seen.insert(&entry.0.name) {
                once.push(entry);
            } else {
                self.notes.add(entry.0.place, format!("the key '{}' stands twice", entry.0.name), None);
            }
        }
        visitor.visit_map(Entries { reader: self, rest: once.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let all = |source| fields.iter().map(|field| (*field, self.with(source))).collect::<Vec<_>>();
        let Source::Node(node) = self.source else {
            return visitor.visit_map(Fields::new(&all(self.source)));
        };
        let Value::Keys(entries) = &node.value else {
            self.notes.add(node.place, KEYS_EXPECTED.0, Some(KEYS_EXPECTED.1));
            return visitor.visit_map(Fields::new(&all(Source::Nothing)));
        };
        let absent: Vec<Absent> =
            fields.iter().map(|key| Absent { key, place: node.place, noted: Cell::new(false) }).collect();
        let sources =
            self.fields(entries, fields).into_iter().zip(&absent).map(|(entry, absent)| match entry {
                Some((key, value)) => {
                    Reader { source: Source::Node(value), key: key.place, notes: self.notes }
                }
                None => Reader { source: Source::Absent(absent), key: Place::UNKNOWN, notes: self.notes },
            });
        let sources: Vec<(&'static str, Reader<'_>)> = fields.iter().copied().zip(sources).collect();
        visitor.visit_map(Fields::new(&sources))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == EITHER {
            let has_keys = matches!(self.source, Source::Node(Node { value: Value::Keys(_), .. }));
            let (nothing, this) = (Source::Nothing, self.source);
            let forms = if has_keys { [nothing, this] } else { [this, nothing] };
            return visitor.visit_seq(Items { reader: self, items: forms.into_iter() });
        }
        if name == PLACE_OF_KEY {
            let place = if matches!(self.source, Source::Node(_)) { self.key } else { Place::UNKNOWN };
            return visitor.visit_seq(PlacedAccess { reader: None, place, next: 1 });
        }
        if name == ONE_OR_MANY {
            let items = match self.source {
                Source::Node(Node { value: Value::List(items), .. }) => {
                    items.iter().map(Source::Node).collect()
                }
                one => vec![one],
            };
            return visitor.visit_seq(Items { reader: self, items: items.into_iter() });
        }
        let mut reader = self;
        if let Source::Absent(absent) = self.source {
            if !absent.noted.replace(true) {
                self.notes.add(absent.place, format!("the key '{}' is missing", absent.key), None);
            }
            reader = self.with(Source::Nothing);
        }
        let place = match reader.source {
            Source::Node(node) => node.place,
            Source::Key(key) => key.place,
            Source::Absent(_) | Source::Nothing => Place::UNKNOWN,
        };
        visitor.visit_seq(PlacedAccess { reader: Some(reader), place, next: 0 })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u16 u32 u128 f32 char str bytes byte_buf unit unit_struct newtype_struct tuple enum identifier ignored_any
    }
}

struct Items<'t, I> {
    reader: Reader<'t>,
    items: I,
}

impl<'de, 't, I: Iterator<Item = Source<'t>>> SeqAccess<'de> for Items<'t, I> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.items.next().map(|source| seed.deserialize(self.reader.with(source))).transpose()
    }
}

/// Keys that are not known beforehand, with their values.
struct Entries<'t, I> {
    reader: Reader<'t>,
    rest: I,
    value: Option<Reader<'t>>,
}

impl<'de, 't, I: Iterator<Item = &'t (Key, Node)>> MapAccess<'de> for Entries<'t, I> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let reader = Reader { key: key.place, ..self.reader };
        self.value = Some(reader.with(Source::Node(value)));
        seed.deserialize(reader.with(Source::Key(key))).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.value.take().unwrap_or_else(|| self.reader.with(Source::Nothing)))
    }
}

struct Fields<'a, 't> {
    fields: std::slice::Iter<'a, (&'static str, Reader<'t>)>,
    value: Option<Reader<'t>>,
}

impl<'a, 't> Fields<'a, 't> {
    fn new(fields: &'a [(&'static str, Reader<'t>)]) -> Self {
        Self { fields: fields.iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some(*value);
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = self
            .value
            .take()
            .ok_or_else(|| serde::de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(value)
    }
}

/// A value, if one is asked for, and then its line and column. The value comes first, since a fault in it
/// makes its place unknown.
struct PlacedAccess<'t> {
    reader: Option<Reader<'t>>,
    place: Place,
    next: u8,
}

impl<'de> SeqAccess<'de> for PlacedAccess<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        use serde::de::IntoDeserializer;
        self.next += 1;
        match (self.next, self.reader) {
            (1, Some(reader)) => {
                let before = reader.notes.count();
                let value = seed.deserialize(reader)?;
                if reader.notes.count() > before {
                    self.place = Place::UNKNOWN;
                }
                Ok(Some(value))
            }
            (2, _) => seed.deserialize(self.place.line.into_deserializer()).map(Some),
            (3, _) => seed.deserialize(self.place.column.into_deserializer()).map(Some),
            _ => Ok(None),
        }
    }
}
