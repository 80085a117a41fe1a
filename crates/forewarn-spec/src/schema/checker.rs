//! A validator for the part of JSON Schema that the schemas use. A keyword it does not know fails the test: a
//! validator that passes over what it does not understand proves nothing. Patterns are judged by tests of
//! their own.

use serde_json::{Map, Value};

/// Why `value` is not valid against `root`; empty if it is.
pub(super) fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

/// The schema that a `$ref` of `schema` leads to, or `schema` itself.
pub(super) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(target) => root
            .pointer(target.strip_prefix('#').unwrap())
            .unwrap_or_else(|| panic!("{target} leads nowhere")),
        None => schema,
    }
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            found.push(format!("{at}: nothing is allowed here"));
        }
        return;
    };
    for (keyword, wanted) in schema {
        let fault = match keyword.as_str() {
            "$ref" => {
                check(root, resolved(root, &Value::Object(schema.clone())), value, at, found);
                None
            }
            "type" => (!has_type(wanted, value)).then(|| format!("is no {wanted}")),
            "enum" => (!wanted.as_array().unwrap().contains(value)).then(|| format!("is none of {wanted}")),
            "const" => (wanted != value).then(|| format!("is not {wanted}")),
            "minimum" => bound(value, wanted, |value, bound| value >= bound),
            "maximum" => bound(value, wanted, |value, bound| value <= bound),
            "exclusiveMinimum" => bound(value, wanted, |value, bound| value > bound),
            "exclusiveMaximum" => bound(value, wanted, |value, bound| value < bound),
            "maxLength" => length(value)
                .filter(|length| *length > wanted.as_u64().unwrap())
                .map(|_| "is too long".to_owned()),
            "minItems" => items(value)
                .filter(|items| (items.len() as u64) < wanted.as_u64().unwrap())
                .map(|_| "is too short".to_owned()),
            "not" => matches(root, wanted, value).then(|| format!("must not be {wanted}")),
            "anyOf" => (count(root, wanted, value) == 0).then(|| "is none of the alternatives".to_owned()),
            "oneOf" => (count(root, wanted, value) != 1)
                .then(|| format!("is not exactly one of the alternatives {wanted}")),
            "items" => {
                for (i, item) in items(value).into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}/{i}"), found);
                }
                None
            }
            "required" => value.as_object().and_then(|object| missing(wanted, object)),
            "properties" | "additionalProperties" => {
                if let (Some(object), true) =
                    (value.as_object(), keyword == "properties" || !schema.contains_key("properties"))
                {
                    members(root, schema, object, at, found);
                }
                None
            }
            "pattern" | "$schema" | "$defs" | "title" | "description" | "default" | "examples" => None,
            other => panic!("the checker does not know the keyword {other}"),
        };
        found.extend(fault.map(|fault| format!("{at}: {value} {fault}")));
    }
}

fn members(
    root: &Value,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    let none = Map::new();
    let properties = schema.get("properties").map_or(&none, |properties| properties.as_object().unwrap());
    for (key, member) in object {
        match (properties.get(key), schema.get("additionalProperties")) {
            (Some(property), _) => check(root, property, member, &format!("{at}/{key}"), found),
            (None, Some(other)) => check(root, other, member, &format!("{at}/{key}"), found),
            (None, None) => {}
        }
    }
}

fn matches(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn count(root: &Value, schemas: &Value, value: &Value) -> usize {
    schemas.as_array().unwrap().iter().filter(|schema| matches(root, schema, value)).count()
}

fn missing(wanted: &Value, object: &Map<String, Value>) -> Option<String> {
    let key = wanted.as_array().unwrap().iter().find(|key| !object.contains_key(key.as_str().unwrap()))?;
    Some(format!("lacks the key {key}"))
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type of JSON"),
    };
    wanted.as_array().map_or_else(|| is(wanted), |names| names.iter().any(is))
}

fn bound(value: &Value, wanted: &Value, holds: fn(f64, f64) -> bool) -> Option<String> {
    let value = value.as_f64()?;
    (!holds(value, wanted.as_f64().unwrap())).then(|| format!("is out of bounds: {wanted}"))
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn items(value: &Value) -> Option<&Vec<Value>> {
    value.as_array()
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let schema = serde_json::json!({
        "$defs": { "Size": { "type": ["string", "integer"], "minimum": 1, "maxLength": 3 } },
        "type": "object",
        "properties": {
            "size": { "$ref": "#/$defs/Size" },
            "list": { "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 1 },
            "share": { "type": "number", "minimum": 0.5, "exclusiveMaximum": 1 },
        },
        "required": ["size"],
        "additionalProperties": false,
        "oneOf": [{ "required": ["list"] }, { "required": ["share"], "properties": { "share": { "not": { "const": 0.75 } } } }],
    });
    for (text, valid) in [
        (r#"{"size": "1", "list": ["a", "b"]}"#, true),
        (r#"{"size": 1, "share": 0.5}"#, true),
        (r#"{"list": ["a"]}"#, false),
        (r#"{"size": 0, "list": ["a"]}"#, false),
        (r#"{"size": 1.5, "list": ["a"]}"#, false),
        (r#"{"size": "long", "list": ["a"]}"#, false),
        (r#"{"size": "1", "list": []}"#, false),
        (r#"{"size": "1", "list": ["c"]}"#, false),
        (r#"{"size": "1", "list": ["a"], "share": 0.5}"#, false),
        (r#"{"size": "1", "share": 0.75}"#, false),
        (r#"{"size": "1", "share": 1}"#, false),
        (r#"{"size": "1", "list": ["a"], "other": 1}"#, false),
        (r#"{"size": "1"}"#, false),
        ("[]", false),
    ] {
        let found = faults(&schema, &serde_json::from_str(text).unwrap());
        assert_eq!(found.is_empty(), valid, "{text}: {found:?}");
    }
}
