//! The JSON Schema of the file format: published for editors, and what files are read by.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::Definition;
use super::validate::{OPERATIONS_MAX, REQUIRED};

/// The JSON Schema (2020-12) of a migration file.
///
/// It is drawn from [`Definition`], and says besides what each kind of operation cannot do without, and where a number or a
/// truth value may stand in the place of its text (`default = 500`).
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Definition).to_value();
    schema["title"] = json!("A migration of Corridor");
    clean(&mut schema);
    let scalar = json!(["string", "integer", "number", "boolean"]);
    schema["$defs"]["Parameter"]["properties"]["default"]["type"] = scalar.clone();
    schema["properties"]["settings"]["additionalProperties"]["type"] = scalar.clone();
    schema["$defs"]["Requirements"]["properties"]["settings"]["additionalProperties"]["type"] = scalar;
    schema["properties"]["operations"]["minItems"] = json!(1);
    schema["properties"]["operations"]["maxItems"] = json!(OPERATIONS_MAX);
    let kinds = schema["$defs"]["Operation"]["oneOf"].as_array_mut();
    for operation in kinds.into_iter().flatten() {
        let kind = operation["properties"]["kind"]["const"].clone();
        let Some((_, keys)) = REQUIRED.iter().find(|(name, _)| kind == *name) else {
            continue;
        };
        for key in *keys {
            let property = &mut operation["properties"][*key];
            match property["type"].as_str() {
                Some("array") => property["minItems"] = json!(1),
                _ => property["minLength"] = json!(1),
            }
        }
        operation["required"] = [&["kind"], *keys].concat().into();
        if kind == "verify" {
            operation["properties"]["tolerance"]["type"] = json!(["string", "integer"]);
        }
    }
    schema
}

/// The schema of a whole file, drawn once.
pub(super) fn of_file() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(json_schema)
}

/// The schema of a SQL file's head, drawn once: its operations stand below it.
pub(super) fn of_head() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = json_schema();
        if let Some(known) = schema["properties"].as_object_mut() {
            known.remove("operations");
        }
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|key| key != "operations");
        }
        schema
    })
}

/// Takes out what serves JSON only (`null`), and what is an artefact of Rust (empty defaults, sizes of numbers).
fn clean(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            clean_one(map);
            map.values_mut().for_each(clean);
        }
        Value::Array(list) => list.iter_mut().for_each(clean),
        _ => {}
    }
}

fn clean_one(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if matches!(map.get("default"), Some(Value::String(text)) if text.is_empty())
        || matches!(map.get("default"), Some(Value::Array(list)) if list.is_empty())
    {
        map.remove("default");
    }
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if let Some(Value::String(format)) = map.remove("format")
        && format == "uint32"
    {
        map.insert("maximum".to_owned(), json!(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CORRIDOR_WRITE_SCHEMA=1 cargo test -p corridor-migration schema` writes the file.
    #[test]
    fn the_published_schema_is_this_one() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/src/schema/migration.schema.json"
        );
        if std::env::var_os("CORRIDOR_WRITE_SCHEMA").is_some() {
            let text = serde_json::to_string_pretty(&json_schema()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        let found: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            found == json_schema(),
            "docs/src/schema/migration.schema.json is not what the types say; write it with CORRIDOR_WRITE_SCHEMA=1"
        );
    }

    #[test]
    fn every_kind_of_operation_says_what_it_needs() {
        let schema = json_schema();
        let kinds = schema["$defs"]["Operation"]["oneOf"].as_array().unwrap();
        assert_eq!(kinds.len(), REQUIRED.len());
        for kind in kinds {
            let required = kind["required"].as_array().unwrap();
            assert!(required.len() >= 3, "{kind}");
            for key in required {
                let property = &kind["properties"][key.as_str().unwrap()];
                assert!(property.is_object(), "{key} of {kind}");
            }
        }
    }
}
