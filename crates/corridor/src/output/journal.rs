//! The journal of a migration.

use corridor_migration::store::Entry;
use serde_json::Value;

use super::status::reason;
use super::text::{Paint, hang, harmless, paint};

/// One entry: when, what, then the rest and who.
pub(crate) fn entry(entry: &Entry) -> String {
    let mut rest = words_of(entry);
    rest.push(format!("by {}", entry.actor));
    let at = harmless(&moment(&entry.at));
    let text = hang(&format!("{at}  "), &harmless(&rest.join("; ")));
    text.replacen(&at, &paint(Paint::Dim, &at), 1)
}

/// The time of day and what happened, for a line that may be cut.
pub(crate) fn brief(entry: &Entry) -> (String, String) {
    let time = entry.at.split_once('T').map_or("", |(_, time)| time);
    let time = time.split('.').next().unwrap_or(time);
    (time.to_owned(), words_of(entry).join("; "))
}

/// What happened, and what else is known.
fn words_of(entry: &Entry) -> Vec<String> {
    let event = entry.event.replace('_', " ");
    let mut rest = vec![match (&entry.operation, event.strip_prefix("operation ")) {
        (Some(operation), Some(event)) => format!("{operation} {event}"),
        (Some(operation), None) => format!("{event} {operation}"),
        (None, _) => event,
    }];
    if let (Some(from), Some(to)) = (&entry.from_state, &entry.to_state)
        && from != to
    {
        rest.push(format!("{from} -> {to}"));
    }
    rest.extend(details(&entry.detail));
    rest
}

/// `2026-11-20T10:25:29.123Z` as `2026-11-20 10:25:29Z`.
pub(crate) fn moment(at: &str) -> String {
    match at.split_once('T') {
        Some((day, time)) => {
            let time = time.split('.').next().unwrap_or(time).trim_end_matches('Z');
            format!("{day} {time}Z")
        }
        None => at.to_owned(),
    }
}

/// `key value` for each member of the detail that says something.
fn details(detail: &Value) -> Vec<String> {
    let Some(members) = detail.as_object() else {
        return Vec::new();
    };
    members
        .iter()
        // Who did it stands at the end of every entry; `holders` has a line for each of the `sessions`.
        .filter(|(key, _)| !matches!(key.as_str(), "by" | "sessions"))
        .filter_map(|(key, value)| {
            if let ("reasons", Some(reasons)) = (key.as_str(), value.as_array()) {
                let reasons: Vec<String> = reasons.iter().filter_map(reason).collect();
                return (!reasons.is_empty()).then(|| reasons.join("; "));
            }
            let text = words(value)?;
            // A text that speaks for itself needs no key.
            Some(match key.as_str() {
                "detail" | "why" | "what" => text,
                key => format!("{} {text}", key.replace('_', " ")),
            })
        })
        .collect()
}

/// A value as words; `None` when it says nothing.
pub(crate) fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(words).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_says_when_what_who_and_the_rest() {
        let one = Entry {
            number: 3,
            at: "2026-11-20T10:25:29.123Z".into(),
            actor: "alice@db1 77".into(),
            event: "pause".into(),
            from_state: Some("running".into()),
            to_state: Some("paused".into()),
            operation: None,
            detail: json!({"why": "the \x1b[31mdeploy", "epoch": 2, "pids": [], "x": null}),
        };
        let text = entry(&one).replace("\x1b[2m", "").replace("\x1b[0m", "");
        insta::assert_snapshot!(text, @r"
        2026-11-20 10:25:29Z  pause; running -> paused; epoch 2; the \u{1b}[31mdeploy;
                              by alice@db1 77
        ");
    }
}
