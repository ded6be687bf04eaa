//! A plan as a file of TOML.

use super::Plan;

impl Plan {
    /// As a file.
    pub fn render(&self) -> String {
        let mut text = format!(
            "# Written by `corridor lint --plan`. `corridor migration plan FILE` shows it, `add` and `start` do it.\ndescription = {}\n",
            string(&self.definition.description)
        );
        for operation in &self.definition.operations {
            text.push_str("\n[[operations]]\n");
            if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(operation) {
                let first = ["kind", "name", "table"];
                let mut keys: Vec<&String> = fields.keys().collect();
                // Tables behind plain values, as TOML wants it.
                keys.sort_by_key(|key| {
                    (
                        fields[*key].is_object(),
                        first.iter().position(|known| known == key).unwrap_or(first.len()),
                        (*key).clone(),
                    )
                });
                for key in keys {
                    text.push_str(&format!("{key} = {}\n", value(&fields[key])));
                }
            }
        }
        text
    }
}

fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => string(text),
        serde_json::Value::Array(list) => format!(
            "[{}]",
            list.iter().map(self::value).collect::<Vec<_>>().join(", ")
        ),
        serde_json::Value::Object(fields) => {
            let list: Vec<String> = fields
                .iter()
                .map(|(key, of)| format!("{} = {}", string(key), self::value(of)))
                .collect();
            format!("{{ {} }}", list.join(", "))
        }
        other => other.to_string(),
    }
}

/// A string of TOML; with several lines where it has them.
fn string(text: &str) -> String {
    if text.contains('\n')
        && !text.contains("'''")
        && text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
    {
        return format!("'''\n{text}'''");
    }
    // TOML takes what JSON writes, but for DEL.
    serde_json::Value::String(text.to_owned())
        .to_string()
        .replace('\u{7f}', "\\u007f")
}
