//! How far a migration is: a share for the bar, and words beside it.

use corridor_migration::State;
use corridor_migration::words::number::{figure, grouped, percent, seconds};
use serde_json::Value;

/// How far something is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    /// For the bar, 0 to 1000.
    pub(crate) permille: u32,
    /// `3/8 index`.
    pub(crate) operation: String,
    /// `42.0 %, 1,200 of about 3,000 rows, 400 rows/s, about 5 s left`.
    pub(crate) rows: String,
}

/// What is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) state: &'a State,
    pub(crate) operations: i64,
    pub(crate) done: i64,
    /// The current operation: its place from 1, and its name.
    pub(crate) current: Option<(i32, &'a str)>,
    /// What the living worker last said about rows.
    pub(crate) said: &'a Value,
    /// Rows so far, by another source.
    pub(crate) rows: Option<i64>,
    /// What the current operation has last written down of itself.
    pub(crate) noted: &'a Value,
}

/// How far it is. A planned one is at 0, a finished one at the end; one that was taken back has no progress to speak of.
pub(crate) fn progress(known: &Known<'_>) -> Progress {
    let operations = known.operations.max(1) as f64;
    let (part, rows) = match known.state {
        State::Finished => (1.0, String::new()),
        State::Planned | State::RolledBack | State::Stopped => (0.0, String::new()),
        _ => {
            let (share, words) = current(known);
            let done = known.done as f64 + share;
            // Never full before the end.
            ((done / operations).min(0.999), words)
        }
    };
    Progress {
        permille: (part * 1_000.0).round() as u32,
        operation: match known.current {
            Some((place, name)) if !known.state.is_final() => format!("{place}/{} {name}", known.operations),
            _ if known.state.is_final() => format!("{} of {} done", known.done, known.operations),
            _ => format!("{} operations", known.operations),
        },
        rows,
    }
}

/// The share of the current operation, and its rows in words.
fn current(known: &Known<'_>) -> (f64, String) {
    let said = known.current.and_then(|(_, name)| rows(name, known.said));
    match said {
        Some((done, of, per_s)) => {
            let share = if of == 0 {
                0.0
            } else {
                (done as f64 / of as f64).min(0.999)
            };
            let mut text = format!(
                "{}, {} of about {} rows, {} rows/s",
                percent(done, of),
                grouped(done),
                grouped(of),
                figure(per_s.round())
            );
            if per_s >= 1.0 && of > done {
                text.push_str(&format!(", about {} left", seconds((of - done) as f64 / per_s)));
            }
            (share, text)
        }
        None => {
            let rows = known.rows.filter(|rows| *rows > 0);
            let mut words = rows.map_or(String::new(), |rows| {
                format!("{} rows so far", grouped(rows.unsigned_abs()))
            });
            let Some((done, of)) = items(known.noted) else {
                return (0.0, words);
            };
            let values = format!("{} of {} values", grouped(done), grouped(of));
            words = match words.as_str() {
                "" => values,
                rows => format!("{values}, {rows}"),
            };
            ((done as f64 / of as f64).min(0.999), words)
        }
    }
}

/// How many values of its list a backfill has done; one without a list says nothing of how far it is.
fn items(noted: &Value) -> Option<(u64, u64)> {
    let number = |key: &str| noted.get(key).and_then(Value::as_u64);
    let of = number("items").filter(|of| *of > 1)?;
    Some((number("items_done")?, of))
}

/// What a worker last said about the rows of the operation that runs: rows, of how many, a second.
fn rows(operation: &str, said: &Value) -> Option<(u64, u64, f64)> {
    let is_verification = said.get("is_verification").and_then(Value::as_bool)?;
    let wanted = if is_verification { "verify" } else { "copy" };
    if operation != wanted {
        return None;
    }
    let number = |key: &str| said.get(key).and_then(Value::as_u64);
    let per_s = said.get("rows_per_s").and_then(Value::as_f64).unwrap_or(0.0);
    Some((number("rows")?, number("rows_estimate")?, per_s))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn progress_is_told_by_place_and_name() {
        let said =
            json!({ "is_verification": false, "rows": 250, "rows_estimate": 1_000, "rows_per_s": 50.4 });
        let known = Known {
            state: &State::Running,
            operations: 8,
            done: 1,
            current: Some((2, "copy")),
            said: &said,
            rows: None,
            noted: &Value::Null,
        };
        insta::assert_debug_snapshot!(progress(&known), @r#"
        Progress {
            permille: 156,
            operation: "2/8 copy",
            rows: "25.0 %, 250 of about 1,000 rows, 50 rows/s, about 15 s left",
        }
        "#);
        // What was said of the copy says nothing of the index.
        let index = Known {
            current: Some((3, "index")),
            done: 2,
            rows: Some(1_200),
            ..known
        };
        insta::assert_debug_snapshot!(progress(&index), @r#"
        Progress {
            permille: 250,
            operation: "3/8 index",
            rows: "1,200 rows so far",
        }
        "#);
        let noted = json!({ "rows": 1_200, "items": 30, "items_done": 15 });
        let listed = progress(&Known {
            noted: &noted,
            ..index
        });
        assert_eq!(listed.permille, 313);
        assert_eq!(listed.rows, "15 of 30 values, 1,200 rows so far");
        let planned = Known {
            state: &State::Planned,
            done: 0,
            current: None,
            ..known
        };
        assert_eq!(progress(&planned).operation, "8 operations");
        let finished = Known {
            state: &State::Finished,
            done: 8,
            ..known
        };
        assert_eq!(
            (
                progress(&finished).permille,
                progress(&finished).operation.as_str()
            ),
            (1_000, "8 of 8 done")
        );
        let late = Known { done: 8, ..known };
        assert_eq!(progress(&late).permille, 999);
    }
}
