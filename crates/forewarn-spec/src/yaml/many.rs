//! One text or a list of texts, none of which leaves anything out.

use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::field::{Kind, ONE_OR_MANY, Text};

/// One text of kind `K`, or a list of at least one.
pub(crate) struct Many<K>(pub(crate) Vec<Text<K>>);

impl<'de, K> Deserialize<'de> for Many<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<K>(PhantomData<K>);

        impl<'de, K> Visitor<'de> for All<K> {
            type Value = Many<K>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Many<K>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Many(texts))
            }
        }

        deserializer.deserialize_tuple_struct(ONE_OR_MANY, 0, All(PhantomData))
    }
}

impl<K: Kind> JsonSchema for Many<K> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMore{}", K::NAME).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Text<K>>();
        json_schema!({
            "description": "One, or a list of at least one.",
            "anyOf": [one, { "type": "array", "minItems": 1, "items": one }],
        })
    }
}
