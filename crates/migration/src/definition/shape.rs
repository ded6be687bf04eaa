//! A file's tree against the schema: each key is known, each value of the right kind, nothing is missing.
//!
//! The types could be read by serde alone. But for an enum with a tag it forgets where a value stood, and it does not know
//! what was meant; a person needs the line, and the key that is closest. So the tree is led along the published schema
//! first, and what comes out fits the types.

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{MISSING_KEY, UNFIT_VALUE, UNKNOWN_KEY};
use super::problem::{Lines, Outcome, Problem, Problems, suggestion};

/// Leads `table` along `schema`, and gives what it says as JSON, without the parts that `problems` tells of. Notes in `lines` where
/// each part stands.
pub(super) fn read(
    table: &Spanned<DeTable<'_>>,
    schema: &Value,
    line_of: &dyn Fn(usize) -> usize,
    lines: &mut Lines,
    problems: &mut Problems,
) -> Value {
    let mut walk = Walk {
        root: schema,
        line_of,
        lines,
        problems,
    };
    walk.lines.note("", 1);
    walk.table("", table.get_ref(), schema)
}

struct Walk<'a> {
    root: &'a Value,
    line_of: &'a dyn Fn(usize) -> usize,
    lines: &'a mut Lines,
    problems: &'a mut Problems,
}

impl<'a> Walk<'a> {
    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, schema: &'a Value) -> Outcome<Value> {
        let line = (self.line_of)(value.span().start);
        self.lines.note(path, line);
        let schema = self.resolve(schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            return match value.get_ref() {
                DeValue::Table(table) => {
                    let (choice, kind) = tagged(path, table, choices)?;
                    let mut read = self.table(path, table, choice);
                    read["kind"] = kind;
                    Ok(read)
                }
                other => word(path, other, choices),
            };
        }
        let takes = |name: &str| match &schema["type"] {
            Value::Array(types) => types.iter().any(|it| it == name),
            only => only == name,
        };
        let is_text = takes("string");
        match value.get_ref() {
            DeValue::String(text) if is_text => Ok(json!(text.as_ref())),
            DeValue::Boolean(truth) if takes("boolean") && !is_text => Ok(json!(truth)),
            DeValue::Array(list) if takes("array") => {
                let mut read = Vec::new();
                for (i, item) in list.iter().enumerate() {
                    // Each keeps its place.
                    let item = self.value(&format!("{path}[{i}]"), item, &schema["items"]);
                    read.push(self.problems.read(item).unwrap_or(Value::Null));
                }
                Ok(Value::Array(read))
            }
            DeValue::Table(table) if takes("object") => Ok(self.table(path, table, schema)),
            DeValue::Integer(number) if takes("integer") => {
                let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let is_within = |read: i64| {
                    schema["minimum"].as_i64().is_none_or(|min| read >= min)
                        && schema["maximum"].as_i64().is_none_or(|max| read <= max)
                };
                match read {
                    Some(read) if is_text => Ok(json!(read.to_string())),
                    Some(read) if is_within(read) => Ok(json!(read)),
                    _ => Err(unfit(path, &format!("{number} is out of range"))),
                }
            }
            // As it was written: `0.10` stays `0.10`.
            DeValue::Float(number) if is_text && takes("number") => Ok(json!(number.as_str())),
            DeValue::Boolean(truth) if is_text && takes("boolean") => Ok(json!(truth.to_string())),
            DeValue::Datetime(time) if is_text && takes("number") => Ok(json!(time.to_string())),
            other => {
                let wanted = ["string", "array", "object", "boolean", "integer"]
                    .into_iter()
                    .find(|name| takes(name))
                    .unwrap_or("string");
                Err(unfit(path, &format!("{}, not {}", words(wanted), found(other))))
            }
        }
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>, schema: &'a Value) -> Value {
        let known = schema["properties"].as_object();
        let mut read = Map::new();
        // In the file's order, so that the first fault is the first one in the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let at = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            self.lines.note(&at, (self.line_of)(key.span().start));
            let schema = match known.and_then(|known| known.get(name)) {
                Some(own) => own,
                None if schema["additionalProperties"].is_object() => &schema["additionalProperties"],
                None => {
                    self.problems
                        .note(Err(unknown(&at, &owner(path, table), name, known)));
                    continue;
                }
            };
            let value = self.value(&at, value, schema);
            if let Some(value) = self.problems.read(value) {
                read.insert(name.to_owned(), value);
            }
        }
        let required = schema["required"].as_array();
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(key) && key != "kind" {
                let what = format!("{}`{key}` is missing", within(path, table));
                self.problems.note(Err(Problem::new(path, &MISSING_KEY, what)));
            }
        }
        Value::Object(read)
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let reference = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        reference
            .and_then(|pointer| self.root.pointer(pointer))
            .unwrap_or(schema)
    }
}

/// The choice that the table's `kind` names.
fn tagged<'a>(path: &str, table: &DeTable<'_>, choices: &'a [Value]) -> Outcome<(&'a Value, Value)> {
    let kinds = || {
        choices
            .iter()
            .filter_map(|it| it["properties"]["kind"]["const"].as_str())
    };
    let Some(kind) = table.get("kind") else {
        let what = format!(
            "{}`kind` is missing; one of {}",
            within(path, table),
            kinds().collect::<Vec<_>>().join(", ")
        );
        return Err(Problem::new(path, &MISSING_KEY, what));
    };
    let at = format!("{path}.kind");
    let Some(kind) = kind.get_ref().as_str() else {
        return Err(unfit(&at, &format!("a text, not {}", found(kind.get_ref()))));
    };
    let choice = choices
        .iter()
        .find(|it| it["properties"]["kind"]["const"] == kind);
    choice.map(|choice| (choice, json!(kind))).ok_or_else(|| {
        let what = format!(
            "{}there is no kind {kind:?}{}",
            within(path, table),
            or_all(suggestion(kind, kinds()), kinds())
        );
        Problem::new(at, &UNFIT_VALUE, what)
    })
}

fn word(path: &str, value: &DeValue<'_>, choices: &[Value]) -> Outcome<Value> {
    let words = || choices.iter().filter_map(|it| it["const"].as_str());
    match value.as_str() {
        Some(text) if words().any(|word| word == text) => Ok(json!(text)),
        Some(text) => {
            let near = or_all(suggestion(text, words()), words());
            Err(unfit(path, &format!("{text:?} is not one of its words{near}")))
        }
        None if words().next().is_none() => Err(unfit(
            path,
            &format!("a table of keys and values, not {}", found(value)),
        )),
        None => Err(unfit(
            path,
            &format!(
                "one of {}, not {}",
                words().collect::<Vec<_>>().join(", "),
                found(value)
            ),
        )),
    }
}

fn or_all<'a>(near: String, all: impl Iterator<Item = &'a str>) -> String {
    match near.as_str() {
        "" => format!("; one of {}", all.collect::<Vec<_>>().join(", ")),
        _ => near,
    }
}

fn unknown(at: &str, owner: &str, name: &str, known: Option<&Map<String, Value>>) -> Problem {
    let names = || known.into_iter().flat_map(Map::keys).map(String::as_str);
    let near = or_all(suggestion(name, names()), names());
    Problem::new(
        at,
        &UNKNOWN_KEY,
        format!("`{name}` is not a key of {owner}{near}"),
    )
}

/// ``operation `fill`: ``, for what is said of a table inside of the whole.
fn within(path: &str, table: &DeTable<'_>) -> String {
    match path {
        "" => String::new(),
        path => format!("{}: ", owner(path, table)),
    }
}

/// What a person calls the table at `path`.
fn owner(path: &str, table: &DeTable<'_>) -> String {
    let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
    let is_operation = path.starts_with("operations[") && path.ends_with(']');
    match (path, text("name"), text("kind")) {
        ("", _, _) => "a migration".to_owned(),
        (_, Some(name), Some(kind)) if is_operation => format!("operation `{name}` ({kind})"),
        (_, Some(name), None) if is_operation => format!("operation `{name}`"),
        _ => format!("`{path}`"),
    }
}

fn unfit(path: &str, what: &str) -> Problem {
    Problem::new(path, &UNFIT_VALUE, format!("`{path}`: {what}"))
}

fn words(kind: &str) -> &'static str {
    match kind {
        "array" => "a list",
        "object" => "a table of keys and values",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a text in quotes",
    }
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table of keys and values",
    }
}
