//! What a move says where words of its own are needed: the report of a verification, a move without a way back. The same on
//! a terminal and on a page.

use corridor_migration::Verb;
use corridor_migration::status::Status;
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

/// What a move without a way back says behind its cut-over.
pub const ONE_WAY: &str = "cut over, one way; waits for `finish`";

/// Without a way back nothing is kept in step: there is nothing to go back to, and nothing to compare.
pub fn take_way_back(status: &mut Status) {
    ONE_WAY.clone_into(&mut status.words);
    status.allowed.retain(has_sense_one_way);
}

/// What can be asked for behind the cut-over of a move without a way back.
pub fn has_sense_one_way(verb: &Verb) -> bool {
    !matches!(verb, Verb::Rollback | Verb::Verify)
}
