//! The way through the states, from the journal: which, when, for how long, by whom, why.

use corridor_migration::store::Entry;
use corridor_migration::words::{number::seconds, of_value};

use super::moment::Moment;

/// A state that was passed, or holds now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stop {
    pub(crate) state: String,
    pub(crate) class: &'static str,
    pub(crate) at: Moment,
    /// How long it held; empty for the one that holds.
    pub(crate) held: String,
    pub(crate) is_now: bool,
    /// What led here: `pause`, `operation failed`.
    pub(crate) event: String,
    pub(crate) by: String,
    pub(crate) why: String,
}

/// The states in their order, from transitions, the oldest first.
pub(crate) fn timeline(entries: &[Entry]) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let state = entry.to_state.as_deref().unwrap_or("planned");
        let next = entries.get(place + 1);
        stops.push(Stop {
            state: state.replace('_', " "),
            class: class(state),
            at: Moment::new(&entry.at),
            held: next
                .and_then(|next| between(&entry.at, &next.at))
                .map(seconds)
                .unwrap_or_default(),
            is_now: next.is_none(),
            event: entry.event.replace('_', " "),
            by: entry
                .detail
                .get("by")
                .and_then(of_value)
                .unwrap_or_else(|| entry.actor.clone()),
            why: ["why", "detail", "what"]
                .iter()
                .find_map(|key| entry.detail.get(*key).and_then(of_value))
                .unwrap_or_default(),
        });
    }
    stops
}

fn class(state: &str) -> &'static str {
    match state {
        "failed" | "ambiguous" => "bad",
        "paused" | "waiting" => "wait",
        "finished" => "good",
        "planned" | "rolled_back" | "stopped" => "dim",
        _ => "work",
    }
}

/// Seconds between two times as the database writes them; `None` for what is none.
pub(crate) fn between(from: &str, to: &str) -> Option<f64> {
    Some((epoch_s(to)? - epoch_s(from)?).max(0.0))
}

/// `2026-11-20T10:25:29.123Z` in seconds since 1970 (proleptic Gregorian calendar, UTC).
pub(crate) fn epoch_s(at: &str) -> Option<f64> {
    let (day, time) = at.split_once('T')?;
    let mut day = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (day.next()??, day.next()??, day.next()??);
    let mut time = time.trim_end_matches('Z').splitn(3, ':');
    let hours: f64 = time.next()?.parse().ok()?;
    let minutes: f64 = time.next()?.parse().ok()?;
    let rest: f64 = time.next()?.parse().ok()?;
    // Days from civil: years begin in March, so that the leap day is their last.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days as f64 * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + rest)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(number: i64, at: &str, event: &str, to: Option<&str>, detail: Value) -> Entry {
        Entry {
            number,
            at: at.into(),
            actor: "p@db 7".into(),
            event: event.into(),
            from_state: to.map(|_| "x".into()),
            to_state: to.map(Into::into),
            operation: None,
            detail,
        }
    }

    #[test]
    fn the_way_is_told_from_the_journal() {
        let stops = timeline(&[
            entry(1, "2026-11-20T10:00:00.000Z", "created", None, json!({})),
            entry(
                2,
                "2026-11-20T10:00:30.500Z",
                "start",
                Some("running"),
                json!({ "by": "anna" }),
            ),
            entry(
                9,
                "2026-11-21T11:00:30.500Z",
                "pause",
                Some("paused"),
                json!({ "by": "ben", "why": "<b>deploy</b>" }),
            ),
        ]);
        let told: Vec<String> = stops
            .iter()
            .map(|stop| {
                format!(
                    "{} [{}] {} {} by {} {}{}",
                    stop.state,
                    stop.class,
                    stop.event,
                    stop.held,
                    stop.by,
                    stop.why,
                    if stop.is_now { " now" } else { "" }
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        planned [dim] created 31 s by p@db 7 
        running [work] start 1 d 1 h by anna 
        paused [wait] pause  by ben <b>deploy</b> now
        ");
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        assert_eq!(epoch_s("1970-01-01T00:00:00.000Z"), Some(0.0));
        assert_eq!(epoch_s("2000-03-01T00:00:01.500Z"), Some(951_868_801.5));
        assert_eq!(epoch_s("2024-02-29T12:00:00Z"), Some(1_709_208_000.0));
        assert_eq!(epoch_s("yesterday"), None);
    }
}
