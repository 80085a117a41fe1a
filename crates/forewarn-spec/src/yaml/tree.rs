//! A definition file as a tree of values with their places, as YAML has them, before anybody asks for a type.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Spanned};

use crate::diagnostics::Place;

/// How deep values may lie in one another; definitions need less than half of it.
const MAX_DEPTH: usize = 16;

/// How many values, ends of lists and the like may stand for aliases.
const MAX_REPEATED: usize = 100_000;

/// A value and where it stands.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is.
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text.
    Text(String),
    /// What YAML takes for a number or a truth value.
    Plain(Plain),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in the order of the file. A key may stand twice.
    Keys(Vec<(Key, Node)>),
}

/// A key and where it stands.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) place: Place,
}

/// A number or a truth value. Whoever reads it as a text wants it as it was written: `1.0` is not `1`.
pub(super) struct Plain {
    /// Where it stands, in bytes of the file.
    span: Option<(usize, usize)>,
    /// How it is written by default.
    text: String,
}

impl Plain {
    /// The text it has in `file`.
    fn written<'a>(&'a self, file: &'a str) -> &'a str {
        self.span.and_then(|(start, end)| file.get(start..end)).map_or(self.text.as_str(), str::trim)
    }
}

impl Node {
    /// Reads a file.
    ///
    /// # Errors
    /// A fault of YAML's syntax, or a file beyond the reader's bounds of depth and size.
    pub(super) fn parse(file: &str) -> Result<Self, serde_saphyr::Error> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            non_finite_float_policy: NonFiniteFloatPolicy::AsString,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(file, options)
    }

    /// Hands the places of the value and of all that lies in it to `look`.
    pub(super) fn each_place(&self, look: &mut impl FnMut(Place)) {
        look(self.place);
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.each_place(look)),
            Value::Keys(entries) => entries.iter().for_each(|(key, value)| {
                look(key.place);
                value.each_place(look);
            }),
            Value::Null | Value::Text(_) | Value::Plain(_) => {}
        }
    }

    /// Hands each text of the value to `change`, with its place.
    pub(super) fn each_text(&mut self, change: &mut impl FnMut(&mut String, &mut Place)) {
        match &mut self.value {
            Value::Text(text) => change(text, &mut self.place),
            Value::List(items) => items.iter_mut().for_each(|item| item.each_text(change)),
            Value::Keys(entries) => entries.iter_mut().for_each(|(_, value)| value.each_text(change)),
            Value::Null | Value::Plain(_) => {}
        }
    }

    /// The value of the key `name`, if it has one.
    pub(super) fn value_of(&mut self, name: &str) -> Option<&mut Self> {
        let Value::Keys(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The text at the key `name`, or nothing.
    pub(super) fn name(&self, file: &str) -> String {
        let Value::Keys(entries) = &self.value else { return String::new() };
        let name = entries.iter().find(|(key, _)| key.name == "name");
        name.and_then(|(_, value)| value.scalar(file)).map_or_else(String::new, Cow::into_owned)
    }

    /// The text of a single value of `file`.
    pub(super) fn scalar<'a>(&'a self, file: &'a str) -> Option<Cow<'a, str>> {
        match &self.value {
            Value::Text(text) => Some(text.into()),
            Value::Plain(plain) => Some(plain.written(file).into()),
            Value::Null | Value::List(_) | Value::Keys(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { mut value, referenced, defined } = Spanned::<Value>::deserialize(deserializer)?;
        if let Value::Plain(plain) = &mut value {
            let span = defined.span();
            let start = span.byte_offset().and_then(|start| usize::try_from(start).ok());
            let length = span.byte_len().and_then(|length| usize::try_from(length).ok());
            plain.span = start.zip(length).map(|(start, length)| (start, start.saturating_add(length)));
        }
        Ok(Self { place: referenced.into(), value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<String>::deserialize(deserializer)
            .map(|key| Self { name: key.value, place: key.referenced.into() })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl Value {
    fn plain(text: String) -> Self {
        Self::Plain(Plain { span: None, text })
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::plain(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::plain(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::plain(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::plain(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            keys.push(entry);
        }
        Ok(Value::Keys(keys))
    }
}
