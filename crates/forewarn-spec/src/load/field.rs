//! The values of a definition file: each with its place, and each text with its kind.
//!
//! A raw struct states the kind of each of its texts as a type; the function that reads such a text takes that type and no other; and
//! the JSON Schema is derived from the same type. So the schema and the loader say the same, or the code does not compile.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use crate::diagnostics::Report;

/// A number or a list, with its place.
pub(super) struct Placed<T>(Spanned<T>);

impl<T> Deref for Placed<T> {
    type Target = Spanned<T>;

    fn deref(&self) -> &Spanned<T> {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
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

/// A text of kind `K`, with its place.
pub(super) struct Text<K> {
    text: Spanned<String>,
    kind: PhantomData<K>,
}

impl<K> Deref for Text<K> {
    type Target = Spanned<String>;

    fn deref(&self) -> &Spanned<String> {
        &self.text
    }
}

impl<'de, K> Deserialize<'de> for Text<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(|text| Self { text, kind: PhantomData })
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
pub(super) trait Kind {
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

/// A type whose values have names.
pub(super) trait Choice: Copy + 'static {
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
pub(super) struct OneOf<T>(PhantomData<T>);

/// A text that names a value of `T`.
pub(super) type Chosen<T> = Text<OneOf<T>>;

impl<T: Choice> Kind for OneOf<T> {
    const NAME: &'static str = T::NAME;
    const ABOUT: &'static str = T::ABOUT;

    fn more() -> Vec<(&'static str, Value)> {
        vec![("enum", T::CHOICES.iter().map(|(name, _)| *name).collect())]
    }
}

/// Reads a name of one of `T`'s values.
pub(super) fn choice<T: Choice>(text: &Chosen<T>, report: &mut Report<'_>) -> Option<T> {
    let found = T::CHOICES.iter().find(|(name, _)| *name == text.value).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = T::CHOICES.iter().map(|(name, _)| *name).collect();
        let listed = names.join(", ");
        if T::LATER.contains(&text.value.as_str()) {
            report.on(text, format!("`{}` is not supported yet", text.value), Some(format!("use one of {listed}")));
        } else {
            let hint = crate::suggest::did_you_mean(&text.value, names).map(|name| format!("did you mean '{name}'?"));
            report.on(text, format!("'{}' is not one of {listed}", text.value), hint);
        }
    }
    found
}

/// The keys of [`Unsupported`] values: they are not offered to somebody who mistyped a key.
pub(super) const UNSUPPORTED_KEYS: [&str; 4] = ["views", "routes", "stuck", "sequence"];

/// The value of a key that is reserved for what is not supported yet. It may be anything, and its presence is a mistake.
#[derive(Default)]
pub(super) struct Unsupported(Option<Location>);

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<IgnoredAny>::deserialize(deserializer).map(|value| Self(Some(value.referenced)))
    }
}

impl Unsupported {
    /// Reports the key if it is there, and says whether it is.
    pub(super) fn refuse(&self, key: &str, instead: &str, report: &mut Report<'_>) -> bool {
        if let Some(place) = self.0 {
            report.at_key(key, place, format!("`{key}` is not supported yet"), Some(instead.to_owned()));
        }
        self.0.is_some()
    }
}
