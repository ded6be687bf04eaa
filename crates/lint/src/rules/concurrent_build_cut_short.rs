//! A timeout ends the build and leaves an invalid index.

use crate::ir::{Kind};
use crate::finding::Fix;
use crate::judge::{Hit, Look};

rule! {
    "LNT-006" "concurrent-build-cut-short" Hazard Warning
    "a timeout ends the build and leaves an invalid index"
    "Switch the timeouts off for the build: `set statement_timeout = 0; set lock_timeout = 0`."
    "A concurrent build waits for every transaction that was open when it began, and those waits count against `lock_timeout`; all of it counts against `statement_timeout`. When one strikes, an invalid index stays behind.\n\n**The safe way.** `set statement_timeout = 0; set lock_timeout = 0` for this statement: it holds nobody off while it waits.\n\nIt fires on:\n\n```sql\nset lock_timeout = '2s'; create index concurrently i on orders (user_id);\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let is_build = matches!(&look.statement.kind, Kind::CreateIndex(index) if index.is_concurrent) || matches!(&look.statement.kind, Kind::Reindex { concurrently: true, .. });
    let timeouts = look.session.timeouts();
    let (lock, statement) = (timeouts.lock_ms.unwrap_or(0), timeouts.statement_ms.unwrap_or(0));
    if !is_build || (lock == 0 && statement == 0) || look.effects.iter().any(|(effect, _)| look.world.is_new(&effect.table)) {
        return;
    }
    let which = if lock > 0 { format!("lock_timeout of {lock} ms") } else { format!("statement_timeout of {statement} ms") };
    let mut hit = look.hit_whole(format!("a {which} is in effect, and would leave an invalid index behind"), "Set both to 0 for this statement.");
    hit.table = look.effects.first().map(|(effect, _)| effect.table.clone()).unwrap_or_default();
    hit.fix = Some(around(look, &[("lock_timeout", lock), ("statement_timeout", statement)]));
    out.push(hit);
}

/// The timeouts that are in effect, off before the statement and as they were behind it.
fn around(look: &Look<'_>, timeouts: &[(&str, u64)]) -> Fix {
    let span = &look.statement.span;
    let semicolon = look.text[span.end..].find(|c: char| !c.is_whitespace()).filter(|at| look.text[span.end + at..].starts_with(';'));
    let (behind, mut again) = match semicolon {
        Some(at) => (span.end + at + 1, String::new()),
        None => (span.end, ";".to_owned()),
    };
    let mut off = String::new();
    for (name, ms) in timeouts.iter().filter(|(_, ms)| *ms > 0) {
        off.push_str(&format!("set {name} = 0;\n"));
        again.push_str(&format!("\nset {name} = '{ms}ms';"));
    }
    Fix {
        title: "switch the timeouts off for it".to_owned(),
        edits: vec![(span.start..span.start, off), (behind..behind, again)],
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "set lock_timeout = '2s'; create index concurrently i on t (a)",
            "set statement_timeout = '1min'; reindex index concurrently i",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create index concurrently i on t (a)",
            "set lock_timeout = '2s'; reset lock_timeout; create index concurrently i on t (a)",
            "set lock_timeout = '2s'; set lock_timeout = 0; create index concurrently i on t (a)",
        ]);
    }
}
