//! Validates the spec and profile files against the schemas, with a validator for the few keywords that the schemas use.

use std::path::Path;

use serde_json::{Map, Value};
use trustmason_spec::schema;

/// The first place that does not fit the schema. An unknown keyword fails the test.
fn misfit(value: &Value, schema: &Map<String, Value>, at: &str) -> Option<String> {
    for (keyword, rule) in schema {
        let found = match keyword.as_str() {
            "$schema" | "title" | "description" | "pattern" => None,
            "type" => {
                let kinds: Vec<&str> = rule.as_array().map_or_else(
                    || vec![rule.as_str().unwrap()],
                    |all| all.iter().map(|k| k.as_str().unwrap()).collect(),
                );
                (!kinds.contains(&kind(value))).then(|| format!("{at}: {} is not {kinds:?}", kind(value)))
            }
            "enum" => (!rule.as_array().unwrap().contains(value)).then(|| format!("{at}: {value} is none of {rule}")),
            "properties" => value.as_object().and_then(|object| {
                object
                    .iter()
                    .find_map(|(key, inner)| misfit(inner, rule.get(key)?.as_object()?, &format!("{at}/{key}")))
            }),
            "additionalProperties" => value.as_object().and_then(|object| {
                let known = schema.get("properties").and_then(Value::as_object);
                let extra = object.iter().filter(|(key, _)| known.is_none_or(|k| !k.contains_key(*key)));
                let mut extra = extra.map(|(key, inner)| match rule {
                    Value::Object(rule) => misfit(inner, rule, &format!("{at}/{key}")),
                    _ => Some(format!("{at}: unknown {key}")),
                });
                extra.find_map(|found| found)
            }),
            "propertyNames" => None,
            "required" => value.as_object().and_then(|object| {
                let missing = rule.as_array().unwrap().iter().find(|name| !object.contains_key(name.as_str().unwrap()));
                missing.map(|name| format!("{at}: lacks {name}"))
            }),
            "items" => value.as_array().and_then(|items| {
                items.iter().find_map(|item| misfit(item, rule.as_object().unwrap(), &format!("{at}[]")))
            }),
            "minItems" => value.as_array().filter(|items| items.is_empty()).map(|_| format!("{at}: empty")),
            "oneOf" | "anyOf" => {
                let fits = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|s| misfit(value, s.as_object().unwrap(), at).is_none())
                    .count();
                let bad = if keyword == "oneOf" { fits != 1 } else { fits == 0 };
                bad.then(|| format!("{at}: {fits} of {keyword} fit"))
            }
            other => panic!("the validator does not know {other}"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn specs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs")
}

#[test]
fn the_example_estates_fit_the_schema() {
    let schema = schema::spec();
    for name in ["lab.yaml", "pcce-2000.yaml"] {
        assert_eq!(misfit(&yaml(&specs().join(name)), schema.as_object().unwrap(), ""), None, "{name}");
    }
}

#[test]
fn the_built_in_profiles_fit_the_schema() {
    let schema = schema::profile();
    for name in trustmason_spec::profile::names() {
        let file = specs().join("profiles").join(format!("{name}.yaml"));
        assert_eq!(misfit(&yaml(&file), schema.as_object().unwrap(), ""), None, "{name}");
    }
}

#[test]
fn structural_faults_do_not_fit_the_schema() {
    let schema = schema::spec();
    for name in [
        "unknown-field",
        "unknown-field-of-a-host",
        "missing-field",
        "wrong-type",
        "wrong-version",
        "unquoted-braces",
        "secret-in-two-ways",
        "unknown-finding",
        "restart-as-one-text",
    ] {
        let value = yaml(&specs().join("invalid").join(format!("{name}.yaml")));
        assert!(misfit(&value, schema.as_object().unwrap(), "").is_some(), "{name} fits");
    }
}

#[test]
fn every_field_is_described() {
    fn walk(value: &Value, at: &str) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            for (name, field) in properties {
                let text = field.get("description").and_then(Value::as_str).unwrap_or_default();
                assert!(!text.is_empty(), "{at}/{name} has no description");
                walk(field, &format!("{at}/{name}"));
            }
        }
    }
    walk(&schema::spec(), "");
    walk(&schema::profile(), "");
}
