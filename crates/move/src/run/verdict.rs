//! The report of a verification, in words: the same on a terminal and on a page.

use corridor_migration::words::number::grouped;
pub use corridor_mirror::DifferenceKind;
pub use corridor_mirror::verify::Report;

/// The verdict, and what it rests on.
pub fn words(report: &Report) -> String {
    let result = if report.is_proven {
        "every row is equal"
    } else {
        "not proven equal"
    };
    let mut text = format!(
        "run {}: {result}; {} rows in {} ranges",
        report.run,
        count(report.source_rows),
        count(report.ranges)
    );
    if report.pending_keys > 0 {
        text.push_str(&format!(
            ", {} keys were being written and were compared later",
            count(report.pending_keys)
        ));
    }
    if report.left_out_keys > 0 {
        text.push_str(&format!(
            ", {} are never at rest and left for the swap to compare",
            count(report.left_out_keys)
        ));
    }
    match (report.differing_keys, report.repaired_keys) {
        (0, _) => {}
        (differing, repaired) if differing == repaired => {
            text.push_str(&format!(", {} keys differed and were repaired", count(differing)));
        }
        (differing, repaired) => text.push_str(&format!(
            ", {} keys differed, {} of them could be repaired",
            count(differing),
            count(repaired)
        )),
    }
    text
}

fn count(number: i64) -> String {
    grouped(number.max(0).unsigned_abs())
}
