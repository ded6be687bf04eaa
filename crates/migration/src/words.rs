//! How things are said to a person, on a terminal and on a page alike.

pub mod number;

use serde_json::Value;

use crate::status::Status;
use crate::store::Entry;
use number::{figure, millis};

/// Who works on it, or why nobody does.
pub fn worker(status: &Status) -> String {
    let worker = &status.worker;
    let age = millis(worker.heartbeat_age_ms);
    match (&worker.holder, worker.is_alive) {
        (Some(holder), true) => format!("{holder}, heard of {age} ago"),
        (Some(holder), false) => {
            format!(
                "none; {holder} was last heard of {age} ago (its lease was {})",
                millis(worker.ttl_ms as f64)
            )
        }
        (None, _) if status.waits_for.is_some() => {
            "none; changes wait in the log for the next command, or for `resume`".to_owned()
        }
        (None, _) if status.needs_worker => "none; there is work to do: `resume` takes it up".to_owned(),
        (None, _) => "none".to_owned(),
    }
}

/// Why the copy holds.
pub fn throttle(status: &Status) -> Vec<String> {
    let reasons = match status.throttle.get("reasons") {
        Some(reasons) => reasons.as_array(),
        None => status.throttle.as_array(),
    };
    reasons.into_iter().flatten().filter_map(reason).collect()
}

/// A reason of the throttle, read back from the heartbeat.
pub fn reason(reason: &Value) -> Option<String> {
    let signal = reason.get("signal").and_then(Value::as_str)?;
    let unit = match reason.get("unit").and_then(Value::as_str) {
        Some("ms") => " ms",
        Some("seconds") => " s",
        Some("bytes") => " bytes",
        Some("bytes_per_second") => " bytes/s",
        _ => "",
    };
    let number = |key: &str| reason.get(key).and_then(Value::as_f64).map(figure);
    let limit = number("limit").unwrap_or_else(|| "unknown".to_owned());
    Some(
        match (number("figure"), reason.get("why").and_then(Value::as_str)) {
            (Some(figure), _) => format!("{signal} is {figure}{unit}, limit {limit}{unit}"),
            (None, Some(why)) => format!("{signal} is not known: {why}; limit {limit}{unit}"),
            (None, None) => format!("{signal} is not known; limit {limit}{unit}"),
        },
    )
}

/// What happened, and what else is known.
pub fn of_entry(entry: &Entry) -> Vec<String> {
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

/// Who: whoever asked for it, and by which worker it was carried out, where that was another one.
pub fn who(entry: &Entry) -> String {
    match entry.detail.get("by").and_then(of_value) {
        Some(by) if by != entry.actor => format!("{by}, carried out by {}", entry.actor),
        _ => entry.actor.clone(),
    }
}

/// `2026-11-20T10:25:29.123Z` as `2026-11-20 10:25:29Z`.
pub fn moment(at: &str) -> String {
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
            let text = of_value(value)?;
            // A text that speaks for itself needs no key.
            Some(match key.as_str() {
                "detail" | "why" | "what" => text,
                key => format!("{} {text}", key.replace('_', " ")),
            })
        })
        .collect()
}

/// A value as words; `None` when it says nothing.
pub fn of_value(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(of_value).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}
