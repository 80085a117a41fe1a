//! The values of a definition file: each with its place, and each text with its kind.
//!
//! A raw struct states the kind of each of its texts as a type; the function that reads such a text takes
//! that type and no other; and the JSON Schema is derived from the same type. So the schema and the loader
//! say the same, or the code does not compile.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

pub(crate) use crate::diagnostics::Placed;
use crate::diagnostics::{Place, Report};

/// The name under which a value is asked for together with its place: the value, its line and its column, in
/// this order.
pub(crate) const PLACED: &str = "placed";
/// The name under which the place of a key is asked for, whatever its value: line and column.
pub(crate) const PLACE_OF_KEY: &str = "place of key";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Placed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, its line and its column")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Placed<T>, A::Error> {
                let value = next(&mut parts, 0)?;
                let (line, column) = (next(&mut parts, 1)?, next(&mut parts, 2)?);
                Ok(Placed { value, place: Place { line, column } })
            }
        }

        deserializer.deserialize_tuple_struct(PLACED, 3, Parts(PhantomData))
    }
}

/// The next of the parts of something with its place; `number` is how many came before it.
fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A, number: usize) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| de::Error::invalid_length(number, &"a place"))
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// The name under which one value or a list of them is asked for.
pub(crate) const ONE_OR_MANY: &str = "one or many";

/// One text of kind `K`, or a list of them, of which some may have a `!` before them.
pub(crate) struct Selectors<K>(pub(crate) Vec<Text<K>>);

impl<'de, K> Deserialize<'de> for Selectors<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<K>(PhantomData<K>);

        impl<'de, K> Visitor<'de> for All<K> {
            type Value = Selectors<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Selectors<K>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Selectors(texts))
            }
        }

        deserializer.deserialize_tuple_struct(ONE_OR_MANY, 0, All(PhantomData))
    }
}

impl<K: Kind> JsonSchema for Selectors<K> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}List", K::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Text<K>>();
        let pattern = format!("^!?{}", K::PATTERN.trim_start_matches('^'));
        json_schema!({
            "description": "One selector, or a list of them; what one with a `!` before it selects is left out.",
            "anyOf": [one, { "type": "array", "items": { "type": K::TYPES, "pattern": pattern } }],
        })
    }
}

/// A text of kind `K`, with its place.
pub(crate) struct Text<K> {
    text: Placed<String>,
    kind: PhantomData<K>,
}

impl<K> Deref for Text<K> {
    type Target = Placed<String>;

    fn deref(&self) -> &Placed<String> {
        &self.text
    }
}

impl<'de, K> Deserialize<'de> for Text<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Placed::deserialize(deserializer).map(|text| Self { text, kind: PhantomData })
    }
}

impl<K: Kind> JsonSchema for Text<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = match K::TYPES {
            [only] => json_schema!({ "description": K::ABOUT, "type": only }),
            several => json_schema!({ "description": K::ABOUT, "type": several }),
        };
        if !K::PATTERN.is_empty() {
            schema.insert("pattern".to_owned(), K::PATTERN.into());
        }
        if !K::EXAMPLES.is_empty() {
            schema.insert("examples".to_owned(), K::EXAMPLES.into());
        }
        for (keyword, value) in K::more() {
            schema.insert(keyword.to_owned(), value);
        }
        schema
    }
}

/// What a text is: how JSON Schema describes it.
pub(crate) trait Kind {
    /// Its name among the definitions of a schema.
    const NAME: &'static str;
    /// What it is and how it is written.
    const ABOUT: &'static str;
    /// Texts of this kind.
    const EXAMPLES: &'static [&'static str] = &[];
    /// A pattern that every text of this kind matches; empty if there is none.
    const PATTERN: &'static str = "";
    /// The types that YAML may take such a text for when it stands without quotes.
    const TYPES: &'static [&'static str] = &["string"];

    /// Further keywords of its schema.
    fn more() -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// A JSON Schema for objects in which `present` has a value and no key of `absent` has one.
pub(crate) fn only(present: &str, absent: &[&str]) -> Value {
    let mut properties: serde_json::Map<String, Value> =
        absent.iter().map(|key| ((*key).to_owned(), json!({ "type": "null" }))).collect();
    properties.insert(present.to_owned(), json!({ "not": { "type": "null" } }));
    json!({ "required": [present], "properties": properties })
}

/// A type whose values have names.
pub(crate) trait Choice: Copy + 'static {
    /// Its name among the definitions of a schema.
    const NAME: &'static str;
    /// What is chosen.
    const ABOUT: &'static str;
    /// The names and what they stand for.
    const CHOICES: &'static [(&'static str, Self)];
    /// Names that are reserved for what is not supported yet.
    const LATER: &'static [&'static str] = &[];
}

/// The kind of the names of `T`'s values.
pub(crate) struct OneOf<T>(PhantomData<T>);

/// A text that names a value of `T`.
pub(crate) type Chosen<T> = Text<OneOf<T>>;

impl<T: Choice> Kind for OneOf<T> {
    const NAME: &'static str = T::NAME;
    const ABOUT: &'static str = T::ABOUT;

    fn more() -> Vec<(&'static str, Value)> {
        vec![("enum", T::CHOICES.iter().map(|(name, _)| *name).collect())]
    }
}

/// Reads a name of one of `T`'s values.
pub(crate) fn choice<T: Choice>(text: &Chosen<T>, report: &mut Report<'_>) -> Option<T> {
    let found = T::CHOICES.iter().find(|(name, _)| *name == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = T::CHOICES.iter().map(|(name, _)| *name).collect();
        let listed = names.join(", ");
        if T::LATER.contains(&text.value.as_str()) {
            report.on(
                text,
                format!("`{}` is not supported yet", text.value),
                Some(format!("use one of {listed}")),
            );
        } else {
            let hint = forewarn_types::did_you_mean(&text.value, names)
                .map(|name| format!("did you mean '{name}'?"));
            report.on(text, format!("'{}' is not one of {listed}", text.value), hint);
        }
    }
    found
}

/// The place of a key that is reserved for what is not supported yet, if it is there. Its presence is a
/// mistake, whatever its value.
#[derive(Default)]
pub(crate) struct Unsupported(Option<Place>);

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Unsupported;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the line and the column of a key")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Unsupported, A::Error> {
                let place = Place { line: next(&mut parts, 0)?, column: next(&mut parts, 1)? };
                Ok(Unsupported(Some(place).filter(|place| !place.is_unknown())))
            }
        }

        deserializer.deserialize_tuple_struct(PLACE_OF_KEY, 2, Parts)
    }
}

impl Unsupported {
    /// Reports the key if it is there, and says whether it is.
    pub(crate) fn refuse(&self, key: &str, instead: &str, report: &mut Report<'_>) -> bool {
        if let Some(place) = self.0 {
            report.at(place, format!("`{key}` is not supported yet"), Some(instead.to_owned()));
        }
        self.0.is_some()
    }
}
