//! The report of a verification, in words.

use corridor_migration::Side;
use corridor_migration::store::Verification;
use corridor_mirror::DifferenceKind;
use corridor_mirror::verify::Report;
pub(crate) use corridor_move::run::verdict::words;
use serde::Deserialize;

use super::journal::moment;
use super::number::grouped;
use super::text::{cut, harmless};

/// Differing keys that are named; `status --json` has the first 100.
const NAMED_MAX: usize = 5;
/// Columns of a key that is named: one may be a whole document.
const KEY_COLUMNS_MAX: usize = 40;

/// Which keys differed, and how; `None` when none did.
pub(crate) fn differing(report: &Report) -> Option<String> {
    if report.differing_keys == 0 {
        return None;
    }
    let named: Vec<String> = report
        .differences
        .iter()
        .take(NAMED_MAX)
        .map(|one| {
            let how = match one.kind {
                DifferenceKind::Missing => "missing",
                DifferenceKind::Extra => "extra",
                DifferenceKind::Differing => "differing",
            };
            // Here already: what is cut must not be cut amid an escape.
            format!("({}) {how}", cut(&harmless(&one.key.join(", ")), KEY_COLUMNS_MAX))
        })
        .collect();
    let mut text = format!(
        "{} keys: {} missing, {} extra, {} with other values; {}",
        count(report.differing_keys),
        count(report.missing_keys),
        count(report.extra_keys),
        count(report.differing_keys - report.missing_keys - report.extra_keys),
        named.join(", ")
    );
    if report.differing_keys > named.len() as i64 {
        text.push_str(" …; `--json` has more of them");
    }
    Some(text)
}

/// The newest verification as the lines of a status block, label and text.
pub(crate) fn lines(newest: &Verification) -> Vec<(&'static str, String)> {
    let what = match newest.side {
        Side::BeforeCutover => "",
        Side::AfterCutover => ", the old table against the new one",
    };
    let at = moment(&newest.recorded_at);
    let Ok(report) = Report::deserialize(&newest.report) else {
        return vec![("verified", format!("{at}{what}; `--json` has the report"))];
    };
    let mut lines = vec![("verified", format!("{at}{what}, {}", words(&report)))];
    lines.extend(differing(&report).map(|text| ("differed", text)));
    lines
}

fn count(number: i64) -> String {
    grouped(number.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use corridor_mirror::Difference;
    use serde_json::json;

    use super::*;
    use crate::output::text::hang;

    fn report() -> Report {
        let key = |kind, key: &str| Difference {
            kind,
            key: vec!["7".to_owned(), key.to_owned()],
        };
        Report {
            run: 2,
            is_proven: true,
            started_at: Some("2026-11-20T10:25:29.123Z".into()),
            finished_at: Some("2026-11-20T10:26:01.000Z".into()),
            ranges: 24,
            source_rows: 1_000_000,
            target_rows: 1_000_000,
            source_digest: "00".into(),
            target_digest: "00".into(),
            digest_method: String::new(),
            pending_keys: 3,
            left_out_keys: 0,
            differing_keys: 7,
            missing_keys: 1,
            extra_keys: 2,
            repaired_keys: 7,
            differences: vec![
                key(DifferenceKind::Missing, "a"),
                key(DifferenceKind::Extra, "b\x1b[2J"),
                key(DifferenceKind::Differing, &"long ".repeat(100)),
                key(DifferenceKind::Differing, "d"),
                key(DifferenceKind::Differing, "e"),
                key(DifferenceKind::Differing, "f"),
            ],
        }
    }

    fn block(report: &Report, side: Side) -> String {
        let newest = Verification {
            number: 2,
            side,
            recorded_at: "2026-11-20T10:26:01.123Z".into(),
            report: json!(report),
        };
        let lines = lines(&newest);
        let lines = lines
            .iter()
            .map(|(label, text)| hang(&format!("  {label:<10}"), &harmless(text)));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_report_is_told_in_a_few_lines() {
        insta::assert_snapshot!(block(&report(), Side::BeforeCutover), @r"
        verified  2026-11-20 10:26:01Z, run 2: every row is equal; 1,000,000 rows in
                  24 ranges, 3 keys were being written and were compared later, 7 keys
                  differed and were repaired
        differed  7 keys: 1 missing, 2 extra, 4 with other values; (7, a) missing, (7,
                  b\u{1b}[2J) extra, (7, long long long long long long long l…)
                  differing, (7, d) differing, (7, e) differing …; `--json` has more
                  of them
        ");
        let mut equal = report();
        (equal.differing_keys, equal.pending_keys) = (0, 0);
        insta::assert_snapshot!(block(&equal, Side::AfterCutover), @r"
        verified  2026-11-20 10:26:01Z, the old table against the new one, run 2:
                  every row is equal; 1,000,000 rows in 24 ranges
        ");
        let mut bad = report();
        (bad.is_proven, bad.repaired_keys) = (false, 5);
        assert!(words(&bad).ends_with("7 keys differed, 5 of them could be repaired"));
    }

    #[test]
    fn a_report_of_a_form_that_is_not_known_is_told_all_the_same() {
        let newest = Verification {
            number: 1,
            side: Side::BeforeCutover,
            recorded_at: "2026-11-20T10:26:01.123Z".into(),
            report: json!({"form": "another"}),
        };
        assert_eq!(
            lines(&newest),
            [(
                "verified",
                "2026-11-20 10:26:01Z; `--json` has the report".to_owned()
            )]
        );
    }
}
