//! Gives the JSON Schemas (draft 2020-12) of the two languages, for editors. The schemas are made from the tables that the
//! reader uses. A schema cannot express faults that only resolving finds, such as a name that does not exist.

use serde_json::{Map, Value, json};

use crate::grammar;
use crate::lexeme::Lexeme;
use crate::shape::{KnownFields, Shape};

/// The schema of an estate spec.
pub fn spec() -> Value {
    whole("trustmason estate spec", &grammar::SPEC)
}

/// The schema of a role profile.
pub fn profile() -> Value {
    whole("trustmason role profile", &grammar::PROFILE)
}

fn whole(title: &str, shape: &KnownFields) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(title));
    schema.extend(record(shape));
    Value::Object(schema)
}

fn record(shape: &KnownFields) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in shape.fields {
        let mut value = of(&field.shape);
        value.insert("description".to_owned(), json!(field.doc));
        properties.insert(field.name.to_owned(), Value::Object(value));
    }
    let mut out = Map::new();
    out.insert("type".to_owned(), json!("object"));
    out.insert("properties".to_owned(), Value::Object(properties));
    out.insert("additionalProperties".to_owned(), json!(false));
    let required: Vec<&str> = shape.fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    if !required.is_empty() {
        out.insert("required".to_owned(), json!(required));
    }
    if !shape.one_of.is_empty() {
        let choices: Vec<Value> = shape.one_of.iter().map(|name| json!({ "required": [name] })).collect();
        out.insert("oneOf".to_owned(), Value::Array(choices));
    }
    out
}

fn of(shape: &Shape) -> Map<String, Value> {
    let value = match shape {
        Shape::Scalar(lexeme) => return scalar(*lexeme),
        Shape::Words(words) => {
            json!({ "enum": words.iter().flat_map(|word| spellings(word)).collect::<Vec<_>>() })
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::List(item) => json!({ "type": "array", "items": of(item) }),
        Shape::OneOrMore(item) => {
            json!({ "anyOf": [of(item), { "type": "array", "minItems": 1, "items": of(item) }] })
        }
        Shape::Map(key, value) => json!({
            "type": "object",
            "propertyNames": { "pattern": key.pattern() },
            "additionalProperties": of(value),
        }),
        Shape::Record(fields) => return record(fields),
        Shape::Either(scalar, fields) => json!({ "anyOf": [of(scalar), record(fields)] }),
    };
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// The schema of a scalar. A scalar that looks like a number needs no quotes, so a YAML reader may pass a number on.
fn scalar(lexeme: Lexeme) -> Map<String, Value> {
    let kinds = match lexeme {
        Lexeme::Text | Lexeme::OlderAlias | Lexeme::Name | Lexeme::Count | Lexeme::Port | Lexeme::Sha256 => {
            json!(["string", "number"])
        }
        Lexeme::Fqdn
        | Lexeme::Days
        | Lexeme::LeadTime
        | Lexeme::Wait
        | Lexeme::Date
        | Lexeme::Country
        | Lexeme::Pair
        | Lexeme::HostPath
        | Lexeme::Variable
        | Lexeme::AliasPrefix => json!("string"),
    };
    let mut out = Map::new();
    out.insert("type".to_owned(), kinds);
    out.insert("pattern".to_owned(), json!(lexeme.pattern()));
    out
}

/// A word as text, and also as a number if the word is one.
fn spellings(word: &str) -> Vec<Value> {
    let number = word.parse::<u32>().ok().map(|n| json!(n));
    number.into_iter().chain(std::iter::once(json!(word))).collect()
}
