//! What a new type of a column costs.
//!
//! Every line was tried on ClickHouse 26.9: `alter table … modify column`, then `system.mutations`.

use std::collections::BTreeMap;

use super::script::Script;

/// What the change is for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The same, or only another description of the same bytes.
    Metadata,
    /// A mutation writes the column of every part anew.
    Rewrite(&'static str),
    /// The server refuses.
    Refused(&'static str),
}

/// A type: its name, and what stands in its parentheses.
struct Type {
    name: String,
    arguments: Vec<String>,
}

fn read(text: &str) -> Type {
    let script = Script::read(text, &mut Vec::new());
    let Some(part) = script.statements.first().copied() else {
        return Type {
            name: String::new(),
            arguments: Vec::new(),
        };
    };
    let mut cursor = script.cursor(part);
    let mark = cursor.mark();
    while !cursor.is_end() && cursor.clone().group().is_none() {
        cursor.step();
    }
    let name = canonical(&script.words(cursor.since(mark)));
    let inside = cursor
        .group()
        .map(|inside| script.cursor(inside).list())
        .unwrap_or_default();
    Type {
        name,
        arguments: inside.into_iter().map(|part| script.words(part)).collect(),
    }
}

/// Other names of the same types.
fn canonical(name: &str) -> String {
    let same = match name.to_ascii_uppercase().as_str() {
        "TINYINT" | "INT1" => "Int8",
        "SMALLINT" => "Int16",
        "INT" | "INTEGER" => "Int32",
        "BIGINT" => "Int64",
        "FLOAT" | "REAL" => "Float32",
        "DOUBLE" | "DOUBLE PRECISION" => "Float64",
        "TEXT" | "VARCHAR" | "CHAR" | "BLOB" => "String",
        "BOOLEAN" => "Bool",
        "TIMESTAMP" => "DateTime",
        "DEC" | "NUMERIC" => "Decimal",
        _ => return name.to_owned(),
    };
    same.to_owned()
}

/// Without white space and other names, to compare.
fn same_text(one: &str, other: &str) -> bool {
    let (one, other) = (read(one), read(other));
    let bare = |t: &Type| {
        t.arguments
            .iter()
            .map(|a| a.chars().filter(|c| !c.is_whitespace()).collect())
            .collect::<Vec<String>>()
    };
    one.name == other.name && bare(&one) == bare(&other)
}

/// From one type to another. `has_default`: the statement gives the column a default.
pub(crate) fn change(from: &str, to: &str, has_default: bool) -> Change {
    change_within(from, to, has_default, 0)
}

fn change_within(from: &str, to: &str, has_default: bool, depth: usize) -> Change {
    if same_text(from, to) {
        return Change::Metadata;
    }
    let (old, new) = (read(from), read(to));
    match (old.name.as_str(), new.name.as_str()) {
        ("Nullable", "Nullable") | ("Array", "Array") | ("LowCardinality", "LowCardinality")
            if depth < 16 =>
        {
            match (old.arguments.as_slice(), new.arguments.as_slice()) {
                ([old], [new]) => change_within(old, new, has_default, depth + 1),
                _ => Change::Rewrite("the type inside changes"),
            }
        }
        ("Nullable", inner) if inner != "LowCardinality" && !has_default => {
            Change::Refused("it may hold NULL, and no default is given in its place")
        }
        ("Nullable", _) | (_, "Nullable") => Change::Rewrite("Nullable is toggled"),
        ("LowCardinality", _) | (_, "LowCardinality") => Change::Rewrite("LowCardinality is toggled"),
        ("DateTime", "DateTime") => Change::Metadata,
        ("DateTime64", "DateTime64") if old.arguments.first() == new.arguments.first() => Change::Metadata,
        ("UInt8", "Bool") | ("Bool", "UInt8") | ("Enum8", "Int8") | ("Enum16", "Int16") => Change::Metadata,
        ("Enum8", "Enum8") | ("Enum16", "Enum16") | ("Enum", "Enum") => enum_change(&old, &new),
        ("Decimal", "Decimal") if decimal(&old).is_some() && decimal(&old) == decimal(&new) => {
            Change::Metadata
        }
        ("Decimal", "Decimal") => Change::Rewrite("precision or scale needs other bytes"),
        (old, new) if old == new => Change::Rewrite("its parameters change"),
        _ => Change::Rewrite("it becomes another type"),
    }
}

/// Values stay what they were: then more of them are free, fewer are not.
fn enum_change(old: &Type, new: &Type) -> Change {
    let values = |t: &Type| -> BTreeMap<String, String> {
        t.arguments
            .iter()
            .enumerate()
            .map(|(at, argument)| match argument.rsplit_once('=') {
                Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
                None => (argument.trim().to_owned(), (at + 1).to_string()),
            })
            .collect()
    };
    let (old, new) = (values(old), values(new));
    if old
        .iter()
        .any(|(name, value)| new.get(name).is_some_and(|now| now != value))
    {
        return Change::Refused("a name of the Enum gets another number");
    }
    if old.keys().all(|name| new.contains_key(name)) {
        Change::Metadata
    } else {
        Change::Rewrite("the Enum loses a value")
    }
}

/// Width in bits, and scale.
fn decimal(t: &Type) -> Option<(u16, u32)> {
    let precision: u32 = t.arguments.first()?.parse().ok()?;
    let scale: u32 = t.arguments.get(1).map_or(Some(0), |s| s.parse().ok())?;
    let width = match precision {
        0..=9 => 32,
        10..=18 => 64,
        19..=38 => 128,
        _ => 256,
    };
    Some((width, scale))
}

/// True where every value takes the same number of bytes, so that Delta and the like apply; nothing where that is not known.
pub(crate) fn is_fixed_size(text: &str) -> Option<bool> {
    let mut inner = text.to_owned();
    for _ in 0..16 {
        let t = read(&inner);
        match t.name.as_str() {
            "Nullable" | "LowCardinality" | "Array" => inner = t.arguments.into_iter().next()?,
            "Map" => return Some(t.arguments.iter().all(|a| is_fixed_size(a) != Some(false))),
            "String" | "JSON" | "Object" | "Variant" | "Dynamic" => return Some(false),
            "" | "Tuple" | "Nested" => return None,
            _ => return Some(true),
        }
    }
    None
}

/// True for floating-point numbers.
pub(crate) fn is_float(text: &str) -> Option<bool> {
    let mut inner = text.to_owned();
    for _ in 0..16 {
        let t = read(&inner);
        match t.name.as_str() {
            "Nullable" | "LowCardinality" | "Array" => inner = t.arguments.into_iter().next()?,
            "" | "Tuple" | "Nested" | "Map" => return None,
            name => return Some(name.starts_with("Float") || name == "BFloat16"),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Change, change};

    #[test]
    fn as_measured() {
        let free = [
            ("Enum8('a'=1)", "Enum8('a' = 1, 'b' = 2)"),
            ("Enum8('a'=1)", "Int8"),
            ("Array(Enum8('a'=1))", "Array(Enum8('a'=1,'b'=2))"),
            ("Nullable(Enum8('a'=1))", "Nullable(Enum8('a'=1,'b'=2))"),
            ("DateTime", "DateTime('UTC')"),
            ("DateTime64(3)", "DateTime64(3, 'UTC')"),
            ("Decimal(10,2)", "Decimal(12,2)"),
            ("Decimal(12,2)", "Decimal(10,2)"),
            ("Int32", "INT"),
            ("UInt8", "Bool"),
            ("Map(String, String)", "Map(String,String)"),
        ];
        for (from, to) in free {
            assert_eq!(change(from, to, false), Change::Metadata, "{from} -> {to}");
        }
        let rewrites = [
            ("String", "LowCardinality(String)"),
            ("LowCardinality(String)", "String"),
            ("String", "Nullable(String)"),
            ("Enum8('a'=1)", "Enum16('a'=1)"),
            ("Enum8('a'=1,'b'=2)", "Enum8('a'=1)"),
            ("Enum8('a'=1)", "String"),
            ("UInt8", "UInt16"),
            ("UInt8", "Int8"),
            ("String", "UInt64"),
            ("DateTime64(3)", "DateTime64(6)"),
            ("FixedString(4)", "FixedString(8)"),
            ("Decimal(9,2)", "Decimal(10,2)"),
            ("Decimal(10,2)", "Decimal(12,3)"),
            ("Date", "Date32"),
            ("LowCardinality(String)", "LowCardinality(Nullable(String))"),
            ("Nullable(String)", "LowCardinality(Nullable(String))"),
            ("Tuple(a UInt8)", "Tuple(a UInt8, b UInt8)"),
        ];
        for (from, to) in rewrites {
            assert!(
                matches!(change(from, to, false), Change::Rewrite(_)),
                "{from} -> {to}"
            );
        }
        assert!(matches!(
            change("Nullable(String)", "String", false),
            Change::Refused(_)
        ));
        assert!(matches!(
            change("Nullable(String)", "String", true),
            Change::Rewrite(_)
        ));
        assert!(matches!(
            change("Enum8('a'=1)", "Enum8('a'=2)", false),
            Change::Refused(_)
        ));
    }
}
