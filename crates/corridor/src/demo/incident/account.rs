//! What came of a small incident, for a person and for a program.

use std::collections::BTreeMap;

use corridor_limits::Finding;
use corridor_mirror::verify::Report;
use corridor_testbed::traffic::{Comparison, Summary};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Incident;
use crate::command::DONE;
use crate::demo::figures::Phase;
use crate::demo::report::{Kept, claim_lines, kept_words};
use crate::demo::stage::Application;
use crate::demo::verdict::{Claim, Swap, nothing_lost, nothing_noticed};
use crate::output::WIDTH;
use crate::output::number::{bytes, figure, grouped, millis, seconds};
use crate::output::text::{Paint, hang, harmless, paint};

/// Something that is measured beside the application.
#[derive(Debug, Serialize)]
pub(super) struct Gauge {
    /// As JSON has it.
    pub(super) key: &'static str,
    /// Over its column.
    pub(super) head: &'static str,
    /// How it is written.
    pub(super) unit: Unit,
}

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// `1.5 GB`.
    Bytes,
    /// `2,147,483,647`.
    Count,
    /// `98.5 %`, of a share.
    Ratio,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Unit::Bytes => bytes(value.max(0.0) as u64),
            Unit::Count => grouped(value.max(0.0) as u64),
            Unit::Ratio => format!("{:.1} %", value * 100.0),
        }
    }
}

/// What a check said.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Look {
    /// Since the incident began.
    pub(super) after_s: f64,
    /// From the command to the answer, connecting included.
    pub(super) took_ms: f64,
    /// What stood before it; nothing before the worst of all findings.
    pub(super) ahead: Vec<String>,
    /// Of the finding.
    pub(super) code: &'static str,
    /// What it is about.
    pub(super) object: String,
    /// What it says.
    pub(super) headline: String,
    /// Days left, where it says so.
    pub(super) days_left: Option<f64>,
    /// The recommended way.
    pub(super) way: Option<&'static str>,
    /// What it says to type.
    pub(super) command: Option<String>,
}

impl Look {
    /// Of a finding.
    pub(super) fn of(finding: &Finding, ahead: &[Finding], took_ms: f64, after_s: f64) -> Look {
        let advice = finding.advice.as_ref();
        Look {
            after_s,
            took_ms,
            ahead: ahead
                .iter()
                .map(|f| format!("{} {}", f.code.id, f.object))
                .collect(),
            code: finding.code.id,
            object: finding.object.clone(),
            headline: finding.headline.clone(),
            days_left: finding.runway.days_mid(),
            way: advice.map(|advice| advice.way),
            command: advice.and_then(|advice| advice.command.clone()),
        }
    }
}

/// A recommended command, carried out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    /// Of the finding.
    pub(super) code: &'static str,
    /// What it is about.
    pub(super) object: String,
    /// The recommended way.
    pub(super) way: Option<&'static str>,
    /// As it was printed.
    pub(super) recommended: String,
    /// With what the demo added: a cut-over that waits for nobody, the path of a file.
    pub(super) carried_out: String,
    /// How long it took.
    pub(super) took_ms: f64,
}

/// One phase.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// Which.
    pub(super) phase: Phase,
    /// The application.
    pub(super) summary: Option<Summary>,
    /// The incident's own gauges, at the end of the phase.
    pub(super) gauges: Vec<Option<f64>>,
}

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Account {
    /// Every claim holds.
    pub(super) is_proven: bool,
    /// What the process returns.
    pub(super) exit: u8,
    /// Which.
    pub(super) incident: &'static Incident,
    /// What is proven, and what is not.
    pub(super) claims: Vec<Claim>,
    /// The server's major version.
    pub(super) postgres_major: u32,
    /// Rows that the table began with.
    pub(super) rows: u64,
    /// Who wrote.
    pub(super) application: Application,
    /// What `corridor check` said, in the order in which it was asked.
    pub(super) looks: Vec<Look>,
    /// What was carried out.
    pub(super) steps: Vec<Step>,
    /// What was measured beside the application.
    pub(super) gauges: &'static [Gauge],
    /// By phase.
    pub(super) phases: Vec<Measured>,
    /// p99 of each second of traffic.
    pub(super) latency_by_second_ms: Vec<f64>,
    /// Transactions that wrote and were acknowledged.
    pub(super) acknowledged_writes: u64,
    /// Errors that the application met since the incident stood.
    pub(super) errors: u64,
    /// The table beside the ledger.
    pub(super) comparison: Comparison,
    /// The cut-over, where the way out is a move.
    pub(super) cutover: Option<Swap>,
    /// The verification before it.
    pub(super) verification: Option<Report>,
    /// All of it.
    pub(super) elapsed_ms: u64,
    /// The cluster, when it is left up.
    pub(super) kept: Option<Kept>,
}

impl Account {
    /// Adds the claims that every incident makes, and says whether all hold.
    pub(super) fn judge(&mut self, first_error: Option<&str>) {
        self.claims
            .push(nothing_lost(&self.comparison, self.acknowledged_writes));
        self.claims
            .push(nothing_noticed(&self.comparison, self.errors, first_error));
        self.is_proven = self.claims.iter().all(|claim| claim.holds);
        self.exit = match self.is_proven {
            true => DONE,
            false => corridor_pg::Exit::BadResult.code(),
        };
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("is_proven", &self.is_proven)?;
        map.serialize_entry("exit", &self.exit)?;
        map.serialize_entry("incident", self.incident.name)?;
        map.serialize_entry("claims", &self.claims)?;
        map.serialize_entry("postgres_major", &self.postgres_major)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("application", &self.application)?;
        map.serialize_entry("looks", &self.looks)?;
        map.serialize_entry("steps", &self.steps)?;
        let phases: Vec<PhaseDocument<'_>> = self.phases.iter().map(|m| self.document(m)).collect();
        map.serialize_entry("phases", &phases)?;
        map.serialize_entry("latency_by_second_ms", &self.latency_by_second_ms)?;
        map.serialize_entry("acknowledged_writes", &self.acknowledged_writes)?;
        map.serialize_entry("errors", &self.errors)?;
        map.serialize_entry("comparison", &self.comparison)?;
        map.serialize_entry("cutover", &self.cutover)?;
        map.serialize_entry("verification", &self.verification)?;
        map.serialize_entry("elapsed_ms", &self.elapsed_ms)?;
        map.serialize_entry("kept", &self.kept)?;
        map.end()
    }
}

/// A phase as JSON has it.
#[derive(Serialize)]
struct PhaseDocument<'a> {
    phase: Phase,
    #[serde(flatten)]
    summary: &'a Option<Summary>,
    gauges: BTreeMap<&'static str, Option<f64>>,
}

impl Account {
    fn document<'a>(&self, measured: &'a Measured) -> PhaseDocument<'a> {
        let keys = self.gauges.iter().map(|gauge| gauge.key);
        PhaseDocument {
            phase: measured.phase,
            summary: &measured.summary,
            gauges: keys.zip(measured.gauges.iter().copied()).collect(),
        }
    }
}

/// The account as text.
pub(super) fn text(account: &Account) -> String {
    let mut lines = vec![String::new()];
    lines.extend(table(account.gauges, &account.phases));
    lines.push(String::new());
    for step in account.steps.iter().take(STEPS_SHOWN) {
        let took = millis(step.took_ms);
        let text = format!("{} ({took})", step.recommended);
        lines.push(hang("  $ ", &harmless(&text)));
    }
    if let Some(more) = account
        .steps
        .len()
        .checked_sub(STEPS_SHOWN)
        .filter(|more| *more > 0)
    {
        lines.push(format!("    and {more} more of the last kind"));
    }
    lines.push(String::new());
    lines.extend(claim_lines(&account.claims));
    lines.push(String::new());
    lines.push(conclusion(account));
    let aside = "The figures beside the application's are those at the end of each phase. fsync is off on a throwaway cluster.";
    lines.push(paint(Paint::Dim, &hang("", aside)));
    if let Some(kept) = &account.kept {
        lines.extend(kept_words(kept));
    }
    lines.join("\n")
}

fn conclusion(account: &Account) -> String {
    let count = account.claims.iter().filter(|claim| !claim.holds).count();
    if count > 0 {
        let text = format!(
            "Not proven: {count} of {} claims do not hold.",
            account.claims.len()
        );
        return paint(Paint::Bad, &hang("", &text));
    }
    let named_s = account.looks.first().map_or(0.0, |look| look.took_ms / 1_000.0);
    let text = format!(
        "Proven: named in {}, mended by the command that was recommended, while the application wrote; {} acknowledged writes, none \
         lost. All of it took {}.",
        seconds(named_s),
        grouped(account.acknowledged_writes),
        seconds(account.elapsed_ms as f64 / 1_000.0)
    );
    paint(Paint::Good, &hang("", &text))
}

/// Commands that are shown; JSON has all.
const STEPS_SHOWN: usize = 4;
/// Columns of all that is about the application.
const APPLICATION_COLUMNS: usize = 40;
/// Columns of a gauge, where there is room.
const GAUGE_COLUMNS: usize = 16;

/// Right under each other, because they are compared.
fn table(gauges: &[Gauge], phases: &[Measured]) -> Vec<String> {
    let width = GAUGE_COLUMNS.min((WIDTH - APPLICATION_COLUMNS) / gauges.len().max(1));
    let mut head = format!("{:<8}{:>4}{:>10}{:>9}{:>9}", "", "s", "writes/s", "p50", "p99");
    for gauge in gauges {
        head.push_str(&format!("{:>width$}", gauge.head));
    }
    let mut lines = vec![paint(Paint::Dim, &head)];
    for measured in phases {
        let mut line = format!("{:<8}", measured.phase.as_str());
        match &measured.summary {
            Some(s) => line.push_str(&format!(
                "{:>4}{:>10}{:>9}{:>9}",
                s.seconds,
                figure(s.writes_per_s.round()),
                millis(s.write_p50_ms),
                millis(s.write_p99_ms)
            )),
            None => line.push_str(&" ".repeat(32)),
        }
        for (gauge, value) in gauges.iter().zip(&measured.gauges) {
            let text = value.map_or_else(|| "unknown".to_owned(), |value| gauge.unit.text(value));
            line.push_str(&format!("{text:>width$}"));
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::width;

    #[test]
    fn figures_stand_under_each_other() {
        let gauge = |key, head, unit| Gauge { key, head, unit };
        let gauges = [
            gauge("wal", "pg_wal", Unit::Bytes),
            gauge("kept", "slot keeps", Unit::Bytes),
            gauge("c", "c", Unit::Bytes),
        ];
        let measured = |phase, p99, value| Measured {
            phase,
            summary: Some(Summary {
                seconds: 10,
                writes: 1,
                reads: 1,
                errors: 0,
                writes_per_s: 1_124.3,
                write_p50_ms: 0.51,
                write_p99_ms: p99,
                write_max_ms: p99 * 2.0,
                read_p50_ms: 0.0,
                read_p99_ms: 0.0,
            }),
            gauges: vec![Some(value), Some(0.0), None],
        };
        let lines = table(
            &gauges,
            &[
                measured(Phase::Before, 2.2, 1e6),
                measured(Phase::During, 1_402.0, 3e9),
            ],
        );
        let plain = lines.join("\n").replace("\x1b[2m", "").replace("\x1b[0m", "");
        insta::assert_snapshot!(plain, @r"
                   s  writes/s      p50      p99       pg_wal   slot keeps            c
        before    10     1,124   0.5 ms   2.2 ms     976.6 kB      0 bytes      unknown
        during    10     1,124   0.5 ms    1.4 s       2.8 GB      0 bytes      unknown
        ");
        assert!(plain.lines().all(|line| width(line) <= WIDTH));
    }
}
