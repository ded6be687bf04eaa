//! `--fix`: the edits of findings, put into the text.

use crate::finding::Finding;

/// The text with the mends of its findings, and how many were made. Where two touch each other the first one counts; the next
/// run sees the other.
pub fn mend(text: &str, findings: &[&Finding]) -> (String, usize) {
    let mut edits: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
    let mut count = 0;
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        let is_free = |edit: &(std::ops::Range<usize>, String)| {
            edits
                .iter()
                .all(|(taken, _)| edit.0.end < taken.start || taken.end < edit.0.start)
        };
        if fix.edits.iter().all(is_free) {
            edits.extend(fix.edits.iter().map(|(span, new)| (span.clone(), new.as_str())));
            count += 1;
        }
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut mended = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (span, new) in edits {
        mended.push_str(text.get(at..span.start).unwrap_or_default());
        mended.push_str(new);
        at = span.end;
    }
    mended.push_str(text.get(at..).unwrap_or_default());
    (mended, count)
}

#[cfg(test)]
mod tests {
    use super::mend;
    use crate::judge::{Settings, Source, judge};
    use crate::world::World;

    fn mended(text: &str) -> String {
        let findings = judge(
            &[Source {
                path: "x.sql",
                text,
                config: None,
            }],
            &Settings::default(),
            &World::default(),
            None,
        );
        mend(text, &findings.iter().collect::<Vec<_>>()).0
    }

    #[test]
    fn what_is_local_is_mended_in_the_file() {
        assert_eq!(
            mended("create index i on t (a);"),
            "set lock_timeout = '2s';\ncreate index concurrently i on t (a);"
        );
        assert_eq!(
            mended("set lock_timeout = '1s';\nalter table t add constraint c check (a > 0);"),
            "set lock_timeout = '1s';\nalter table t add constraint c check (a > 0) not valid;\nalter table t validate constraint c;"
        );
        assert_eq!(
            mended("set lock_timeout = '1s'; drop index i;"),
            "set lock_timeout = '1s'; drop index concurrently i;"
        );
        let concurrently = mended(
            "set lock_timeout = '2s';\ncreate index concurrently i on t (a);\nalter table t add column x int;",
        );
        assert_eq!(
            concurrently,
            "set lock_timeout = '2s';\nset lock_timeout = 0;\ncreate index concurrently i on t (a);\nset lock_timeout = '2000ms';\nalter table t add column x int;"
        );
        assert_eq!(mended(&concurrently), concurrently);
        assert_eq!(mended("select 1;"), "select 1;");
    }
}
