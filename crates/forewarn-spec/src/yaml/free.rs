//! Values that can be written in more than one form: keys that whoever writes the file chooses, and a single
//! value in the place of several keys.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::field::Text;

/// The name under which a value is asked for that is either a single value or keys with values: first as the
/// one, then as the other.
pub(crate) const EITHER: &str = "either";

/// Keys of kind `K`, each with a value, in the order of the file. None stands twice.
pub(crate) struct Keyed<K, V>(pub(crate) Vec<(Text<K>, V)>);

impl<'de, K, V: Deserialize<'de>> Deserialize<'de> for Keyed<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = Keyed<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys with values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keyed<K, V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Keyed(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<K, V: JsonSchema> JsonSchema for Keyed<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        V::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// A single value `S`, or keys `M`; neither if it could not be read.
pub(crate) struct Either<S, M> {
    /// The single value.
    pub(crate) single: Option<S>,
    /// The keys.
    pub(crate) keys: Option<M>,
}

impl<'de, S: Deserialize<'de>, M: Deserialize<'de>> Deserialize<'de> for Either<S, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<S, M>(PhantomData<(S, M)>);

        impl<'de, S: Deserialize<'de>, M: Deserialize<'de>> Visitor<'de> for Forms<S, M> {
            type Value = Either<S, M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a single value or keys with values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut forms: A) -> Result<Either<S, M>, A::Error> {
                let single = forms.next_element::<Option<S>>()?.flatten();
                let keys = forms.next_element::<Option<M>>()?.flatten();
                Ok(Either { single, keys })
            }
        }

        deserializer.deserialize_tuple_struct(EITHER, 2, Forms(PhantomData))
    }
}

impl<S: JsonSchema, M: JsonSchema> JsonSchema for Either<S, M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}", S::schema_name(), M::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (single, keys) = (generator.subschema_for::<S>(), generator.subschema_for::<M>());
        json_schema!({ "anyOf": [single, keys] })
    }
}
