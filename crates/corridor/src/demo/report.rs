//! The result, for a person and for a program.

use corridor_mirror::verify::Report;
use corridor_testbed::toast::ToastRun;
use corridor_testbed::traffic::Comparison;
use serde::Serialize;

use super::diagnosis::Diagnosis;
use super::figures::Figures;
use super::passage::OpenSetting;
use super::stage::{Application, Place};
use super::verdict::{Claim, Swap};
use crate::output::number::{figure, grouped, millis, seconds};
use crate::output::text::{Paint, hang, harmless, paint};

/// How `buffers_per_write` comes about.
pub(super) const BUFFERS_DOC: &str = "shared buffers hit or read by the application's inserts, updates and deletes, \
    triggers and TOAST included, by their count (pg_stat_statements, by role; what is under way does not count yet)";

/// Everything that the demo found.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    /// Every claim holds.
    pub(super) is_proven: bool,
    /// What the process returns.
    pub(super) exit: u8,
    /// What is proven, and what is not.
    pub(super) claims: Vec<Claim>,
    /// The server's major version.
    pub(super) postgres_major: u32,
    /// Rows that the table began with.
    pub(super) rows: u64,
    /// Who wrote.
    pub(super) application: Application,
    /// The used ids.
    pub(super) incident: ToastRun,
    /// What `corridor check` said in it.
    pub(super) diagnosis: Option<Diagnosis>,
    /// The incident went on until the end; otherwise the ids were walked through once.
    pub(super) is_incident_held: bool,
    /// The quick way out, where one was taken.
    pub(super) relief: Option<String>,
    /// What was carried out, in the end.
    pub(super) command: String,
    /// What in it is not the default, and why.
    pub(super) settings: &'static [OpenSetting],
    /// From the command to the swap, and what came right after it.
    pub(super) move_ms: u64,
    /// By phase.
    pub(super) phases: Vec<Figures>,
    /// How often the last phase was measured until it was healthy; the last time counts.
    pub(super) after_measured: u32,
    /// What the figure means.
    pub(super) buffers_per_write_is: &'static str,
    /// p99 of each second of traffic.
    pub(super) latency_by_second_ms: Vec<f64>,
    /// The cut-over.
    pub(super) cutover: Option<Swap>,
    /// The verification before it.
    pub(super) verification: Option<Report>,
    /// Transactions that wrote and were acknowledged.
    pub(super) acknowledged_writes: u64,
    /// The table beside the ledger.
    pub(super) comparison: Comparison,
    /// Errors since the incident stood.
    pub(super) errors: u64,
    /// The whole demo.
    pub(super) elapsed_ms: u64,
    /// The cluster, when it is left up.
    pub(super) kept: Option<Kept>,
}

/// A cluster that outlives the demo.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    /// The migration; it waits for `finish`. None after a relief.
    pub(super) migration: Option<String>,
    /// Where it is, and how to end it.
    #[serde(flatten)]
    pub(super) place: Place,
}

/// The document as text.
pub(super) fn text(document: &Document) -> String {
    let mut lines = vec![String::new()];
    lines.extend(table(&document.phases));
    lines.push(String::new());
    lines.extend(claim_lines(&document.claims));
    lines.push(String::new());
    lines.push(conclusion(document));
    lines.push(paint(
        Paint::Dim,
        &hang(
            "",
            &format!("Buffers per write: {BUFFERS_DOC}. fsync is off on a throwaway cluster."),
        ),
    ));
    if let Some(kept) = &document.kept {
        lines.extend(kept_words(kept));
    }
    lines.join("\n")
}

/// What is proven, and what is not.
pub(super) fn claim_lines(claims: &[Claim]) -> impl Iterator<Item = String> {
    claims.iter().map(|claim| {
        let (mark, how) = match claim.holds {
            true => ("  [x] ", Paint::Good),
            false => ("  [ ] ", Paint::Bad),
        };
        paint(how, &hang(mark, &harmless(&claim.words)))
    })
}

fn conclusion(document: &Document) -> String {
    let took = seconds(document.elapsed_ms as f64 / 1_000.0);
    let moved = seconds(document.move_ms as f64 / 1_000.0);
    if !document.is_proven {
        let count = document.claims.iter().filter(|claim| !claim.holds).count();
        let text = format!(
            "Not proven: {count} of {} claims do not hold.",
            document.claims.len()
        );
        return paint(Paint::Bad, &hang("", &text));
    }
    if document.cutover.is_none() {
        let text = format!(
            "Proven: the application was relieved in {moved} while it went on writing; nothing was lost and latency is back. \
             It holds for a while, and no id is free that was not; what lasts is a move. All of it took {took}."
        );
        return paint(Paint::Good, &hang("", &text));
    }
    let still = match document.is_incident_held {
        true => {
            " The ids are still used up; the new partitions have TOAST relations of their own, with all ids free."
        }
        false => "",
    };
    let relieved = match &document.relief {
        Some(_) => "the application was relieved as recommended; then ",
        None => "",
    };
    let text = format!(
        "Proven: {relieved}a table of {} rows was moved in {moved} out of the incident while the application wrote to it; \
         nothing was lost and latency is back.{still} All of it took {took}.",
        grouped(document.rows)
    );
    paint(Paint::Good, &hang("", &text))
}

/// How one goes on with a cluster that is left up, and how it ends.
pub(super) fn kept_words(kept: &Kept) -> Vec<String> {
    let on = format!("corridor --database {}", kept.place.url);
    let mut lines = vec![
        String::new(),
        "The cluster is left up:".to_owned(),
        format!("  {}", kept.place.url),
    ];
    if let Some(migration) = &kept.migration {
        lines.push(hang(
            "",
            "The way back is open; the old table is kept until `finish`:",
        ));
        lines.push(format!("  {on} status {migration}"));
        lines.push(format!("  {on} rollback {migration}"));
        lines.push(format!("  {on} finish {migration} --drop"));
    }
    lines.push("To end it and remove its files:".to_owned());
    lines.extend(kept.place.stop.iter().map(|command| format!("  {command}")));
    lines
}

/// Right under each other, because they are compared.
fn table(phases: &[Figures]) -> Vec<String> {
    let head = [
        "",
        "seconds",
        "writes/s",
        "p50",
        "p99",
        "slowest",
        "buffers/write",
    ]
    .map(str::to_owned);
    let mut lines = vec![paint(Paint::Dim, &row(&head))];
    for figures in phases {
        let s = &figures.summary;
        lines.push(row(&[
            figures.phase.as_str().to_owned(),
            s.seconds.to_string(),
            figure(s.writes_per_s.round()),
            millis(s.write_p50_ms),
            millis(s.write_p99_ms),
            millis(s.write_max_ms),
            figures.buffers_per_write.map_or("unknown".to_owned(), figure),
        ]));
    }
    lines
}

fn row(cells: &[String; 7]) -> String {
    let [name, rest @ ..] = cells;
    let widths = [8, 9, 10, 10, 10, 15];
    let mut line = format!("{name:<8}");
    for (cell, width) in rest.iter().zip(widths) {
        line.push_str(&format!("{cell:>width$}"));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use corridor_testbed::traffic::Summary;

    use super::super::figures::Phase;
    use super::*;
    use crate::output::WIDTH;
    use crate::output::text::width;

    fn plain(text: &str) -> String {
        text.replace("\x1b[2m", "").replace("\x1b[0m", "")
    }

    #[test]
    fn figures_stand_under_each_other() {
        let figures = |phase, writes_per_s, p50, p99, buffers_per_write| Figures {
            phase,
            summary: Summary {
                seconds: 10,
                writes: 1,
                reads: 1,
                errors: 0,
                writes_per_s,
                write_p50_ms: p50,
                write_p99_ms: p99,
                write_max_ms: p99 * 2.0,
                read_p50_ms: 0.0,
                read_p99_ms: 0.0,
            },
            buffers_per_write,
        };
        let lines = table(&[
            figures(Phase::Before, 1_124.3, 0.51, 2.2, Some(11.3)),
            figures(Phase::During, 88.0, 0.9, 1_402.0, Some(123_456.0)),
            figures(Phase::After, 1_120.0, 0.6, 2.6, None),
        ]);
        insta::assert_snapshot!(plain(&lines.join("\n")), @r"
                 seconds writes/s       p50       p99   slowest  buffers/write
        before        10    1,124    0.5 ms    2.2 ms    4.4 ms           11.3
        during        10       88    0.9 ms     1.4 s     2.8 s        123,456
        after         10    1,120    0.6 ms    2.6 ms    5.2 ms        unknown
        ");
        assert!(lines.iter().all(|line| width(&plain(line)) <= WIDTH));
    }
}
