//! The verifications of a migration, the newest first.

use corridor_migration::store::{Operation, Verification};
use corridor_migration::words::number::grouped;
use corridor_migration::{OperationState, Side};
use corridor_move::run::verdict::{DifferenceKind, Report, words};
use serde::Deserialize;
use serde_json::Value;

use crate::page::moment::Moment;

/// One verdict.
pub(crate) struct Verdict {
    pub(crate) number: i32,
    pub(crate) at: Moment,
    /// What was compared, or which operation counted.
    pub(crate) side: String,
    /// `equal`, `within the tolerance`.
    pub(crate) label: &'static str,
    pub(crate) is_proven: bool,
    pub(crate) words: String,
    pub(crate) figures: Vec<(&'static str, String)>,
    /// How a key differs, and which.
    pub(crate) differences: Vec<(&'static str, String)>,
    /// Differences that are not named.
    pub(crate) more: i64,
}

/// The verdicts in words.
pub(super) fn of(verifications: &[Verification]) -> Vec<Verdict> {
    verifications.iter().map(one).collect()
}

/// What the operations of kind `verify` of a person's own migration have counted.
pub(super) fn counted(operations: &[Operation]) -> Vec<Verdict> {
    operations.iter().filter_map(count).collect()
}

fn count(operation: &Operation) -> Option<Verdict> {
    let number = |key: &str| operation.progress.get(key).and_then(Value::as_u64);
    let (bad, total) = (number("bad")?, number("total")?);
    let tolerance = operation
        .progress
        .get("tolerance")
        .and_then(corridor_migration::words::of_value)
        .unwrap_or_default();
    let is_proven = operation.state == OperationState::Done;
    Some(Verdict {
        number: operation.position,
        at: Moment::new(operation.finished_at.as_deref().unwrap_or_default()),
        side: format!("operation {}", operation.name),
        label: if is_proven {
            "within the tolerance"
        } else {
            "too many"
        },
        is_proven,
        words: format!("{} of {} are not as they should be", grouped(bad), grouped(total)),
        figures: vec![
            ("not as they should be", grouped(bad)),
            ("looked at", grouped(total)),
            ("tolerated", tolerance),
        ],
        differences: Vec::new(),
        more: 0,
    })
}

fn one(verification: &Verification) -> Verdict {
    let side = match verification.side {
        Side::BeforeCutover => "the new table against the old one",
        Side::AfterCutover => "the old table against the new one",
    };
    let mut verdict = Verdict {
        number: verification.number,
        at: Moment::new(&verification.recorded_at),
        side: side.to_owned(),
        label: "",
        is_proven: verification
            .report
            .get("is_proven")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(false),
        words: String::new(),
        figures: Vec::new(),
        differences: Vec::new(),
        more: 0,
    };
    verdict.label = if verdict.is_proven { "equal" } else { "not proven" };
    let Ok(report) = Report::deserialize(&verification.report) else {
        // Of another kind of migration, or of another release.
        verdict.words = corridor_migration::words::of_value(&verification.report).unwrap_or_default();
        return verdict;
    };
    let count = |number: i64| grouped(number.max(0).unsigned_abs());
    verdict.words = words(&report);
    verdict.figures = vec![
        ("rows of the source", count(report.source_rows)),
        ("rows of the target", count(report.target_rows)),
        ("ranges", count(report.ranges)),
        ("digest of the source", report.source_digest.clone()),
        ("digest of the target", report.target_digest.clone()),
        ("keys that were being written", count(report.pending_keys)),
        ("keys that differed", count(report.differing_keys)),
        ("keys that were repaired", count(report.repaired_keys)),
        ("how", report.digest_method.clone()),
    ];
    verdict.figures.retain(|(_, text)| !text.is_empty());
    verdict.differences = report
        .differences
        .iter()
        .map(|difference| {
            let how = match difference.kind {
                DifferenceKind::Missing => "missing",
                DifferenceKind::Extra => "extra",
                DifferenceKind::Differing => "differing",
            };
            (how, difference.key.join(", "))
        })
        .collect();
    verdict.more = report.differing_keys - verdict.differences.len() as i64;
    verdict
}
