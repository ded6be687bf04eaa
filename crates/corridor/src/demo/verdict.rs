//! What the demo proves, and what it does not. Pure.

use corridor_mirror::verify::Report;
use corridor_testbed::traffic::{Comparison, Summary};
use serde::Serialize;

use crate::output::number::{grouped, millis};

/// Latency is back when p99 is at most so many times the healthy one.
pub(super) const BACK_WITHIN: f64 = 2.0;
/// The incident has come about when p99 is at least so many times the healthy one.
const COLLAPSED_FROM: f64 = 2.0;

/// The swap of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Swap {
    /// How long its locks were waited for, in the attempt that got them.
    pub(super) waited_ms: f64,
    /// How long they were held.
    pub(super) held_ms: f64,
    /// Attempts, the successful one included.
    pub(super) attempts: u32,
}

/// Everything that the verdict is made from.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// Transactions that wrote and were acknowledged.
    pub(super) acknowledged_writes: u64,
    /// The table beside the ledger.
    pub(super) comparison: &'a Comparison,
    /// Errors that the application met from the moment the incident stood.
    pub(super) errors: u64,
    /// What the first one said.
    pub(super) first_error: Option<&'a str>,
    /// The way out was a move, and not a relief.
    pub(super) is_moved: bool,
    /// The verification before the cut-over.
    pub(super) verification: Option<&'a Report>,
    /// The cut-over.
    pub(super) swap: Option<Swap>,
    /// The incident was kept going all the time.
    pub(super) is_held: bool,
    /// Healthy.
    pub(super) before: &'a Summary,
    /// In the incident.
    pub(super) during: &'a Summary,
    /// Behind the cut-over.
    pub(super) after: &'a Summary,
}

/// One thing that is to be proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Claim {
    /// A stable name.
    pub(super) name: &'static str,
    /// It holds.
    pub(super) holds: bool,
    /// With the figures.
    pub(super) words: String,
}

/// All claims, in the order in which they are told. The demo proves something only when all hold.
pub(super) fn judge(evidence: &Evidence<'_>) -> Vec<Claim> {
    let mut claims = vec![
        nothing_lost(evidence.comparison, evidence.acknowledged_writes),
        nothing_noticed(evidence.comparison, evidence.errors, evidence.first_error),
    ];
    if evidence.is_moved {
        claims.push(verified(evidence.verification));
        claims.push(swapped(evidence.swap));
    }
    if evidence.is_held {
        claims.push(collapsed(evidence));
    }
    claims.push(back(evidence));
    claims
}

/// Every acknowledged write is found again, and nothing else.
pub(super) fn nothing_lost(found: &Comparison, writes: u64) -> Claim {
    Claim {
        name: "nothing_lost",
        holds: writes > 0
            && found.rows_expected > 0
            && found.lost_rows == 0
            && found.invented_rows == 0
            && found.differing_rows == 0,
        words: format!(
            "{} acknowledged writes, {} rows expected, {} found: {} lost, {} invented, {} different",
            grouped(writes),
            grouped(found.rows_expected),
            grouped(found.rows_found),
            grouped(found.lost_rows),
            grouped(found.invented_rows),
            grouped(found.differing_rows)
        ),
    }
}

/// The application met no error and no wrong answer.
pub(super) fn nothing_noticed(found: &Comparison, errors: u64, first_error: Option<&str>) -> Claim {
    let anomalies = &found.anomalies;
    let mut words = format!(
        "the application met {} errors and {} wrong answers since the incident stood",
        grouped(errors),
        grouped(anomalies.len() as u64)
    );
    let first = anomalies.first().map(String::as_str);
    if let Some(first) = first.or(first_error.filter(|_| errors > 0)) {
        words.push_str(&format!("; the first: {first}"));
    }
    Claim {
        name: "nothing_noticed",
        holds: errors == 0 && anomalies.is_empty(),
        words,
    }
}

/// Every row was compared before the cut-over, and there was nothing to repair.
pub(super) fn verified(report: Option<&Report>) -> Claim {
    let words = match report {
        None => "there was no verification before the cut-over".to_owned(),
        Some(report) => format!(
            "verification before the cut-over: {} of {} rows in {} ranges, {}; {} repaired",
            grouped(report.target_rows.unsigned_abs()),
            grouped(report.source_rows.unsigned_abs()),
            grouped(report.ranges.unsigned_abs()),
            match report.is_proven {
                true => "every row equal",
                false => "not proven equal",
            },
            grouped(report.repaired_keys.unsigned_abs())
        ),
    };
    Claim {
        name: "verified",
        // A mirror that keeps its rule leaves nothing to repair.
        holds: report.is_some_and(|report| report.is_proven && report.repaired_keys == 0),
        words,
    }
}

/// There was a cut-over.
pub(super) fn swapped(swap: Option<Swap>) -> Claim {
    let words = match swap {
        None => "the tables were not swapped".to_owned(),
        Some(swap) => format!(
            "cut-over: locks waited for {}, held for {}, attempt {}",
            millis(swap.waited_ms),
            millis(swap.held_ms),
            swap.attempts
        ),
    };
    Claim {
        name: "swapped",
        holds: swap.is_some(),
        words,
    }
}

fn collapsed(evidence: &Evidence<'_>) -> Claim {
    let (before, during) = (evidence.before.write_p99_ms, evidence.during.write_p99_ms);
    Claim {
        name: "collapsed",
        holds: evidence.during.writes == 0 || during >= COLLAPSED_FROM * before,
        words: format!(
            "the incident: p99 of a write went from {} to {}",
            millis(before),
            millis(during)
        ),
    }
}

fn back(evidence: &Evidence<'_>) -> Claim {
    let (before, after) = (evidence.before.write_p99_ms, evidence.after.write_p99_ms);
    let limit = before * BACK_WITHIN;
    // Where nobody writes nothing is slow.
    let has_both = evidence.before.writes > 0 && evidence.after.writes > 0;
    Claim {
        name: "latency_back",
        holds: has_both && after <= limit,
        words: match has_both {
            true => format!(
                "latency is {}: p99 of a write {} after, limit {} (twice the healthy one)",
                if after <= limit { "back" } else { "not back" },
                millis(after),
                millis(limit)
            ),
            false => "latency: nothing was written, so that nothing was measured".to_owned(),
        },
    }
}

/// True when the figures of a phase already show what [`back`] asks for.
pub(super) fn is_back(before: &Summary, after: &Summary) -> bool {
    after.writes > 0 && after.write_p99_ms <= before.write_p99_ms * BACK_WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(writes: u64, write_p99_ms: f64) -> Summary {
        Summary {
            seconds: 10,
            writes,
            reads: 0,
            errors: 0,
            writes_per_s: writes as f64 / 10.0,
            write_p50_ms: 0.5,
            write_p99_ms,
            write_max_ms: write_p99_ms,
            read_p50_ms: 0.0,
            read_p99_ms: 0.0,
        }
    }

    fn exact() -> Comparison {
        Comparison {
            rows_expected: 1_000,
            rows_found: 1_000,
            lost_rows: 0,
            invented_rows: 0,
            differing_rows: 0,
            lost: Vec::new(),
            invented: Vec::new(),
            differing: Vec::new(),
            anomalies: Vec::new(),
            ambiguous_rows: 0,
        }
    }

    fn report() -> Report {
        Report {
            run: 1,
            is_proven: true,
            started_at: None,
            finished_at: None,
            ranges: 10,
            source_rows: 1_000,
            target_rows: 1_000,
            source_digest: "1".into(),
            target_digest: "1".into(),
            digest_method: String::new(),
            pending_keys: 3,
            left_out_keys: 0,
            differing_keys: 0,
            missing_keys: 0,
            extra_keys: 0,
            repaired_keys: 0,
            differences: Vec::new(),
        }
    }

    /// What is judged, to be spoilt in one place.
    struct Case {
        writes: u64,
        comparison: Comparison,
        errors: u64,
        report: Option<Report>,
        swap: Option<Swap>,
        is_held: bool,
        p99_ms: [f64; 3],
        writes_after: u64,
    }

    fn good() -> Case {
        Case {
            writes: 30_000,
            comparison: exact(),
            errors: 0,
            report: Some(report()),
            swap: Some(Swap {
                waited_ms: 3.0,
                held_ms: 20.0,
                attempts: 1,
            }),
            is_held: true,
            p99_ms: [2.0, 400.0, 4.0],
            writes_after: 10_000,
        }
    }

    /// The names of the claims that do not hold.
    fn broken(spoil: impl FnOnce(&mut Case)) -> Vec<&'static str> {
        let mut case = good();
        spoil(&mut case);
        let [before, during, after] = case.p99_ms;
        let claims = judge(&Evidence {
            acknowledged_writes: case.writes,
            comparison: &case.comparison,
            errors: case.errors,
            is_moved: true,
            first_error: Some("deadlock"),
            verification: case.report.as_ref(),
            swap: case.swap,
            is_held: case.is_held,
            before: &summary(10_000, before),
            during: &summary(500, during),
            after: &summary(case.writes_after, after),
        });
        claims
            .into_iter()
            .filter(|claim| !claim.holds)
            .map(|claim| claim.name)
            .collect()
    }

    #[test]
    fn what_is_well_is_proven() {
        assert_eq!(broken(|_| ()), [""; 0]);
        assert_eq!(
            broken(|case| case.p99_ms[2] = 4.0),
            [""; 0],
            "twice is within twice"
        );
    }

    #[test]
    fn one_row_that_is_not_as_it_was_acknowledged_breaks_it() {
        assert_eq!(broken(|case| case.comparison.lost_rows = 1), ["nothing_lost"]);
        assert_eq!(broken(|case| case.comparison.invented_rows = 1), ["nothing_lost"]);
        assert_eq!(
            broken(|case| case.comparison.differing_rows = 1),
            ["nothing_lost"]
        );
        assert_eq!(
            broken(|case| case.writes = 0),
            ["nothing_lost"],
            "no write, no proof"
        );
    }

    #[test]
    fn what_the_application_notices_breaks_it() {
        assert_eq!(broken(|case| case.errors = 1), ["nothing_noticed"]);
        assert_eq!(
            broken(|case| case.comparison.anomalies.push("a stale row".into())),
            ["nothing_noticed"]
        );
    }

    #[test]
    fn a_move_without_proof_or_swap_breaks_it() {
        assert_eq!(broken(|case| case.report = None), ["verified"]);
        assert_eq!(broken(|case| case.swap = None), ["swapped"]);
        let unproven = |case: &mut Case| case.report.as_mut().unwrap().is_proven = false;
        assert_eq!(broken(unproven), ["verified"]);
        let repaired = |case: &mut Case| case.report.as_mut().unwrap().repaired_keys = 1;
        assert_eq!(broken(repaired), ["verified"]);
    }

    #[test]
    fn a_latency_that_does_not_come_back_breaks_it() {
        assert_eq!(broken(|case| case.p99_ms[2] = 4.1), ["latency_back"]);
        assert_eq!(
            broken(|case| case.writes_after = 0),
            ["latency_back"],
            "no write, no latency"
        );
    }

    #[test]
    fn an_incident_that_did_not_come_about_proves_nothing() {
        assert_eq!(broken(|case| case.p99_ms[1] = 3.0), ["collapsed"]);
        let unheld = |case: &mut Case| {
            case.p99_ms[1] = 3.0;
            case.is_held = false;
        };
        assert_eq!(broken(unheld), [""; 0], "it was over before it could be measured");
    }

    #[test]
    fn a_reason_is_told() {
        let mut comparison = exact();
        comparison.anomalies.push("reading 5 gave nothing".into());
        insta::assert_snapshot!(
            nothing_noticed(&comparison, 2, Some("deadlock detected")).words,
            @"the application met 2 errors and 1 wrong answers since the incident stood; the first: reading 5 gave nothing"
        );
        insta::assert_snapshot!(
            nothing_lost(&comparison, 1).words,
            @"1 acknowledged writes, 1,000 rows expected, 1,000 found: 0 lost, 0 invented, 0 different"
        );
    }
}
