//! The journal of a migration.

use corridor_migration::store::Entry;
pub(crate) use corridor_migration::words::{moment, of_value as words};
use corridor_migration::words::{of_entry, who};

use super::text::{Paint, hang, harmless, paint};

/// One entry: when, what, then the rest and who.
pub(crate) fn entry(entry: &Entry) -> String {
    let mut rest = of_entry(entry);
    rest.push(format!("by {}", who(entry)));
    let at = harmless(&moment(&entry.at));
    let text = hang(&format!("{at}  "), &harmless(&rest.join("; ")));
    text.replacen(&at, &paint(Paint::Dim, &at), 1)
}

/// The time of day and what happened, for a line that may be cut.
pub(crate) fn brief(entry: &Entry) -> (String, String) {
    let time = entry.at.split_once('T').map_or("", |(_, time)| time);
    let time = time.split('.').next().unwrap_or(time);
    (time.to_owned(), of_entry(entry).join("; "))
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
        // A worker carried out what somebody had asked for; whoever does it himself is named once.
        let mut asked = one;
        asked.detail = json!({"by": "ona (console)"});
        assert!(
            entry(&asked)
                .replace('\n', " ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .ends_with("by ona (console), carried out by alice@db1 77")
        );
        asked.detail = json!({"by": "alice@db1 77"});
        assert!(entry(&asked).ends_with("by alice@db1 77") && !entry(&asked).contains("carried"));
    }
}
