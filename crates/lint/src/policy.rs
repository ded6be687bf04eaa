//! The policy of hot tables: whose every change wants a written acknowledgement, why, and of whom to ask for it.
//!
//! A file of TOML, and beside it the key `hot_tables` of the settings, which gives names only.

use corridor_pg::{Fault, Result, near};
use toml::{Table, Value};

use crate::fault::BAD_CONFIG;
use crate::ir::{Name, quoted};

/// Tables that a policy names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hot {
    /// `name`, `schema.name`; a `*` stands for any characters. Without a schema it is `public`, as in a file without a search path.
    pub pattern: String,
    /// Why; empty where only a name is given.
    pub reason: String,
    /// Of whom to ask.
    pub owner: String,
    /// What the reason of an allowance must have in it to count.
    pub acknowledgement: Option<String>,
}

const KEYS: [&str; 4] = ["name", "reason", "owner", "acknowledgement"];

impl Hot {
    /// A name without more.
    pub fn named(pattern: &str) -> Hot {
        Hot {
            pattern: pattern.to_owned(),
            ..Hot::default()
        }
    }

    /// Whether the table is meant.
    pub fn is(&self, table: &Name) -> bool {
        let (schema, name) = self.pattern.split_once('.').unwrap_or(("public", &self.pattern));
        matches(schema, table.schema.as_deref().unwrap_or("public")) && matches(name, &table.name)
    }

    /// What an allowance of it looks like.
    pub fn example(&self) -> String {
        match &self.acknowledgement {
            Some(text) => format!("`-- corridor: allow LNT-055 because … {text} …`"),
            None => "`-- corridor: allow LNT-055 because …`".to_owned(),
        }
    }
}

/// Whether a pattern with `*` is the text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The tables of a policy's file.
pub fn read(label: &str, text: &str) -> Result<Vec<Hot>> {
    let bad = |why: String| Fault::new(&BAD_CONFIG, format!("{label}: {why}"));
    let file: Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
    known(&file, &["tables"], "a policy").map_err(bad)?;
    let Some(tables) = file.get("tables") else {
        return Err(bad("there are no `[[tables]]` in it".to_owned()));
    };
    let tables = tables
        .as_array()
        .ok_or_else(|| bad("`tables` is written as `[[tables]]`".to_owned()))?;
    tables
        .iter()
        .enumerate()
        .map(|(at, table)| one(table).map_err(|why| bad(format!("table {}: {why}", at + 1))))
        .collect()
}

fn one(table: &Value) -> std::result::Result<Hot, String> {
    let table = table.as_table().ok_or("it is written as `[[tables]]`")?;
    known(table, &KEYS, "a table of a policy")?;
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
        Some(other) => Err(format!("{key}: a text is wanted, and this is {}", kind(other))),
    };
    let required = |key: &str| text(key)?.ok_or_else(|| format!("`{key}` is missing"));
    let pattern = required("name")?;
    if pattern.matches('.').count() > 1 || pattern.contains(char::is_whitespace) || pattern.contains('"') {
        return Err(format!(
            "name: {} is no table, nor a pattern of tables",
            quoted(&pattern)
        ));
    }
    Ok(Hot {
        pattern,
        reason: required("reason")?,
        owner: required("owner")?,
        acknowledgement: text("acknowledgement")?,
    })
}

fn kind(value: &Value) -> String {
    match value {
        Value::String(_) => "empty".to_owned(),
        other => format!("of the kind {}", other.type_str()),
    }
}

fn known(table: &Table, keys: &[&str], of: &str) -> std::result::Result<(), String> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else {
        return Ok(());
    };
    let near = near::near(key, keys.iter().copied());
    let near = near
        .first()
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Err(format!("`{key}` is not a key of {of}{near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        let (schema, name) = text
            .split_once('.')
            .map_or((None, text), |(schema, name)| (Some(schema), name));
        Name {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            span: 0..0,
        }
    }

    #[test]
    fn a_pattern_means_the_tables_that_it_says() {
        for (pattern, is, is_not) in [
            (
                "users",
                &["users", "public.users"][..],
                &["app.users", "users_old", "user"][..],
            ),
            ("app.users", &["app.users"], &["users", "public.users"]),
            ("billing.*", &["billing.a", "billing.b"], &["bill.a", "billing"]),
            (
                "*_events",
                &["a_events", "public._events"],
                &["events", "x.a_events", "a_events_old"],
            ),
            ("*.ev*s_*", &["a.events_1", "evs_"], &["a.event_1"]),
            ("*.*", &["a", "b.c"], &[]),
        ] {
            let hot = Hot::named(pattern);
            assert!(
                is.iter().all(|text| hot.is(&name(text))),
                "{pattern} is one of {is:?}"
            );
            assert!(
                !is_not.iter().any(|text| hot.is(&name(text))),
                "{pattern} is none of {is_not:?}"
            );
        }
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let whole = "[[tables]]\nname = 'users'\nreason = 'every request reads it'\nowner = 'accounts'\n";
        let hot = read("x", whole).unwrap().remove(0);
        assert_eq!((hot.pattern.as_str(), hot.owner.as_str()), ("users", "accounts"));
        for (text, why) in [
            (
                "[[table]]\nname = 'a'",
                "`table` is not a key of a policy; did you mean `tables`?",
            ),
            ("tables = 3", "`tables` is written as `[[tables]]`"),
            ("", "there are no `[[tables]]` in it"),
            (
                "[[tables]]\nname = 'a'\nowner = 'b'",
                "table 1: `reason` is missing",
            ),
            (
                "[[tables]]\nname = 'a'\nreson = 'b'",
                "`reson` is not a key of a table of a policy; did you mean `reason`?",
            ),
            (
                "[[tables]]\nname = 7\nreason = 'a'\nowner = 'b'",
                "name: a text is wanted, and this is of the kind integer",
            ),
            (
                "[[tables]]\nname = 'a.b.c'\nreason = 'a'\nowner = 'b'",
                "is no table",
            ),
            ("[[tables]\n", "x: "),
        ] {
            let fault = read("x", text).unwrap_err();
            assert_eq!(fault.code().id, "LNT-902");
            assert!(fault.to_string().contains(why), "{fault}\n{why}");
        }
    }
}
